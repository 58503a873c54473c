package posterntest

import (
	"fmt"
	"net/http"
	"strings"
)

// roads are the actions for which a ticket is presented.
var roads = []string{"parts", "list", "complete", "abort", "report"}

// presenting is a request with a ticket that suits every action.
func presenting(ticket any) map[string]any {
	return map[string]any{"ticket": ticket, "numbers": []int{1}, "stage": "upload"}
}

// refused says what is wrong if an answer is no refusal.
func refused(got *answer, err error) error {
	switch {
	case err != nil:
		return err
	case got.Status < 300:
		return fmt.Errorf("it was not refused: %s", got)
	case got.Status >= 500:
		return fmt.Errorf("it was not refused, but failed: %s", got)
	}
	return nil
}

// arrived is an upload of the user's that has arrived, and is not completed.
func (a *attack) arrived() (*grant, error) {
	g, err := a.grantOf(a.user(), a.File)
	if err == nil {
		err = a.upload(a.user(), g, a.File.Content)
	}
	return g, err
}

// stillThere says what is wrong if an upload of the user's was harmed.
func (a *attack) stillThere(g *grant) error {
	if !g.Complete {
		out, _, err := a.object(g.writeKey(a.S3.Bucket))
		if err == nil && out == nil {
			err = fmt.Errorf("what the user has uploaded to %s is gone", g.Key)
		}
		return err
	}
	r, err := a.receive(a.user(), g)
	if err != nil {
		return err
	}
	return a.isRight(r, a.File.Content)
}

// known: the user is somebody.
func (a *attack) known() error {
	if a.User == nil {
		return leftOut("Target.User is nil: everybody may upload")
	}
	return nil
}

func identityCases() []Case {
	runs := []namedRun{
		{"nobody: sign", func(a *attack) error {
			return refused(a.call(nobody, "sign", declared(a.File)))
		}},
		{"nobody: sign a batch", func(a *attack) error {
			got, err := a.call(nobody, "sign", map[string]any{"files": []any{declared(a.File), declared(a.File)}})
			if err == nil && got.Status == http.StatusOK && !hasGrant(got) {
				return nil
			}
			return refused(got, err)
		}},
		{"nobody: session", func(a *attack) error {
			return refused(a.call(nobody, "session", map[string]any{}))
		}},
		{"nobody: rules", func(a *attack) error {
			return refused(a.ask(nobody, http.MethodGet, "rules", nil))
		}},
		{"nobody: claims to be somebody in other headers", func(a *attack) error {
			return refused(a.call(nobody, "sign", declared(a.File), func(r *http.Request) {
				for _, name := range []string{"X-User", "X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-Forwarded-Email"} {
					r.Header.Set(name, "admin")
				}
			}))
		}},
	}
	for _, road := range roads {
		runs = append(runs, namedRun{"nobody: " + road, func(a *attack) error {
			g, err := a.arrived()
			if err != nil {
				return err
			}
			if err := refused(a.call(nobody, road, presenting(g.Ticket))); err != nil {
				return err
			}
			return a.stillThere(g)
		}})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"} {
		runs = append(runs, namedRun{"the method " + method, func(a *attack) error {
			got, err := a.ask(a.user(), method, "sign", nil)
			if err == nil && method == "OPTIONS" && got.Status < 300 && len(got.Body) == 0 {
				return nil // of a CORS middleware in front
			}
			return refused(got, err)
		}})
	}
	for _, road := range []string{"sign/", "sign;x", "/sign", "./sign", "x/../sign", "sign/x", "%2e%2e/uploads/sign", "sign%00", "SIGN", "sign%2F", ""} {
		runs = append(runs, namedRun{fmt.Sprintf("nobody: the path %q", road), func(a *attack) error {
			return refused(a.call(nobody, road, declared(a.File)))
		}})
	}
	for n, r := range runs {
		if strings.HasPrefix(r.name, "nobody: ") {
			runs[n].run = func(a *attack) error {
				if err := a.known(); err != nil {
					return err
				}
				return r.run(a)
			}
		}
	}
	return family("who", DefaultDeny, "whoever gets a grant without being anybody stores what they like, at your cost", runs...)
}

func originCases() []Case {
	// byCookie: the user is known by what browsers send by themselves.
	byCookie := func(a *attack) error {
		if err := a.known(); err != nil {
			return err
		}
		r, err := http.NewRequest(http.MethodPost, a.url, nil)
		if err != nil {
			return err
		}
		a.User(r)
		if r.Header.Get("Authorization") != "" {
			return leftOut("the user is known by an Authorization header, which no page of another site can send")
		}
		return nil
	}
	var runs []namedRun
	for _, road := range append([]string{"sign", "session"}, roads...) {
		for name, change := range map[string]func(*http.Request){
			"another site":                                   withHeader("Sec-Fetch-Site", "cross-site"),
			"another host of the same site":                  withHeader("Sec-Fetch-Site", "same-site"),
			"another origin, in a browser without Sec-Fetch": withHeader("Origin", "https://evil.example"),
			"no origin": withHeader("Origin", "null"),
		} {
			runs = append(runs, namedRun{name + ": " + road, func(a *attack) error {
				if err := byCookie(a); err != nil {
					return err
				}
				if road == "sign" || road == "session" {
					return refused(a.call(a.user(), road, declared(a.File), change))
				}
				g, err := a.arrived()
				if err != nil {
					return err
				}
				if err := refused(a.call(a.user(), road, presenting(g.Ticket), change)); err != nil {
					return err
				}
				return a.stillThere(g)
			}})
		}
	}
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/json, text/plain"} {
		runs = append(runs, namedRun{fmt.Sprintf("a form's type %q", contentType), func(a *attack) error {
			return refused(a.call(a.user(), "sign", declared(a.File), withHeader("Content-Type", contentType)))
		}})
	}
	runs = append(runs, namedRun{"a preflight of another site", func(a *attack) error {
		got, err := a.ask(nobody, http.MethodOptions, "sign", nil, withHeader("Origin", "https://evil.example"),
			withHeader("Access-Control-Request-Method", "POST"), withHeader("Access-Control-Request-Headers", "content-type"))
		if err == nil && got.Header.Get("Access-Control-Allow-Origin") == "https://evil.example" && got.Header.Get("Access-Control-Allow-Credentials") == "true" {
			err = fmt.Errorf("any page may ask with the user's cookies: Access-Control-Allow-Origin is what was sent")
		}
		return err
	}})
	return family("origin", DefaultDeny, "a page of another site would upload in the name of whoever visits it", sorted(runs)...)
}

package postern_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/justinas/alice"
	"github.com/rs/zerolog"
	"github.com/rs/zerolog/hlog"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
)

// In a program, cfg comes from config.LoadDefaultConfig.
var cfg = aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
})}

var logger = zerolog.Nop()

// user is what the application's own sessions know.
type user struct {
	ID, Org string
	Plan    plan
}

// plan is what the user pays for.
type plan struct{ MaxUpload int64 } // bytes

// sessions stand for those that the application has already.
type sessions struct{}

var session sessions

// User returns who is signed in, or nil.
func (sessions) User(ctx context.Context) *user {
	u, _ := ctx.Value(session).(*user)
	return u
}

// Require is middleware that finds the user of a request.
func (sessions) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer ada" {
			r = r.WithContext(context.WithValue(r.Context(), session, &user{ID: "ada", Org: "acme", Plan: plan{MaxUpload: 50 << 20}}))
		}
		next.ServeHTTP(w, r)
	})
}

func authorize(r *http.Request, u *postern.Upload) error {
	user := session.User(r.Context())
	if user == nil {
		return postern.ErrUnauthenticated
	}
	u.Subject, u.Tenant = user.ID, user.Org
	u.LimitSize(1, user.Plan.MaxUpload) // only narrows what the rules allow
	return nil
}

// ask is a browser that asks for a grant.
func ask(h http.Handler, body string, header ...string) *http.Response {
	r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer ada")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func ExampleNew() {
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			user := session.User(r.Context())
			if user == nil {
				return postern.ErrUnauthenticated
			}
			u.Subject, u.Tenant = user.ID, user.Org
			u.LimitSize(1, user.Plan.MaxUpload) // only narrows what the rules allow
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, 10<<20),
		postern.WithContentTypes("image/*", "application/pdf"),
		postern.WithLogger(logger),
	)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/", session.Require(h))     // any prefix, any router: no StripPrefix needed
	mux.Handle("GET /uploads/rules", session.Require(h)) // tells the page what is accepted

	fmt.Println(ask(mux, `{"filename":"cat.png","type":"image/png","size":70000}`).Status)
	fmt.Println(ask(mux, `{"filename":"cat.exe","type":"application/x-msdownload","size":70000}`).Status)
	fmt.Println(ask(mux, `{"filename":"cat.png","type":"image/png","size":70000000}`).Status)
	fmt.Println(ask(mux, `{"filename":"cat.png","type":"image/png","size":70000}`, "Authorization", "").Status)
	// Output:
	// 201 Created
	// 415 Unsupported Media Type
	// 413 Request Entity Too Large
	// 401 Unauthorized
}

// The chain that New builds, by hand, with middleware of your own wherever you
// want it.
func Example_chain() {
	issuer, err := postern.NewIssuer(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials})
	if err != nil {
		panic(err)
	}
	chain := alice.New(
		hlog.NewHandler(logger),
		postern.Decode(issuer),
		session.Require, // any middleware you already have
		postern.Authorize(authorize),
		postern.LimitSize(1, 10<<20),
		postern.AllowContentTypes("image/*"),
		postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}{ext}")),
	)
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/sign", chain.Then(postern.SignHandler(issuer)))

	fmt.Println(ask(mux, `{"filename":"cat.png","type":"image/png","size":70000}`).Status)
	// Output: 201 Created
}

// A page may declare several files in one request. Each has a chain, an Upload and a
// result of its own, and a rule sees how many there are.
func ExampleUpload_Batch() {
	atMost := postern.Rule(func(_ *http.Request, u *postern.Upload) error {
		if u.Batch().Size > 50_000_000 {
			return postern.ErrForbidden.WithDetail("At most 50 MB at once.")
		}
		return nil
	})
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(authorize),
		postern.WithContentTypes("image/*"),
		postern.WithMiddleware(atMost),
	)
	if err != nil {
		panic(err)
	}
	handler := session.Require(h)

	for _, files := range []string{
		`{"filename":"a.png","type":"image/png","size":1000},{"filename":"b.zip","type":"application/zip","size":1000}`,
		`{"filename":"a.png","type":"image/png","size":9000000},{"filename":"b.png","type":"image/png","size":49000000}`,
	} {
		var answer struct {
			Results []struct {
				Index   int
				Problem *struct{ Detail string }
			}
		}
		res := ask(handler, `{"files":[`+files+`]}`)
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			panic(err)
		}
		for _, r := range answer.Results {
			if r.Problem == nil {
				fmt.Println(r.Index, "granted")
			} else {
				fmt.Println(r.Index, r.Problem.Detail)
			}
		}
	}
	// Output:
	// 0 granted
	// 1 Files of type application/zip are not accepted.
	// 0 At most 50 MB at once.
	// 1 At most 50 MB at once.
}

// A page asks what is accepted: the same rules tell it and judge.
func ExampleAskRules() {
	issuer, err := postern.NewIssuer(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials})
	if err != nil {
		panic(err)
	}
	rules := alice.New(
		session.Require,
		postern.Authorize(authorize),
		postern.LimitSize(1, 10<<20),
		postern.AllowContentTypes("image/*"),
	)
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/sign", alice.New(postern.Decode(issuer)).Extend(rules).Then(postern.SignHandler(issuer)))
	mux.Handle("GET /uploads/rules", alice.New(postern.AskRules(issuer)).Extend(rules).Then(postern.RulesHandler(issuer)))

	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/uploads/rules", nil)
	r.Header.Set("Authorization", "Bearer ada")
	mux.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: {"types":["image/*"],"min_size":1,"max_size":10485760,"max_files":100,"modes":["post"],"multipart_above":104857600,"complete":false,"origin":"https://acme-uploads.s3.eu-central-1.amazonaws.com"}
}

// A rule is middleware that judges the upload, and refuses it with a problem that
// the browser can show.
func ExampleRule() {
	used := map[string]int64{"acme": 99_950_000}
	quota := postern.Rule(func(_ *http.Request, u *postern.Upload) error {
		if used[u.Tenant]+u.Size > 100_000_000 {
			return postern.NewProblem(http.StatusForbidden, "quota_exceeded", "There is no room for this file.")
		}
		return nil
	})
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(authorize),
		postern.WithMiddleware(quota),
	)
	if err != nil {
		panic(err)
	}

	answer := ask(session.Require(h), `{"filename":"cat.png","type":"image/png","size":70000}`)
	fmt.Println(answer.Status, answer.Header.Get("Content-Type"))
	// Output: 403 Forbidden application/problem+json
}

// A form that the server renders needs no JavaScript: the page holds the grant,
// and the bucket sends the browser back.
func ExampleIssuer_Issue() {
	issuer, err := postern.NewIssuer(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{slug}{ext}")),
		postern.WithClock(func() time.Time { return time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC) }),
		postern.WithSizeLimit(1, 5<<20),
	)
	if err != nil {
		panic(err)
	}
	grant, err := issuer.Issue(context.Background(), &postern.Upload{
		Subject:         "ada",
		Tenant:          "acme",
		Filename:        "invoice.pdf",
		Type:            "application/pdf",
		Size:            postern.UnknownSize, // any size within the limits
		SuccessRedirect: "https://app.example.com/thanks",
	})
	if err != nil {
		panic(err)
	}
	form := template.Must(template.New("form").Parse(`<form method="post" action="{{.URL}}" enctype="multipart/form-data">
{{- range .Fields}}
<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
<input type="file" name="file"><button>Upload</button>
</form>`))
	var page strings.Builder
	if err := form.Execute(&page, grant); err != nil {
		panic(err)
	}
	for line := range strings.Lines(page.String()) {
		if !strings.Contains(line, "x-amz-") && !strings.Contains(line, "policy") {
			fmt.Print(line)
		}
	}
	// Output:
	// <form method="post" action="https://acme-uploads.s3.eu-central-1.amazonaws.com/" enctype="multipart/form-data">
	// <input type="hidden" name="key" value="acme/2026-02-28/invoice.pdf">
	// <input type="hidden" name="Content-Type" value="application/pdf">
	// <input type="hidden" name="Content-Disposition" value="attachment; filename=&#34;invoice.pdf&#34;">
	// <input type="hidden" name="success_action_redirect" value="https://app.example.com/thanks">
	// <input type="file" name="file"><button>Upload</button>
	// </form>
}

func ExampleKeyTemplate() {
	u := &postern.Upload{
		Tenant:   "acme",
		Subject:  "ada@example.com",
		Filename: "Annual Report (final).PDF",
		Type:     "application/pdf",
	}
	for _, template := range []string{
		"{tenant}/{subject}/{slug}{ext}",
		"archive/{tenant}/{slug}",
	} {
		key, err := postern.KeyTemplate(template).Key(context.Background(), u)
		fmt.Println(key, err)
	}
	// Output:
	// acme/ada@example.com/annual-report-final.pdf <nil>
	// archive/acme/annual-report-final <nil>
}

// Tenants that may have any name are encoded, so that no two share a prefix.
func ExampleEncodePrincipals() {
	policy := postern.KeyTemplate("{tenant}/{slug}{ext}", postern.EncodePrincipals())
	for _, tenant := range []string{"acme", "acme/europe", ".."} {
		key, err := policy.Key(context.Background(), &postern.Upload{Tenant: tenant, Filename: "a.png", Type: "image/png"})
		fmt.Println(key, err)
	}
	// Output:
	// acme/a.png <nil>
	// acme=2Feurope/a.png <nil>
	// =2E=2E/a.png <nil>
}

func ExampleWithObserver() {
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(authorize),
		postern.WithObserver(func(_ context.Context, d postern.Decision) {
			fmt.Println(d.Action, d.Outcome, d.Status, d.Code, d.Tenant)
		}),
	)
	if err != nil {
		panic(err)
	}

	ask(session.Require(h), `{"filename":"cat.png","type":"image/png","size":70000}`)
	ask(session.Require(h), `{"filename":"cat.html","type":"text/html","size":70000}`)
	// Output:
	// sign granted 201  acme
	// sign refused 415 type_not_allowed acme
}

// A front end on another origin, with the user's cookies, has to be trusted by
// name; a request with a token in its Authorization header passes without.
func ExampleWithTrustedOrigins() {
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.AllowAnonymous(),
		postern.WithTrustedOrigins("https://app.example.org"),
	)
	if err != nil {
		panic(err)
	}

	for _, origin := range []string{"https://app.example.org", "https://elsewhere.example"} {
		answer := ask(h, `{"filename":"cat.png","type":"image/png","size":70000}`,
			"Authorization", "", "Origin", origin, "Sec-Fetch-Site", "cross-site")
		fmt.Println(origin, answer.Status)
	}
	// Output:
	// https://app.example.org 201 Created
	// https://elsewhere.example 403 Forbidden
}

// CORS for a front end on another origin is any middleware for it, such as
// github.com/rs/cors or github.com/jub0bs/cors. It stands outside the mux: behind
// a pattern with a method it would never see the preflight.
func Example_cors() {
	const frontEnd = "https://app.example.org"
	cors := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Origin")
			if r.Header.Get("Origin") == frontEnd {
				w.Header().Set("Access-Control-Allow-Origin", frontEnd)
				w.Header().Set("Access-Control-Allow-Credentials", "true")
				if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
					w.Header().Set("Access-Control-Allow-Methods", "POST")
					w.Header().Set("Access-Control-Allow-Headers", "authorization, content-type")
					w.WriteHeader(http.StatusNoContent)
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.AllowAnonymous(),
		postern.WithTrustedOrigins(frontEnd), // CORS alone admits no cookies here
	)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/", h)
	server := cors(mux)

	preflight := httptest.NewRequest("OPTIONS", "/uploads/sign", nil)
	preflight.Header.Set("Origin", frontEnd)
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, preflight)
	fmt.Println(w.Code, w.Header().Get("Access-Control-Allow-Methods"))

	answer := ask(server, `{"filename":"cat.png","type":"image/png","size":70000}`,
		"Authorization", "", "Origin", frontEnd, "Sec-Fetch-Site", "cross-site")
	fmt.Println(answer.StatusCode, answer.Header.Get("Access-Control-Allow-Origin"))
	// Output:
	// 204 POST
	// 201 https://app.example.org
}

func ExampleHandler_Shutdown() {
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(authorize),
		postern.WithPromotion("staging/"),
	)
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: h}
	// …
	patience, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	err = server.Shutdown(patience)              // requests
	err = errors.Join(err, h.Shutdown(patience)) // completions that go on without one
	var left *postern.UnfinishedError
	if errors.As(err, &left) {
		fmt.Println("to be completed by another replica:", left.IDs)
	}
	fmt.Println(err)
	// Output: <nil>
}

// A person looks at what strangers upload. Until then the browser is told to ask again.
func ExampleWithInspector() {
	queue := make(chan string, 1)
	issuer, err := postern.NewIssuer(bucket,
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(ticketKey),
		postern.WithInspector(func(ctx context.Context, o *postern.Object) (postern.Verdict, error) {
			if o.Tenant == "acme" {
				return postern.Accepted(), nil
			}
			queue <- o.ID
			return postern.Undecided(), nil
		}),
	)
	if err != nil {
		panic(err)
	}
	// Elsewhere, when somebody has decided:
	decide := func(ctx context.Context, id string, good bool) error {
		if !good {
			return issuer.Reject(ctx, id, postern.NewProblem(422, "indecent", "We do not publish such pictures."))
		}
		_, err := issuer.Release(ctx, id)
		return err
	}
	_ = decide
}

func ExampleWithQuota() {
	store := quota.NewMemory(nil) // of this process; quota/redis and quota/postgres are for replicas
	h, err := postern.New(bucket,
		postern.WithAuthorizer(authorize),
		postern.WithPromotion("staging/"),
		postern.WithQuota(store, func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{
				Tenant:  quota.Bytes(5 << 30).Files(10_000), // stored, and under way
				Subject: quota.Uploads(20).PerMinute(60),
			}
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("/uploads/", h)
	// Output:
}

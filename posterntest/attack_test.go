package posterntest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/posterntest"
	"github.com/postern-go/postern/s3test"
)

// who is known by a cookie: "ada/acme" is a subject and a tenant.
func who(name string) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "who", Value: name}) }
}

func byCookie(r *http.Request, u *postern.Upload) error {
	c, err := r.Cookie("who")
	if err != nil {
		return postern.ErrUnauthenticated
	}
	u.Subject, u.Tenant, _ = strings.Cut(c.Value, "/")
	return nil
}

// newHandler is a handler as it should be, changed by options.
func newHandler(t testing.TB, server *s3test.Server, opts ...postern.HandlerOption) *postern.Handler {
	t.Helper()
	return newHandlerAt(t, server, postern.VersityGW, opts...)
}

func newHandlerAt(t testing.TB, server *s3test.Server, provider postern.Provider, opts ...postern.HandlerOption) *postern.Handler {
	t.Helper()
	putOnly, err := server.PutOnlyUser(context.Background(), "")
	require.NoError(t, err)
	h, err := postern.New(postern.Bucket{
		Name: server.Bucket, Region: server.Region, Endpoint: server.Endpoint, Provider: provider,
		Credentials: putOnly, ServiceCredentials: server.Credentials(),
	}, append([]postern.HandlerOption{
		postern.WithTicketKeys([]byte(strings.Repeat("k", 32))), postern.WithSizeLimit(1, 20<<20),
		postern.WithMultipartThreshold(5 << 20), postern.WithPartSize(5 << 20),
	}, opts...)...)
	require.NoError(t, err)
	return h
}

func accept(context.Context, *postern.Receipt) error { return nil }

var promoted = []postern.HandlerOption{
	postern.WithAuthorizer(byCookie), postern.WithPromotion("staging/"), postern.WithOnComplete(accept),
}

func mounted(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/uploads/", h)
	return mux
}

func target(server *s3test.Server) posterntest.Target {
	return posterntest.Target{S3: server, Path: "/uploads", User: who("ada/acme"), Stranger: who("eve/evil")}
}

// Each way of granting withstands every case that applies to it.
func TestPosternWithstands(t *testing.T) {
	for name, opts := range map[string][]postern.HandlerOption{
		"forms with promotion":   promoted,
		"PUTs with promotion":    append(slices.Clone(promoted), postern.WithMode(postern.ModePut)),
		"PUTs with receipts":     {postern.WithAuthorizer(byCookie), postern.WithOnComplete(accept)},
		"forms without receipts": {postern.WithAuthorizer(byCookie), postern.WithMode(postern.ModePost)},
		"sniffing":               append(slices.Clone(promoted), postern.WithSniffing()),
		"few types":              append(slices.Clone(promoted), postern.WithContentTypes("application/pdf", "image/svg+xml")),
		"readable keys":          append(slices.Clone(promoted), postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{path}/{slug}-{uuid}{ext}"))),
	} {
		t.Run(name, func(t *testing.T) {
			server := s3test.Start(t)
			posterntest.Attack(t, mounted(newHandler(t, server, opts...)), target(server))
		})
	}
}

// Servers that lack conditions, forms or deletes on a condition.
func TestPosternWithstandsAtOtherProviders(t *testing.T) {
	for _, provider := range []postern.Provider{postern.MinIO, postern.CloudflareR2, postern.BackblazeB2} {
		t.Run(string(provider), func(t *testing.T) {
			server := s3test.Start(t, s3test.Like(provider))
			posterntest.Attack(t, mounted(newHandlerAt(t, server, provider, promoted...)), target(server))
		})
	}
}

// A user who is known by a header and not by a cookie, and has no neighbours.
func TestCasesThatDoNotApplyAreLeftOut(t *testing.T) {
	server := s3test.Start(t)
	h := newHandler(t, server, postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		if r.Header.Get("Authorization") != "Bearer of-ada" {
			return postern.ErrUnauthenticated
		}
		u.Subject = "ada"
		return nil
	}))
	results, err := posterntest.Run(t.Context(), mounted(h), posterntest.Target{S3: server, Path: "/uploads/", User: func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer of-ada")
	}})
	require.NoError(t, err)
	out := map[string]bool{}
	for _, r := range results {
		require.NotEqual(t, posterntest.Broken, r.Outcome, "%s: %s", r.Name, r.Detail)
		out[r.Name] = r.Outcome == posterntest.LeftOut
	}
	require.True(t, out["ticket/of another tenant: complete"])
	require.True(t, out["origin/another site: sign"])
	require.True(t, out["receipt/asked for twice"])
	require.False(t, out["who/nobody: sign"])
	require.Contains(t, posterntest.Table(results), "0 broken")
}

// wrap puts a mistake of an application's around its handler.
func wrap(before func(w http.ResponseWriter, r *http.Request, next http.Handler)) func(t testing.TB, _ *s3test.Server, h http.Handler) http.Handler {
	return func(_ testing.TB, _ *s3test.Server, h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { before(w, r, h) })
	}
}

// rewrite changes what the handler answers.
func rewrite(w http.ResponseWriter, r *http.Request, next http.Handler, change func(answer *httptest.ResponseRecorder)) {
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	change(answer)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// Every mistake is found, by a case that names it.
func TestMistakesAreFound(t *testing.T) {
	for name, tc := range map[string]struct {
		opts   []postern.HandlerOption
		around func(t testing.TB, server *s3test.Server, h http.Handler) http.Handler
		found  []string
		beside []string // cases that are tried too
	}{
		"everybody is the same person": {
			opts: append(slices.Clone(promoted[1:]), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
				if err := byCookie(r, u); err != nil {
					return err
				}
				u.Subject, u.Tenant = "user", "all"
				return nil
			})),
			found: []string{"ticket/of another tenant: complete", "ticket/of another tenant: abort", "ticket/of another tenant's parts: parts", "ticket/of another tenant: complete, in a batch"},
		},
		"nobody is somebody": {
			opts: append(slices.Clone(promoted[1:]), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
				if byCookie(r, u) != nil {
					u.Subject, u.Tenant = "guest", "guests"
				}
				return nil
			})),
			found: []string{"who/nobody: sign", "who/nobody: sign a batch", "who/nobody: rules"},
		},
		"a header that anybody can send names the user": {
			opts: append(slices.Clone(promoted[1:]), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
				if u.Subject = r.Header.Get("X-Forwarded-User"); u.Subject != "" {
					return nil
				}
				return byCookie(r, u)
			})),
			found: []string{"who/nobody: claims to be somebody in other headers"},
		},
		"keys are names in one folder": {
			opts:  []postern.HandlerOption{postern.WithAuthorizer(byCookie), postern.WithMode(postern.ModePost), postern.WithKeyPolicy(postern.KeyTemplate("files/{slug}{ext}"))},
			found: []string{"key/the same name as another tenant's", "key/the next key cannot be guessed"},
		},
		"keys are the names that browsers send": {
			opts: []postern.HandlerOption{postern.WithAuthorizer(byCookie), postern.WithMode(postern.ModePost), postern.WithKeyPolicy(
				postern.KeyFunc(func(_ context.Context, u *postern.Upload) (string, error) { return u.Tenant + "/" + u.Filename, nil }))},
			found: []string{"key/a name: S3's variable"},
		},
		"grants live long": {
			opts:  append(slices.Clone(promoted), postern.WithGrantLifetime(12*time.Hour)),
			found: []string{"life/a grant lives no longer than an hour", "life/the URL of a part lives no longer than an hour"},
		},
		"a proxy drops what tells the origin": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				r.Header.Del("Origin")
				r.Header.Del("Sec-Fetch-Site")
				next.ServeHTTP(w, r)
			}),
			found: []string{"origin/another site: sign", "origin/another site: complete", "origin/another origin, in a browser without Sec-Fetch: abort"},
		},
		"forms are taken for JSON": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				r.Header.Set("Content-Type", "application/json")
				next.ServeHTTP(w, r)
			}),
			found: []string{`origin/a form's type "text/plain"`},
		},
		"any origin may ask with cookies": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if origin := r.Header.Get("Origin"); origin != "" {
					w.Header().Set("Access-Control-Allow-Origin", origin)
					w.Header().Set("Access-Control-Allow-Credentials", "true")
				}
				next.ServeHTTP(w, r)
			}),
			found: []string{"origin/a preflight of another site"},
		},
		"bodies are read whole": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				b, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(b))
				next.ServeHTTP(w, r)
			}),
			found: []string{"body/without an end: sign, a text", "body/without an end: complete, white space"},
		},
		"answers are cached": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				rewrite(w, r, next, func(a *httptest.ResponseRecorder) { a.Header().Set("Cache-Control", "max-age=60") })
			}),
			found: []string{"left/no cache keeps a grant"},
		},
		"refusals tell what was asked": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
				r.Body = io.NopCloser(bytes.NewReader(b))
				rewrite(w, r, next, func(a *httptest.ResponseRecorder) {
					if a.Code >= 400 {
						a.Body.Write(b)
					}
				})
			}),
			found:  []string{"left/no refusal has a ticket, a policy or a signature"},
			beside: []string{"who/nobody: complete"},
		},
		"hostile bodies make it fail": {
			around: wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				rewrite(w, r, next, func(a *httptest.ResponseRecorder) {
					if strings.Contains(a.Body.String(), "malformed_request") {
						a.Code = http.StatusInternalServerError
					}
				})
			}),
			found: []string{"body/hostile: null", "left/no answer was a failure of the server"},
		},
		"URLs are signed for whatever is sent": {
			opts: append(slices.Clone(promoted), postern.WithMode(postern.ModePut)),
			around: func(t testing.TB, server *s3test.Server, h http.Handler) http.Handler {
				root, err := server.Credentials().Retrieve(context.Background())
				require.NoError(t, err)
				return wrap(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					rewrite(w, r, next, func(a *httptest.ResponseRecorder) {
						var g map[string]any
						if a.Code != http.StatusCreated || json.Unmarshal(a.Body.Bytes(), &g) != nil || g["mode"] != "put" {
							return
						}
						address, _, _ := strings.Cut(g["url"].(string), "?")
						id := g["headers"].(map[string]any)["x-amz-meta-postern-id"].(string)
						q, _ := http.NewRequest("PUT", address+"?X-Amz-Expires=300", nil)
						q.Header.Set("x-amz-meta-postern-id", id)
						signed, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
							PresignHTTP(context.Background(), root, q, "UNSIGNED-PAYLOAD", "s3", server.Region, time.Now())
						if err != nil {
							return
						}
						kind, _ := g["headers"].(map[string]any)["Content-Type"].(string)
						headers := map[string]string{"Content-Type": kind, "x-amz-meta-postern-id": id}
						g["url"], g["headers"] = signed, headers
						a.Body.Reset()
						_ = json.NewEncoder(a.Body).Encode(g)
					})
				})(t, server, h)
			},
			found: []string{"put/a longer body", "put/another type", "size/sent: one byte more"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := s3test.Start(t)
			opts := tc.opts
			if opts == nil {
				opts = promoted
			}
			app := mounted(newHandler(t, server, opts...))
			if tc.around != nil {
				app = tc.around(t, server, app)
			}
			x := target(server)
			x.Only = func(c posterntest.Case) bool { return slices.Contains(append(tc.found, tc.beside...), c.Name) }
			results, err := posterntest.Run(t.Context(), app, x)
			require.NoError(t, err)
			require.Len(t, results, len(tc.found)+len(tc.beside))
			var broken []string
			for _, r := range results {
				if r.Outcome == posterntest.Broken {
					broken = append(broken, r.Name)
					require.NotEmpty(t, r.Detail)
					require.NotEmpty(t, r.Why)
				}
			}
			for _, c := range tc.found {
				require.Contains(t, broken, c)
			}
		})
	}
}

func TestWhatCannotBeAttackedSaysWhy(t *testing.T) {
	server := s3test.Start(t)
	h := mounted(newHandler(t, server, promoted...))
	for name, tc := range map[string]struct {
		h      http.Handler
		change func(*posterntest.Target)
		says   string
	}{
		"no server":              {h, func(x *posterntest.Target) { x.S3 = nil }, "Target.S3"},
		"another path":           {h, func(x *posterntest.Target) { x.Path = "/files" }, "Target.File is needed"},
		"a user who may not":     {h, func(x *posterntest.Target) { x.User = nil }, "rules"},
		"a stranger who may not": {h, func(x *posterntest.Target) { x.Stranger = func(*http.Request) {} }, "Target.Stranger"},
		"a file that is refused": {h, func(x *posterntest.Target) {
			x.File = posterntest.File{Name: "a", Type: "text/html", Content: []byte("a")}
		}, "type_not_allowed"},
		"another bucket": {h, func(x *posterntest.Target) { x.S3 = s3test.Start(t, s3test.WithBucket("another")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := target(server)
			tc.change(&x)
			_, err := posterntest.Run(t.Context(), tc.h, x)
			if tc.says == "" {
				return
			}
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestCasesAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range posterntest.Cases() {
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
		require.NotEmpty(t, c.Promise)
		require.NotEmpty(t, c.Why)
	}
	require.Greater(t, len(seen), 100)
}

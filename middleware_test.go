package postern_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// The middleware of chains. The limits are narrower than the defaults, so that a
// test sees which of them hold.
var middlewareNames = []string{"Decode", "OpenTicket", "Authorize", "LimitSize", "AllowContentTypes", "NameKey"}

func middlewareOf(issuer *postern.Issuer) map[string]alice.Constructor {
	return map[string]alice.Constructor{
		"Decode":            postern.Decode(issuer),
		"OpenTicket":        postern.OpenTicket(issuer, postern.ActionList),
		"Authorize":         postern.Authorize(asAda),
		"LimitSize":         postern.LimitSize(10, 1<<20),
		"AllowContentTypes": postern.AllowContentTypes("image/*"),
		"NameKey":           postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}{ext}")),
	}
}

// everyOrder calls f with every sequence of different names, the empty one and
// those of all lengths included.
func everyOrder(names []string, f func(order []string)) {
	var extend func(order, rest []string)
	extend = func(order, rest []string) {
		f(order)
		for i, name := range rest {
			others := append(append([]string{}, rest[:i]...), rest[i+1:]...)
			extend(append(order[:len(order):len(order)], name), others)
		}
	}
	extend(nil, names)
}

// isComplete is the law of a chain that begins with first: then Authorize, then
// NameKey if there is one, no rule before first, and no other beginning.
func isComplete(order []string, first, other string) bool {
	place := map[string]int{}
	for i, name := range order {
		place[name] = i + 1
	}
	begin, authorize := place[first], place["Authorize"]
	if begin == 0 || place[other] != 0 || authorize < begin {
		return false
	}
	if place["NameKey"] != 0 && place["NameKey"] < authorize {
		return false
	}
	for _, rule := range []string{"LimitSize", "AllowContentTypes"} {
		if place[rule] != 0 && place[rule] < begin {
			return false
		}
	}
	return true
}

func signs(order []string) bool { return isComplete(order, "Decode", "OpenTicket") }

func lists(order []string) bool { return isComplete(order, "OpenTicket", "Decode") }

// allChains calls f with every chain that ends in an endpoint of the issuer.
func allChains(t *testing.T, middleware map[string]alice.Constructor, end http.Handler, f func(order []string, chain http.Handler)) {
	t.Helper()
	count := 0
	everyOrder(middlewareNames, func(order []string) {
		var chain alice.Chain
		for _, name := range order {
			chain = chain.Append(middleware[name])
		}
		f(order, chain.Then(end))
		count++
	})
	require.Equal(t, 1957, count)
}

// allSigning calls f with every chain that ends in SignHandler.
func allSigning(t *testing.T, f func(order []string, chain http.Handler)) {
	t.Helper()
	issuer := newIssuer(t)
	allChains(t, middlewareOf(issuer), postern.SignHandler(issuer), f)
}

// declaring is a request for a grant that has a ticket of the principal as well.
func declaring(t *testing.T, subject, tenant string, size int, contentType string) string {
	t.Helper()
	g, err := newIssuer(t).Issue(t.Context(), &postern.Upload{
		Subject: subject, Tenant: tenant, Filename: "a.png", Type: "image/png", Size: 1000,
	})
	require.NoError(t, err)
	return fmt.Sprintf(`{"filename":"a.png","type":%q,"size":%d,"ticket":%q}`, contentType, size, g.Ticket)
}

func contains(order []string, name string) bool {
	return strings.Contains(strings.Join(order, " "), name)
}

func TestChainGrantsIfAndOnlyIfItIsComplete(t *testing.T) {
	body := declaring(t, "ada", "acme", 1000, "image/png")
	complete := 0
	allSigning(t, func(order []string, chain http.Handler) {
		w := send(chain, body)
		if !signs(order) {
			require.Equal(t, "chain_incomplete", refused(t, w).Code, order)
			require.Equal(t, 500, w.Code, order)
			return
		}
		complete++
		g := granted(t, w)
		require.True(t, strings.HasPrefix(g.Key, "acme/"), order)
		min, max := policyOf(t, g.Fields["policy"]).sizeRange(t)
		require.Equal(t, []int64{1000, 1000}, []int64{min, max}, order)
	})
	require.Positive(t, complete)
}

func TestNoChainSignsForTheTicketOfSomeoneElse(t *testing.T) {
	body := declaring(t, "bob", "globex", 1000, "image/png")
	allSigning(t, func(order []string, chain http.Handler) {
		w := send(chain, body)
		switch {
		case signs(order): // it reads no ticket
			require.True(t, strings.HasPrefix(granted(t, w).Key, "acme/"), order)
		case lists(order):
			require.Equal(t, "ticket_foreign", refused(t, w).Code, order)
		default:
			require.Contains(t, []string{"ticket_foreign", "chain_incomplete"}, refused(t, w).Code, order)
		}
	})
}

func TestChainServesATicketIfAndOnlyIfItIsComplete(t *testing.T) {
	issuer := newIssuer(t)
	body := declaring(t, "ada", "acme", 1000, "image/png")
	allChains(t, middlewareOf(issuer), postern.ListHandler(issuer), func(order []string, chain http.Handler) {
		want := "chain_incomplete"
		if lists(order) {
			want = "not_multipart" // the answer of the end
		}
		require.Equal(t, want, refused(t, send(chain, body)).Code, order)
	})
}

// requireRefused holds a refusal by a rule to its code; in a chain that is not
// complete that may be found first.
func requireRefused(t *testing.T, w *httptest.ResponseRecorder, order []string, code string) {
	t.Helper()
	got := refused(t, w).Code
	if signs(order) {
		require.Equal(t, code, got, order)
		return
	}
	require.Contains(t, []string{code, "chain_incomplete"}, got, order)
}

func TestNoChainGrantsMoreThanItsSizeRule(t *testing.T) {
	requests := map[int]string{}
	for _, size := range []int{0, 9, 1 << 20, 1<<20 + 1, 10 << 20, 10<<20 + 1} {
		requests[size] = declaring(t, "ada", "acme", size, "image/png")
	}
	allSigning(t, func(order []string, chain http.Handler) {
		min, max := 1, 10<<20
		if contains(order, "LimitSize") {
			min, max = 10, 1<<20
		}
		for size, body := range requests {
			w := send(chain, body)
			switch {
			case size < min:
				requireRefused(t, w, order, "size_too_small")
			case size > max:
				requireRefused(t, w, order, "size_too_large")
			case signs(order):
				granted(t, w)
			default:
				require.Equal(t, "chain_incomplete", refused(t, w).Code, "%s with %d bytes", order, size)
			}
		}
	})
}

func TestNoChainGrantsMoreThanItsTypeRule(t *testing.T) {
	requests := map[string]string{}
	for _, contentType := range []string{"image/gif", "application/pdf", "", "text/html", "image/svg+xml", "unknown/unknown"} {
		requests[contentType] = declaring(t, "ada", "acme", 1000, contentType)
	}
	allSigning(t, func(order []string, chain http.Handler) {
		for contentType, body := range requests {
			w := send(chain, body)
			switch contentType {
			case "unknown/unknown":
				requireRefused(t, w, order, "type_invalid")
				continue
			case "text/html", "image/svg+xml":
				requireRefused(t, w, order, "type_not_allowed")
				continue
			case "application/pdf", "":
				if contains(order, "AllowContentTypes") {
					requireRefused(t, w, order, "type_not_allowed")
					continue
				}
			}
			if signs(order) {
				granted(t, w)
			} else {
				require.Equal(t, "chain_incomplete", refused(t, w).Code, "%s with %s", order, contentType)
			}
		}
	})
}

func TestNoChainGrantsToAnotherSite(t *testing.T) {
	body := declaring(t, "ada", "acme", 1000, "image/png")
	allSigning(t, func(order []string, chain http.Handler) {
		want := "chain_incomplete"
		if len(order) > 0 && (order[0] == "Decode" || order[0] == "OpenTicket") {
			want = "cross_origin"
		}
		require.Equal(t, want, refused(t, send(chain, body, withHeader("Sec-Fetch-Site", "cross-site"))).Code, order)
	})
}

func TestNoChainGrantsToWhomTheAuthorizerRefuses(t *testing.T) {
	issuer := newIssuer(t)
	middleware := middlewareOf(issuer)
	middleware["Authorize"] = postern.Authorize(refusing(postern.ErrForbidden))
	body := declaring(t, "ada", "acme", 1000, "image/png")
	allChains(t, middleware, postern.SignHandler(issuer), func(order []string, chain http.Handler) {
		want := []string{"chain_incomplete", "forbidden"}
		if signs(order) || lists(order) {
			want = []string{"forbidden"}
		}
		require.Contains(t, want, refused(t, send(chain, body)).Code, order)
	})
}

func TestChainOfTwoIssuersIsRefused(t *testing.T) {
	issuer := newIssuer(t)
	chain := alice.New(postern.Decode(newIssuer(t)), postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, photo)).Code)
}

func TestIssuersPolicyNamesWhereNoNameKeyStands(t *testing.T) {
	issuer := newIssuer(t, postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/inbox/{uuid}")))
	chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
	require.True(t, strings.HasPrefix(granted(t, send(chain, photo)).Key, "acme/inbox/"))
}

type ownKey struct{}

func TestOtherMiddlewareStandsBetweenAnyTwo(t *testing.T) {
	issuer := newIssuer(t)
	middleware, sign := middlewareOf(issuer), postern.SignHandler(issuer)
	names := []string{"Decode", "Authorize", "LimitSize", "AllowContentTypes", "NameKey"}
	for place := range len(names) + 1 {
		var chain alice.Chain
		called := 0
		for i := range len(names) + 1 {
			if i == place {
				chain = chain.Append(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						called++
						decoded := place > 0
						require.Equal(t, decoded, postern.UploadFrom(r.Context()) != nil)
						next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ownKey{}, "own")))
					})
				})
			}
			if i < len(names) {
				chain = chain.Append(middleware[names[i]])
			}
		}
		granted(t, send(chain.Then(sign), photo))
		require.Equal(t, 1, called)
	}
}

func TestOtherMiddlewareCanAnswerInsteadOfTheChain(t *testing.T) {
	teapot := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) })
	}
	require.Equal(t, 418, send(newHandler(t, postern.WithMiddleware(teapot)), photo).Code)
}

func TestDecodeTwiceIsRefused(t *testing.T) {
	issuer := newIssuer(t)
	chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda), postern.Decode(issuer)).Then(postern.SignHandler(issuer))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, photo)).Code)
}

func TestHandlerBehindADecodeIsRefused(t *testing.T) {
	require.Equal(t, "chain_incomplete", refused(t, send(postern.Decode(newIssuer(t))(newHandler(t)), photo)).Code)
}

func TestSecondDecisionNeedsASecondName(t *testing.T) {
	name := postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}"))
	asBob := postern.Authorize(func(_ *http.Request, u *postern.Upload) error {
		u.Subject, u.Tenant = "bob", "globex"
		return nil
	})
	issuer := newIssuer(t)
	begin := alice.New(postern.Decode(issuer), postern.Authorize(asAda), name, asBob)
	sign := postern.SignHandler(issuer)
	require.Equal(t, "chain_incomplete", refused(t, send(begin.Then(sign), photo)).Code)
	require.True(t, strings.HasPrefix(granted(t, send(begin.Append(name).Then(sign), photo)).Key, "globex/"))
}

func TestLosingTheContextFailsClosed(t *testing.T) {
	forget := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.Background()))
		})
	}
	require.Equal(t, "chain_incomplete", refused(t, send(newHandler(t, postern.WithMiddleware(forget)), photo)).Code)
}

func TestUploadIsThereOnlyAfterDecode(t *testing.T) {
	require.Nil(t, postern.UploadFrom(t.Context()))
	var before, after *postern.Upload
	look := func(u **postern.Upload) alice.Constructor {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				*u = postern.UploadFrom(r.Context())
				next.ServeHTTP(w, r)
			})
		}
	}
	send(alice.New(look(&before), postern.Decode(newIssuer(t)), look(&after)).ThenFunc(
		func(http.ResponseWriter, *http.Request) {}), photo)
	require.Nil(t, before)
	require.Equal(t, "photo.png", after.Filename)
	require.Equal(t, postern.ActionSign, after.Action)
}

func TestWithMiddlewareStandsBetweenAuthorizeAndTheRules(t *testing.T) {
	var subject, key string
	var order []string
	own := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, name)
				u := postern.UploadFrom(r.Context())
				subject, key = u.Subject, u.Key
				next.ServeHTTP(w, r)
			})
		}
	}
	h := newHandler(t, postern.WithMiddleware(own("first"), own("second")), postern.WithMiddleware(own("third")))
	send(h, `{"filename":"a.html","type":"text/html","size":99999999}`)
	require.Equal(t, []string{"first", "second", "third"}, order)
	require.Equal(t, "ada", subject)
	require.Empty(t, key)
}

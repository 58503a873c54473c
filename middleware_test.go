package postern_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// The links of a chain before Sign. The limits are narrower than the defaults,
// so that a test sees which of them hold.
var linkNames = []string{"SameOrigin", "Decode", "Authorize", "LimitSize", "AllowContentTypes", "NameKey"}

func links() map[string]alice.Constructor {
	return map[string]alice.Constructor{
		"SameOrigin":        postern.SameOrigin(),
		"Decode":            postern.Decode(postern.WithClock(atNoon)),
		"Authorize":         postern.Authorize(asAda),
		"LimitSize":         postern.LimitSize(10, 1<<20),
		"AllowContentTypes": postern.AllowContentTypes("image/*"),
		"NameKey":           postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}{ext}")),
	}
}

// everyOrder calls f with every sequence of different links, the empty one and
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

// chainIsComplete is the law: Decode, then Authorize, then NameKey, and no rule
// before Decode.
func chainIsComplete(order []string) bool {
	place := map[string]int{}
	for i, name := range order {
		place[name] = i + 1
	}
	decode, authorize, name := place["Decode"], place["Authorize"], place["NameKey"]
	if decode == 0 || authorize < decode || name < authorize {
		return false
	}
	for _, rule := range []string{"LimitSize", "AllowContentTypes"} {
		if place[rule] != 0 && place[rule] < decode {
			return false
		}
	}
	return true
}

// allChains calls f with every chain that ends in Sign.
func allChains(t *testing.T, f func(order []string, chain http.Handler)) {
	t.Helper()
	link, sign, count := links(), postern.Sign(newIssuer(t)), 0
	everyOrder(linkNames, func(order []string) {
		var chain alice.Chain
		for _, name := range order {
			chain = chain.Append(link[name])
		}
		f(order, chain.Then(sign))
		count++
	})
	require.Equal(t, 1957, count)
}

func contains(order []string, name string) bool {
	return strings.Contains(strings.Join(order, " "), name)
}

func TestChainGrantsIfAndOnlyIfItIsComplete(t *testing.T) {
	complete := 0
	allChains(t, func(order []string, chain http.Handler) {
		w := send(chain, photo)
		if !chainIsComplete(order) {
			require.Equal(t, "chain_incomplete", refused(t, w).Code, order)
			require.Equal(t, 500, w.Code, order)
			return
		}
		complete++
		g := granted(t, w)
		require.True(t, strings.HasPrefix(g.Key, "acme/"), order)
		least, most := policyOf(t, g.Fields["policy"]).sizeRange(t)
		require.Equal(t, []int64{1000, 1000}, []int64{least, most}, order)
	})
	require.Positive(t, complete)
}

func TestNoChainGrantsMoreThanItsSizeRule(t *testing.T) {
	allChains(t, func(order []string, chain http.Handler) {
		for size, allowed := range map[int]bool{
			0:          false,
			9:          !contains(order, "LimitSize"),
			1 << 20:    true,
			1<<20 + 1:  !contains(order, "LimitSize"),
			10 << 20:   !contains(order, "LimitSize"),
			10<<20 + 1: false,
		} {
			w := send(chain, fmt.Sprintf(`{"filename":"a.png","type":"image/png","size":%d}`, size))
			require.Equal(t, allowed && chainIsComplete(order), w.Code == 201, "%s with %d bytes", order, size)
		}
	})
}

func TestNoChainGrantsMoreThanItsTypeRule(t *testing.T) {
	allChains(t, func(order []string, chain http.Handler) {
		for contentType, allowed := range map[string]bool{
			"image/gif":       true,
			"application/pdf": !contains(order, "AllowContentTypes"),
			"":                !contains(order, "AllowContentTypes"),
			"text/html":       false,
			"image/svg+xml":   false,
			"unknown/unknown": false,
		} {
			w := send(chain, fmt.Sprintf(`{"filename":"a.png","type":%q,"size":1000}`, contentType))
			require.Equal(t, allowed && chainIsComplete(order), w.Code == 201, "%s with %s", order, contentType)
		}
	})
}

func TestNoChainGrantsToAnotherSite(t *testing.T) {
	allChains(t, func(order []string, chain http.Handler) {
		w := send(chain, photo, withHeader("Sec-Fetch-Site", "cross-site"))
		require.NotEqual(t, 201, w.Code, order)
		if chainIsComplete(order) {
			require.Equal(t, "cross_origin", refused(t, w).Code, order)
		}
	})
}

func TestNoChainGrantsToWhomTheAuthorizerRefuses(t *testing.T) {
	link, sign := links(), postern.Sign(newIssuer(t))
	link["Authorize"] = postern.Authorize(refusing(postern.ErrForbidden))
	everyOrder(linkNames, func(order []string) {
		var chain alice.Chain
		for _, name := range order {
			chain = chain.Append(link[name])
		}
		require.NotEqual(t, 201, send(chain.Then(sign), photo).Code, order)
	})
}

type ownKey struct{}

func TestOtherMiddlewareStandsBetweenAnyTwoLinks(t *testing.T) {
	link, sign := links(), postern.Sign(newIssuer(t))
	for place := range len(linkNames) + 1 {
		var chain alice.Chain
		called := 0
		for i := range len(linkNames) + 1 {
			if i == place {
				chain = chain.Append(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						called++
						decoded := place > 1
						require.Equal(t, decoded, postern.UploadFrom(r.Context()) != nil)
						next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ownKey{}, "own")))
					})
				})
			}
			if i < len(linkNames) {
				chain = chain.Append(link[linkNames[i]])
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
	chain := alice.New(postern.Decode(), postern.Authorize(asAda), postern.Decode()).Then(postern.Sign(newIssuer(t)))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, photo)).Code)
}

func TestHandlerBehindADecodeIsRefused(t *testing.T) {
	require.Equal(t, "chain_incomplete", refused(t, send(postern.Decode()(newHandler(t)), photo)).Code)
}

func TestSecondDecisionNeedsASecondName(t *testing.T) {
	name := postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}"))
	asBob := postern.Authorize(func(_ *http.Request, u *postern.Upload) error {
		u.Subject, u.Tenant = "bob", "globex"
		return nil
	})
	begin := alice.New(postern.Decode(), postern.Authorize(asAda), name, asBob)
	sign := postern.Sign(newIssuer(t))
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
	send(alice.New(postern.SameOrigin(), look(&before), postern.Decode(), look(&after)).ThenFunc(
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

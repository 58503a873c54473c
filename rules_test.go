package postern_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// rulesWith returns a complete chain with these rules between Authorize and
// NameKey.
func rulesWith(t *testing.T, authorize func(*http.Request, *postern.Upload) error, rules ...alice.Constructor) http.Handler {
	t.Helper()
	issuer := newIssuer(t)
	return alice.New(postern.Decode(issuer), postern.Authorize(authorize)).
		Append(rules...).
		Append(postern.NameKey(postern.KeyTemplate("{uuid}{ext}"))).
		Then(postern.SignHandler(issuer))
}

func sized(n int64) string {
	return fmt.Sprintf(`{"filename":"a.png","type":"image/png","size":%d}`, n)
}

// set returns an authorizer, or a rule, that lets Ada in and sets more.
func set(more func(u *postern.Upload)) func(*http.Request, *postern.Upload) error {
	return func(r *http.Request, u *postern.Upload) error {
		more(u)
		return asAda(r, u)
	}
}

func TestSizeLimitsOnlyNarrow(t *testing.T) {
	maxSize := func(n int64) func(*http.Request, *postern.Upload) error {
		return set(func(u *postern.Upload) { u.LimitSize(0, n) })
	}
	for name, tc := range map[string]struct {
		authorize func(*http.Request, *postern.Upload) error
		rules     []alice.Constructor
		max       int64
	}{
		"the safe default where there is no rule":    {asAda, nil, 10 << 20},
		"a rule above the default":                   {asAda, []alice.Constructor{postern.LimitSize(1, 50<<20)}, 50 << 20},
		"the narrower of two rules":                  {asAda, []alice.Constructor{postern.LimitSize(1, 500), postern.LimitSize(1, 900)}, 500},
		"the narrower of two rules, turned round":    {asAda, []alice.Constructor{postern.LimitSize(1, 900), postern.LimitSize(1, 500)}, 500},
		"the authorizer below the rule":              {maxSize(500), []alice.Constructor{postern.LimitSize(1, 900)}, 500},
		"the authorizer above the rule":              {maxSize(5000), []alice.Constructor{postern.LimitSize(1, 900)}, 900},
		"the authorizer below the default":           {maxSize(500), nil, 500},
		"the authorizer above the default":           {maxSize(1 << 40), nil, 10 << 20},
		"a rule after the limit that narrows":        {asAda, []alice.Constructor{postern.LimitSize(1, 900), postern.Rule(maxSize(500))}, 500},
		"a rule after the limit that widens":         {asAda, []alice.Constructor{postern.LimitSize(1, 900), postern.Rule(maxSize(5000))}, 900},
		"a rule that widens what the authorizer set": {maxSize(500), []alice.Constructor{postern.LimitSize(1, 900), postern.Rule(maxSize(800))}, 500},
		"an authorizer after the limit that narrows": {asAda, []alice.Constructor{postern.LimitSize(1, 900), postern.Authorize(maxSize(500))}, 500},
		"an authorizer after the limit that widens":  {asAda, []alice.Constructor{postern.LimitSize(1, 900), postern.Authorize(maxSize(5000))}, 900},
		"a limit that depends on the upload": {asAda, []alice.Constructor{postern.LimitSizeFunc(
			func(_ *http.Request, u *postern.Upload) (int64, int64) { return 1, int64(len(u.Subject)) * 100 })}, 300},
	} {
		t.Run(name, func(t *testing.T) {
			chain := rulesWith(t, tc.authorize, tc.rules...)
			granted(t, send(chain, sized(tc.max)))
			p := refused(t, send(chain, sized(tc.max+1)))
			require.Equal(t, "size_too_large", p.Code)
			require.Equal(t, tc.max, p.MaxSize)
		})
	}
}

func TestSmallestSizeOnlyGrows(t *testing.T) {
	minSize := set(func(u *postern.Upload) { u.LimitSize(500, 1<<40) })
	for name, chain := range map[string]http.Handler{
		"of an authorizer":                rulesWith(t, minSize),
		"of an authorizer before a limit": rulesWith(t, minSize, postern.LimitSize(1, 900)),
		"of a rule after a limit":         rulesWith(t, asAda, postern.LimitSize(1, 900), postern.Rule(minSize)),
		"of a limit after which a rule lowers it": rulesWith(t, asAda, postern.LimitSize(500, 900),
			postern.Rule(set(func(u *postern.Upload) { u.LimitSize(-1, 1<<40) }))),
	} {
		t.Run(name, func(t *testing.T) {
			granted(t, send(chain, sized(500)))
			require.Equal(t, int64(500), refused(t, send(chain, sized(499))).MinSize)
		})
	}
}

func TestLimitsThatMakeNoSenseRefuseEveryFile(t *testing.T) {
	limit := func(min, max int64) alice.Constructor {
		return postern.LimitSizeFunc(func(*http.Request, *postern.Upload) (int64, int64) { return min, max })
	}
	narrow := func(min, max int64) func(*http.Request, *postern.Upload) error {
		return set(func(u *postern.Upload) { u.LimitSize(min, max) })
	}
	for name, chain := range map[string]http.Handler{
		"a range that ends before it begins": rulesWith(t, asAda, limit(9, 8)),
		"a negative range":                   rulesWith(t, asAda, limit(-9, -8)),
		"a maximum that nobody set":          rulesWith(t, narrow(0, 0)),
		"a negative maximum":                 rulesWith(t, narrow(0, -1)),
		"a minimum above the limit":          rulesWith(t, narrow(1<<60, 1<<61)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int64{0, 1, 9, 25, 1 << 20} {
				p := refused(t, send(chain, sized(n)))
				require.Equal(t, "size_too_large", p.Code)
				require.Equal(t, "No file of any size is accepted here.", p.Detail)
			}
		})
	}
}

func TestRangesThatDoNotMeetRefuseEveryFile(t *testing.T) {
	chain := rulesWith(t, asAda, postern.LimitSize(1, 10), postern.LimitSize(20, 30))
	for n, code := range map[int64]string{0: "size_too_small", 1: "size_too_large", 10: "size_too_large", 25: "size_too_large"} {
		require.Equal(t, code, refused(t, send(chain, sized(n))).Code, n)
	}
}

func TestEmptyFilesCanBeAllowed(t *testing.T) {
	g := granted(t, send(newHandler(t, postern.WithSizeLimit(0, 10)), sized(0)))
	min, max := policyOf(t, g.Fields["policy"]).sizeRange(t)
	require.Zero(t, min)
	require.Zero(t, max)
}

func TestNoGrantIsLargerThanOneUploadCanBe(t *testing.T) {
	h := newHandler(t, postern.AllowAnonymous(), // who gets no multipart uploads
		postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) { return 1, 5 << 40 }))
	granted(t, send(h, sized(5<<30)))
	require.Equal(t, int64(5<<30), refused(t, send(h, sized(5<<30+1))).MaxSize)
}

func TestTypeRulesOnlyNarrow(t *testing.T) {
	own := func(patterns ...string) func(*http.Request, *postern.Upload) error {
		return set(func(u *postern.Upload) { u.AllowContentTypes(patterns...) })
	}
	images, pictures := postern.AllowContentTypes("image/*"), postern.AllowContentTypes("image/png", "text/html")
	for name, tc := range map[string]struct {
		chain   http.Handler
		granted []string
		refused []string
	}{
		"the safe default where there is no rule": {
			rulesWith(t, asAda), []string{"image/png", "application/zip", ""}, []string{"text/html", "image/svg+xml", "text/javascript"},
		},
		"two rules together": {
			rulesWith(t, asAda, images, pictures), []string{"image/png"}, []string{"text/html", "image/gif"},
		},
		"two rules turned round": {
			rulesWith(t, asAda, pictures, images), []string{"image/png"}, []string{"text/html", "image/gif"},
		},
		"an active type that is named": {
			rulesWith(t, asAda, pictures), []string{"text/html", "TEXT/HTML; charset=utf-8"}, []string{"image/svg+xml"},
		},
		"the authorizer below the rule": {
			rulesWith(t, own("image/gif"), images), []string{"image/gif"}, []string{"image/png"},
		},
		"the authorizer above the rule": {
			rulesWith(t, own("*/*", "text/html"), images), []string{"image/gif"}, []string{"text/html", "application/zip"},
		},
		"the authorizer above the default": {
			rulesWith(t, own("text/html")), nil, []string{"text/html", "image/png"},
		},
		"an authorizer that allows nothing": {
			rulesWith(t, own()), []string{}, []string{"text/html"},
		},
		"a rule after the list": {
			rulesWith(t, asAda, images, postern.Rule(own("image/gif"))), []string{"image/gif"}, []string{"image/png"},
		},
		"a rule after the list that widens": {
			rulesWith(t, asAda, images, postern.Rule(own("*/*"))), []string{"image/gif"}, []string{"application/zip"},
		},
		"a rule after the list that changes the type": {
			rulesWith(t, asAda, images, postern.Rule(set(func(u *postern.Upload) { u.Type = "text/html" }))), nil, []string{"image/png"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body := func(contentType string) string {
				return fmt.Sprintf(`{"filename":"a","type":%q,"size":9}`, contentType)
			}
			for _, contentType := range tc.granted {
				require.Equal(t, 201, send(tc.chain, body(contentType)).Code, contentType)
			}
			for _, contentType := range tc.refused {
				require.Equal(t, "type_not_allowed", refused(t, send(tc.chain, body(contentType))).Code, contentType)
			}
		})
	}
}

func TestPatternsOfAnAuthorizerThatAreWrongAnswer500(t *testing.T) {
	chain := rulesWith(t, set(func(u *postern.Upload) { u.AllowContentTypes("image") }))
	require.Equal(t, "internal", refused(t, send(chain, photo)).Code)
}

func TestRuleStandsBesideTheOthers(t *testing.T) {
	odd := postern.Rule(func(_ *http.Request, u *postern.Upload) error {
		if u.Size%2 == 1 {
			return postern.ErrSizeInvalid.WithDetail("Only even files.")
		}
		return nil
	})
	chain := rulesWith(t, asAda, odd)
	granted(t, send(chain, sized(2)))
	require.Equal(t, "Only even files.", refused(t, send(chain, sized(3))).Detail)
	require.Equal(t, int64(10<<20), refused(t, send(chain, sized(11<<20))).MaxSize, "the default holds still")
}

func TestRuleCannotReplaceTheDecision(t *testing.T) {
	issuer := newIssuer(t)
	chain := alice.New(postern.Decode(issuer), postern.Rule(asAda), postern.NameKey(postern.KeyTemplate("{uuid}"))).
		Then(postern.SignHandler(issuer))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, photo)).Code)
}

func TestRuleCannotReplaceTheName(t *testing.T) {
	name := postern.Rule(func(_ *http.Request, u *postern.Upload) error { u.Key = "acme/k"; return nil })
	issuer := newIssuer(t)
	chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda), name).Then(postern.SignHandler(issuer))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, photo)).Code)
}

func TestKeyIsCheckedAgainWhenItIsSigned(t *testing.T) {
	for _, key := range []string{"", "/", "a//b", "../a", "a/${filename}", "a\x00"} {
		change := postern.Rule(func(_ *http.Request, u *postern.Upload) error { u.Key = key; return nil })
		issuer := newIssuer(t)
		chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda), postern.NameKey(postern.KeyTemplate("{uuid}")), change).
			Then(postern.SignHandler(issuer))
		require.Equal(t, "key_invalid", refused(t, send(chain, photo)).Code, "%q", key)
	}
}

func TestRuleThatRefusesEndsTheChain(t *testing.T) {
	reached := false
	chain := alice.New(postern.Decode(newIssuer(t)), postern.Rule(refusing(errors.New("no")))).ThenFunc(
		func(http.ResponseWriter, *http.Request) { reached = true })
	refused(t, send(chain, photo))
	require.False(t, reached)
}

func TestRefuseIsForOtherMiddlewareToo(t *testing.T) {
	w := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		postern.Refuse(w, r, postern.ErrForbidden)
	}), photo)
	require.Equal(t, "forbidden", refused(t, w).Code)
}

func TestRefuseWithoutAnErrorAnswers500(t *testing.T) {
	w := send(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { postern.Refuse(w, r, nil) }), photo)
	require.Equal(t, "internal", refused(t, w).Code)
}

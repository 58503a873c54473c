package postern_test

import (
	"net/http"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestCrossOriginRequests(t *testing.T) {
	for name, tc := range map[string]struct {
		header  map[string]string
		granted bool
	}{
		"no browser":                                     {nil, true},
		"the same origin":                                {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://app.example.com"}, true},
		"a person who types the address":                 {map[string]string{"Sec-Fetch-Site": "none"}, true},
		"another site":                                   {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, false},
		"another site that hides its origin":             {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "null"}, false},
		"another site without an origin":                 {map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"another origin of the site":                     {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://www.example.com"}, false},
		"a value that nobody knows":                      {map[string]string{"Sec-Fetch-Site": "SAME-ORIGIN"}, false},
		"an old browser on the same origin":              {map[string]string{"Origin": "http://app.example.com"}, true},
		"an old browser, and a host with its port":       {map[string]string{"Origin": "http://app.example.com", "Host": "app.example.com:80"}, true},
		"an old browser, and the port of another scheme": {map[string]string{"Origin": "http://app.example.com", "Host": "app.example.com:443"}, false},
		"an old browser behind a proxy that rewrites":    {map[string]string{"Origin": "https://front.example.org", "Host": "10.0.0.7:8080"}, true},
		"an old browser on another origin":               {map[string]string{"Origin": "https://evil.example"}, false},
		"an old browser on another port":                 {map[string]string{"Origin": "http://app.example.com:8080"}, false},
		"an old browser with an opaque origin":           {map[string]string{"Origin": "null"}, false},
		"an origin that is none":                         {map[string]string{"Origin": "://"}, false},
		"a trusted origin":                               {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://front.example.org"}, true},
		"a trusted origin in an old browser":             {map[string]string{"Origin": "https://front.example.org"}, true},
		"a trusted host without encryption":              {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://front.example.org"}, false},
		"a name below a trusted one":                     {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://x.front.example.org"}, false},
		"a name that begins like a trusted one":          {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://front.example.org.evil.example"}, false},
		"a bearer token":                                 {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://x.example", "Authorization": "Bearer t"}, true},
		"a token of another scheme":                      {map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "Token token=t"}, true},
		"an empty Authorization":                         {map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": ""}, false},
		"a password that the browser itself sends":       {map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "Basic YTpi"}, false},
		"a password in other letters":                    {map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "bAsIc YTpi"}, false},
		"a ticket of the desktop":                        {map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "Negotiate YII"}, false},
		"a password from the same origin":                {map[string]string{"Sec-Fetch-Site": "same-origin", "Authorization": "Basic YTpi"}, true},
		"a password from a program that is no browser":   {map[string]string{"Authorization": "Basic YTpi"}, true},
		"a forwarded host that pretends to be the site":  {map[string]string{"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, postern.WithTrustedOrigins("https://front.example.org"))
			w := send(h, photo, func(r *http.Request) {
				for name, value := range tc.header {
					if name == "Host" {
						r.Host = value
					} else {
						r.Header.Set(name, value)
					}
				}
			})
			if tc.granted {
				granted(t, w)
				return
			}
			require.Equal(t, "cross_origin", refused(t, w).Code)
			require.Equal(t, 403, w.Code)
		})
	}
}

func TestCrossOriginRefusalNamesTheOption(t *testing.T) {
	w := send(newHandler(t), photo, withHeader("Sec-Fetch-Site", "cross-site"))
	require.Contains(t, refused(t, w).Detail, "postern.WithTrustedOrigins")
}

func TestCrossOriginRequestIsRefusedBeforeAnyHookRuns(t *testing.T) {
	h := newHandler(t, postern.WithAuthorizer(func(*http.Request, *postern.Upload) error {
		require.Fail(t, "the authorizer ran")
		return nil
	}))
	refused(t, send(h, photo, withHeader("Sec-Fetch-Site", "cross-site")))
}

func TestChainTrustsTheOriginsOfItsIssuerOnly(t *testing.T) {
	chain := func(origins ...string) http.Handler {
		issuer := newIssuer(t, postern.WithTrustedOrigins(origins...))
		return alice.New(postern.Decode(issuer), postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
	}
	from := []func(*http.Request){withHeader("Sec-Fetch-Site", "cross-site"), withHeader("Origin", "https://b.example")}
	granted(t, send(chain("https://a.example", "https://b.example"), photo, from...))
	require.Equal(t, "cross_origin", refused(t, send(chain("https://a.example"), photo, from...)).Code)
}

func TestTrustedOriginMustBeAnOrigin(t *testing.T) {
	for _, origin := range []string{
		"", "*", "null", "app.example.com", "https://app.example.com/", "https://", "https://a.example?x", "https://*.example.com", "https://u@a.example",
	} {
		_, err := postern.New(bucket, postern.AllowAnonymous(), postern.WithTrustedOrigins(origin))
		require.Equal(t, []string{"WithTrustedOrigins"}, options(t, err), origin)
	}
}

func TestTrustedOriginMatchesHoweverItIsWritten(t *testing.T) {
	for written, sent := range map[string]string{
		"https://App.Example.com":     "https://app.example.com",
		"HTTPS://app.example.com:443": "https://app.example.com",
		"http://app.example.com:80":   "http://app.example.com",
		"https://app.example.com:80":  "https://app.example.com:80",
		"capacitor://localhost":       "capacitor://localhost",
		"tauri://localhost":           "tauri://localhost",
	} {
		h := newHandler(t, postern.WithTrustedOrigins(written))
		granted(t, send(h, photo, withHeader("Sec-Fetch-Site", "cross-site"), withHeader("Origin", sent)))
	}
}

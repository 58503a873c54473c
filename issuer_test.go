package postern_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestIssueOfAnUploadThatTheProgramFilled(t *testing.T) {
	g, err := newIssuer(t).Issue(t.Context(), &postern.Upload{
		Subject: "ada", Tenant: "acme", Filename: "photo.png", Type: "image/png", Size: postern.UnknownSize,
	})
	require.NoError(t, err)
	require.Equal(t, postern.ModePost, g.Mode)
	require.Equal(t, "POST", g.Method)
	require.Regexp(t, `^acme/[0-9a-f-]{36}\.png$`, g.Key)
	require.Equal(t, noon.Add(5*time.Minute), g.Expires)
	require.Equal(t, 5*time.Minute, g.ExpiresIn)
}

func TestUnknownSizePermitsTheWholeRange(t *testing.T) {
	for name, tc := range map[string]struct {
		opts     []postern.Option
		narrow   func(*postern.Upload)
		min, max int64
	}{
		"the default":                   {nil, nil, 1, 10 << 20},
		"the limit of the issuer":       {[]postern.Option{postern.WithSizeLimit(5, 500)}, nil, 5, 500},
		"what the upload takes away":    {[]postern.Option{postern.WithSizeLimit(5, 500)}, func(u *postern.Upload) { u.LimitSize(6, 400) }, 6, 400},
		"what the upload would add":     {[]postern.Option{postern.WithSizeLimit(5, 500)}, func(u *postern.Upload) { u.LimitSize(1, 4000) }, 5, 500},
		"what one upload can be at all": {[]postern.Option{postern.WithSizeLimit(0, 5<<40)}, nil, 0, 5 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			u := postern.Upload{Subject: "ada", Filename: "a", Size: postern.UnknownSize}
			if tc.narrow != nil {
				tc.narrow(&u)
			}
			g, err := newIssuer(t, tc.opts...).Issue(t.Context(), &u)
			require.NoError(t, err)
			min, max := policyOf(t, fieldsOf(g)["policy"]).sizeRange(t)
			require.Equal(t, []int64{tc.min, tc.max}, []int64{min, max})
		})
	}
}

func TestIssueRefusesWhatWasNotDecided(t *testing.T) {
	full := postern.Upload{Subject: "ada", Filename: "a.png", Type: "image/png", Size: 5}
	for name, tc := range map[string]struct {
		change func(*postern.Upload)
		want   error
	}{
		"no subject":             {func(u *postern.Upload) { u.Subject = "" }, postern.ErrSubjectMissing},
		"no file name":           {func(u *postern.Upload) { u.Filename = "../" }, postern.ErrFilenameRequired},
		"no size":                {func(u *postern.Upload) { u.Size = 0 }, postern.ErrSizeTooSmall},
		"a negative size":        {func(u *postern.Upload) { u.Size = -2 }, postern.ErrSizeInvalid},
		"a size above the limit": {func(u *postern.Upload) { u.Size = 11 << 20 }, postern.ErrSizeTooLarge},
		"an active type":         {func(u *postern.Upload) { u.Type = "text/html" }, postern.ErrTypeNotAllowed},
		"a type that is none":    {func(u *postern.Upload) { u.Type = "png" }, postern.ErrTypeInvalid},
		"a key that is none":     {func(u *postern.Upload) { u.Key = "../a" }, postern.ErrKeyInvalid},
		"a tenant that is none":  {func(u *postern.Upload) { u.Tenant = "a/b" }, postern.ErrPrincipalInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			u := full
			tc.change(&u)
			g, err := newIssuer(t).Issue(t.Context(), &u)
			require.ErrorIs(t, err, tc.want)
			require.Nil(t, g)
		})
	}
}

func TestIssueKeepsAKeyThatTheProgramChose(t *testing.T) {
	u := &postern.Upload{Subject: "ada", Filename: "a", Size: 1, Key: "reports/2026.pdf"}
	g, err := newIssuer(t).Issue(t.Context(), u)
	require.NoError(t, err)
	require.Equal(t, "reports/2026.pdf", g.Key)
}

func TestRedirectTakesThePlaceOfTheStatus(t *testing.T) {
	const next = "https://app.example.com/done?x=1"
	g, err := newIssuer(t).Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: "a", Size: 1, SuccessRedirect: next})
	require.NoError(t, err)
	fields := fieldsOf(g)
	require.Equal(t, next, fields["success_action_redirect"])
	require.NotContains(t, fields, "success_action_status")
}

func TestRedirectMustBeAnAbsoluteAddress(t *testing.T) {
	for _, redirect := range []string{"/done", "//evil.example", "javascript:alert(1)", "data:text/html,x", "https://", "https://a.example/ü", "https://a\r\nb", "https://a.example/?name=${filename}"} {
		_, err := newIssuer(t).Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: "a", Size: 1, SuccessRedirect: redirect})
		var p *postern.Problem
		require.ErrorAs(t, err, &p, redirect)
		require.Equal(t, "redirect_invalid", p.Code())
	}
}

func TestGrantIsTheSameJSONByValueAndByPointer(t *testing.T) {
	g, err := newIssuer(t).Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: `<a href="x">.png`, Size: 1})
	require.NoError(t, err)
	byPointer, err := json.Marshal(g)
	require.NoError(t, err)
	byValue, err := json.Marshal(*g)
	require.NoError(t, err)
	require.JSONEq(t, string(byPointer), string(byValue))
	require.NotContains(t, string(byValue), "<a")
}

func TestPresignedGet(t *testing.T) {
	i := newIssuer(t)
	for name, tc := range map[string]struct {
		ttl  time.Duration
		want string
	}{
		"a second":                {time.Second, "1"},
		"a week":                  {7 * 24 * time.Hour, "604800"},
		"a fraction that is lost": {90*time.Second + 500*time.Millisecond, "90"},
	} {
		t.Run(name, func(t *testing.T) {
			address, err := i.PresignGet(t.Context(), "a", tc.ttl)
			require.NoError(t, err)
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.Equal(t, tc.want, u.Query().Get("X-Amz-Expires"))
			require.Equal(t, "host", u.Query().Get("X-Amz-SignedHeaders"))
		})
	}
}

func TestPresignedGetAtAFractionOfASecondLivesNoLonger(t *testing.T) {
	i := newIssuer(t, postern.WithClock(func() time.Time { return noon.Add(900 * time.Millisecond) }))
	for _, ttl := range []time.Duration{time.Minute, time.Minute + 999*time.Millisecond, 7 * 24 * time.Hour} {
		address, err := i.PresignGet(t.Context(), "a", ttl)
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		lives, err := time.ParseDuration(u.Query().Get("X-Amz-Expires") + "s")
		require.NoError(t, err)
		require.Equal(t, ttl.Truncate(time.Second), lives)
	}
}

func TestPresignedGetRefuses(t *testing.T) {
	i := newIssuer(t)
	for name, tc := range map[string]struct {
		key string
		ttl time.Duration
	}{
		"a key that is none":        {"../a", time.Minute},
		"no key":                    {"", time.Minute},
		"a life below a second":     {"a", time.Second - 1},
		"a life above a week":       {"a", 7*24*time.Hour + 1},
		"a life that ended already": {"a", -time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			address, err := i.PresignGet(t.Context(), tc.key, tc.ttl)
			require.Error(t, err)
			require.Empty(t, address)
		})
	}
}

func TestPresignedGetNeverOutlivesTheCredentials(t *testing.T) {
	b := bucket
	b.Credentials = provides(expiring(aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey}, time.Minute), nil)
	i, err := postern.NewIssuer(b, postern.WithClock(atNoon))
	require.NoError(t, err)
	address, err := i.PresignGet(t.Context(), "a", time.Hour)
	require.NoError(t, err)
	require.Contains(t, address, "X-Amz-Expires=60&")
}

func TestPresignedGetWithoutCredentialsIsAProblem(t *testing.T) {
	for name, provider := range map[string]aws.CredentialsProvider{
		"an error": provides(aws.Credentials{}, errors.New("IMDS is down")),
		"no keys":  provides(aws.Credentials{}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			b.Credentials = provider
			i, err := postern.NewIssuer(b)
			require.NoError(t, err)
			_, err = i.PresignGet(t.Context(), "a", time.Hour)
			require.ErrorIs(t, err, postern.ErrCredentialsUnavailable)
		})
	}
}

func TestIssuerHoldsAgainstAChainThatForgetsItsRules(t *testing.T) {
	issuer := newIssuer(t, postern.WithSizeLimit(1, 100), postern.WithContentTypes("image/png"))
	var u *postern.Upload
	chain := postern.Decode(issuer)(postern.Authorize(asAda)(postern.NameKey(postern.KeyTemplate("{uuid}"))(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u = postern.UploadFrom(r.Context())
			postern.SignHandler(issuer).ServeHTTP(w, r)
		}))))
	require.Equal(t, int64(100), refused(t, send(chain, photo)).MaxSize)
	require.NotNil(t, u)
	require.Equal(t, []string{"image/png"}, refused(t, send(chain, `{"filename":"a.gif","type":"image/gif","size":5}`)).AllowedTypes)
}

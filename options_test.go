package postern_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// options returns the names of the options that an error blames, in order.
func options(t *testing.T, err error) (names []string) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "%T joins no errors", err)
	for _, e := range joined.Unwrap() {
		var mistake *postern.ConfigError
		require.True(t, errors.As(e, &mistake), "%T", e)
		require.ErrorContains(t, err, mistake.Option)
		names = append(names, mistake.Option)
	}
	return names
}

func TestMistakeInAnOptionIsAConfigError(t *testing.T) {
	for name, opt := range map[string]postern.HandlerOption{
		"WithAuthorizer":     postern.WithAuthorizer(nil),
		"WithKeyPolicy":      postern.WithKeyPolicy(nil),
		"WithSizeLimit":      postern.WithSizeLimit(2, 1),
		"WithSizeLimitFunc":  postern.WithSizeLimitFunc(nil),
		"WithContentTypes":   postern.WithContentTypes(),
		"WithAttributes":     postern.WithAttributes(postern.Attributes{Disposition: "sideways"}),
		"WithClientMetadata": postern.WithClientMetadata("ok", "Not OK"),
		"WithGrantLifetime":  postern.WithGrantLifetime(0),
		"WithTrustedOrigins": postern.WithTrustedOrigins("https://a.example", "b.example"),
		"WithMiddleware":     postern.WithMiddleware(nil),
		"WithObserver":       postern.WithObserver(nil),
		"WithClock":          postern.WithClock(nil),
		"WithRandom":         postern.WithRandom(nil),
		"WithBodyLimit":      postern.WithBodyLimit(1 << 30),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postern.New(bucket, postern.AllowAnonymous(), opt)
			require.Equal(t, []string{name}, options(t, err))
		})
	}
}

func TestValuesOutOfRangeAreMistakes(t *testing.T) {
	for name, opt := range map[string]postern.HandlerOption{
		"a negative size":             postern.WithSizeLimit(-1, 5),
		"a negative maximum":          postern.WithSizeLimit(-5, -1),
		"a size beyond S3's":          postern.WithSizeLimit(1, 50_000<<30+1),
		"a lifetime below a second":   postern.WithGrantLifetime(time.Second - 1),
		"a lifetime above a week":     postern.WithGrantLifetime(7*24*time.Hour + 1),
		"a body limit below 1 KiB":    postern.WithBodyLimit(1<<10 - 1),
		"a body limit above 1 MiB":    postern.WithBodyLimit(1<<20 + 1),
		"a type that is none":         postern.WithContentTypes("image/*", "png"),
		"an empty type":               postern.WithContentTypes(""),
		"a type with parameters":      postern.WithContentTypes("text/plain; charset=utf-8"),
		"an empty name of metadata":   postern.WithClientMetadata(""),
		"a name with the prefix's _":  postern.WithClientMetadata("a_b"),
		"a key policy of nil":         postern.WithKeyPolicy(postern.KeyFunc(nil)),
		"a prefix before no policy":   postern.WithKeyPolicy(postern.TenantPrefix(nil)),
		"a template that is wrong":    postern.WithKeyPolicy(postern.KeyTemplate("{user}")),
		"a wrong template in another": postern.WithKeyPolicy(postern.TenantPrefix(postern.KeyTemplate(""))),
		"middleware that is nil":      postern.WithMiddleware(postern.Rule(asAda), nil),
		"an option that is nil":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postern.New(bucket, postern.WithAuthorizer(asAda), opt)
			require.Len(t, options(t, err), 1)
		})
	}
}

func TestValuesAtTheEndsOfTheirRangesAreFine(t *testing.T) {
	for _, opt := range []postern.HandlerOption{
		postern.WithSizeLimit(0, 0),
		postern.WithSizeLimit(50_000<<30, 50_000<<30),
		postern.WithGrantLifetime(time.Second),
		postern.WithGrantLifetime(7 * 24 * time.Hour),
		postern.WithBodyLimit(1 << 10),
		postern.WithBodyLimit(1 << 20),
		postern.WithClientMetadata(),
		postern.WithMiddleware(),
		postern.WithTrustedOrigins(),
	} {
		_, err := postern.New(bucket, postern.WithAuthorizer(asAda), opt)
		require.NoError(t, err)
	}
}

func TestNewReturnsAllMistakesAtOnce(t *testing.T) {
	h, err := postern.New(
		postern.Bucket{Name: "x", Endpoint: "ftp://s3", PublicEndpoint: "/s3"},
		postern.WithSizeLimit(2, 1),
		postern.WithContentTypes("png"),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}-{uuid}")),
	)
	require.Nil(t, h)
	require.Equal(t, []string{
		"WithSizeLimit", "WithContentTypes", "WithKeyPolicy", "WithAuthorizer",
		"Bucket.Name", "Bucket.Credentials", "Bucket.Endpoint", "Bucket.PublicEndpoint",
	}, options(t, err))
}

func TestNewRefusesToBuildWithoutADecision(t *testing.T) {
	_, err := postern.New(bucket)
	require.Equal(t, []string{"WithAuthorizer"}, options(t, err))
}

func TestNewIssuerReturnsAllMistakesAtOnce(t *testing.T) {
	i, err := postern.NewIssuer(postern.Bucket{}, postern.WithSizeLimit(2, 1))
	require.Nil(t, i)
	require.Equal(t, []string{"WithSizeLimit", "Bucket.Name", "Bucket.Region", "Bucket.Credentials"}, options(t, err))
}

func TestMiddlewareByHandPanicsWithTheSameErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		build  func()
		option string
	}{
		"a rule of nil":                 {func() { postern.Rule(nil) }, "Rule"},
		"an authorizer of nil":          {func() { postern.Authorize(nil) }, "Authorize"},
		"sizes that make no range":      {func() { postern.LimitSize(5, 1) }, "LimitSize"},
		"a negative size":               {func() { postern.LimitSize(-5, 1) }, "LimitSize"},
		"a size function of nil":        {func() { postern.LimitSizeFunc(nil) }, "LimitSizeFunc"},
		"no types":                      {func() { postern.AllowContentTypes() }, "AllowContentTypes"},
		"a type that is none":           {func() { postern.AllowContentTypes("png") }, "AllowContentTypes"},
		"no policy":                     {func() { postern.NameKey(nil) }, "KeyPolicy"},
		"a policy of nil":               {func() { postern.NameKey(postern.KeyFunc(nil)) }, "KeyFunc"},
		"a template that is wrong":      {func() { postern.NameKey(postern.KeyTemplate("{x}")) }, "KeyTemplate"},
		"a beginning without an issuer": {func() { postern.Decode(nil) }, "Decode"},
		"a ticket without an issuer":    {func() { postern.OpenTicket(nil, postern.ActionList) }, "OpenTicket"},
		"a ticket to sign":              {func() { postern.OpenTicket(newIssuer(t), postern.ActionSign) }, "OpenTicket"},
		"an end without an issuer":      {func() { postern.SignHandler(nil) }, "SignHandler"},
		"a list without an issuer":      {func() { postern.ListHandler(nil) }, "ListHandler"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.option, panicsWithConfigError(t, tc.build).Option)
		})
	}
}

func TestAuthorizerMayBeMissingWhereUploadsAreAnonymous(t *testing.T) {
	h, err := postern.New(bucket, postern.AllowAnonymous())
	require.NoError(t, err)
	granted(t, send(h, photo))
}

func TestOptionGivenTwiceIsAMistake(t *testing.T) {
	for name, opt := range map[string]postern.HandlerOption{
		"WithAuthorizer":    postern.WithAuthorizer(asAda),
		"WithSizeLimit":     postern.WithSizeLimit(1, 2),
		"WithContentTypes":  postern.WithContentTypes("image/*"),
		"WithSizeLimitFunc": postern.WithSizeLimitFunc(func(*http.Request, *postern.Upload) (int64, int64) { return 1, 2 }),
		"WithLogger":        postern.WithLogger(zerolog.Nop()),
		"WithKeyPolicy":     postern.WithKeyPolicy(postern.KeyTemplate("{uuid}")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := postern.New(bucket, postern.AllowAnonymous(), opt, opt)
			require.Equal(t, []string{name}, options(t, err))
			require.ErrorContains(t, err, "given twice")
		})
	}
}

func TestObserversMiddlewareAndOriginsAddUp(t *testing.T) {
	seen := 0
	count := postern.WithObserver(func(context.Context, postern.Decision) { seen++ })
	pass := postern.WithMiddleware(func(next http.Handler) http.Handler { seen++; return next })
	h := newHandler(t, count, count, pass, pass, postern.WithTrustedOrigins("https://a.example"), postern.WithTrustedOrigins("https://b.example"))
	built := seen
	granted(t, send(h, photo, withHeader("Sec-Fetch-Site", "cross-site"), withHeader("Origin", "https://a.example")))
	require.Equal(t, 2, seen-built)
}

func TestConfigErrorSaysWhichOptionAndWhy(t *testing.T) {
	why := errors.New("too loud")
	err := error(&postern.ConfigError{Option: "WithVolume", Err: why})
	require.EqualError(t, err, "postern: WithVolume: too loud")
	require.ErrorIs(t, err, why)
}

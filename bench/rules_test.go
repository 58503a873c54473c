package bench

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/bench/internal/fixture"
)

// BenchmarkRules shows that the rules cost the same however much they are told:
// the chain up to the key, with many patterns of types, and with many tenants
// that each have a plan.
func BenchmarkRules(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("types=%d", n), func(b *testing.B) {
			patterns := make([]string, n)
			for i := range patterns {
				patterns[i] = fmt.Sprintf("application/x-type-%d", i)
			}
			patterns[n-1] = "image/png" // the last is the one that matches
			rules(b, 1, patterns...)
		})
	}
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) { rules(b, n, "image/*") })
	}
}

func rules(b *testing.B, tenants int, patterns ...string) {
	plans := make(map[string]int64, tenants)
	names := make([]string, tenants)
	for i := range tenants {
		names[i] = fmt.Sprintf("tenant-%06d", i)
		plans[names[i]] = int64(maxSize + i)
	}
	next := 0
	issuer, err := postern.NewIssuer(postern.Bucket{Name: bucket, Region: region, Credentials: fixture.Credentials()})
	require.NoError(b, err)
	chain := alice.New(
		postern.Decode(issuer),
		postern.Authorize(func(_ *http.Request, u *postern.Upload) error {
			next = (next + 7919) % tenants // a prime: all tenants in turn
			u.Subject, u.Tenant = "ada", names[next]
			return nil
		}),
		postern.LimitSizeFunc(func(_ *http.Request, u *postern.Upload) (int64, int64) { return 1, plans[u.Tenant] }),
		postern.AllowContentTypes(patterns...),
		postern.NameKey(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
	).ThenFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	serve := fixture.Repeat(chain, "/uploads/sign", []byte(issueRequest))
	fixture.Measure(b, func() error { return serve(http.StatusNoContent) })
}

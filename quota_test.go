package postern_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
)

// bounding is a WithQuota that gives all uploads one quota.
func bounding(store quota.Store, q postern.Quota) postern.Option {
	return postern.WithQuota(store, func(*http.Request, *postern.Upload) postern.Quota { return q })
}

// counting returns a handler with promotion, and its store, at noon.
func counting(t testing.TB, q postern.Quota, opts ...postern.HandlerOption) (*postern.Handler, *quota.Memory) {
	store := quota.NewMemory(atNoon)
	return newHandler(t, append(opts, bounding(store, q), postern.WithPromotion("staging/"))...), store
}

func used(t testing.TB, store quota.Store, account string) quota.Usage {
	t.Helper()
	all, err := store.Usage(t.Context(), account)
	require.NoError(t, err)
	return all[0]
}

func TestGrantsAreReservedForTenantAndSubject(t *testing.T) {
	h, store := counting(t, postern.Quota{Tenant: quota.Bytes(5000), Subject: quota.Uploads(3)})
	granted(t, send(h, photo))
	granted(t, send(h, photo))
	require.Equal(t, quota.Usage{Reserved: 2000, Uploads: 2}, used(t, store, postern.TenantAccount("acme")))
	require.Equal(t, quota.Usage{Reserved: 2000, Uploads: 2}, used(t, store, postern.SubjectAccount("acme", "ada")))
}

func TestRefusalsTellWhatIsUsed(t *testing.T) {
	stored := func(bytes, files int64) func(*quota.Memory) {
		return func(m *quota.Memory) {
			_ = m.Adjust(context.Background(), postern.TenantAccount("acme"), bytes, files)
		}
	}
	sign := func(t *testing.T, n int) func(*postern.Handler) {
		return func(h *postern.Handler) {
			for range n {
				granted(t, send(h, photo))
			}
		}
	}
	for name, tc := range map[string]struct {
		limits     quota.Limits
		before     func(*quota.Memory)
		signed     int
		status     int
		code       string
		detail     string
		used       int64
		limit      int64
		retryAfter string
	}{
		"bytes that are stored": {quota.Bytes(5e9), stored(4_999_999_500, 7), 0, 413, "quota_exceeded",
			"There is no room for this file: 5 GB of 5 GB are used.", 4_999_999_500, 5e9, ""},
		"bytes that are reserved": {quota.Bytes(2999), nil, 2, 429, "quota_exceeded",
			"There is no room for this file: 2 kB of 3 kB are used.", 2000, 2999, "5"},
		"files that are stored": {quota.Files(7), stored(1, 7), 0, 413, "files_exceeded",
			"There is no room for another file: 7 of 7 are used.", 7, 7, ""},
		"files that are reserved": {quota.Files(2), nil, 2, 429, "files_exceeded",
			"There is no room for another file: 2 of 2 are used.", 2, 2, "5"},
		"uploads": {quota.Uploads(2), nil, 2, 429, "uploads_exceeded",
			"Too many uploads are under way: 2 of 2. Try again when one has ended.", 2, 2, "5"},
		"a rate": {quota.PerMinute(2), nil, 2, 429, "rate_exceeded",
			"Too many uploads were begun: 2 a minute are possible. Try again in a moment.", 2, 2, "30"},
	} {
		t.Run(name, func(t *testing.T) {
			h, store := counting(t, postern.Quota{Tenant: tc.limits})
			if tc.before != nil {
				tc.before(store)
			}
			sign(t, tc.signed)(h)
			w := send(h, photo)
			p := refused(t, w)
			require.Equal(t, tc.status, p.Status)
			require.Equal(t, tc.code, p.Code)
			require.Equal(t, tc.detail, p.Detail)
			require.Equal(t, []int64{tc.used, tc.limit}, []int64{*p.Used, *p.Limit})
			require.Equal(t, tc.retryAfter, w.Header().Get("Retry-After"))
		})
	}
}

// The problems that Postern has are the same for everybody.
func TestRefusingByQuotaChangesNoProblem(t *testing.T) {
	h, _ := counting(t, postern.Quota{Tenant: quota.Bytes(1000)})
	granted(t, send(h, photo))
	require.Equal(t, 429, refused(t, send(h, photo)).Status)
	require.Equal(t, 413, postern.ErrQuotaExceeded.Status())
	_, _, ok := postern.ErrQuotaExceeded.Usage()
	require.False(t, ok)
}

func TestOfSeveralFilesThoseThatFitAreGranted(t *testing.T) {
	h, store := counting(t, postern.Quota{Tenant: quota.Bytes(2500)})
	w := send(h, batchOf(photo, photo, photo, file("small.png", 400)))
	require.Equal(t, http.StatusOK, w.Code)
	for _, want := range []string{`"index":2,"problem"`, `"code":"quota_exceeded"`, `"used":2000,"limit":2500`, `"retry_after":5`} {
		require.Contains(t, w.Body.String(), want)
	}
	require.Equal(t, 3, strings.Count(w.Body.String(), `"grant":`))
	require.Equal(t, quota.Usage{Reserved: 2400, Uploads: 3}, used(t, store, postern.TenantAccount("acme")))
}

func TestWhatIsRefusedOtherwiseReservesNothing(t *testing.T) {
	h, store := counting(t, postern.Quota{Tenant: quota.PerMinute(10)}, postern.WithContentTypes("application/pdf"))
	require.Equal(t, "type_not_allowed", refused(t, send(h, photo)).Code)
	require.Zero(t, used(t, store, postern.TenantAccount("acme")))
}

func TestAGrantThatCannotBeSignedIsGivenBack(t *testing.T) {
	store := quota.NewMemory(atNoon)
	b := bucket
	b.Credentials = provides(aws.Credentials{}, errors.New("down"))
	h := newHandlerFor(t, b, bounding(store, postern.Quota{Tenant: quota.Bytes(5000)}), postern.WithPromotion("staging/"))
	require.Equal(t, "credentials_unavailable", refused(t, send(h, photo)).Code)
	require.Zero(t, used(t, store, postern.TenantAccount("acme")))
}

func TestAnUnknownSizeReservesTheLargest(t *testing.T) {
	store := quota.NewMemory(atNoon)
	i := newIssuer(t, bounding(store, postern.Quota{Tenant: quota.Bytes(1 << 30)}), postern.WithPromotion("staging/"), postern.WithSizeLimit(1, 5000))
	_, err := i.Issue(t.Context(), &postern.Upload{Subject: "ada", Tenant: "acme", Filename: "a.png", Type: "image/png", Size: postern.UnknownSize})
	require.NoError(t, err)
	require.EqualValues(t, 5000, used(t, store, postern.TenantAccount("acme")).Reserved)
}

func TestReservationsEndWithTheirTickets(t *testing.T) {
	for name, tc := range map[string]struct {
		opts  []postern.HandlerOption
		after time.Duration
	}{
		"with completion":    {[]postern.HandlerOption{postern.WithPromotion("staging/"), postern.WithTicketLifetime(time.Hour)}, time.Hour},
		"without completion": {[]postern.HandlerOption{postern.WithGrantLifetime(time.Minute)}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon
			store := quota.NewMemory(func() time.Time { return now })
			h := newHandler(t, append(tc.opts, bounding(store, postern.Quota{Subject: quota.Uploads(1)}))...)
			granted(t, send(h, photo))
			now = now.Add(tc.after - time.Second)
			require.Equal(t, "uploads_exceeded", refused(t, send(h, photo)).Code)
			now = now.Add(time.Second)
			granted(t, send(h, photo))
		})
	}
}

func TestQuotasThatCannotHoldRefuse(t *testing.T) {
	promoted := postern.WithPromotion("staging/")
	for name, tc := range map[string]struct {
		q     postern.Quota
		opts  []postern.HandlerOption
		code  string
		cause string
	}{
		"bytes without promotion": {postern.Quota{Tenant: quota.Bytes(1e9)}, nil, "chain_incomplete", "WithPromotion only"},
		"files without promotion": {postern.Quota{Subject: quota.Files(1e9)}, []postern.HandlerOption{onComplete()}, "chain_incomplete", "WithPromotion only"},
		"no tenant": {postern.Quota{Tenant: quota.Uploads(5)}, []postern.HandlerOption{promoted, postern.WithAuthorizer(as("ada", ""))},
			"principal_invalid", "an upload that has none"},
		"no name":              {postern.Quota{Named: quota.Uploads(5)}, []postern.HandlerOption{promoted}, "principal_invalid", "a name is"},
		"a name that is long":  {postern.Quota{Name: strings.Repeat("a", 129), Named: quota.Uploads(5)}, []postern.HandlerOption{promoted}, "principal_invalid", "a name is"},
		"a name with controls": {postern.Quota{Name: "a\n", Named: quota.Uploads(5)}, []postern.HandlerOption{promoted}, "principal_invalid", "a name is"},
		"a stranger that nothing bounds": {postern.Quota{}, []postern.HandlerOption{promoted, postern.AllowAnonymous(), postern.WithAuthorizer(as("", ""))},
			"subject_missing", "only where WithQuota bounds it"},
	} {
		t.Run(name, func(t *testing.T) {
			var seen error
			h := newHandler(t, append(tc.opts, bounding(quota.NewMemory(atNoon), tc.q),
				postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = d.Err }))...)
			p := refused(t, send(h, photo))
			require.Equal(t, 500, p.Status)
			require.Equal(t, tc.code, p.Code)
			require.ErrorContains(t, seen, tc.cause)
		})
	}
}

func TestWithAQuotaStrangersHavePartsAndCompletion(t *testing.T) {
	h, store := counting(t, postern.Quota{Name: "203.0.113.7", Named: quota.Files(1)},
		postern.AllowAnonymous(), postern.WithAuthorizer(as("", "")), at5GiB(), onComplete())
	require.NoError(t, h.CheckMultipart())
	require.True(t, granted(t, send(h, photo)).Complete)
	require.EqualValues(t, 1, used(t, store, postern.NamedAccount("203.0.113.7")).Uploads)
	require.Equal(t, "files_exceeded", refused(t, send(h, photo)).Code)
}

func TestAPanicOfTheQuotaCostsOneRequest(t *testing.T) {
	h := newHandler(t, postern.WithQuota(quota.NewMemory(nil), func(*http.Request, *postern.Upload) postern.Quota { panic("oh") }))
	require.Equal(t, "internal", refused(t, send(h, photo)).Code)
}

func TestAccountsOfDifferentPeopleAreDifferent(t *testing.T) {
	require.NotEqual(t, postern.SubjectAccount("a/b", "c"), postern.SubjectAccount("a", "b/c"))
	require.NotEqual(t, postern.SubjectAccount("", "a/b"), postern.SubjectAccount("a", "b"))
	require.NotEqual(t, postern.TenantAccount("a"), postern.NamedAccount("a"))
	require.Equal(t, "subject/acme/%C3%A9%00", postern.SubjectAccount("acme", "é\x00"))
}

func TestTheRulesTellWhatIsUsed(t *testing.T) {
	h, _ := counting(t, postern.Quota{
		Tenant: quota.Bytes(5000).Files(10), Subject: quota.Uploads(3).PerMinute(60), Name: "x", Named: quota.PerMinute(0),
	})
	require.Equal(t, "rate_exceeded", refused(t, send(h, photo)).Code)
	w := get(h)
	require.Equal(t, map[string]map[string]use{
		"tenant":  {"bytes": {0, 5000}, "files": {0, 10}},
		"subject": {"uploads": {0, 3}, "per_minute": {0, 60}},
		"named":   {"per_minute": {0, 0}},
	}, usageOf(t, w))

	h, _ = counting(t, postern.Quota{Tenant: quota.Bytes(5000), Subject: quota.PerMinute(60)})
	granted(t, send(h, photo))
	require.Equal(t, map[string]map[string]use{
		"tenant": {"bytes": {1000, 5000}}, "subject": {"per_minute": {1, 60}},
	}, usageOf(t, get(h)))

	h, _ = counting(t, postern.Quota{})
	require.NotContains(t, get(h).Body.String(), "quota")
}

// failing is a store that does not work.
type failing struct {
	quota.Store
	err error
}

func (f failing) Reserve(ctx context.Context, _ quota.Reservation) error { return f.fail(ctx) }
func (f failing) Cancel(ctx context.Context, _ quota.Upload, _ time.Duration) error {
	return f.fail(ctx)
}
func (f failing) Usage(ctx context.Context, _ ...string) ([]quota.Usage, error) {
	return nil, f.fail(ctx)
}

// fail waits for the end of ctx where there is no error.
func (f failing) fail(ctx context.Context) error {
	if f.err != nil {
		return f.err
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestAStoreThatFailsRefuses(t *testing.T) {
	h := newHandler(t, bounding(failing{err: errors.New("secret host down")}, postern.Quota{Tenant: quota.Uploads(5)}))
	w := send(h, photo)
	require.Equal(t, "quota_unavailable", refused(t, w).Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Equal(t, 200, get(h).Code, "the rules without what is used")
}

func TestAStoreThatFailsLetsPassWhereAskedTo(t *testing.T) {
	h := newHandler(t, bounding(failing{err: errors.New("down")}, postern.Quota{Tenant: quota.Uploads(5)}), postern.AllowUncounted())
	granted(t, send(h, photo))
}

func TestAllowingUncountedNeedsAQuota(t *testing.T) {
	_, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.AllowUncounted())
	require.Equal(t, "AllowUncounted", option(t, err))
}

func TestIssuingWithoutARequestAsksWithoutOne(t *testing.T) {
	asked := false
	i := newIssuer(t, postern.WithQuota(quota.NewMemory(atNoon), func(r *http.Request, u *postern.Upload) postern.Quota {
		asked = true
		require.Nil(t, r)
		require.EqualValues(t, 7, u.Size)
		return postern.Quota{}
	}))
	_, err := i.Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: "a.png", Type: "image/png", Size: 7})
	require.NoError(t, err)
	require.True(t, asked)
}

// use is what is used of a limit.
type use struct{ Used, Limit int64 }

// usageOf reads what the rules tell of it.
func usageOf(t *testing.T, w *httptest.ResponseRecorder) map[string]map[string]use {
	var q struct {
		Quota *map[string]map[string]use `json:"quota"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &q))
	require.NotNil(t, q.Quota, w.Body.String())
	return *q.Quota
}

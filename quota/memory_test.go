package quota_test

import (
	"crypto/rand"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/quotatest"
	"github.com/postern-go/postern/quota"
)

func TestMemoryKeepsTheContract(t *testing.T) { quotatest.Contract(t, quota.NewMemory(nil)) }

// Months of uploads leave nothing but what is stored.
func TestMemoryForgetsWhatHasEnded(t *testing.T) {
	now := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	m := quota.NewMemory(func() time.Time { return now })
	for k := range 1000 {
		u := quota.Upload{ID: strconv.Itoa(k), Bytes: 10, Accounts: []string{"named/" + strconv.Itoa(k)}}
		require.NoError(t, m.Reserve(t.Context(), quota.Reservation{
			ID: u.ID, Bytes: 10, For: time.Hour, Accounts: []quota.Account{{Name: u.Accounts[0], Limits: quota.PerMinute(1)}},
		}))
		switch k % 4 {
		case 0:
			require.NoError(t, m.Cancel(t.Context(), u, time.Hour))
		case 1:
			require.NoError(t, m.Settle(t.Context(), u, time.Hour))
			require.NoError(t, m.Release(t.Context(), u))
		case 2:
			require.NoError(t, m.Settle(t.Context(), u, time.Hour))
		}
	}
	now = now.Add(100 * time.Hour)
	_, err := m.Usage(t.Context())
	require.NoError(t, err)
	accounts, uploads := quota.Kept(m)
	require.Equal(t, 250, accounts, "those that have stored something")
	require.Zero(t, uploads)
}

func TestLimits(t *testing.T) {
	l := quota.Bytes(5).Files(0).Bytes(7)
	n, ok := l.Of(quota.KindBytes)
	require.True(t, ok)
	require.EqualValues(t, 7, n)
	n, ok = l.Of(quota.KindFiles)
	require.True(t, ok)
	require.Zero(t, n)
	_, ok = l.Of(quota.KindUploads)
	require.False(t, ok)
	require.False(t, quota.Bytes(0).IsZero())
	require.True(t, quota.Limits{}.IsZero())
	require.Equal(t, quota.Bytes(0), quota.Bytes(-5), "a negative limit is none at all")
}

func TestARateIsThatManyAtOnceAndThenOneEveryPartOfAMinute(t *testing.T) {
	now := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	m := quota.NewMemory(func() time.Time { return now })
	grants := func() (n int) {
		for m.Reserve(t.Context(), quota.Reservation{
			ID: rand.Text(), Bytes: 1, For: time.Hour, Accounts: []quota.Account{{Name: "a", Limits: quota.PerMinute(6)}},
		}) == nil {
			n++
		}
		return n
	}
	require.Equal(t, 6, grants())
	now = now.Add(10*time.Second - time.Microsecond)
	require.Equal(t, 0, grants())
	now = now.Add(time.Microsecond)
	require.Equal(t, 1, grants())
	now = now.Add(25 * time.Second)
	require.Equal(t, 2, grants())
	now = now.Add(time.Hour)
	require.Equal(t, 6, grants())
}

func BenchmarkMemory(b *testing.B) {
	m := quota.NewMemory(nil)
	accounts := []quota.Account{{Name: "tenant/acme", Limits: quota.Bytes(1 << 50).Files(1 << 40)}, {Name: "subject/acme/ada", Limits: quota.PerMinute(1 << 30)}}
	ids := make([]string, b.N)
	for k := range ids {
		ids[k] = rand.Text()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for k := range b.N {
		if err := m.Reserve(b.Context(), quota.Reservation{ID: ids[k], Bytes: 10, Accounts: accounts, For: time.Hour}); err != nil {
			b.Fatal(err)
		}
	}
}

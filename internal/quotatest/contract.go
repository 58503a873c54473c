// Package quotatest has what the tests of the stores of quotas share: what holds of every
// store, and replicas as processes.
package quotatest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/quota"
)

const (
	hour  = time.Hour
	short = 200 * time.Millisecond
)

// Contract asserts what holds of every store.
func Contract(t *testing.T, store quota.Store) {
	for name, test := range map[string]func(*account){
		"bytes are reserved up to the limit":                       bytesUpToTheLimit,
		"files and uploads are reserved up to the limit":           countsUpToTheLimit,
		"a limit of nothing admits nothing":                        nothing,
		"what was stored cannot be waited for":                     storedIsNotWaitedFor,
		"all accounts or none":                                     allOrNone,
		"an id that is reserved again counts once":                 reservedTwice,
		"a receipt settles by the real size, once":                 settledOnce,
		"what was cancelled is free, and is not settled":           cancelled,
		"cancelling leaves what was settled":                       cancelledTooLate,
		"cancelling what was never reserved keeps it from settled": cancelledBefore,
		"a reservation ends by itself":                             ends,
		"what arrives after its reservation counts":                settledLate,
		"a released file is given back, once":                      releasedOnce,
		"a file that nobody remembers is released by its size":     releasedUnknown,
		"a file that comes again after its release counts":         settledAgain,
		"an account is adjusted, and not below nothing":            adjusted,
		"a rate": rate,
		"accounts that were never seen use nothing":     unseen,
		"many at once get exactly what there is":        manyAtOnce,
		"nothing is done where the context has ended":   contextEnded,
		"what was settled is not remembered for ever":   settledForgotten,
		"two accounts in any order do not get stuck":    anyOrder,
		"an account of a name in which all may stand":   oddName,
		"a reservation that was settled does not end":   settledDoesNotEnd,
		"settling again remembers an upload for longer": settledProlongs,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&account{T: t, store: store, name: "tenant/" + rand.Text()})
		})
	}
}

// account is one of a test.
type account struct {
	*testing.T
	store quota.Store
	name  string
}

func (a *account) reserveFor(d time.Duration, id string, bytes int64, l quota.Limits) error {
	return a.store.Reserve(a.Context(), quota.Reservation{
		ID: id, Bytes: bytes, Accounts: []quota.Account{{Name: a.name, Limits: l}}, For: d,
	})
}

func (a *account) reserve(bytes int64, l quota.Limits) (id string) {
	a.Helper()
	id = rand.Text()
	require.NoError(a, a.reserveFor(hour, id, bytes, l))
	return id
}

func (a *account) refused(bytes int64, l quota.Limits) *quota.ExceededError {
	a.Helper()
	var e *quota.ExceededError
	require.ErrorAs(a, a.reserveFor(hour, rand.Text(), bytes, l), &e)
	require.Equal(a, a.name, e.Account)
	return e
}

func (a *account) upload(id string, bytes int64) quota.Upload {
	return quota.Upload{ID: id, Bytes: bytes, Accounts: []string{a.name}}
}

func (a *account) settle(id string, bytes int64) error {
	return a.store.Settle(a.Context(), a.upload(id, bytes), hour)
}

func (a *account) usage() quota.Usage {
	a.Helper()
	all, err := a.store.Usage(a.Context(), a.name)
	require.NoError(a, err)
	require.Len(a, all, 1)
	return all[0]
}

// uses asserts what is stored, reserved and under way.
func (a *account) uses(bytes, files, reserved, uploads int64) {
	a.Helper()
	u := a.usage()
	u.Full = 0
	require.Equal(a, quota.Usage{Bytes: bytes, Files: files, Reserved: reserved, Uploads: uploads}, u)
}

// comesToUse waits until it does.
func (a *account) comesToUse(bytes, files, reserved, uploads int64) {
	a.Helper()
	require.Eventually(a, func() bool {
		u := a.usage()
		u.Full = 0
		return u == quota.Usage{Bytes: bytes, Files: files, Reserved: reserved, Uploads: uploads}
	}, time.Minute, short/4)
}

func bytesUpToTheLimit(a *account) {
	l := quota.Bytes(1000)
	a.reserve(600, l)
	a.reserve(400, l)
	a.reserve(0, l)
	e := a.refused(1, l)
	require.Equal(a, quota.ExceededError{
		Account: a.name, Kind: quota.KindBytes, Used: 1000, Limit: 1000, RetryAfter: quota.Pause,
	}, *e)
	a.uses(0, 0, 1000, 3)
	require.Equal(a, time.Duration(0), a.refused(1001, l).RetryAfter, "it never fits")
}

func countsUpToTheLimit(a *account) {
	a.reserve(10, quota.Files(2).Uploads(5))
	a.reserve(10, quota.Files(2).Uploads(5))
	e := a.refused(10, quota.Files(2).Uploads(2))
	require.Equal(a, quota.KindFiles, e.Kind)
	require.Equal(a, quota.Pause, e.RetryAfter)
	e = a.refused(10, quota.Files(5).Uploads(2))
	require.Equal(a, quota.ExceededError{Account: a.name, Kind: quota.KindUploads, Used: 2, Limit: 2, RetryAfter: quota.Pause}, *e)
}

func nothing(a *account) {
	a.refused(1, quota.Bytes(0))
	a.refused(1, quota.Bytes(-1))
	a.refused(1, quota.Files(0))
	a.refused(1, quota.Uploads(0))
	e := a.refused(1, quota.PerMinute(0))
	require.Equal(a, quota.KindPerMinute, e.Kind)
	require.Zero(a, e.RetryAfter)
	a.uses(0, 0, 0, 0)
}

func storedIsNotWaitedFor(a *account) {
	require.NoError(a, a.settle(rand.Text(), 900))
	l := quota.Bytes(1000)
	a.reserve(50, l)
	require.Equal(a, quota.Pause, a.refused(100, l).RetryAfter)
	e := a.refused(101, l)
	require.Zero(a, e.RetryAfter)
	require.EqualValues(a, 950, e.Used)
	require.Zero(a, a.refused(1, quota.Files(1)).RetryAfter)
}

func allOrNone(a *account) {
	other := a.name + "/other"
	reserve := func(limit int64) error {
		return a.store.Reserve(a.Context(), quota.Reservation{ID: rand.Text(), Bytes: 10, For: hour, Accounts: []quota.Account{
			{Name: a.name, Limits: quota.Bytes(100).PerMinute(10)}, {Name: other, Limits: quota.Bytes(limit)},
		}})
	}
	require.NoError(a, reserve(10))
	var e *quota.ExceededError
	require.ErrorAs(a, reserve(10), &e)
	require.Equal(a, other, e.Account)
	a.uses(0, 0, 10, 1)
	require.EqualValues(a, 1, a.usage().Used(quota.KindPerMinute, 10))
}

func reservedTwice(a *account) {
	id := a.reserve(10, quota.Files(1).PerMinute(1))
	require.NoError(a, a.reserveFor(hour, id, 10, quota.Files(1).PerMinute(1)))
	a.uses(0, 0, 10, 1)
}

func settledOnce(a *account) {
	id := a.reserve(1000, quota.Bytes(1000))
	require.NoError(a, a.settle(id, 700))
	a.uses(700, 1, 0, 0)
	require.NoError(a, a.settle(id, 700))
	require.NoError(a, a.reserveFor(hour, id, 10, quota.Bytes(1000)))
	a.uses(700, 1, 0, 0)
	a.reserve(300, quota.Bytes(1000))
}

func cancelled(a *account) {
	id := a.reserve(1000, quota.Bytes(1000))
	for range 2 {
		require.NoError(a, a.store.Cancel(a.Context(), a.upload(id, 0), hour))
		a.uses(0, 0, 0, 0)
	}
	require.ErrorIs(a, a.settle(id, 1000), quota.ErrCancelled)
	a.uses(0, 0, 0, 0)
}

func cancelledBefore(a *account) {
	id := rand.Text()
	require.NoError(a, a.store.Cancel(a.Context(), a.upload(id, 0), hour))
	require.ErrorIs(a, a.settle(id, 1000), quota.ErrCancelled)
	a.uses(0, 0, 0, 0)
}

func cancelledTooLate(a *account) {
	id := a.reserve(1000, quota.Bytes(1000))
	require.NoError(a, a.settle(id, 700))
	require.NoError(a, a.store.Cancel(a.Context(), a.upload(id, 700), hour))
	a.uses(700, 1, 0, 0)
}

func ends(a *account) {
	l := quota.Bytes(1000).Uploads(1)
	require.NoError(a, a.reserveFor(short, rand.Text(), 1000, l))
	a.comesToUse(0, 0, 0, 0)
	a.reserve(1000, l)
}

func settledLate(a *account) {
	id := rand.Text()
	require.NoError(a, a.reserveFor(short, id, 1000, quota.Bytes(1000)))
	a.comesToUse(0, 0, 0, 0)
	require.NoError(a, a.settle(id, 800))
	require.NoError(a, a.settle(id, 800))
	a.uses(800, 1, 0, 0)
}

func settledDoesNotEnd(a *account) {
	id, other := rand.Text(), rand.Text()
	require.NoError(a, a.reserveFor(short, id, 1000, quota.Bytes(2000)))
	require.NoError(a, a.reserveFor(short, other, 1000, quota.Bytes(2000)))
	require.NoError(a, a.settle(id, 1000))
	a.comesToUse(1000, 1, 0, 0)
}

func settledForgotten(a *account) {
	id := rand.Text()
	require.NoError(a, a.store.Settle(a.Context(), a.upload(id, 10), short))
	require.Eventually(a, func() bool { // it would not be counted again as long as it is remembered
		require.NoError(a, a.store.Settle(a.Context(), a.upload(id, 10), 0))
		return a.usage().Files == 2
	}, time.Minute, short/4)
}

func settledProlongs(a *account) {
	id, other := rand.Text(), rand.Text()
	require.NoError(a, a.store.Settle(a.Context(), a.upload(id, 10), short))
	require.NoError(a, a.settle(id, 10))
	require.NoError(a, a.reserveFor(2*short, other, 10, quota.Bytes(100)))
	a.comesToUse(10, 1, 0, 0)
	require.NoError(a, a.settle(id, 10))
	a.uses(10, 1, 0, 0)
}

func releasedOnce(a *account) {
	id := a.reserve(1000, quota.Bytes(1000))
	require.NoError(a, a.settle(id, 700))
	require.NoError(a, a.settle(rand.Text(), 100))
	for range 2 {
		require.NoError(a, a.store.Release(a.Context(), a.upload(id, 1)))
		a.uses(100, 1, 0, 0)
	}
}

func releasedUnknown(a *account) {
	require.NoError(a, a.store.Adjust(a.Context(), a.name, 1000, 2))
	id := rand.Text()
	for range 2 {
		require.NoError(a, a.store.Release(a.Context(), a.upload(id, 300)))
		a.uses(700, 1, 0, 0)
	}
	require.NoError(a, a.store.Release(a.Context(), a.upload(rand.Text(), 5000)))
	require.NoError(a, a.store.Release(a.Context(), a.upload(rand.Text(), 1)))
	a.uses(0, 0, 0, 0)
}

func settledAgain(a *account) {
	id := a.reserve(10, quota.Bytes(1000))
	require.NoError(a, a.settle(id, 10))
	require.NoError(a, a.store.Release(a.Context(), a.upload(id, 10)))
	require.NoError(a, a.settle(id, 10))
	a.uses(10, 1, 0, 0)
}

func adjusted(a *account) {
	require.NoError(a, a.store.Adjust(a.Context(), a.name, 5<<40, 3))
	require.NoError(a, a.store.Adjust(a.Context(), a.name, -1, 0))
	a.uses(5<<40-1, 3, 0, 0)
	require.NoError(a, a.store.Adjust(a.Context(), a.name, -6<<40, -4))
	a.uses(0, 0, 0, 0)
}

func rate(a *account) {
	l := quota.PerMinute(3)
	for range 3 {
		require.NoError(a, a.store.Cancel(a.Context(), a.upload(a.reserve(1, l), 0), hour))
	}
	e := a.refused(1, l)
	require.Equal(a, quota.KindPerMinute, e.Kind)
	require.EqualValues(a, 3, e.Used)
	require.EqualValues(a, 3, e.Limit)
	require.Greater(a, e.RetryAfter, time.Duration(0))
	require.LessOrEqual(a, e.RetryAfter, 20*time.Second)
	other := &account{T: a.T, store: a.store, name: a.name + "/fast"}
	fast := quota.PerMinute(600) // one in 100 ms
	for range 600 {
		other.reserve(1, fast)
	}
	require.Eventually(a, func() bool { return other.reserveFor(hour, rand.Text(), 1, fast) == nil }, time.Minute, short/4)
}

func unseen(a *account) {
	all, err := a.store.Usage(a.Context(), a.name, a.name+"/other")
	require.NoError(a, err)
	require.Equal(a, []quota.Usage{{}, {}}, all)
	a.reserve(7, quota.Limits{})
	all, err = a.store.Usage(a.Context(), a.name+"/other", a.name)
	require.NoError(a, err)
	require.Equal(a, []quota.Usage{{}, {Reserved: 7, Uploads: 1}}, all)
	all, err = a.store.Usage(a.Context())
	require.NoError(a, err)
	require.Empty(a, all)
}

func manyAtOnce(a *account) {
	const all, limit = 300, 100
	var granted, refused atomic.Int64
	var wg sync.WaitGroup
	for range all {
		wg.Go(func() {
			err := a.reserveFor(hour, rand.Text(), 10, quota.Bytes(10*limit).Files(all))
			var e *quota.ExceededError
			switch {
			case err == nil:
				granted.Add(1)
			case errors.As(err, &e):
				refused.Add(1)
			default:
				a.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(a, limit, granted.Load())
	require.EqualValues(a, all-limit, refused.Load())
	a.uses(0, 0, 10*limit, limit)
}

func anyOrder(a *account) {
	names := []string{a.name + "/1", a.name + "/2"}
	var wg sync.WaitGroup
	for k := range 100 {
		wg.Go(func() {
			id, first := rand.Text(), names[k%2]
			two := []string{first, names[1-k%2]}
			err := a.store.Reserve(a.Context(), quota.Reservation{ID: id, Bytes: 1, For: hour, Accounts: []quota.Account{
				{Name: two[0], Limits: quota.Bytes(1000)}, {Name: two[1], Limits: quota.Bytes(1000)},
			}})
			if err == nil {
				err = a.store.Settle(a.Context(), quota.Upload{ID: id, Bytes: 1, Accounts: two}, hour)
			}
			if err != nil {
				a.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := a.store.Usage(a.Context(), names...)
	require.NoError(a, err)
	require.Equal(a, []quota.Usage{{Bytes: 100, Files: 100}, {Bytes: 100, Files: 100}}, all)
}

func oddName(a *account) {
	a.name += `/%2F'";{}[]:,\ $1 *?`
	id := a.reserve(10, quota.Bytes(1000))
	require.NoError(a, a.settle(id, 10))
	a.uses(10, 1, 0, 0)
}

func contextEnded(a *account) {
	ctx, cancel := context.WithCancel(a.Context())
	cancel()
	u := a.upload(rand.Text(), 1)
	require.Error(a, a.store.Reserve(ctx, quota.Reservation{
		ID: u.ID, Bytes: 1, For: hour, Accounts: []quota.Account{{Name: a.name, Limits: quota.Bytes(1)}},
	}))
	require.Error(a, a.store.Settle(ctx, u, hour))
	require.Error(a, a.store.Cancel(ctx, u, hour))
	require.Error(a, a.store.Release(ctx, u))
	require.Error(a, a.store.Adjust(ctx, a.name, 1, 1))
	_, err := a.store.Usage(ctx, a.name)
	require.Error(a, err)
}

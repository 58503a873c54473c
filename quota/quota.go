// Package quota counts what tenants and users upload, for postern.WithQuota: bytes and
// files that are stored, uploads that are under way, and grants in a minute.
//
// A grant reserves what it permits, against all of its accounts in one step or against
// none. The receipt settles the reservation by the real size; an upload that comes to
// nothing gives it back; and what nobody settles or gives back ends by itself, so that a
// crash leaks nothing. Whatever is done for an upload goes by its id, and may be done
// again: it counts once.
//
// [Memory] is for one process. The modules quota/redis and quota/postgres, beside this
// one, are for replicas.
package quota

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind is what is limited.
type Kind string

// The kinds: bytes and files that are stored or reserved, uploads that are under way, and
// grants in a minute.
const (
	KindBytes     Kind = "bytes"
	KindFiles     Kind = "files"
	KindUploads   Kind = "uploads"
	KindPerMinute Kind = "per_minute"
)

// Kinds are all of them, in the order in which they are checked.
var kinds = [...]Kind{KindBytes, KindFiles, KindUploads, KindPerMinute}

// Limits bound an account. Only what is named is bounded: the zero value bounds nothing,
// and Bytes(0) admits nothing but empty files. A negative limit is 0. Limits do not
// change; their methods return others, of which each takes the place of one that was
// named before.
type Limits struct {
	bounds [len(kinds)]int64 // limit + 1; 0 is none
}

// Bytes bounds what is stored and reserved, in bytes.
func Bytes(n int64) Limits { return Limits{}.Bytes(n) }

// Files bounds how many files are stored and reserved.
func Files(n int64) Limits { return Limits{}.Files(n) }

// Uploads bounds how many uploads are under way: granted, and neither completed nor given
// up nor at the end of their reservation.
func Uploads(n int64) Limits { return Limits{}.Uploads(n) }

// PerMinute bounds grants: n at once, and then one every n-th of a minute.
func PerMinute(n int64) Limits { return Limits{}.PerMinute(n) }

// Bytes returns the limits with one of bytes.
func (l Limits) Bytes(n int64) Limits { return l.with(0, n) }

// Files returns the limits with one of files.
func (l Limits) Files(n int64) Limits { return l.with(1, n) }

// Uploads returns the limits with one of uploads under way.
func (l Limits) Uploads(n int64) Limits { return l.with(2, n) }

// PerMinute returns the limits with one of grants in a minute.
func (l Limits) PerMinute(n int64) Limits { return l.with(3, n) }

// largest keeps sums with a limit within 64 bits, and what a script of Redis computes
// exact: more than 8,000 TB, and uploads in a millennium.
const largest = 1<<53 - 2

func (l Limits) with(k int, n int64) Limits {
	l.bounds[k] = min(max(n, 0), largest) + 1
	return l
}

// Of returns the limit of a kind, if there is one.
func (l Limits) Of(k Kind) (n int64, ok bool) {
	for i := range kinds {
		if kinds[i] == k && l.bounds[i] > 0 {
			return l.bounds[i] - 1, true
		}
	}
	return 0, false
}

// IsZero reports whether nothing is bounded.
func (l Limits) IsZero() bool { return l == Limits{} }

// Account is what an upload counts against, and how much that may use.
type Account struct {
	Name   string // printable ASCII
	Limits Limits
}

// Reservation is an upload that is about to be granted.
type Reservation struct {
	ID       string // of the upload
	Bytes    int64  // the most that it can have
	Accounts []Account
	// For is how long it is held. It ends by the clock of the store.
	For time.Duration
}

// Upload is one that has ended, or will.
type Upload struct {
	ID       string
	Bytes    int64 // its real size, which [Store.Cancel] does not look at
	Accounts []string
}

// Store keeps what accounts use. It is safe for concurrent use, and every method returns
// soon after its context has ended. Errors other than those that are named say that it
// could not be reached, or has failed: whether it has done what was asked is unknown then,
// unless the error is [ErrNotDone].
type Store interface {
	// Reserve counts an upload against all of its accounts. If one of them has no room,
	// it counts against none, and the error is an [ExceededError]. Reserving the same id
	// again changes nothing.
	Reserve(ctx context.Context, r Reservation) error
	// Settle counts an upload as stored, in place of what was reserved for it, if that is
	// there still. Settling again changes nothing, as long as its id is remembered: until
	// keep has passed since the last time. The error is [ErrCancelled] if the upload was
	// cancelled before.
	Settle(ctx context.Context, u Upload, keep time.Duration) error
	// Cancel gives back what was reserved. It leaves an upload that was settled, and
	// remembers the id for keep, so that it is not settled later.
	Cancel(ctx context.Context, u Upload, keep time.Duration) error
	// Release gives back what a stored file has used, which the application has deleted.
	// If the id is remembered, it is what was settled, else as many bytes as u has.
	// Releasing again changes nothing for [Remembered].
	Release(ctx context.Context, u Upload) error
	// Adjust adds to what an account has stored, or takes from it: for files that came
	// another way, and to correct. It does not look at limits. Nothing falls below 0.
	Adjust(ctx context.Context, account string, bytes, files int64) error
	// Usage returns what accounts use, in their order. One that was never seen uses
	// nothing.
	Usage(ctx context.Context, accounts ...string) ([]Usage, error)
}

// Remembered is how long a store knows that a file was released.
const Remembered = 48 * time.Hour

// Usage is what an account uses.
type Usage struct {
	// Bytes and Files are stored.
	Bytes, Files int64
	// Reserved is for uploads that are under way, in bytes, and Uploads their number.
	Reserved, Uploads int64
	// Full is when as many grants as ever can be had at once, by the rate.
	Full time.Duration
}

// Used returns how much counts against a limit.
func (u Usage) Used(k Kind, limit int64) int64 {
	switch k {
	case KindBytes:
		return u.Bytes + u.Reserved
	case KindFiles:
		return u.Files + u.Uploads
	case KindUploads:
		return u.Uploads
	case KindPerMinute:
		if limit > 0 {
			every := Every(limit)
			return min(limit, int64((u.Full+every-1)/every))
		}
	}
	return 0
}

// Every is how far grants are apart at a rate, which is above 0, once those are used up
// that can be had at once: in whole microseconds.
func Every(perMinute int64) time.Duration {
	return max(time.Minute/time.Duration(perMinute), time.Microsecond).Truncate(time.Microsecond)
}

// Pause is when an upload may fit that others keep out which are under way: they end
// when they will.
const Pause = 5 * time.Second

// ErrCancelled is the error of settling an upload that was cancelled.
var ErrCancelled = errors.New("quota: the upload was cancelled before")

// ErrNotDone is an error of a [Store] that has not done what was asked, and will not.
var ErrNotDone = errors.New("quota: it was not done")

// ExceededError means that an account has no room for an upload.
type ExceededError struct {
	Account string
	Kind    Kind
	// Used is what the account uses without the upload, Limit what it may.
	Used, Limit int64
	// RetryAfter is when there may be room without anything being deleted, or 0 if there
	// will be none.
	RetryAfter time.Duration
}

// Error names the account and its limit.
func (e *ExceededError) Error() string {
	return fmt.Sprintf("quota: %s uses %d of %d %s", e.Account, e.Used, e.Limit, e.Kind)
}

// Check holds an upload of so many bytes against the limits of an account, for a [Store]
// that has read what it uses. It returns an [ExceededError], or nil.
func (a Account) Check(u Usage, bytes int64) error {
	for i, k := range kinds {
		limit := a.Limits.bounds[i] - 1
		if limit < 0 {
			continue
		}
		e := ExceededError{Account: a.Name, Kind: k, Limit: limit, Used: u.Used(k, limit)}
		switch k {
		case KindBytes:
			if e.Used+bytes <= limit {
				continue
			}
			e.RetryAfter = pauseIf(u.Bytes+bytes <= limit)
		case KindFiles:
			if e.Used < limit {
				continue
			}
			e.RetryAfter = pauseIf(u.Files < limit)
		case KindUploads:
			if e.Used < limit {
				continue
			}
			e.RetryAfter = pauseIf(limit > 0)
		case KindPerMinute:
			if limit > 0 {
				e.RetryAfter = u.Full + Every(limit) - time.Minute
				if e.RetryAfter <= 0 {
					continue
				}
			}
		}
		return &e
	}
	return nil
}

func pauseIf(passes bool) time.Duration {
	if passes {
		return Pause
	}
	return 0
}

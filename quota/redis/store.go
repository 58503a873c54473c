package redisquota

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/internal/gather"
	"github.com/postern-go/postern/quota"
)

//go:embed quota.lua
var source string

// script does everything, in one step. It can be repeated, as go-redis does where an
// answer is lost: but for an adjustment, which is no upload's, all goes by an upload's id.
var script = redis.NewScript(source)

// Store is a quota.Store. It is safe for concurrent use.
type Store struct {
	client redis.UniversalClient
	prefix string
	calls  *gather.Group[call, []int64]
}

var _ quota.Store = (*Store)(nil)

const defaultPrefix = "{postern:quota}:"

// Option changes what [New] makes.
type Option func(*Store)

// WithPrefix sets what all keys begin with: "{postern:quota}:" by default. In a cluster,
// what stands between the braces names the one slot that has them all. Handlers with the
// same prefix share their accounts.
func WithPrefix(prefix string) Option { return func(s *Store) { s.prefix = prefix } }

// New returns a Store. It does not close the client.
func New(client redis.UniversalClient, options ...Option) *Store {
	s := &Store{client: client, prefix: defaultPrefix}
	for _, o := range options {
		o(s)
	}
	s.calls = &gather.Group[call, []int64]{Do: s.runAll, Most: atOnce, Lanes: lanes, Patience: patience}
	return s
}

// Reserve is that of quota.Store.
func (s *Store) Reserve(ctx context.Context, r quota.Reservation) error {
	names := make([]string, len(r.Accounts))
	args := []any{"reserve", r.ID, r.Bytes, r.For.Microseconds()}
	for k, a := range r.Accounts {
		names[k] = a.Name
		for _, kind := range [...]quota.Kind{quota.KindBytes, quota.KindFiles, quota.KindUploads} {
			args = append(args, bound(a.Limits, kind))
		}
		args = append(args, every(a.Limits))
	}
	answer, err := s.run(ctx, r.ID, names, args...)
	if err != nil || len(answer) == 0 {
		return err
	}
	if len(answer) != 6 || answer[0] < 1 || answer[0] > int64(len(r.Accounts)) {
		return errAnswer
	}
	account := r.Accounts[answer[0]-1]
	if err := account.Check(usageOf(answer[1:]), r.Bytes); err != nil {
		return err
	}
	return errAnswer
}

var errAnswer = errors.New("redisquota: Redis has answered something else than was expected")

// bound is a limit as the script reads it: -1 is none.
func bound(l quota.Limits, k quota.Kind) int64 {
	if n, ok := l.Of(k); ok {
		return n
	}
	return -1
}

// every is how far grants are apart, in microseconds: 0 is no rate, and more than a minute
// never comes.
func every(l quota.Limits) int64 {
	switch n, ok := l.Of(quota.KindPerMinute); {
	case !ok:
		return 0
	case n == 0:
		return 2 * time.Minute.Microseconds()
	default:
		return quota.Every(n).Microseconds()
	}
}

// Settle is that of quota.Store.
func (s *Store) Settle(ctx context.Context, u quota.Upload, keep time.Duration) error {
	answer, err := s.run(ctx, u.ID, u.Accounts, "settle", u.ID, u.Bytes, lasting(keep))
	if err == nil && len(answer) > 0 {
		return quota.ErrCancelled
	}
	return err
}

// Cancel is that of quota.Store.
func (s *Store) Cancel(ctx context.Context, u quota.Upload, keep time.Duration) error {
	_, err := s.run(ctx, u.ID, u.Accounts, "cancel", u.ID, 0, lasting(keep))
	return err
}

// Release is that of quota.Store.
func (s *Store) Release(ctx context.Context, u quota.Upload) error {
	_, err := s.run(ctx, u.ID, u.Accounts, "release", u.ID, u.Bytes, lasting(quota.Remembered))
	return err
}

// lasting is a time to live in milliseconds.
func lasting(d time.Duration) int64 { return max(1, d.Milliseconds()) }

// Adjust is that of quota.Store. Where the answer is lost, go-redis may do it twice: give
// the client MaxRetries -1 where that matters.
func (s *Store) Adjust(ctx context.Context, account string, bytes, files int64) error {
	_, err := s.run(ctx, "", []string{account}, "adjust", "", bytes, files)
	return err
}

// Usage is that of quota.Store.
func (s *Store) Usage(ctx context.Context, accounts ...string) ([]quota.Usage, error) {
	answer, err := s.run(ctx, "", accounts, "usage", "", 0, 0)
	if err == nil && len(answer) != 5*len(accounts) {
		err = errAnswer
	}
	if err != nil {
		return nil, err
	}
	all := make([]quota.Usage, len(accounts))
	for k := range all {
		all[k] = usageOf(answer[5*k:])
	}
	return all, nil
}

func usageOf(n []int64) quota.Usage {
	return quota.Usage{Bytes: n[0], Files: n[1], Reserved: n[2], Uploads: n[3], Full: time.Duration(n[4]) * time.Microsecond}
}

// call is one of the script.
type call struct {
	keys []string
	args []any
}

// run runs the script, together with others that are asked for at the same time, and waits
// until ctx ends: go-redis does not look at it while it waits for an answer.
func (s *Store) run(ctx context.Context, id string, accounts []string, args ...any) ([]int64, error) {
	keys := make([]string, 1, 1+2*len(accounts))
	keys[0] = s.prefix + "upload:" + id
	for _, name := range accounts {
		keys = append(keys, s.prefix+"account:"+name, s.prefix+"reserved:"+name)
	}
	answer, err := s.calls.Ask(ctx, call{keys, args})
	if errors.Is(err, gather.ErrNotBegun) {
		err = fmt.Errorf("%w: %w", quota.ErrNotDone, err)
	}
	return answer, err
}

const (
	// atOnce is how many calls go to Redis together, on each of lanes connections.
	atOnce = 100
	lanes  = 4
	// patience is how long they may take.
	patience = 2 * time.Second
)

// runAll runs the script for several, in one round trip.
func (s *Store) runAll(ctx context.Context, calls []*gather.Call[call, []int64]) {
	pipe := s.client.Pipeline()
	answers := make([]*redis.Cmd, len(calls))
	for k, c := range calls {
		answers[k] = script.EvalSha(ctx, pipe, c.Question.keys, c.Question.args...)
	}
	_, _ = pipe.Exec(ctx) // each has its error
	for k, c := range calls {
		c.Answer, c.Err = answers[k].Int64Slice()
		if redis.HasErrorPrefix(c.Err, "NOSCRIPT") { // a server that has just started
			c.Answer, c.Err = script.Eval(ctx, s.client, c.Question.keys, c.Question.args...).Int64Slice()
		}
		if c.Err != nil {
			c.Err = fmt.Errorf("redisquota: %w", c.Err)
		}
	}
}

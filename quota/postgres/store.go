package pgquota

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-go/postern/internal/gather"
	"github.com/postern-go/postern/quota"
)

// Schema is the SQL that [Store.Create] runs: two tables and the functions by which they
// are changed, all of whose names begin with postern_quota_.
//
//go:embed schema.sql
var Schema string

// Store is a quota.Store. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	reserves *gather.Group[quota.Reservation, struct{}]
}

var _ quota.Store = (*Store)(nil)

const (
	// atOnce is how many reservations go in one statement, and lanes how many of these a
	// process has under way.
	atOnce = 100
	lanes  = 2
	// patience is how long a statement with reservations may take.
	patience = 2 * time.Second
)

// New returns a Store, which needs what [Store.Create] makes. It does not close the pool.
func New(pool *pgxpool.Pool) *Store {
	s := &Store{pool: pool}
	s.reserves = &gather.Group[quota.Reservation, struct{}]{Do: s.reserveAll, Most: atOnce, Lanes: lanes, Patience: patience}
	return s
}

// Create makes the tables and functions in the first schema of the search path, or brings
// the functions up to date. Several replicas may do so at the same time.
func (s *Store) Create(ctx context.Context) error {
	// Without arguments it is one transaction, which the lock outlasts.
	_, err := s.pool.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('postern_quota'));\n"+Schema)
	return failure(err)
}

// Tidy forgets uploads whose time has passed, and accounts that use nothing: those that
// uploads count against do the first for themselves.
func (s *Store) Tidy(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT postern_quota_tidy()")
	return failure(err)
}

// failure names the package.
func failure(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pgquota: %w", err)
}

// Reserve is that of quota.Store. Those that are asked for at the same time go in one
// statement.
func (s *Store) Reserve(ctx context.Context, r quota.Reservation) error {
	_, err := s.reserves.Ask(ctx, r)
	if errors.Is(err, gather.ErrNotBegun) {
		err = fmt.Errorf("%w: %w", quota.ErrNotDone, err)
	}
	return err
}

// request is a reservation as the function reads it.
type request struct {
	ID       string    `json:"id"`
	Bytes    int64     `json:"bytes"`
	For      int64     `json:"us"`
	Accounts []account `json:"accounts"`
}

// account is one with its limits; nil is none.
type account struct {
	Name    string `json:"name"`
	Bytes   *int64 `json:"bytes,omitempty"`
	Files   *int64 `json:"files,omitempty"`
	Uploads *int64 `json:"uploads,omitempty"`
	Every   *int64 `json:"every,omitempty"`
}

func requestOf(r *quota.Reservation) request {
	q := request{ID: r.ID, Bytes: r.Bytes, For: r.For.Microseconds(), Accounts: make([]account, len(r.Accounts))}
	for k, a := range r.Accounts {
		q.Accounts[k] = account{
			Name: a.Name, Bytes: bound(a.Limits, quota.KindBytes), Files: bound(a.Limits, quota.KindFiles),
			Uploads: bound(a.Limits, quota.KindUploads), Every: bound(a.Limits, quota.KindPerMinute),
		}
		if every := q.Accounts[k].Every; every != nil {
			if *every == 0 {
				*every = 2 * time.Minute.Microseconds() // which never comes
			} else {
				*every = quota.Every(*every).Microseconds()
			}
		}
	}
	return q
}

func bound(l quota.Limits, k quota.Kind) *int64 {
	if n, ok := l.Of(k); ok {
		return &n
	}
	return nil
}

// reserveAll reserves for several uploads.
func (s *Store) reserveAll(ctx context.Context, calls []*gather.Call[quota.Reservation, struct{}]) {
	if err := s.tryReserve(ctx, calls); err != nil {
		for _, c := range calls {
			c.Err = failure(err)
		}
	}
}

func (s *Store) tryReserve(ctx context.Context, calls []*gather.Call[quota.Reservation, struct{}]) error {
	requests := make([]request, len(calls))
	for k, c := range calls {
		requests[k] = requestOf(&c.Question)
	}
	encoded, err := json.Marshal(requests)
	if err != nil {
		return err
	}
	rows, err := s.pool.Query(ctx, "SELECT request, account, bytes, files, reserved, uploads, full_us FROM postern_quota_reserve($1::text::jsonb)", string(encoded))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k, a int
		var u quota.Usage
		var full int64
		if err := rows.Scan(&k, &a, &u.Bytes, &u.Files, &u.Reserved, &u.Uploads, &full); err != nil {
			return err
		}
		if k < 0 || k >= len(calls) || a < 0 || a >= len(calls[k].Question.Accounts) {
			return errAnswer
		}
		u.Full = time.Duration(full) * time.Microsecond
		q := &calls[k].Question
		if calls[k].Err = q.Accounts[a].Check(u, q.Bytes); calls[k].Err == nil {
			return errAnswer
		}
	}
	return rows.Err()
}

var errAnswer = errors.New("PostgreSQL has answered something else than was expected: is the schema that of this version?")

// Settle is that of quota.Store.
func (s *Store) Settle(ctx context.Context, u quota.Upload, keep time.Duration) error {
	cancelled, err := s.end(ctx, "s", u, keep)
	if cancelled {
		return quota.ErrCancelled
	}
	return err
}

// Cancel is that of quota.Store.
func (s *Store) Cancel(ctx context.Context, u quota.Upload, keep time.Duration) error {
	_, err := s.end(ctx, "c", u, keep)
	return err
}

// Release is that of quota.Store.
func (s *Store) Release(ctx context.Context, u quota.Upload) error {
	_, err := s.end(ctx, "d", u, quota.Remembered)
	return err
}

func (s *Store) end(ctx context.Context, op string, u quota.Upload, keep time.Duration) (cancelled bool, err error) {
	err = s.pool.QueryRow(ctx, "SELECT postern_quota_end($1, $2, $3, $4, $5)", op, u.ID, u.Accounts, u.Bytes, keep.Microseconds()).Scan(&cancelled)
	return cancelled, failure(err)
}

// Adjust is that of quota.Store.
func (s *Store) Adjust(ctx context.Context, account string, bytes, files int64) error {
	_, err := s.pool.Exec(ctx, "SELECT postern_quota_adjust($1, $2, $3)", account, bytes, files)
	return failure(err)
}

// Usage is that of quota.Store.
func (s *Store) Usage(ctx context.Context, accounts ...string) ([]quota.Usage, error) {
	rows, err := s.pool.Query(ctx, "SELECT bytes, files, reserved, uploads, full_us FROM postern_quota_usage($1)", accounts)
	if err != nil {
		return nil, failure(err)
	}
	defer rows.Close()
	all := make([]quota.Usage, 0, len(accounts))
	for rows.Next() {
		var u quota.Usage
		var full int64
		if err := rows.Scan(&u.Bytes, &u.Files, &u.Reserved, &u.Uploads, &full); err != nil {
			return nil, failure(err)
		}
		u.Full = time.Duration(full) * time.Microsecond
		all = append(all, u)
	}
	if err := rows.Err(); err != nil {
		return nil, failure(err)
	}
	if len(all) != len(accounts) {
		return nil, failure(errAnswer)
	}
	return all, nil
}

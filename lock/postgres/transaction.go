package pglock

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var errLate = fmt.Errorf("%w: the server did not answer in time", ErrLost)

// transaction has a connection of the pool, and one of the slots.
type transaction struct {
	*Locker
	conn *pgxpool.Conn
	// heard is when the last statement was sent that the server has answered.
	heard time.Time
}

// begin begins a transaction, as soon as there is a connection.
func (l *Locker) begin(ctx context.Context) (*transaction, error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		<-l.slots
		return nil, err
	}
	t := &transaction{Locker: l, conn: conn}
	// Whatever the defaults are: repeatable read would hold a snapshot.
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"); err != nil {
		t.end()
		return nil, err
	}
	return t, nil
}

// lock asks for the lock, by the simple protocol: poolers do not always know prepared
// statements, and the portal that the extended one leaves behind keeps a snapshot.
func (t *transaction) lock(ctx context.Context, id int64) (got bool, err error) {
	sent := time.Now()
	err = t.conn.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1) FROM set_config('idle_in_transaction_session_timeout', $2, true)`,
		pgx.QueryExecModeSimpleProtocol, id, strconv.FormatInt(t.ttl.Milliseconds(), 10)).Scan(&got)
	t.heard = sent
	return got, err
}

// keep asks the server for signs of life.
func (t *transaction) keep(held context.Context, end context.CancelCauseFunc, watchdog *time.Timer) {
	for {
		err := t.watch(held, t.ttl/3)
		if held.Err() != nil {
			return
		}
		if err == nil {
			err = t.renew(held)
		}
		if err != nil {
			end(fmt.Errorf("%w: %w", ErrLost, err))
			return
		}
		watchdog.Reset(time.Until(t.heard.Add(t.lease())))
	}
}

// watch waits for d, until the connection breaks, or until held ends. Waiting for a
// notification is how pgx reads a connection on which nothing was asked. What pgx does
// at the end of a context is up to the pool (it may ask the server to cancel the next
// query), so the socket's deadline ends it instead.
func (t *transaction) watch(held context.Context, d time.Duration) error {
	conn := t.conn.Conn()
	socket := conn.PgConn().Conn()
	if err := socket.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(held, func() {
		_ = socket.SetReadDeadline(time.Now())
		close(interrupted)
	})
	var err error
	for err == nil {
		_, err = conn.WaitForNotification(context.Background())
	}
	if !stop() {
		<-interrupted
	}
	if pgconn.Timeout(err) {
		return socket.SetReadDeadline(time.Time{})
	}
	return err
}

// renew tells the server that the holder lives. A query that is interrupted costs the
// connection, so unlock does not interrupt this one.
func (t *transaction) renew(held context.Context) error {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(held), t.heard.Add(t.lease()))
	defer cancel()
	sent := time.Now()
	if _, err := t.conn.Exec(ctx, "SELECT 1"); err != nil {
		return err
	}
	t.heard = sent
	return nil
}

// end ends the transaction, or the connection.
func (t *transaction) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, _ = t.conn.Exec(ctx, "ROLLBACK")
	t.conn.Release() // which closes it, if it is still in a transaction
	<-t.slots
}

// failure is what Lock says of an error.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("pglock: %w", err)
}

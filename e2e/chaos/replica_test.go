package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/store"
)

// replicaRole is a server of the application.
type replicaRole struct {
	Bucket                postern.Bucket // without its credentials
	Signing, Service      [2]string
	Key                   []byte // of tickets
	Database, Log         string
	Seed                  uint64
	Calm                  bool          // its hooks do what they should
	Ahead, ReconcileEvery time.Duration // see ahead; 0 does not reconcile
}

// ahead is how much the replicas' clocks are ahead of that of S3: by more than the
// minute for which the reconciler leaves an upload to its browser. So it is at every
// upload at once, while the browsers are at it too, which is worse than what happens in
// practice, and quicker. S3 takes grants that are up to 15 minutes from its own time.
const ahead = 90 * time.Second

// patience is for a replica that is told to end.
const patience = 15 * time.Second

// site is a handler of the replicas. They have two, with the same keys.
type site struct {
	path, name, staging, keys string
	brief                     bool // its tickets live a minute
}

var sites = []site{
	{path: "/uploads", name: "uploads", staging: "staging/", keys: "files/{uuid}{ext}"},
	{path: "/brief", name: "brief", staging: "brief-staging/", keys: "brief/{uuid}{ext}", brief: true},
}

const partSize = 5 << 20

// handler is one of a replica's, or of the test's own.
func (r *replicaRole) handler(s site, app *hooks, log zerolog.Logger) (*postern.Handler, error) {
	b := r.Bucket
	b.Credentials = credentials.NewStaticCredentialsProvider(r.Signing[0], r.Signing[1], "")
	b.ServiceCredentials = credentials.NewStaticCredentialsProvider(r.Service[0], r.Service[1], "")
	opts := []postern.HandlerOption{
		postern.WithAuthorizer(func(q *http.Request, u *postern.Upload) error {
			u.Subject = q.Header.Get("X-User")
			return nil
		}),
		postern.WithName(s.name),
		postern.WithTicketKeys(r.Key),
		postern.WithPromotion(s.staging),
		postern.WithKeyPolicy(postern.KeyTemplate(s.keys)),
		postern.WithOnComplete(app.accept),
		postern.WithHookTimeout(2 * time.Second),
		postern.WithSniffing(),
		postern.WithSizeLimit(1, 64<<20),
		postern.WithMultipartThreshold(partSize),
		postern.WithPartSize(partSize),
		postern.WithClock(func() time.Time { return time.Now().Add(r.Ahead) }),
		postern.WithLogger(log),
		postern.WithObserver(app.observe),
	}
	if s.brief {
		opts = append(opts, postern.WithTicketLifetime(time.Minute), postern.WithGrantLifetime(50*time.Second), postern.WithMode(postern.ModePut))
	}
	if r.ReconcileEvery > 0 {
		opts = append(opts, postern.WithReconciler(r.ReconcileEvery))
	}
	return postern.New(b, opts...)
}

// log is a file that outlives the process.
func (r *replicaRole) log() (zerolog.Logger, error) {
	f, err := os.OpenFile(r.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return zerolog.New(f).Level(zerolog.InfoLevel).With().Timestamp().Int("pid", os.Getpid()).Logger(), err
}

func (r *replicaRole) run() error {
	store.Limits.Attempt, store.Limits.Call, store.Limits.Copy = 2*time.Second, 6*time.Second, 6*time.Second
	log, err := r.log()
	if err != nil {
		return err
	}
	pool, err := pgxpool.New(context.Background(), r.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	hooks := &hooks{pool: pool, calm: r.Calm, chance: rand.New(rand.NewPCG(r.Seed, uint64(os.Getpid())))}
	mux := http.NewServeMux()
	var handlers []*postern.Handler
	for _, s := range sites {
		h, err := r.handler(s, hooks, log)
		if err != nil {
			return err
		}
		handlers = append(handlers, h)
		mux.Handle(s.path+"/", h)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	told, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	go endWithTest()
	fmt.Println(listener.Addr())

	<-told.Done()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err = server.Shutdown(ctx)
	for _, h := range handlers {
		err = errors.Join(err, h.Shutdown(ctx))
	}
	if err != nil { // what it leaves is completed by others
		log.Warn().Err(err).Msg("shutdown")
		return nil
	}
	// Nothing goes on now, and nothing begins.
	running := hooks.running.Load()
	hooks.ended.Store(true)
	time.Sleep(time.Second)
	if late := hooks.late.Load(); running+late > 0 {
		return fmt.Errorf("after Shutdown %d hooks ran, and %d completions or hooks were seen", running, late)
	}
	return nil
}

// hooks are the application.
type hooks struct {
	pool    *pgxpool.Pool
	calm    bool
	running atomic.Int64
	ended   atomic.Bool
	late    atomic.Int64

	mutex  sync.Mutex
	chance *rand.Rand
}

// observe sees the ends of completions.
func (h *hooks) observe(_ context.Context, d postern.Decision) {
	if d.Trigger != "" && h.ended.Load() {
		h.late.Add(1)
	}
}

var errHook = errors.New("the hook fails by chance")

func (h *hooks) accept(ctx context.Context, r *postern.Receipt) error {
	if h.ended.Load() {
		h.late.Add(1)
	}
	h.running.Add(1)
	defer h.running.Add(-1)
	if h.calm {
		return save(ctx, h.pool, r)
	}
	h.mutex.Lock()
	n := h.chance.IntN(100)
	h.mutex.Unlock()
	switch {
	case n < 10:
		return errHook
	case n < 13:
		panic(errHook)
	case n < 15:
		<-ctx.Done()
		return ctx.Err()
	case n < 16: // does not listen
		h.running.Add(-1) // nobody waits for it
		defer h.running.Add(1)
		time.Sleep(5 * time.Second)
		return nil // nobody hears it
	case n < 30:
		time.Sleep(time.Duration(n) * 20 * time.Millisecond)
	}
	if err := save(ctx, h.pool, r); err != nil {
		return err
	}
	if n >= 95 {
		return errHook // although it has done its work
	}
	return nil
}

// The schema of the application: receipts, and every call of a hook that was made for
// them.
const schema = `
CREATE TABLE receipts (id text PRIMARY KEY, key text NOT NULL, etag text NOT NULL, size bigint NOT NULL, subject text NOT NULL);
CREATE TABLE calls (n bigserial PRIMARY KEY, id text NOT NULL, key text NOT NULL, etag text NOT NULL, size bigint NOT NULL, subject text NOT NULL)`

// save is what docs/completion.md tells hooks to do.
func save(ctx context.Context, pool *pgxpool.Pool, r *postern.Receipt) error {
	args := []any{r.ID, r.Key, r.ETag, r.Size, r.Subject}
	if _, err := pool.Exec(ctx, `INSERT INTO calls (id, key, etag, size, subject) VALUES ($1, $2, $3, $4, $5)`, args...); err != nil {
		return err
	}
	_, err := pool.Exec(ctx, `INSERT INTO receipts (id, key, etag, size, subject) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING`, args...)
	return err
}

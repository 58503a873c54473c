package chaos_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/servertest"
	"github.com/postern-go/postern/s3test"
)

const replicas = 3

// deployment is an application with its replicas and servers.
type deployment struct {
	processes
	stderr   *os.File
	s3       s3Role
	postgres *servertest.Postgres
	pool     *pgxpool.Pool
	replica  replicaRole
	logs     []string
	// front is what browsers see of the replicas, bucket of S3; store is what replicas
	// see of it.
	front, bucket, store *proxy

	mutex    sync.Mutex
	running  [replicas]*process
	server   *process // S3
	faults   map[string]int
	problems []string // of what was restarted
}

func deploy(t *testing.T, seed uint64, p postern.Provider) *deployment {
	d := &deployment{faults: map[string]int{}}
	dir := t.ArtifactDir()
	t.Cleanup(d.processes.end)
	var err error
	d.stderr, err = os.Create(filepath.Join(dir, "stderr"))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = d.stderr.Close()
		if said, _ := os.ReadFile(d.stderr.Name()); t.Failed() {
			t.Logf("faults: %v\nproblems: %v\nstderr: %s", d.faults, d.problems, said)
		}
	})

	d.s3 = s3Role{
		Dir: t.TempDir(), Addr: "127.0.0.1:0", Provider: p, First: true,
		Root: [2]string{"ROOT" + rand.Text(), rand.Text()}, Signing: [2]string{"PUTONLY" + rand.Text(), rand.Text()},
	}
	network := func(n uint64) *mathrand.Rand { return mathrand.New(mathrand.NewPCG(seed, 1000+n)) }
	d.front = newProxy(t, network(0), make([]string, replicas)...)
	d.bucket = newProxy(t, network(1), "")
	d.store = newProxy(t, network(2), "")
	require.NoError(t, d.startS3())
	d.s3.First = false

	d.postgres, err = servertest.NewPostgres("postgres")
	require.NoError(t, err)
	t.Cleanup(d.postgres.Remove)
	database := d.postgres.URL(d.postgres.Addr(), "postgres") + "&connect_timeout=2"
	d.pool, err = pgxpool.New(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(d.pool.Close)
	_, err = d.pool.Exec(t.Context(), schema)
	require.NoError(t, err)

	key := make([]byte, 32)
	_, _ = rand.Read(key)
	d.replica = replicaRole{
		Bucket:  postern.Bucket{Name: s3test.DefaultBucket, Region: s3test.DefaultRegion, Endpoint: d.store.url(), PublicEndpoint: d.bucket.url(), Provider: p},
		Signing: d.s3.Signing, Service: d.s3.Root, Key: key, Database: database, Seed: seed,
		Ahead: ahead, ReconcileEvery: 1500 * time.Millisecond,
	}
	for n := range replicas {
		d.logs = append(d.logs, filepath.Join(dir, fmt.Sprintf("replica-%d.log", n)))
		require.NoError(t, d.startReplica(n))
	}
	return d
}

// startS3 starts S3, at another port each time: somebody else may have taken the one
// that it had.
func (d *deployment) startS3() error {
	p, err := d.start(role{S3: &d.s3}, d.stderr)
	if err != nil {
		return err
	}
	d.server = p
	d.moved(strings.TrimPrefix(p.said, "http://"))
	return nil
}

// moved has the proxies know where S3 is; "" is nowhere.
func (d *deployment) moved(addr string) {
	d.bucket.set(0, addr)
	d.store.set(0, addr)
}

// startReplica starts a replica, and has the proxy know where it is.
func (d *deployment) startReplica(n int) error {
	r := d.replica
	r.Log = d.logs[n]
	p, err := d.start(role{Replica: &r}, d.stderr)
	if err != nil {
		return err
	}
	d.running[n] = p
	d.front.set(n, p.said)
	return nil
}

// client is S3, as the test sees it.
func (d *deployment) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(d.server.said), Region: s3test.DefaultRegion, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(d.s3.Root[0], d.s3.Root[1], ""),
		HTTPClient:  &http.Client{Transport: &http.Transport{}},
	})
}

func (d *deployment) count(fault string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.faults[fault]++
}

func (d *deployment) complain(format string, args ...any) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.problems = append(d.problems, fmt.Sprintf(format, args...))
}

// between waits for something between two numbers of milliseconds.
func between(chance *mathrand.Rand, from, to int) {
	time.Sleep(time.Duration(from+chance.IntN(to-from)) * time.Millisecond)
}

// fault is something that goes wrong for a while.
type fault struct {
	name string
	do   func(d *deployment, chance *mathrand.Rand)
}

// Those of replicas and those of servers go on side by side.
var replicaFaults = []fault{
	{"SIGKILL of a replica", func(d *deployment, c *mathrand.Rand) { d.restart(c, syscall.SIGKILL) }},
	{"SIGKILL of a replica", func(d *deployment, c *mathrand.Rand) { d.restart(c, syscall.SIGKILL) }},
	{"SIGTERM of a replica", func(d *deployment, c *mathrand.Rand) { d.restart(c, syscall.SIGTERM) }},
	{"SIGTERM of a replica", func(d *deployment, c *mathrand.Rand) { d.restart(c, syscall.SIGTERM) }},
	{"SIGSTOP of a replica", func(d *deployment, c *mathrand.Rand) {
		p := d.running[c.IntN(replicas)]
		p.signal(syscall.SIGSTOP)
		between(c, 200, 5000)
		p.signal(syscall.SIGCONT)
	}},
	{"connections to replicas are cut", func(d *deployment, _ *mathrand.Rand) { d.front.cut() }},
}

var serverFaults = []fault{
	{"SIGKILL of S3", (*deployment).killS3},
	{"SIGKILL of S3", (*deployment).killS3},
	{"SIGSTOP of S3", func(d *deployment, c *mathrand.Rand) {
		d.server.signal(syscall.SIGSTOP)
		between(c, 200, 4000)
		d.server.signal(syscall.SIGCONT)
	}},
	{"PostgreSQL is stopped", func(d *deployment, c *mathrand.Rand) {
		d.postgres.Stop([]syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}[c.IntN(3)])
		between(c, 200, 3000)
		d.again("PostgreSQL", d.postgres.Start)
	}},
	{"connections of browsers to S3 are cut", func(d *deployment, _ *mathrand.Rand) { d.bucket.cut() }},
	{"connections of replicas to S3 are cut", func(d *deployment, _ *mathrand.Rand) { d.store.cut() }},
}

// restart ends a replica and starts it again.
func (d *deployment) restart(c *mathrand.Rand, s syscall.Signal) {
	n := c.IntN(replicas)
	if err := d.running[n].end(s); s == syscall.SIGTERM && err != nil {
		d.complain("replica %d was told to end: %v", n, err)
	}
	d.front.set(n, "")
	between(c, 50, 1000)
	d.again("a replica", func() error { return d.startReplica(n) })
}

func (d *deployment) killS3(c *mathrand.Rand) {
	_ = d.server.end(syscall.SIGKILL)
	d.moved("")
	between(c, 50, 2500)
	d.again("S3", d.startS3)
}

// again starts something until it starts: what a killed one had may be free a little
// later.
func (d *deployment) again(what string, start func() error) {
	for try := 1; ; try++ {
		err := start()
		if err == nil {
			return
		}
		if try == 20 {
			d.complain("%s does not start: %v", what, err)
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// rage does one fault after another, each in its turn, until ctx has ended and each was
// there.
func (d *deployment) rage(ctx context.Context, faults []fault, chance *mathrand.Rand) {
	for ctx.Err() == nil {
		for _, n := range chance.Perm(len(faults)) {
			between(chance, 200, 1500)
			d.count(faults[n].name)
			faults[n].do(d, chance)
		}
	}
}

// calm ends the faults, and has every replica begin anew, one after another, as a
// deployment of a mended version does.
func (d *deployment) calm(t *testing.T) {
	for _, p := range []*proxy{d.front, d.bucket, d.store} {
		p.calm()
	}
	d.replica.Calm = true
	for n := range d.running {
		if err := d.running[n].end(syscall.SIGTERM); err != nil {
			d.complain("replica %d was told to end: %v", n, err)
		}
		require.NoError(t, d.startReplica(n))
	}
}

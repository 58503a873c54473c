package chaos_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// browsersAtOnce are so many.
const browsersAtOnce = 32

// Every file that has reached the staging prefix whole ends in exactly one verified
// object and a receipt, or in nothing and a line that says why, whatever dies.
func TestNothingIsLostInChaos(t *testing.T) {
	seed := *seedFlag
	for seed == 0 {
		seed = rand.Uint64() >> 32
	}
	provider := postern.Provider(*providerFlag)
	if provider == "" {
		provider = providers[seed%uint64(len(providers))]
	}
	t.Logf("-seed %d: S3 is like %s", seed, provider)
	began := time.Now()
	d := deploy(t, seed, provider)
	uploads := d.storm(seed)
	t.Logf("%s: the storm of %d uploads ends", time.Since(began).Round(time.Second), len(uploads))
	d.calm(t)
	d.wait(t, uploads)
	t.Logf("%s: the replicas have brought in what had arrived", time.Since(began).Round(time.Second))
	d.reconcile(t)
	w := d.look(t)
	d.judge(t, uploads, w)
	t.Logf("%s: %s", time.Since(began).Round(time.Second), d.tell(uploads, w))
}

// storm has browsers upload while everything fails.
func (d *deployment) storm(seed uint64) (uploads []*upload) {
	chance := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	ctx, cancel := context.WithTimeout(context.Background(), *chaosFlag)
	defer cancel()
	var faults, browsers sync.WaitGroup
	faults.Go(func() { d.rage(ctx, replicaFaults, chance(1)) })
	faults.Go(func() { d.rage(ctx, serverFaults, chance(2)) })
	plans := chance(3)
	slots := make(chan struct{}, browsersAtOnce)
	pause := time.Duration(int64(*chaosFlag) / int64(*uploadsFlag+1))
	for ctx.Err() == nil || len(uploads) < *uploadsFlag {
		u := plan(len(uploads), plans)
		uploads = append(uploads, u)
		slots <- struct{}{}
		browsers.Go(func() {
			defer func() { <-slots }()
			newBrowser(d.front.url(), u, seed).run()
		})
		time.Sleep(min(pause, time.Second)) // spread over the storm
	}
	faults.Wait()
	// Browsers that are still there see the calm.
	for _, p := range []*proxy{d.front, d.bucket, d.store} {
		p.calm()
	}
	browsers.Wait()
	return uploads
}

// world is what there is after all.
type world struct {
	rows    map[string]row // by key
	double  []string       // keys with several rows
	calls   map[string][]row
	objects map[string]stored
	staging []string
	begun   []string
	why     map[string]string // by key: the line of the log that says why there is no receipt
	gaveUp  map[string]bool
	began   map[string]int // completions by who has begun them
}

// row is a receipt in the database.
type row struct {
	id, key, etag, subject string
	size                   int64
}

// stored is an object.
type stored struct {
	etag, id string
	content  []byte
}

// look looks at everything, when nothing changes any more.
func (d *deployment) look(t *testing.T) *world {
	w := d.ask(t)
	d.list(t, w)
	return w
}

// ask asks the application, which is its database and its logs.
func (d *deployment) ask(t *testing.T) *world {
	w := &world{rows: map[string]row{}, calls: map[string][]row{}, objects: map[string]stored{}, why: map[string]string{}, gaveUp: map[string]bool{}, began: map[string]int{}}
	for _, table := range []string{"receipts", "calls"} {
		rows, err := d.pool.Query(t.Context(), "SELECT id, key, etag, subject, size FROM "+table)
		require.NoError(t, err)
		for rows.Next() {
			var r row
			require.NoError(t, rows.Scan(&r.id, &r.key, &r.etag, &r.subject, &r.size))
			if table == "calls" {
				w.calls[r.key] = append(w.calls[r.key], r)
				continue
			}
			if _, there := w.rows[r.key]; there {
				w.double = append(w.double, r.key)
			}
			w.rows[r.key] = r
		}
		require.NoError(t, rows.Err())
	}
	for _, log := range d.logs {
		d.read(t, log, w)
	}
	return w
}

// list lists what is in the bucket.
func (d *deployment) list(t *testing.T, w *world) {
	ctx, client, bucket := t.Context(), d.client(), aws.String(s3test.DefaultBucket)
	for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if slices.ContainsFunc(sites, func(s site) bool { return strings.HasPrefix(key, s.staging) }) {
				w.staging = append(w.staging, key)
				continue
			}
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: o.Key})
			require.NoError(t, err, key)
			content, err := io.ReadAll(got.Body)
			require.NoError(t, err)
			_ = got.Body.Close()
			w.objects[key] = stored{etag: aws.ToString(got.ETag), id: got.Metadata["postern-id"], content: content}
		}
	}
	for pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, u := range page.Uploads {
			w.begun = append(w.begun, aws.ToString(u.Key))
		}
	}
}

// read reads a log.
func (d *deployment) read(t *testing.T, path string, w *world) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Buffer(nil, 1<<20); lines.Scan(); {
		var line struct{ Message, Action, Outcome, Code, Key, Trigger string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // a process was killed in the middle of it
		}
		switch {
		case strings.Contains(line.Message, "is given up"):
			w.gaveUp[line.Key] = true
			w.why[line.Key] = lines.Text()
		case line.Message == "completion" && line.Outcome == "refused" && strings.HasSuffix(line.Code, "_mismatch"):
			w.why[line.Key] = lines.Text()
		case line.Message == "completion" && line.Outcome == "completed":
			w.began[line.Trigger]++
		}
	}
	require.NoError(t, lines.Err())
}

// lost are the uploads that were whole at S3, and of which the application knows
// nothing.
func (w *world) lost(uploads []*upload) (lost []*upload) {
	for _, u := range uploads {
		if _, known := w.rows[u.key]; u.whole && !known && w.why[u.key] == "" {
			lost = append(lost, u)
		}
	}
	return lost
}

// calmness is how long nothing may get better before the replicas are said to have
// stopped bringing uploads in.
const calmness = 45 * time.Second

// wait waits until the replicas have brought in all by themselves.
func (d *deployment) wait(t *testing.T, uploads []*upload) {
	best, since := len(uploads)+1, time.Now()
	for {
		lost := d.ask(t).lost(uploads)
		if len(lost) == 0 {
			return
		}
		if len(lost) < best {
			best, since = len(lost), time.Now()
		}
		if time.Since(since) > calmness {
			d.fail(t, lost, "the replicas do not bring in uploads that have arrived")
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// fail says what is known of uploads.
func (d *deployment) fail(t *testing.T, uploads []*upload, what string) {
	for _, u := range uploads[:min(len(uploads), 3)] {
		t.Logf("upload %d at %s, %s, %d bytes, vanished %s: %+v", u.n, u.key, u.site.name, u.size, stepNames[u.steps], u)
		d.quote(t, u.key)
	}
	require.Failf(t, what, "%d uploads", len(uploads))
}

// quote says what the replicas have logged of a key.
func (d *deployment) quote(t *testing.T, key string) {
	for _, log := range d.logs {
		content, _ := os.ReadFile(log)
		for line := range strings.Lines(string(content)) {
			if strings.Contains(line, key) {
				t.Logf("%s: %s", filepath.Base(log), line)
			}
		}
	}
}

// reconcile is the last reconciliation: one now, and one by a clock that is days ahead,
// when all tickets have ended.
func (d *deployment) reconcile(t *testing.T) {
	r := d.replica
	r.ReconcileEvery = 0
	r.Log = filepath.Join(filepath.Dir(d.logs[0]), "last.log")
	d.logs = append(d.logs, r.Log)
	log, err := r.log()
	require.NoError(t, err)
	// What replicas do by themselves has ended.
	for n := range d.running {
		if err := d.running[n].end(syscall.SIGTERM); err != nil {
			d.complain("replica %d was told to end: %v", n, err)
		}
	}
	for _, r.Ahead = range []time.Duration{ahead, 3 * 24 * time.Hour} {
		for _, s := range sites {
			h, err := r.handler(s, &hooks{pool: d.pool, calm: true}, log)
			require.NoError(t, err)
			report, err := h.Issuer().Reconcile(t.Context(), postern.ReconcileOptions{CallsPerSecond: 10_000})
			require.NoError(t, err)
			t.Logf("%s, by a clock %s ahead: %+v", s.name, r.Ahead, report)
			require.NoError(t, h.Shutdown(t.Context()))
		}
	}
}

// judge holds the world against what browsers know.
func (d *deployment) judge(t *testing.T, uploads []*upload, w *world) {
	assert.Empty(t, d.problems, "replicas and servers")
	if lost := w.lost(uploads); len(lost) > 0 {
		d.fail(t, lost, "lost")
	}
	assert.Empty(t, w.double, "keys with several receipts")
	assert.Empty(t, w.staging, "left in staging")
	of := map[string]*upload{}
	for _, u := range uploads {
		of[u.key] = u
	}
	bad := func(key, what string, args ...any) {
		assert.Failf(t, what, "%s: %+v %v\n%+v\n%+v", key, of[key], args, w.rows[key], w.calls[key])
		d.quote(t, key)
	}
	for _, key := range w.begun {
		bad(key, "begun and not ended", w.why[key])
	}
	for key, r := range w.rows {
		u, o := of[key], w.objects[key]
		if u == nil {
			bad(key, "a receipt for what nobody has sent")
			continue
		}
		switch {
		case o.content == nil:
			bad(key, "a receipt without its object")
		case o.id != r.id, o.etag != r.etag, int64(len(o.content)) != r.size:
			bad(key, "a receipt for another object", o.id, o.etag)
		case u.lies, !u.has(o.content):
			bad(key, "wrong bytes")
		case r.subject != fmt.Sprintf("user-%d", u.n%8):
			bad(key, "a receipt for somebody else")
		}
		for _, c := range w.calls[key] {
			if c != r {
				bad(key, "receipts differ", c)
			}
		}
	}
	for key := range w.objects {
		if _, known := w.rows[key]; !known && !w.gaveUp[key] {
			bad(key, "an object that the application does not know")
		}
	}
	for _, u := range uploads {
		r, known := w.rows[u.key]
		if u.receipt != nil && (!known || r.id != u.receipt.ID || r.etag != u.receipt.ETag || r.size != u.receipt.Size) {
			bad(u.key, "the browser was told otherwise", u.receipt)
		}
		if w.gaveUp[u.key] && !u.site.brief {
			bad(u.key, "given up long before its ticket has ended", w.why[u.key])
		}
		if u.whole && !u.lies && !u.site.brief && u.ended != "" {
			bad(u.key, "the browser was told that its upload has ended", u.ended)
		}
	}
}

// tell counts.
func (d *deployment) tell(uploads []*upload, w *world) string {
	var whole, received, calls int
	steps := map[string]int{}
	for _, u := range uploads {
		steps[stepNames[u.steps]]++
		if u.whole {
			whole++
		}
		if u.receipt != nil {
			received++
		}
	}
	for _, c := range w.calls {
		calls += len(c)
	}
	return fmt.Sprintf("%d uploads, %d whole at S3, %d receipts in the database by %d calls, %d at browsers, %d refused or given up; vanished %v; completed %v; faults %v, %d connections cut",
		len(uploads), whole, len(w.rows), calls, received, len(w.why), steps, w.began, d.faults, d.front.cuts+d.bucket.cuts+d.store.cuts)
}

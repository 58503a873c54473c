package s3_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

// likeEach are the providers of the table.
var likeEach = []postern.Provider{
	postern.Generic, postern.AmazonS3, postern.VersityGW, postern.MinIO, postern.CephRGW, postern.Garage, postern.SeaweedFS,
	postern.RustFS, postern.CloudflareR2, postern.BackblazeB2, postern.Wasabi, postern.DigitalOceanSpaces,
	postern.GoogleCloudStorage, postern.Tigris, postern.Scaleway, postern.Hetzner, postern.Linode, postern.OVHcloud,
	postern.Supabase, postern.IDriveE2, postern.OracleCloud, postern.IBMCloud, postern.AlibabaOSS, postern.TencentCOS,
}

// at is a server like a provider's: of others if the environment names one.
func at(t testing.TB, p postern.Provider) *foreign.Server {
	if _, ok := foreign.Asked(); ok {
		return foreign.Start(t)
	}
	return foreign.Embedded(t, s3test.Like(p))
}

// these are the providers, or the one that the environment names.
func these(all []postern.Provider) []postern.Provider {
	if name, ok := foreign.Asked(); ok {
		return []postern.Provider{postern.Provider(name)}
	}
	return all
}

// byMethod are a provider for each way to freeze.
var byMethod = []postern.Provider{postern.AmazonS3, postern.MinIO, postern.CloudflareR2, postern.Garage, postern.BackblazeB2}

// replicasLock is one lock for all handlers of these tests, as replicas have.
var replicasLock = newSharedLock()

// sharedLock is a lock by name.
type sharedLock struct {
	mutex sync.Mutex
	locks map[string]*sync.Mutex
}

func newSharedLock() *sharedLock { return &sharedLock{locks: map[string]*sync.Mutex{}} }

func (l *sharedLock) Lock(ctx context.Context, name string) (context.Context, func(), error) {
	l.mutex.Lock()
	m := l.locks[name]
	if m == nil {
		m = &sync.Mutex{}
		l.locks[name] = m
	}
	l.mutex.Unlock()
	m.Lock()
	return ctx, m.Unlock, nil
}

// siteLike is a site at a server like a provider's.
func siteLike(t testing.TB, srv *foreign.Server, p postern.Provider, opts ...postern.HandlerOption) *site {
	n := sites.Add(1)
	s := &site{srv: srv, got: &receipts{}, promotes: true, staging: fmt.Sprintf("staging-%d/", n), final: fmt.Sprintf("final-%d/", n)}
	s.proxy = newProxy(t, srv, s.staging)
	s.bucket = identitiesOf(t, srv)
	s.bucket.Provider, s.bucket.Endpoint, s.bucket.PublicEndpoint = p, s.proxy.URL, srv.Endpoint
	s.Handler = newReplica(t, s.bucket, s.options(opts...)...)
	return s
}

func (s *site) options(more ...postern.HandlerOption) []postern.HandlerOption {
	return append([]postern.HandlerOption{
		postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging), postern.WithLocker(replicasLock),
		postern.WithKeyPolicy(postern.KeyTemplate(s.final + "{uuid}{ext}")),
	}, more...)
}

// left are the objects in staging, but for the ballots that outlive an election.
func (s *site) left(t testing.TB) []string {
	return slices.DeleteFunc(s.keys(t), func(key string) bool {
		return strings.HasPrefix(key, s.final) || strings.HasPrefix(key, s.staging+"elections/")
	})
}

// Every provider that can store an object earns a true receipt, in every mode.
func TestReceiptsAtEveryProvider(t *testing.T) {
	t.Parallel()
	large := big(6<<20 + 1)
	for _, p := range these(likeEach) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			for name, tc := range map[string]struct {
				request map[string]any
				content []byte
				opts    []postern.HandlerOption
			}{
				"a picture":        {picture(), pngFile(), []postern.HandlerOption{postern.WithSniffing()}},
				"a file with tags": {fileOf(content), content, []postern.HandlerOption{postern.WithAttributes(postern.Attributes{CacheControl: "max-age=60", Tags: map[string]string{"by": "a b+c"}, Metadata: map[string]string{"origin": "web"}})}},
				"a checksum":       {withSum(fileOf(content), content), content, nil},
				"a PUT":            {fileOf(content), content, []postern.HandlerOption{postern.WithMode(postern.ModePut)}},
				"an empty file":    {fileOf(nil), nil, []postern.HandlerOption{postern.WithSizeLimit(0, 1<<20)}},
				"parts":            {fileOf(large), large, []postern.HandlerOption{postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(5 << 20)}},
			} {
				t.Run(name, func(t *testing.T) {
					s := siteLike(t, srv, p, tc.opts...)
					g := ask(t, s, tc.request)
					early := call(t, s, "complete", ticketOf(g))
					require.Contains(t, []int{http.StatusNotFound, http.StatusConflict}, early.Status, "%s", early.Body)
					require.Less(t, upload(t, s, g, tc.content).Status, 300)
					r := complete(t, s, g.Ticket)
					s.isRight(t, r, tc.content)
					require.False(t, r.Replayed)

					again := complete(t, newReplica(t, s.bucket, s.options(tc.opts...)...), g.Ticket)
					require.True(t, again.Replayed)
					again.Replayed = false
					require.Equal(t, r, again)
					require.Empty(t, s.left(t))
					require.Zero(t, s.unfinished(t))
				})
			}
		})
	}
}

// Whatever the moment, a swap earns no receipt for what was not verified, and
// changes nothing after one.
func TestSwapsAtEveryWayToFreeze(t *testing.T) {
	t.Parallel()
	page := htmlFile(len(pngFile()))
	for _, p := range these(byMethod) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			for n := 1; ; n++ {
				s := siteLike(t, srv, p, postern.WithSniffing())
				g := ask(t, s, picture())
				require.Less(t, upload(t, s, g, pngFile()).Status, 300)
				var calls atomic.Int32
				s.proxy.with(func(x *exchange) {
					if int(calls.Add(1)) == n {
						upload(t, s, g, page) // as a form may be used again
					}
					x.pass()
				})
				a := call(t, s, "complete", ticketOf(g))
				s.proxy.with(nil)
				if a.Status == http.StatusOK {
					var r receipt
					a.into(t, &r)
					s.isRight(t, r, pngFile())
					upload(t, s, g, page)
					s.isRight(t, complete(t, s, g.Ticket), pngFile())
				} else {
					require.Contains(t, []string{"content_mismatch", "object_changed"}, a.code(t), "call %d", n)
					require.Zero(t, s.got.count())
					require.Empty(t, slices.DeleteFunc(s.keys(t), func(key string) bool { return !strings.HasPrefix(key, s.final) }), "nothing at the final key")
				}
				if int(calls.Load()) < n {
					require.Greater(t, n, 5)
					return
				}
			}
		})
	}
}

// A process that dies between any two calls, and a replica that goes on.
func TestCrashAtEveryCallOfEveryWayToFreeze(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		for _, acted := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, and S3 has acted %t", p, acted), func(t *testing.T) {
				t.Parallel()
				srv := at(t, p)
				for n := 1; ; n++ {
					s := siteLike(t, srv, p, postern.WithSniffing())
					g := ask(t, s, picture())
					require.Less(t, upload(t, s, g, pngFile()).Status, 300)
					died := s.proxy.diesAt(n, acted)
					a := call(t, s, "complete", ticketOf(g))
					s.proxy.with(nil)
					if !died() {
						require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
						require.Greater(t, n, 5)
						return
					}
					r := complete(t, newReplica(t, s.bucket, s.options(postern.WithSniffing())...), g.Ticket)
					s.isRight(t, r, pngFile())
					for _, seen := range s.got.seen() {
						require.Equal(t, r.ID, seen.ID)
						require.Equal(t, r.ETag, seen.ETag)
					}
				}
			})
		}
	}
}

// meet holds the calls that make a final object until n of them are there, and lets
// the next one go only once the one before it has its receipt: nothing but a lock, an
// election or a condition keeps them from replacing what has one. Calls that something
// does keep apart are let go after a moment.
func (s *site) meet(n int) {
	var mutex sync.Mutex
	here, all := 0, make(chan struct{})
	s.proxy.with(func(x *exchange) {
		if x.call == "PutObject final" || x.call == "CompleteMultipartUpload final" {
			mutex.Lock()
			before := here
			if here++; here == n {
				close(all)
			}
			mutex.Unlock()
			moment, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			select {
			case <-all:
			case <-moment.Done():
			}
			for s.got.count() < before && moment.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		}
		x.pass()
	})
}

// Three replicas complete one upload at the same time, while its bytes are swapped.
func TestParallelCompletionsAtEveryWayToFreeze(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			for range 5 {
				s := siteLike(t, srv, p)
				g := ask(t, s, fileOf(content))
				require.Less(t, upload(t, s, g, content).Status, 300)
				other := append([]byte("X"), content[1:]...)
				s.meet(3)
				var all sync.WaitGroup
				answers := make([]answer, 3)
				for k := range answers {
					h := newReplica(t, s.bucket, s.options()...)
					all.Go(func() { answers[k] = call(t, h, "complete", ticketOf(g)) })
				}
				all.Go(func() { upload(t, s, g, other) })
				all.Wait()
				s.proxy.with(nil)
				final := complete(t, s, g.Ticket)
				_, stored := object(t, srv, final.Key)
				require.True(t, string(stored) == string(content) || string(stored) == string(other))
				for _, a := range answers {
					if a.Status == http.StatusOK {
						var r receipt
						a.into(t, &r)
						require.Equal(t, final.ETag, r.ETag, "every receipt is of what is there")
					}
				}
			}
		})
	}
}

// Two uploads with one key: one of them gets it.
func TestOneKeyIsOneUploadsAtEveryWayToFreeze(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			s := siteLike(t, srv, p)
			opts := []postern.HandlerOption{
				postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging), postern.WithLocker(replicasLock),
				postern.WithKeyPolicy(postern.KeyTemplate(s.final + "report.bin")),
			}
			tickets := make([]string, 4)
			for k := range tickets {
				h := newReplica(t, s.bucket, opts...)
				bytes := append([]byte{byte(k)}, content...)
				g := ask(t, h, fileOf(bytes))
				require.Less(t, upload(t, h, g, bytes).Status, 300)
				tickets[k] = g.Ticket
			}
			s.meet(len(tickets))
			var all sync.WaitGroup
			answers := make([]answer, len(tickets))
			for k := range tickets {
				h := newReplica(t, s.bucket, opts...)
				all.Go(func() { answers[k] = call(t, h, "complete", map[string]any{"ticket": tickets[k]}) })
			}
			all.Wait()
			won := 0
			for _, a := range answers {
				if a.Status == http.StatusOK {
					won++
					var r receipt
					a.into(t, &r)
					out, _ := object(t, srv, r.Key)
					require.Equal(t, r.ID, out.Metadata["postern-id"])
					continue
				}
				require.Equal(t, "object_conflict", a.code(t))
			}
			require.Equal(t, 1, won)
		})
	}
}

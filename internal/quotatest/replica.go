package quotatest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
)

// roleVariable makes a process of the test binary a replica.
const roleVariable = "POSTERN_QUOTA_TEST_ROLE"

// role is what a replica is told.
type role struct {
	URL    string // of the store's server
	Tenant string
	Limit  int64 // of files
	Signs  int   // as many as are possible at once; 0 to reserve all there is, and wait
}

// Open makes the store of a replica.
type Open func(url string) (s quota.Store, closeIt func(), err error)

// RunReplica is the life of a replica, if this process is one: main ends with the exit
// code then.
func RunReplica(open Open) (code int, is bool) {
	encoded := os.Getenv(roleVariable)
	if encoded == "" {
		return 0, false
	}
	var r role
	err := json.Unmarshal([]byte(encoded), &r)
	if err == nil {
		err = r.run(open)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

func (r *role) run(open Open) error {
	store, closeIt, err := open(r.URL)
	if err != nil {
		return err
	}
	defer closeIt()
	if r.Signs == 0 {
		return r.hold(store)
	}
	h, err := r.handler(store)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(sign(h, r.Signs))
}

// heldFor is how long a replica reserves what nobody settles.
const heldFor = 3 * time.Second

// hold reserves all there is.
func (r *role) hold(store quota.Store) error {
	for range r.Limit {
		err := store.Reserve(context.Background(), quota.Reservation{
			ID: rand.Text(), Bytes: 10, For: heldFor,
			Accounts: []quota.Account{{Name: postern.TenantAccount(r.Tenant), Limits: quota.Files(r.Limit)}},
		})
		if err != nil {
			return err
		}
	}
	fmt.Println("held")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// handler is that of a replica, which asks no S3.
func (r *role) handler(store quota.Store) (http.Handler, error) {
	return postern.New(postern.Bucket{
		Name: "acme-uploads", Region: "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	},
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", r.Tenant
			return nil
		}),
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(bytes.Repeat([]byte{7}, 32)),
		postern.WithQuota(store, func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{Tenant: quota.Files(r.Limit)}
		}))
}

// tally is what became of signs.
type tally struct {
	Granted, Refused, Unavailable int64
	Other                         []string
	Took                          time.Duration
}

// atOnce is how many requests of a replica are under way.
const atOnce = 64

// sign asks for n grants, many at once. Those for which the store had no time are asked for
// again, as pages do.
func sign(h http.Handler, n int) *tally {
	var t tally
	var mutex sync.Mutex
	var wg sync.WaitGroup
	begun := time.Now()
	slots := make(chan struct{}, atOnce)
	for range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
				r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(`{"filename":"a.png","type":"image/png","size":10}`))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				switch {
				case w.Code == http.StatusCreated:
					atomic.AddInt64(&t.Granted, 1)
				case w.Code == http.StatusTooManyRequests && strings.Contains(w.Body.String(), "files_exceeded"):
					atomic.AddInt64(&t.Refused, 1)
				case w.Code == http.StatusServiceUnavailable:
					atomic.AddInt64(&t.Unavailable, 1)
					time.Sleep(wait/2 + randv2.N(wait)) // or all come back at once
					continue
				default:
					mutex.Lock()
					t.Other = append(t.Other, w.Body.String())
					mutex.Unlock()
				}
				return
			}
		})
	}
	wg.Wait()
	t.Took = time.Since(begun)
	return &t
}

// replica is one as the test sees it.
type replica struct {
	*exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

func start(t *testing.T, r role) *replica {
	t.Helper()
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	p := &replica{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), roleVariable+"="+string(encoded))
	p.Stderr = os.Stderr
	p.stdin, err = p.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	p.out = bufio.NewReader(stdout)
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	return p
}

func (p *replica) await(t *testing.T, line string) {
	t.Helper()
	got, err := p.out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, line, strings.TrimSpace(got))
}

// ReplicasGrantExactlyWhatThereIs has three processes sign 10,000 grants at the same time,
// of a quota of 5,000.
func ReplicasGrantExactlyWhatThereIs(t *testing.T, url string, store quota.Store) {
	const replicas, all, limit = 3, 10_000, 5000
	tenant := rand.Text()
	var ps []*replica
	left := all
	for k := range replicas {
		n := left / (replicas - k)
		left -= n
		p := start(t, role{URL: url, Tenant: tenant, Limit: limit, Signs: n})
		p.await(t, "ready")
		ps = append(ps, p)
	}
	begun := time.Now()
	for _, p := range ps {
		_, err := fmt.Fprintln(p.stdin, "go")
		require.NoError(t, err)
	}
	var sum tally
	for _, p := range ps {
		var got tally
		require.NoError(t, json.NewDecoder(p.out).Decode(&got))
		require.Empty(t, got.Other)
		t.Logf("a replica: %+v", got)
		sum.Granted += got.Granted
		sum.Refused += got.Refused
		sum.Unavailable += got.Unavailable
	}
	t.Logf("%d signs in %s, %d of them asked for again", all, time.Since(begun).Round(time.Millisecond), sum.Unavailable)
	require.EqualValues(t, limit, sum.Granted)
	require.EqualValues(t, all-limit, sum.Refused)
	used, err := store.Usage(t.Context(), postern.TenantAccount(tenant))
	require.NoError(t, err)
	require.Equal(t, []quota.Usage{{Reserved: 10 * limit, Uploads: limit}}, used)
}

// WhatAKilledReplicaHasReservedComesBack asserts that, of all there was.
func WhatAKilledReplicaHasReservedComesBack(t *testing.T, url string, store quota.Store) {
	const limit = 50
	a := &account{T: t, store: store, name: postern.TenantAccount(rand.Text())}
	tenant := strings.TrimPrefix(a.name, "tenant/")
	p := start(t, role{URL: url, Tenant: tenant, Limit: limit})
	p.await(t, "held")
	a.refused(10, quota.Files(limit))
	require.NoError(t, p.Process.Kill())
	a.comesToUse(0, 0, 0, 0)
	a.reserve(10, quota.Files(limit))
}

// AHandlerRefusesAtOnce asserts that a handler does not wait for a store that fails, and
// that one which may go on does.
func AHandlerRefusesAtOnce(t *testing.T, store quota.Store) {
	r := role{Tenant: rand.Text(), Limit: 5}
	h, err := r.handler(store)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute/2) // a handler that hangs
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, "POST", "/uploads/sign", strings.NewReader(`{"filename":"a.png","type":"image/png","size":10}`))
	request.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request)
	require.NoError(t, ctx.Err())
	require.Equal(t, http.StatusServiceUnavailable, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), `"code":"quota_unavailable"`)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
}

// EveryCallEndsWithItsContext asserts that of a store whose server hangs.
func EveryCallEndsWithItsContext(t *testing.T, store quota.Store) {
	u := quota.Upload{ID: rand.Text(), Bytes: 1, Accounts: []string{"tenant/a"}}
	for name, call := range map[string]func(context.Context) error{
		"Reserve": func(ctx context.Context) error {
			return store.Reserve(ctx, quota.Reservation{ID: u.ID, For: hour, Accounts: []quota.Account{{Name: "tenant/a", Limits: quota.Files(1)}}})
		},
		"Settle":  func(ctx context.Context) error { return store.Settle(ctx, u, hour) },
		"Cancel":  func(ctx context.Context) error { return store.Cancel(ctx, u, hour) },
		"Release": func(ctx context.Context) error { return store.Release(ctx, u) },
		"Adjust":  func(ctx context.Context) error { return store.Adjust(ctx, "tenant/a", 1, 1) },
		"Usage": func(ctx context.Context) error {
			_, err := store.Usage(ctx, "tenant/a")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), short)
			defer cancel()
			err := call(ctx)
			require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
		})
	}
}

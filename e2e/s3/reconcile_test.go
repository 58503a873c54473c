package s3_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

// inHaste leaves nothing to browsers.
var inHaste = postern.ReconcileOptions{MinAge: time.Nanosecond, CallsPerSecond: 10_000}

func reconcile(t testing.TB, h *postern.Handler) postern.ReconcileReport {
	report, err := h.Issuer().Reconcile(context.Background(), inHaste)
	require.NoError(t, err)
	return report
}

// inDays is a clock that is ahead.
func inDays(n int) postern.HandlerOption {
	return postern.WithClock(func() time.Time { return time.Now().Add(time.Duration(n) * 24 * time.Hour) })
}

// noted has a request have 1.5 kB of metadata, which leave no room for a ticket.
func noted(request map[string]any) map[string]any {
	request = maps.Clone(request)
	request["metadata"] = map[string]string{"note": strings.Repeat("n", 1500)}
	return request
}

// uploadKinds are the ways in which a file comes to staging.
var uploadKinds = map[string]struct {
	request map[string]any
	content []byte
	opts    []postern.HandlerOption
}{
	"a form":        {picture(), pngFile(), nil},
	"a PUT":         {picture(), pngFile(), []postern.HandlerOption{postern.WithMode(postern.ModePut)}},
	"parts":         {fileOf(big(6<<20 + 1)), big(6<<20 + 1), []postern.HandlerOption{postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(5 << 20)}},
	"an empty file": {fileOf(nil), nil, []postern.HandlerOption{postern.WithSizeLimit(0, 1<<20)}},
	"much metadata": {noted(picture()), pngFile(), []postern.HandlerOption{postern.WithClientMetadata("note")}},
	"a checksum":    {withSum(picture(), pngFile()), pngFile(), nil},
}

// A page that is closed after the last byte loses nothing.
func TestUploadWhoseBrowserHasGoneIsCompleted(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			for name, kind := range uploadKinds {
				t.Run(name, func(t *testing.T) {
					s := siteLike(t, srv, p, kind.opts...)
					g := ask(t, s, kind.request)
					require.Zero(t, reconcile(t, s.Handler).Completed)
					require.Less(t, upload(t, s, g, kind.content).Status, 300)

					// Another replica finds it, which does not know the grant.
					other := newReplica(t, s.bucket, s.options(kind.opts...)...)
					report := reconcile(t, other)
					require.Equal(t, 1, report.Completed, "%+v", report)
					require.Equal(t, 1, s.got.count())
					r := complete(t, s, g.Ticket)
					require.True(t, r.Replayed)
					s.isRight(t, r, kind.content)
					require.Equal(t, s.got.seen()[0].ID, r.ID)
					require.True(t, maps.Equal(s.got.seen()[0].Metadata, r.Metadata))
					require.Empty(t, s.left(t))
					require.Zero(t, s.unfinished(t))
					require.Equal(t, postern.ReconcileReport{Why: map[string]int{}}, reconcile(t, other))
				})
			}
		})
	}
}

// An event says which object has come.
func TestEventCompletesAnUpload(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for name, kind := range uploadKinds {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, srv, true, kind.opts...)
			g := ask(t, s, kind.request)
			require.Less(t, upload(t, s, g, kind.content).Status, 300)
			key := writeKey(t, s)
			r, err := s.Issuer().CompleteObject(context.Background(), key)
			require.NoError(t, err)
			require.Equal(t, g.Key, r.Key)
			require.Equal(t, 1, s.got.count())
			require.Empty(t, s.left(t))

			_, err = s.Issuer().CompleteObject(context.Background(), key) // twice, or late
			require.ErrorIs(t, err, postern.ErrObjectMissing)
			require.Equal(t, 1, s.got.count())
		})
	}
}

// writeKey is the key to which the only grant writes.
func writeKey(t testing.TB, s *site) string {
	for _, key := range s.keys(t) {
		if name, ok := strings.CutPrefix(key, s.staging); ok && !strings.Contains(name, "/") {
			return key
		}
		if id, ok := strings.CutPrefix(key, s.staging+"tickets/"); ok {
			return s.staging + id
		}
	}
	require.Fail(t, "nothing is in staging")
	return ""
}

func TestEventsThatAreForgedCompleteNothing(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	mine := ask(t, s, picture())
	upload(t, s, mine, pngFile())
	client, bucket := srv.Client(), &srv.Bucket
	ctx := context.Background()

	// The ticket of one upload at the place of another.
	moved := s.staging + strings.Repeat("ab", 16)
	_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: &moved, CopySource: aws.String(*bucket + "/" + s.stagingKey(t))})
	require.NoError(t, err)
	// An object without a ticket.
	bare := s.staging + strings.Repeat("cd", 16)
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &bare, Body: strings.NewReader("x")})
	require.NoError(t, err)
	for key, want := range map[string]error{
		moved:                                postern.ErrTicketInvalid,
		bare:                                 postern.ErrTicketInvalid,
		s.staging + strings.Repeat("00", 16): postern.ErrObjectMissing,
		s.staging + "tickets/x":              postern.ErrTicketInvalid,
		mine.Key:                             postern.ErrTicketInvalid,
		"":                                   postern.ErrTicketInvalid,
		s.staging + "../" + strings.Repeat("0", 1<<10): postern.ErrTicketInvalid,
	} {
		_, err := s.Issuer().CompleteObject(ctx, key)
		require.ErrorIs(t, err, want, "%q", key)
	}
	report := reconcile(t, s.Handler)
	require.Equal(t, 1, report.Completed)
	require.Equal(t, 2, report.Left)
	require.Equal(t, map[string]int{"ticket_invalid": 2}, report.Why)
	require.Equal(t, 1, s.got.count())
	// They may be another handler's, until no ticket can live any more.
	report = reconcile(t, newReplica(t, s.bucket, s.options(inDays(32))...))
	require.Equal(t, 2, report.Removed)
	require.Empty(t, s.left(t))
}

func TestReconcilerLeavesUploadsToTheirBrowsersForAWhile(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	report, err := s.Issuer().Reconcile(context.Background(), postern.ReconcileOptions{})
	require.NoError(t, err)
	require.Equal(t, postern.ReconcileReport{Why: map[string]int{}}, report)
}

func TestDryRunDoesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	o := inHaste
	o.DryRun = true
	report, err := s.Issuer().Reconcile(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, report.Completed)
	require.Len(t, s.left(t), 1)
	require.Zero(t, s.got.count())

	// Parts of a file of which nobody has said how large it is, and which is too large.
	s = newSite(t, s.srv, true, postern.AllowUnboundedParts(), postern.WithSizeLimit(1, 1<<20), postern.WithMultipartThreshold(5<<20))
	issued, err := s.Issuer().Issue(context.Background(), &postern.Upload{
		Subject: "ada", Tenant: "acme", Filename: "film.bin", Size: postern.UnknownSize, Mode: postern.ModeMultipart,
	})
	require.NoError(t, err)
	putPart(t, s, grant{Ticket: issued.Ticket, PartSize: issued.PartSize}, 1, big(2<<20))
	_, err = s.Issuer().Reconcile(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, 1, s.unfinished(t))
}

// A hook that fails is asked again until the ticket ends, and then once more.
func TestHookThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	var log lines
	s := newSite(t, foreign.Embedded(t), true, postern.WithLogger(zerolog.New(&log)))
	g := ask(t, s, picture())
	upload(t, s, g, pngFile())
	s.got.fail = errors.New("the database is down")

	require.Equal(t, map[string]int{"completion_failed": 1}, reconcile(t, s.Handler).Why)
	require.Equal(t, map[string]int{"resting": 1}, reconcile(t, s.Handler).Why)
	require.Equal(t, 1, s.got.count())
	require.Equal(t, 1, reconcile(t, newReplica(t, s.bucket, s.options()...)).Left) // it has not failed there
	require.Equal(t, 2, s.got.count())
	require.Len(t, s.left(t), 1)

	ended := newReplica(t, s.bucket, s.options(inDays(2), postern.WithLogger(zerolog.New(&log)))...)
	report := reconcile(t, ended)
	require.Equal(t, 1, report.Removed)
	require.Equal(t, 3, s.got.count())
	require.Empty(t, s.left(t))
	r := s.got.seen()[0]
	for _, needed := range []string{r.ID, r.Key, r.Subject, `"level":"error"`, "cat.png", "is given up", "the database is down"} {
		require.Contains(t, log.String(), needed)
	}
	_, stored := object(t, s.srv, r.Key)
	require.Equal(t, pngFile(), stored, "what is to be repaired by hand is gone")
}

// Everybody was down over the weekend.
func TestUploadThatCameInTimeIsCompletedAfterItsTicketHasEnded(t *testing.T) {
	t.Parallel()
	for name, kind := range uploadKinds {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, foreign.Embedded(t), true, kind.opts...)
			upload(t, s, ask(t, s, kind.request), kind.content)
			report := reconcile(t, newReplica(t, s.bucket, s.options(append(slices.Clone(kind.opts), inDays(3))...)...))
			require.Equal(t, 1, report.Completed, "%+v", report)
			require.Equal(t, 1, s.got.count())
			require.Empty(t, s.left(t))
		})
	}
}

func TestUploadThatIsNotWholeIsGivenUpWhenItsTicketEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true, inParts...)
	g := ask(t, s, fileOf(big(6<<20)))
	putPart(t, s, g, 1, big(6<<20))
	report := reconcile(t, s.Handler)
	require.Equal(t, 1, report.Left)
	require.Equal(t, map[string]int{"parts_missing": 1}, report.Why)
	report = reconcile(t, newReplica(t, s.bucket, s.options(inDays(2))...))
	require.Equal(t, 1, report.Aborted)
	require.Empty(t, s.left(t))
	require.Zero(t, s.unfinished(t))
	require.Zero(t, s.got.count())
}

// What is not what was granted ends in nothing, and a line that says why.
func TestReconcilerRejectsWhatWasNotGranted(t *testing.T) {
	t.Parallel()
	var log lines
	s := newSite(t, foreign.Embedded(t), true, postern.WithSniffing(), postern.WithLogger(zerolog.New(&log)))
	upload(t, s, ask(t, s, picture()), htmlFile(len(pngFile())))
	report := reconcile(t, s.Handler)
	require.Equal(t, map[string]int{"content_mismatch": 1}, report.Why)
	require.Equal(t, 1, report.Removed)
	require.Empty(t, s.keys(t))
	require.Zero(t, s.got.count())
	require.Contains(t, log.String(), "content_mismatch")
}

// Handlers that share a prefix and keys are told apart by their names.
func TestReconcilerLeavesTheUploadsOfOtherHandlers(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	report := reconcile(t, newReplica(t, s.bucket, s.options(postern.WithName("invoices"), inDays(3))...))
	require.Equal(t, postern.ReconcileReport{Left: 1, Why: map[string]int{"ticket_invalid": 1}}, report)
	require.Len(t, s.left(t), 1)
}

func TestReconcilersTogetherCompleteEachUploadOnce(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			s := siteLike(t, at(t, p), p)
			const uploads = 30
			for range uploads {
				upload(t, s, ask(t, s, picture()), pngFile())
			}
			var wg sync.WaitGroup
			for range 3 {
				h := newReplica(t, s.bucket, s.options()...)
				wg.Go(func() { reconcile(t, h) })
			}
			wg.Wait()
			ids := map[string]bool{}
			for _, r := range s.got.seen() {
				ids[r.ID] = true
			}
			require.Len(t, ids, uploads)
			reconcile(t, newReplica(t, s.bucket, s.options()...))
			require.Empty(t, s.left(t))
			require.Zero(t, s.unfinished(t))
			require.Len(t, slices.DeleteFunc(s.keys(t), func(k string) bool { return !strings.HasPrefix(k, s.final) }), uploads)
		})
	}
}

// Two uploads of the same bytes, by one person: both have a receipt, and nothing stays.
func TestReconcilerCompletesDuplicates(t *testing.T) {
	t.Parallel()
	s := newSiteOfKeys(t, foreign.Embedded(t), true, "{sha256}{ext}")
	var grants []grant
	for range 2 {
		g := ask(t, s, withSum(picture(), pngFile()))
		upload(t, s, g, pngFile())
		grants = append(grants, g)
	}
	require.Equal(t, 2, reconcile(t, s.Handler).Completed)
	require.Zero(t, reconcile(t, s.Handler).Completed)
	require.Equal(t, 2, s.got.count())
	var duplicates int
	for _, g := range grants {
		if complete(t, s, g.Ticket).Duplicate {
			duplicates++
		}
	}
	require.Equal(t, 1, duplicates)
	report := reconcile(t, newReplica(t, s.bucket, s.options(inDays(32))...))
	require.Equal(t, 1, report.Removed)
	require.Empty(t, s.left(t))
}

// A crash between beginning a copy and its end leaves a begun upload at the final key,
// and one before the ticket was written down another in staging.
func TestReconcilerRemovesWhatACrashHasLeft(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	g := ask(t, s, picture())
	ctx, client, bucket := context.Background(), srv.Client(), &srv.Bucket
	begin := func(key string) {
		_, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key})
		require.NoError(t, err)
	}
	put := func(key string) {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")})
		require.NoError(t, err)
	}
	begin(g.Key)
	begin(s.staging + strings.Repeat("ab", 16))
	begin(s.final + "of-the-application")
	put(s.staging + "attempts/" + strings.Repeat("ef", 16) + "-abc")
	put(s.staging + "elections/" + strings.Repeat("01", 32))
	put(s.staging + "notes.txt")
	time.Sleep(1100 * time.Millisecond) // S3 tells whole seconds
	upload(t, s, g, pngFile())
	complete(t, s, g.Ticket)

	report := reconcile(t, s.Handler)
	require.Equal(t, 1, report.Removed, "%+v", report) // the copy
	require.Equal(t, 2, s.unfinished(t))
	report = reconcile(t, newReplica(t, s.bucket, s.options(inDays(2))...))
	require.Equal(t, 3, report.Removed, "%+v", report)
	require.Equal(t, map[string]int{"crashed": 2, "old": 1, "foreign": 1}, report.Why)
	require.Equal(t, []string{s.staging + "notes.txt"}, s.left(t))
	require.Equal(t, 1, s.unfinished(t), "an upload of the application's is gone")
}

// A process dies before and after every call of a completion, and its browser with it.
func TestReconcilerEndsWhatACrashHasBegun(t *testing.T) {
	t.Parallel()
	for _, p := range these(byMethod) {
		for name, kind := range uploadKinds {
			if name != "a form" && name != "parts" {
				continue
			}
			for _, acted := range []bool{false, true} {
				t.Run(string(p)+", "+name+map[bool]string{false: ", before", true: ", after"}[acted], func(t *testing.T) {
					t.Parallel()
					srv := at(t, p)
					for n := 1; ; n++ {
						s := siteLike(t, srv, p, kind.opts...)
						g := ask(t, s, kind.request)
						upload(t, s, g, kind.content)
						died := s.proxy.diesAt(n, acted)
						call(t, s, "complete", ticketOf(g))
						if !died() {
							break
						}
						direct := s.bucket
						direct.Endpoint = direct.PublicEndpoint
						reconcile(t, newReplica(t, direct, s.options(kind.opts...)...))
						require.NotZero(t, s.got.count(), "call %d", n)
						r := complete(t, newReplica(t, direct, s.options(kind.opts...)...), g.Ticket)
						s.isRight(t, r, kind.content)
						reconcile(t, newReplica(t, direct, s.options(append(slices.Clone(kind.opts), inDays(3))...)...))
						require.Empty(t, s.left(t), "call %d", n)
						require.Zero(t, s.unfinished(t), "call %d", n)
					}
				})
			}
		}
	}
}

// regions are buckets by tenant.
type regions map[string]postern.Bucket

func (r regions) For(_ context.Context, u *postern.Upload) (postern.Bucket, error) {
	return r[u.Tenant], nil
}

func (r regions) List(context.Context) ([]postern.Bucket, error) {
	return slices.Collect(maps.Values(r)), nil
}

// Each customer has a bucket of their own, and the handler's is one of them.
func TestReconcilerGoesThroughAllBuckets(t *testing.T) {
	t.Parallel()
	ctx, srv := context.Background(), foreign.Embedded(t)
	s := newSite(t, srv, true)
	s.bucket.Endpoint = s.bucket.PublicEndpoint
	own, other := s.bucket, s.bucket
	other.Name = "of-another-tenant"
	require.NoError(t, srv.CreateBucket(ctx, other.Name))
	other.Credentials = other.ServiceCredentials
	buckets := regions{"acme": own, "umbrella": other}
	send := func(h *postern.Handler, tenant string) (stagingKey string) {
		grant, err := h.Issuer().Issue(ctx, &postern.Upload{Filename: "a.bin", Size: int64(len(content)), Subject: "ada", Tenant: tenant})
		require.NoError(t, err)
		var form fields
		for _, f := range grant.Fields {
			form = append(form, postern.Field{Name: f.Name, Value: f.Value})
		}
		require.Equal(t, http.StatusCreated, postForm(t, grant.URL, form, content).Status)
		return form.get("key")
	}
	opts := func(more ...postern.HandlerOption) []postern.HandlerOption {
		return s.options(append(more, postern.WithBuckets(buckets), postern.AllowSharedCredentials())...)
	}
	h := newReplica(t, own, opts()...)
	key := send(h, "umbrella")
	send(h, "acme")

	first := reconcile(t, h)
	require.Equal(t, 1, first.Completed, "the handler's own: %+v", first)
	_, err := h.Issuer().CompleteObject(ctx, key)
	require.ErrorIs(t, err, postern.ErrObjectMissing)
	options := inHaste
	options.Bucket = other
	report, err := h.Issuer().Reconcile(ctx, options)
	require.NoError(t, err)
	require.Equal(t, 1, report.Completed)
	require.Equal(t, []string{own.Name, other.Name}, []string{s.got.seen()[0].Bucket, s.got.seen()[1].Bucket})

	_, err = h.Issuer().CompleteObjectIn(ctx, other, send(h, "umbrella"))
	require.NoError(t, err)

	// By itself.
	for tenant := range buckets {
		send(h, tenant)
	}
	var wg sync.WaitGroup
	wg.Add(2)
	s.got.before = wg.Done
	busy := newReplica(t, own, opts(postern.WithReconciler(time.Second), postern.WithClock(func() time.Time { return time.Now().Add(2 * time.Minute) }))...)
	wg.Wait()
	require.NoError(t, busy.Shutdown(ctx))
	require.Equal(t, 5, s.got.count())
}

// The policy of the documentation is enough, and nothing less.
func TestReconcilerNeedsTheRightsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	rights := []s3test.Permission{{Action: "s3:ListBucket"}, {Action: "s3:ListBucketMultipartUploads"}}
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"} {
		rights = append(rights, s3test.Permission{Action: action, Keys: "*"})
	}
	as := func(s *site, id string, rights ...s3test.Permission) *postern.Handler {
		require.NoError(t, srv.AddUser(context.Background(), id, "service-secret", rights...))
		b := s.bucket
		b.ServiceCredentials = credentials.NewStaticCredentialsProvider(id, "service-secret", "")
		return newReplica(t, b, s.options(inParts...)...)
	}
	s := newSite(t, srv, true, inParts...)
	h := as(s, "RECONCILER", rights...)
	for _, file := range [][]byte{content, big(6 << 20)} {
		upload(t, h, ask(t, h, fileOf(file)), file)
	}
	require.Equal(t, 2, reconcile(t, h).Completed)
	require.Empty(t, s.left(t))

	_, err := as(s, "WITHOUTBUCKET", rights[2:]...).Issuer().Reconcile(context.Background(), inHaste)
	require.ErrorIs(t, err, postern.ErrStorageDenied)
	_, err = as(s, "WITHOUTUPLOADS", append(rights[2:], rights[0])...).Issuer().Reconcile(context.Background(), inHaste)
	require.ErrorIs(t, err, postern.ErrStorageDenied)
}

func TestReconcilingNeedsPromotionAndTicketKeys(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for _, opts := range [][]postern.HandlerOption{
		{postern.AllowSharedCredentials(), postern.WithTicketKeys(ticketKey)},
		{postern.AllowSharedCredentials(), postern.WithPromotion("staging/")},
	} {
		h := newHandler(t, srv, opts...)
		_, err := h.Issuer().Reconcile(context.Background(), inHaste)
		var mistake *postern.ConfigError
		require.ErrorAs(t, err, &mistake)
		_, err = h.Issuer().CompleteObject(context.Background(), "staging/x")
		require.ErrorAs(t, err, &mistake)
		_, err = postern.New(bucketOf(t, srv), append(opts, postern.WithAuthorizer(principal), postern.WithReconciler(time.Minute))...)
		require.ErrorAs(t, err, &mistake)
	}
}

// The handler does it by itself.
func TestHandlerReconcilesByItself(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	received := make(chan struct{})
	var once sync.Once
	s.got.before = func() { once.Do(func() { close(received) }) }
	// By its clock the minute has passed that an upload is left to its browser.
	h := s.replica(t, postern.WithReconciler(time.Second), postern.WithClock(func() time.Time { return time.Now().Add(2 * time.Minute) }))
	<-received
	require.NoError(t, h.Shutdown(context.Background()))
	require.Empty(t, s.left(t))
}

// What S3 does not say is no verdict.
func TestReconcilerGivesNothingUpWhileS3Fails(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	s.proxy.on("UploadPartCopy final", func(x *exchange) { x.say(http.StatusServiceUnavailable, "SlowDown") })
	ended := newReplica(t, s.bucket, s.options(inDays(2))...)
	report := reconcile(t, ended)
	require.Equal(t, map[string]int{"storage_unavailable": 1}, report.Why)
	require.Equal(t, 1, report.Left)
	require.Len(t, s.left(t), 1)
}

// While a server puts parts together it may show neither the upload nor the object, and
// if it dies then, the upload is there again.
func TestTicketOfPartsThatArePutTogetherStays(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true, inParts...)
	content := big(6 << 20)
	upload(t, s, ask(t, s, fileOf(content)), content)
	s.proxy.on("ListParts staging", func(x *exchange) { x.say(http.StatusNotFound, "NoSuchUpload") })
	require.Equal(t, postern.ReconcileReport{Why: map[string]int{}}, reconcile(t, s.Handler))
	s.proxy.with(nil)
	require.Equal(t, 1, reconcile(t, s.Handler).Completed)
	require.Equal(t, 1, s.got.count())
	require.Empty(t, s.left(t))
}

// S3 has written a ballot, and nobody has heard of it: it is valid all the same.
func TestElectionWhoseAnswerIsLostIsWon(t *testing.T) {
	t.Parallel()
	srv := at(t, postern.CloudflareR2)
	elected := func(t *testing.T) *site {
		s := siteLike(t, srv, postern.CloudflareR2)
		upload(t, s, ask(t, s, picture()), pngFile())
		s.proxy.with(func(x *exchange) {
			if x.call == "PutObject staging" && strings.Contains(x.r.URL.Path, "/elections/") {
				x.lose()
				return
			}
			x.pass()
		})
		require.Equal(t, map[string]int{"storage_unavailable": 1}, reconcile(t, s.Handler).Why)
		s.proxy.with(nil)
		return s
	}
	t.Run("and its attempt is published", func(t *testing.T) {
		s := elected(t)
		require.Equal(t, 1, reconcile(t, newReplica(t, s.bucket, s.options()...)).Completed)
		require.Equal(t, 1, s.got.count())
		require.Empty(t, s.left(t))
	})
	t.Run("and one without its attempt is told", func(t *testing.T) {
		s := elected(t)
		for _, key := range s.left(t) {
			if strings.Contains(key, "/attempts/") {
				_, err := srv.Client().DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: &key})
				require.NoError(t, err)
			}
		}
		report := reconcile(t, newReplica(t, s.bucket, s.options()...))
		require.Equal(t, postern.ReconcileReport{Left: 1, Why: map[string]int{"object_missing": 1}}, report)
	})
}

// A part that comes while an upload is put together can bring the upload back, beside
// its object.
func TestPartThatComesLateHidesNoObject(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for name, end := range map[string]func(s *site, g grant) int{
		"the browser":    func(s *site, g grant) int { complete(t, s, g.Ticket); return s.got.count() },
		"the reconciler": func(s *site, _ grant) int { return reconcile(t, s.Handler).Completed },
		"after the end": func(s *site, _ grant) int {
			return reconcile(t, newReplica(t, s.bucket, s.options(append(slices.Clone(inParts), inDays(2))...)...)).Completed
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, srv, true, inParts...)
			file := big(6 << 20)
			g := ask(t, s, fileOf(file))
			upload(t, s, g, file)
			assemble(t, srv, s.staging)
			s.proxy.on("ListParts staging", func(x *exchange) {
				listsParts(x, `<Part><PartNumber>1</PartNumber><Size>5242880</Size><ETag>"0"</ETag></Part>`)
			})
			require.Equal(t, 1, end(s, g))
			require.Equal(t, 1, s.got.count())
			require.Empty(t, s.left(t))
		})
	}
}

// Nor does it keep what is left of an upload that has its receipt: a crash has left the
// ticket.
func TestPartThatComesAfterTheReceiptIsRemoved(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, inParts...)
	file := big(6 << 20)
	g := ask(t, s, fileOf(file))
	upload(t, s, g, file)
	list, err := srv.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &srv.Bucket, Prefix: aws.String(s.staging + "tickets/")})
	require.NoError(t, err)
	require.Len(t, list.Contents, 1)
	ticket := list.Contents[0].Key
	r := complete(t, s, g.Ticket)
	_, err = srv.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &srv.Bucket, Key: ticket, Body: strings.NewReader(g.Ticket)})
	require.NoError(t, err)
	var ended atomic.Bool
	s.proxy.on("ListParts staging", func(x *exchange) {
		if ended.Swap(true) {
			x.pass()
			return
		}
		listsParts(x, "")
	})
	replica := newReplica(t, s.bucket, s.options(append(slices.Clone(inParts), inDays(2))...)...)
	report := reconcile(t, replica)
	require.Equal(t, postern.ReconcileReport{Removed: 1, Why: map[string]int{"old": 1}}, report)
	require.Empty(t, s.left(t))
	s.isRight(t, r, file)
	require.Equal(t, 1, s.got.count())
}

// listsParts answers for S3 that an upload is there, with some parts.
func listsParts(x *exchange, parts string) {
	x.answer(&http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}}, []byte(
		`<ListPartsResult><Bucket>uploads</Bucket><UploadId>u</UploadId><IsTruncated>false</IsTruncated>`+parts+`</ListPartsResult>`), nil)
}

// assemble puts the only upload in parts under a prefix together.
func assemble(t testing.TB, srv *foreign.Server, prefix string) {
	ctx, client := context.Background(), srv.Client()
	begun, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket, Prefix: &prefix})
	require.NoError(t, err)
	require.Len(t, begun.Uploads, 1)
	u := begun.Uploads[0]
	list, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &srv.Bucket, Key: u.Key, UploadId: u.UploadId})
	require.NoError(t, err)
	var parts []types.CompletedPart
	for _, p := range list.Parts {
		parts = append(parts, types.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag})
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &srv.Bucket, Key: u.Key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	require.NoError(t, err)
}

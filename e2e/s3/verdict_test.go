package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// judge is an inspector whose mind can change.
type judge struct {
	mutex   sync.Mutex
	verdict postern.Verdict
	err     error
	seen    []*postern.Object
	look    func(ctx context.Context, o *postern.Object)
}

func (j *judge) inspect(ctx context.Context, o *postern.Object) (postern.Verdict, error) {
	j.mutex.Lock()
	look := j.look
	j.seen = append(j.seen, o)
	v, err := j.verdict, j.err
	j.mutex.Unlock()
	if look != nil {
		look(ctx, o)
	}
	return v, err
}

func (j *judge) says(v postern.Verdict, err error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.verdict, j.err = v, err
}

func (j *judge) asked() int {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return len(j.seen)
}

var errVirus = postern.NewProblem(403, "virus", "The file has a virus.").WithCause(errors.New("Eicar"))

// inspected is a site with an inspector, at a server that has the abilities of a
// provider's.
type inspected struct {
	*site
	judge *judge
}

func newInspected(t testing.TB, srv *foreign.Server, v postern.Verdict, opts ...postern.HandlerOption) *inspected {
	j := &judge{verdict: v}
	return &inspected{newSite(t, srv, true, append([]postern.HandlerOption{postern.WithInspector(j.inspect)}, opts...)...), j}
}

// other is another replica of the site, that does not pass through the proxy.
func (s *inspected) other(t testing.TB, opts ...postern.HandlerOption) *postern.Handler {
	return s.replica(t, append([]postern.HandlerOption{postern.WithInspector(s.judge.inspect)}, opts...)...)
}

// like gives the site the abilities of another provider.
func (s *inspected) like(t testing.TB, p postern.Provider) {
	s.bucket.Provider = p
	s.Handler = newReplica(t, s.bucket, postern.WithOnComplete(s.got.hook), postern.WithKeyPolicy(postern.KeyTemplate(s.final+"{uuid}{ext}")),
		postern.WithPromotion(s.staging), postern.WithInspector(s.judge.inspect), postern.AllowSharedCredentials())
}

func (s *inspected) sent(t testing.TB) grant {
	g := ask(t, s, fileOf(content))
	require.Less(t, upload(t, s, g, content).Status, 300)
	return g
}

// left are the keys of the site without verdicts.
func (s *inspected) left(t testing.TB) (keys []string) {
	for _, key := range s.keys(t) {
		if !strings.HasPrefix(key, s.staging+"verdicts/") && !strings.HasPrefix(key, s.staging+"elections/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// pending asks for completion, and returns the id of the upload that waits.
func (s *inspected) pending(t testing.TB, g grant) string {
	before := s.judge.asked()
	a := call(t, s, "complete", ticketOf(g))
	require.Equal(t, http.StatusAccepted, a.Status, "%s", a.Body)
	require.Equal(t, "5", a.Header.Get("Retry-After"))
	require.Equal(t, before+1, s.judge.asked())
	return s.judge.seen[before].ID
}

// freezes are providers of each way to freeze.
var freezes = []postern.Provider{postern.VersityGW, postern.DigitalOceanSpaces, postern.BackblazeB2}

func TestInspectorSeesTheObjectAndTheReceiptFollows(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Accepted(), postern.WithAttributes(postern.Attributes{Tags: map[string]string{"by": "ada"}}))
	s.judge.look = func(ctx context.Context, o *postern.Object) {
		body, err := o.Open(ctx, 2, 3)
		require.NoError(t, err)
		part, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, content[2:5], part)
		body, err = o.Open(ctx, 3, 1<<40)
		require.NoError(t, err)
		part, err = io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, content[3:], part)
		body, err = o.Open(ctx, o.Size, 1)
		require.NoError(t, err)
		part, err = io.ReadAll(body)
		require.NoError(t, err)
		require.Empty(t, part)
		tags, err := o.Tags(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"by": "ada"}, tags)
	}
	g := s.sent(t)
	r := complete(t, s, g.Ticket)
	s.isRight(t, r, content)
	require.Equal(t, 1, s.judge.asked())
	o := s.judge.seen[0]
	require.Equal(t, []string{r.ID, r.Key, r.Filename, r.Type, r.ETag, r.Subject, r.Tenant}, []string{o.ID, o.Key, o.Filename, o.Type, o.ETag, o.Subject, o.Tenant})
	require.Equal(t, r.Size, o.Size)

	s.judge.says(postern.Rejected(nil), nil)
	complete(t, s.other(t), g.Ticket).same(t, r)
	require.Equal(t, 1, s.judge.asked(), "what has its receipt is not inspected again")
	require.Equal(t, []string{r.Key}, s.left(t))
	require.ErrorIs(t, s.Issuer().Reject(context.Background(), r.ID, nil), postern.ErrAlreadyReleased)
	_, err := s.Issuer().Release(context.Background(), r.ID)
	require.ErrorIs(t, err, postern.ErrAlreadyReleased)
	s.isRight(t, r, content)
}

func TestRejectedUploadGoesAndItsBrowserLearnsWhy(t *testing.T) {
	large := big(5<<20 + 1)
	for _, p := range freezes {
		modes := []string{"put", "multipart"}
		if p == postern.VersityGW { // the others have no forms
			modes = append(modes, "post")
		}
		for _, mode := range modes {
			t.Run(fmt.Sprint(p, " ", mode), func(t *testing.T) {
				srv := foreign.Embedded(t)
				j := &judge{verdict: postern.Rejected(errVirus)}
				s := &inspected{newSite(t, srv, true), j}
				s.bucket.Provider = p
				opts := append([]postern.HandlerOption{postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging), postern.WithInspector(j.inspect), postern.AllowSharedCredentials(),
					postern.WithKeyPolicy(postern.KeyTemplate(s.final + "{uuid}"))}, inParts...)
				file := content
				switch mode {
				case "put":
					opts = append(opts, postern.WithMode(postern.ModePut))
				case "multipart":
					file = large
				}
				s.Handler = newReplica(t, s.bucket, opts...)
				g := ask(t, s, fileOf(file))
				require.Equal(t, mode, g.Mode)
				require.Less(t, upload(t, s, g, file).Status, 300)
				for range 2 {
					a := call(t, s, "complete", ticketOf(g))
					require.Equal(t, 403, a.Status)
					require.JSONEq(t, `{"title":"Forbidden","status":403,"code":"virus","detail":"The file has a virus.","ended":true}`, string(a.Body))
					require.Empty(t, s.left(t))
				}
				require.Equal(t, 1, j.asked())
				require.Zero(t, s.got.count())
				require.Zero(t, s.unfinished(t))
				id := j.seen[0].ID
				_, err := s.Issuer().Release(context.Background(), id)
				require.ErrorIs(t, err, postern.ErrAlreadyRejected)
				require.NoError(t, s.Issuer().Reject(context.Background(), id, nil))

				// Its grant still lives.
				if mode != "multipart" {
					require.Less(t, upload(t, s, g, file).Status, 300)
					require.Equal(t, "virus", call(t, s, "complete", ticketOf(g)).code(t))
					require.Empty(t, s.left(t))
				}
				require.Equal(t, 1, j.asked())
			})
		}
	}
}

func TestUndecidedUploadWaitsUntilAnyReplicaDecides(t *testing.T) {
	for _, p := range freezes {
		t.Run(string(p), func(t *testing.T) {
			ctx := context.Background()
			srv := foreign.Embedded(t)
			s := newInspected(t, srv, postern.Undecided())
			s.like(t, p)
			other := newReplica(t, s.bucket, postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging),
				postern.WithInspector(s.judge.inspect), postern.AllowSharedCredentials()).Issuer()

			released := s.sent(t)
			id := s.pending(t, released)
			require.Equal(t, id, s.pending(t, released), "asked again")
			require.Zero(t, s.got.count())
			r, err := other.Release(ctx, id)
			require.NoError(t, err)
			require.Equal(t, id, r.ID)
			require.Equal(t, 1, s.got.count())
			asked := s.judge.asked()
			got := complete(t, s, released.Ticket)
			s.isRight(t, got, content)
			require.Equal(t, asked, s.judge.asked())
			require.ErrorIs(t, other.Reject(ctx, id, errVirus), postern.ErrAlreadyReleased)
			require.Equal(t, []string{got.Key}, s.left(t))

			rejected := s.sent(t)
			id = s.pending(t, rejected)
			require.NoError(t, other.Reject(ctx, id, errVirus))
			require.NoError(t, other.Reject(ctx, id, nil), "again")
			require.Equal(t, "virus", call(t, s, "complete", ticketOf(rejected)).code(t))
			_, err = s.Issuer().Release(ctx, id)
			require.ErrorIs(t, err, postern.ErrAlreadyRejected)
			require.Equal(t, []string{got.Key}, s.left(t))
			require.Equal(t, 2, s.got.count(), "the receipt and its replay")
		})
	}
}

func TestVerdictOfAnUnknownUploadIsRefused(t *testing.T) {
	s := newInspected(t, foreign.Embedded(t), postern.Undecided())
	for _, id := range []string{"", "nothing", "../" + strings.Repeat("a", 32), strings.Repeat("a", 32)} {
		_, err := s.Issuer().Release(context.Background(), id)
		require.ErrorIs(t, err, postern.ErrUploadGone, id)
		require.ErrorIs(t, s.Issuer().Reject(context.Background(), id, nil), postern.ErrUploadGone, id)
	}
	g := s.sent(t)
	id := strings.TrimPrefix(s.stagingKey(t), s.staging)
	_, err := s.Issuer().Release(context.Background(), id)
	require.ErrorIs(t, err, postern.ErrObjectMissing, "nobody knows what it will be")
	require.NoError(t, s.Issuer().Reject(context.Background(), id, nil))
	require.Equal(t, "content_rejected", call(t, s, "complete", ticketOf(g)).code(t))
	require.Zero(t, s.judge.asked())
}

func TestInspectorThatFailsDeletesNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	for name, fails := range map[string]func(*judge){
		"an error":      func(j *judge) { j.says(postern.Verdict{}, errors.New("no scanner")) },
		"an S3 error":   func(j *judge) { j.says(postern.Accepted(), postern.ErrObjectMissing) },
		"an accept too": func(j *judge) { j.says(postern.Accepted(), errors.New("no scanner")) },
		"no verdict":    func(j *judge) { j.says(postern.Verdict{}, nil) },
		"a panic":       func(j *judge) { j.look = func(context.Context, *postern.Object) { panic("oh") } },
		"its time ends": func(j *judge) { j.look = func(ctx context.Context, _ *postern.Object) { <-ctx.Done() } },
		"its context is not heard": func(j *judge) {
			j.look = func(context.Context, *postern.Object) { <-t.Context().Done() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newInspected(t, srv, postern.Accepted(), postern.WithInspectorTimeout(time.Second))
			fails(s.judge)
			g := s.sent(t)
			a := call(t, s, "complete", ticketOf(g))
			require.Equal(t, "inspection_failed", a.code(t))
			require.Equal(t, 503, a.Status)
			require.Equal(t, "5", a.Header.Get("Retry-After"))
			require.NotContains(t, string(a.Body), "scanner")
			require.Len(t, s.keys(t), 2, "the object, and in staging; no verdict")
			require.Zero(t, s.got.count())
			s.judge.mutex.Lock()
			s.judge.look = nil
			s.judge.mutex.Unlock()
			s.judge.says(postern.Accepted(), nil)
			s.isRight(t, complete(t, s, g.Ticket), content)
		})
	}
}

func TestInspectorsAreAskedInOrderUntilOneDoesNotAccept(t *testing.T) {
	srv := foreign.Embedded(t)
	var asked []string
	says := func(name string, v postern.Verdict) postern.HandlerOption {
		return postern.WithInspector(func(context.Context, *postern.Object) (postern.Verdict, error) {
			asked = append(asked, name)
			return v, nil
		})
	}
	s := &inspected{newSite(t, srv, true, says("first", postern.Accepted()), says("second", postern.Rejected(errVirus)), says("third", postern.Accepted())), nil}
	require.Equal(t, "virus", call(t, s, "complete", ticketOf(s.sent(t))).code(t))
	require.Equal(t, []string{"first", "second"}, asked)
}

func TestNothingIsScannedWheneverABrowserAsks(t *testing.T) {
	srv := foreign.Embedded(t)
	scanner, person := &judge{verdict: postern.Accepted()}, &judge{verdict: postern.Undecided()}
	s := &inspected{newSite(t, srv, true, postern.WithInspector(scanner.inspect), postern.WithInspector(person.inspect)), person}
	g, other := s.sent(t), s.sent(t)
	s.pending(t, g)
	s.pending(t, g)
	require.Equal(t, 1, scanner.asked())
	require.Equal(t, 2, person.asked())
	s.pending(t, other)
	require.Equal(t, 2, scanner.asked())
	person.says(postern.Accepted(), nil)
	complete(t, s, g.Ticket)
	require.Equal(t, 2, scanner.asked())
}

// A browser that has its staging object removed has no receipt for it.
func TestEmptyStagingProvesNoVerdict(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Undecided())
	g := s.sent(t)
	s.pending(t, g)
	_, err := srv.Client().DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: aws.String(s.stagingKey(t))})
	require.NoError(t, err)
	s.pending(t, g)
	require.Zero(t, s.got.count())
}

func TestGivingUpAnUndecidedUploadLeavesNoObject(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Undecided())
	g := s.sent(t)
	id := s.pending(t, g)
	require.Equal(t, http.StatusNoContent, call(t, s, "abort", ticketOf(g)).Status)
	require.Empty(t, s.left(t))
	require.Equal(t, "upload_gone", call(t, s, "complete", ticketOf(g)).code(t))
	_, err := s.Issuer().Release(context.Background(), id)
	require.ErrorIs(t, err, postern.ErrAlreadyRejected)

	s.judge.says(postern.Accepted(), nil)
	g = s.sent(t)
	r := complete(t, s, g.Ticket)
	require.Equal(t, http.StatusNoContent, call(t, s, "abort", ticketOf(g)).Status)
	s.isRight(t, r, content)
}

// While its grant lives, a browser can send other bytes than those that were accepted.
func TestOtherBytesThanThoseReleasedEarnNoReceipt(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Accepted())
	g := s.sent(t)
	r := complete(t, s, g.Ticket)
	other := slices.Clone(content)
	other[0]++
	s.putObject(t, r.Key, other, nil)
	require.Equal(t, "object_conflict", call(t, s, "complete", ticketOf(g)).code(t))

	_, err := srv.Client().DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: &r.Key})
	require.NoError(t, err)
	require.Less(t, upload(t, s, g, other).Status, 300)
	require.Equal(t, "upload_gone", call(t, s, "complete", ticketOf(g)).code(t))
	require.Empty(t, s.left(t))

	require.Equal(t, 1, s.got.count())
	require.Equal(t, 1, s.judge.asked())
}

// Where a freeze is an election, replicas that complete at the same time copy the same
// object to its key, one after the other.
func TestObjectThatWasReleasedIsCopiedOnceMore(t *testing.T) {
	ctx := context.Background()
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Accepted())
	s.like(t, postern.CephRGW)
	g := s.sent(t)
	s.judge.look = func(context.Context, *postern.Object) {
		time.Sleep(1100 * time.Millisecond) // S3 tells whole seconds
		out, err := srv.Client().HeadObject(ctx, &s3.HeadObjectInput{Bucket: &srv.Bucket, Key: &g.Key})
		require.NoError(t, err)
		_, err = srv.Client().CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: &srv.Bucket, Key: &g.Key, CopySource: aws.String(srv.Bucket + "/" + g.Key), MetadataDirective: "REPLACE",
			Metadata: out.Metadata, ContentType: out.ContentType, ContentDisposition: out.ContentDisposition,
		})
		require.NoError(t, err)
	}
	s.got.fail = errors.New("the database is down")
	require.Equal(t, "completion_failed", call(t, s, "complete", ticketOf(g)).code(t))
	s.got.fail = nil
	require.Equal(t, 1, reconcile(t, s.Handler).Completed)
	s.isRight(t, complete(t, s, g.Ticket), content)
	require.Equal(t, 1, s.judge.asked())
}

// Whoever can write under the staging prefix, as the credentials that sign grants may,
// releases nothing.
func TestVerdictCannotBeForged(t *testing.T) {
	ctx := context.Background()
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Accepted())
	complete(t, s, s.sent(t).Ticket)
	var real string
	for _, key := range s.keys(t) {
		if strings.HasPrefix(key, s.staging+"verdicts/") {
			real = key
		}
	}
	_, sealed := object(t, srv, real)

	s.judge.says(postern.Undecided(), nil)
	signing, err := s.bucket.Credentials.Retrieve(ctx)
	require.NoError(t, err)
	forger := s3.New(s3.Options{Region: srv.Region, BaseEndpoint: &srv.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(signing.AccessKeyID, signing.SecretAccessKey, "")})
	for name, forged := range map[string]func(g grant) string{
		"nothing":           func(grant) string { return "" },
		"a word":            func(grant) string { return "released" },
		"another's":         func(grant) string { return string(sealed) },
		"the ticket itself": func(g grant) string { return g.Ticket },
	} {
		t.Run(name, func(t *testing.T) {
			g := s.sent(t)
			id := s.pending(t, g)
			_, err := forger.PutObject(ctx, &s3.PutObjectInput{Bucket: &srv.Bucket, Key: aws.String(s.staging + "verdicts/" + id), Body: strings.NewReader(forged(g))})
			require.NoError(t, err)
			before := s.got.count()
			require.Equal(t, "inspection_failed", call(t, s, "complete", ticketOf(g)).code(t))
			_, err = s.Issuer().Release(ctx, id)
			require.ErrorIs(t, err, postern.ErrInspectionFailed)
			require.Equal(t, before, s.got.count())
		})
	}
}

func TestOfManyVerdictsOneHolds(t *testing.T) {
	for _, p := range freezes {
		t.Run(string(p), func(t *testing.T) {
			ctx := context.Background()
			srv := foreign.Embedded(t)
			s := newInspected(t, srv, postern.Undecided())
			s.like(t, p)
			var releasedOnes, rejectedOnes int
			for range 4 {
				g := s.sent(t)
				id := s.pending(t, g)
				before := s.got.count()
				var released, rejected atomic.Int32
				var wg sync.WaitGroup
				for n := range 8 {
					wg.Go(func() {
						if n%2 == 0 {
							if _, err := s.Issuer().Release(ctx, id); err == nil || errors.Is(err, postern.ErrAlreadyReleased) {
								released.Add(1)
							} else if !errors.Is(err, postern.ErrAlreadyRejected) {
								t.Error(err)
							}
							return
						}
						if err := s.Issuer().Reject(ctx, id, errVirus); err == nil {
							rejected.Add(1)
						} else if !errors.Is(err, postern.ErrAlreadyReleased) {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if released.Load() > 0 {
					releasedOnes++
					require.Zero(t, rejected.Load())
					require.Greater(t, s.got.count(), before)
					s.isRight(t, complete(t, s, g.Ticket), content)
				} else {
					rejectedOnes++
					require.EqualValues(t, 4, rejected.Load())
					require.Equal(t, before, s.got.count())
					require.Equal(t, "virus", call(t, s, "complete", ticketOf(g)).code(t))
				}
			}
			require.Equal(t, releasedOnes, len(s.left(t)))
			t.Logf("released %d, rejected %d", releasedOnes, rejectedOnes)
		})
	}
}

// A replica that dies at any call of a decision leaves it to the next.
func TestDeathAtAnyCallOfAVerdictLeavesOneThatHolds(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	ctx := context.Background()
	for name, decide := range map[string]func(s *inspected, g grant, id string) error{
		"Release": func(s *inspected, _ grant, id string) error { _, err := s.Issuer().Release(ctx, id); return err },
		"Reject":  func(s *inspected, _ grant, id string) error { return s.Issuer().Reject(ctx, id, errVirus) },
		"accepting": func(s *inspected, g grant, _ string) error {
			s.judge.says(postern.Accepted(), nil)
			return answered(s, g)
		},
		"rejecting": func(s *inspected, g grant, _ string) error {
			s.judge.says(postern.Rejected(errVirus), nil)
			return answered(s, g)
		},
		"giving up": func(s *inspected, g grant, _ string) error {
			if a := call(t, s, "abort", ticketOf(g)); a.Status >= 500 {
				return errors.New(a.code(t))
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			for at, reached := 1, true; reached; at++ {
				for _, acted := range []bool{false, true} {
					s := newInspected(t, srv, postern.Undecided())
					g := s.sent(t)
					id := s.pending(t, g)
					died := s.proxy.diesAt(at, acted)
					_ = decide(s, g, id)
					reached = died()
					s.proxy.with(nil)
					s.judge.says(postern.Undecided(), nil)

					// The browser comes again, at another replica; then somebody decides.
					other := s.other(t)
					first := call(t, other, "complete", ticketOf(g))
					err := other.Issuer().Reject(ctx, id, errVirus)
					last := call(t, other, "complete", ticketOf(g))
					where := fmt.Sprintf("at %d, acted %v: %s, then %s", at, acted, first.Body, last.Body)
					if errors.Is(err, postern.ErrAlreadyReleased) {
						require.Equal(t, http.StatusOK, first.Status, where)
						require.Equal(t, http.StatusOK, last.Status, where)
						require.Contains(t, []string{"Release", "accepting"}, name, where)
						require.Len(t, s.left(t), 1, where)
						require.NotZero(t, s.got.count(), where)
						continue
					}
					if err != nil {
						require.ErrorIs(t, err, postern.ErrUploadGone, where)
						require.Equal(t, "giving up", name)
					}
					require.GreaterOrEqual(t, last.Status, 400, where)
					require.Contains(t, []string{"virus", "upload_gone", "object_missing"}, last.code(t), where)
					require.Empty(t, s.left(t), where)
					require.Zero(t, s.got.count(), where)
				}
			}
		})
	}
}

// answered completes, and returns an error if the server has failed.
func answered(s *inspected, g grant) error {
	a := call(nil, s, "complete", ticketOf(g))
	if a.Status >= 500 {
		return errors.New(string(a.Body))
	}
	return nil
}

// What overtakes what: a rejection, and a freeze that has begun before it.
func TestFreezeThatARejectionOvertakesLeavesNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Accepted())
	g := s.sent(t)
	id := strings.TrimPrefix(s.stagingKey(t), s.staging)
	other := s.other(t).Issuer()
	s.proxy.before("CompleteMultipartUpload final", func() {
		require.NoError(t, other.Reject(context.Background(), id, errVirus))
	})
	require.Contains(t, []string{"virus"}, call(t, s, "complete", ticketOf(g)).code(t))
	require.Empty(t, s.left(t))
	require.Zero(t, s.got.count())
	require.Zero(t, s.unfinished(t))
}

// The reconciler asks inspectors too, gives up what nobody has decided about, and
// removes verdicts of which there can be no ticket any more.
func TestReconcilerEndsWhatNobodyDecides(t *testing.T) {
	ctx := context.Background()
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Undecided())
	after := func(d time.Duration) postern.ReconcileReport {
		report, err := s.other(t, postern.WithClock(func() time.Time { return time.Now().Add(d) })).Issuer().Reconcile(ctx, postern.ReconcileOptions{})
		require.NoError(t, err)
		return report
	}
	released, rejected, forgotten := s.sent(t), s.sent(t), s.sent(t)
	require.Equal(t, 3, after(time.Hour).Left)
	require.Equal(t, 3, s.judge.asked())
	require.Len(t, s.left(t), 6)
	require.Zero(t, s.got.count())

	id := s.pending(t, released)
	s.judge.says(postern.Rejected(errVirus), nil)
	require.Equal(t, "virus", call(t, s, "complete", ticketOf(rejected)).code(t))
	r, err := s.Issuer().Release(ctx, id)
	require.NoError(t, err)
	s.judge.says(postern.Undecided(), nil)
	require.Equal(t, 1, after(25*time.Hour).Removed)
	require.Equal(t, []string{r.Key}, s.left(t))
	require.Equal(t, "upload_gone", call(t, s, "complete", ticketOf(forgotten)).code(t))
	require.Equal(t, 3, len(s.keys(t))-1, "verdicts")

	// A freeze that the rejection has overtaken, and whose process has died.
	overtaken := s.judge.seen[slices.IndexFunc(s.judge.seen, func(o *postern.Object) bool { return o.Key == rejected.Key })]
	s.putObject(t, overtaken.Key, content, func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"postern-id": overtaken.ID} })
	require.Len(t, s.left(t), 2)
	after(26 * time.Hour)
	require.Equal(t, []string{r.Key}, s.left(t))
	require.Equal(t, 3, after(32*24*time.Hour).Removed)
	require.NotContains(t, strings.Join(s.keys(t), " "), "verdicts/")
	require.Equal(t, []string{r.Key}, s.left(t))
}

func TestDuplicateIsInspectedForItself(t *testing.T) {
	srv := foreign.Embedded(t)
	j := &judge{verdict: postern.Accepted()}
	s := &inspected{newSiteOfKeys(t, srv, true, "{sha256}", postern.WithInspector(j.inspect)), j}
	send := func() grant {
		g := ask(t, s, withSum(fileOf(content), content))
		require.Less(t, upload(t, s, g, content).Status, 300)
		return g
	}
	first := complete(t, s, send().Ticket)
	second := complete(t, s, send().Ticket)
	require.True(t, second.Duplicate)
	require.True(t, j.seen[1].Duplicate)
	j.says(postern.Rejected(errVirus), nil)
	require.Equal(t, "virus", call(t, s, "complete", ticketOf(send())).code(t))
	require.Equal(t, first.Key, second.Key)
	s.isRight(t, first, content)
}

func TestObjectThatIsReplacedStaysUntilTheNewOneIsAccepted(t *testing.T) {
	srv := foreign.Embedded(t)
	j := &judge{verdict: postern.Accepted()}
	etag := ""
	s := newSite(t, srv, true)
	s.Handler = newReplica(t, s.bucket, postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging), postern.WithInspector(j.inspect),
		postern.WithKeyPolicy(postern.KeyTemplate(s.final+"avatar")),
		postern.WithMiddleware(postern.Rule(func(_ *http.Request, u *postern.Upload) error {
			u.Replace = etag
			return nil
		})))
	in := &inspected{s, j}
	first := complete(t, s, in.sent(t).Ticket)
	etag = first.ETag

	j.says(postern.Undecided(), nil)
	g := in.sent(t)
	in.pending(t, g)
	s.isRight(t, first, content)
	j.says(postern.Rejected(errVirus), nil)
	require.Equal(t, "virus", call(t, s, "complete", ticketOf(g)).code(t))
	s.isRight(t, first, content)
	require.Equal(t, []string{first.Key}, in.left(t))

	j.says(postern.Accepted(), nil)
	g = in.sent(t)
	second := complete(t, s, g.Ticket)
	s.isRight(t, second, content)
	require.NotEqual(t, first.ID, second.ID)
	asked := j.asked()
	complete(t, s, g.Ticket).same(t, second)
	require.Equal(t, asked, j.asked())
	require.Equal(t, []string{first.Key}, in.left(t))
}

func TestVerdictsCostCallsOnlyWhereThereAreInspectors(t *testing.T) {
	srv := foreign.Embedded(t)
	without := newSite(t, srv, true)
	g := ask(t, without, fileOf(content))
	require.Less(t, upload(t, without, g, content).Status, 300)
	complete(t, without, g.Ticket)

	with := newInspected(t, srv, postern.Accepted())
	complete(t, with, with.sent(t).Ticket)
	require.Equal(t, without.proxy.total()+2, with.proxy.total())
	require.Equal(t, 1, with.proxy.count("GetObject staging"))
	require.Equal(t, 1, with.proxy.count("PutObject staging"))
}

// Uppy keeps its request open, and gets the receipt when it was decided.
func TestClientThatDoesNotAskAgainWaitsForTheVerdict(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Undecided())
	g := s.sent(t)
	waiting, err := s.WithDialect(patient{postern.Native()})
	require.NoError(t, err)
	first := true
	s.judge.look = func(_ context.Context, o *postern.Object) {
		if first {
			first = false
			return
		}
		s.judge.says(postern.Accepted(), nil)
	}
	require.Equal(t, http.StatusOK, call(t, waiting, "complete", ticketOf(g)).Status)
}

// patient is a dialect whose client does not ask again.
type patient struct{ postern.TicketDialect }

func (patient) WritePending(http.ResponseWriter, *http.Request, time.Duration) postern.Pending {
	return postern.KeptOpen
}

// However many verdicts there are, each is looked at once by a process, when no freeze can
// be under way any more that it has overtaken.
func TestReconcilerLooksAtEachVerdictOnce(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newInspected(t, srv, postern.Rejected(nil))
	for range 3 {
		require.Equal(t, "content_rejected", call(t, s, "complete", ticketOf(s.sent(t))).code(t))
	}
	next := newReplica(t, s.bucket, s.options(postern.WithInspector(s.judge.inspect),
		postern.WithClock(func() time.Time { return time.Now().Add(26 * time.Hour) }))...)
	s.proxy.on("GetObject staging", func(x *exchange) { x.say(http.StatusServiceUnavailable, "SlowDown") })
	require.Equal(t, 3, reconcile(t, next).Left)
	s.proxy.with(nil)
	looked := func() int {
		before := s.proxy.count("GetObject staging")
		reconcile(t, next)
		return s.proxy.count("GetObject staging") - before
	}
	require.Equal(t, 3, looked())
	require.Zero(t, looked())
}

package s3_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// uploaded is a site with an upload that waits for completion.
func uploaded(t testing.TB, srv *foreign.Server, opts ...postern.HandlerOption) (*site, grant) {
	s := newSite(t, srv, true, opts...)
	g := ask(t, s, fileOf(content))
	require.Equal(t, http.StatusCreated, upload(t, s, g, content).Status)
	return s, g
}

func ticketOf(g grant) map[string]any { return map[string]any{"ticket": g.Ticket} }

func comesBack(t testing.TB, a answer, status int, code string) {
	require.Equal(t, status, a.Status, "%s", a.Body)
	require.Equal(t, code, a.code(t))
	require.Equal(t, status == http.StatusServiceUnavailable, a.Header.Get("Retry-After") != "", "Retry-After")
}

func TestWhatS3SaysDecidesAboutTryingAgain(t *testing.T) {
	srv := foreign.Embedded(t)
	all := newTogether(16)
	for _, tc := range []struct {
		status int
		code   string
		want   int
		says   string
	}{
		{503, "SlowDown", 503, "storage_unavailable"},
		{503, "ServiceUnavailable", 503, "storage_unavailable"},
		{503, "Busy", 503, "storage_unavailable"},
		{429, "TooManyRequests", 503, "storage_unavailable"},
		{400, "RequestTimeout", 503, "storage_unavailable"},
		{400, "Throttling", 503, "storage_unavailable"},
		{400, "ThrottlingException", 503, "storage_unavailable"},
		{400, "ThrottledException", 503, "storage_unavailable"},
		{400, "RequestThrottled", 503, "storage_unavailable"},
		{400, "RequestThrottledException", 503, "storage_unavailable"},
		{400, "TooManyRequestsException", 503, "storage_unavailable"},
		{400, "BandwidthLimitExceeded", 503, "storage_unavailable"},
		{400, "LimitExceededException", 503, "storage_unavailable"},
		{400, "ExpiredToken", 503, "storage_unavailable"},
		{502, "", 503, "storage_unavailable"},
		{504, "", 503, "storage_unavailable"},
		{403, "AccessDenied", 500, "storage_denied"},
		{403, "InvalidAccessKeyId", 500, "storage_denied"},
		{403, "SignatureDoesNotMatch", 500, "storage_denied"},
		{409, "OperationAborted", 409, "object_changed"},
		{409, "ConditionalRequestConflict", 409, "object_changed"},
		{400, "InvalidRequest", 500, "internal"},
		{501, "NotImplemented", 500, "internal"},
	} {
		all.run(t, tc.code+" "+http.StatusText(tc.status), false, func(t *testing.T) {
			s, g := uploaded(t, srv)
			s.proxy.on("UploadPartCopy final", func(x *exchange) { x.say(tc.status, tc.code) })
			comesBack(t, call(t, s, "complete", ticketOf(g)), tc.want, tc.says)
			require.Zero(t, s.got.count())
			s.proxy.with(nil)
			s.isRight(t, complete(t, s, g.Ticket), content)
			require.Zero(t, s.unfinished(t))
		})
	}
	all.wg.Wait()
}

// A quick answer to a call that was tried twice is that its work is done.
func TestLostAnswerOfACopyIsRecognizedHoweverS3PutsIt(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, tc := range []struct {
		status int
		code   string
	}{{404, "NoSuchUpload"}, {412, "PreconditionFailed"}, {409, "ConditionalRequestConflict"}} {
		t.Run(tc.code, func(t *testing.T) {
			s, g := uploaded(t, srv)
			var met atomic.Int32
			s.proxy.on("CompleteMultipartUpload final", func(x *exchange) {
				if met.Add(1) == 1 {
					x.lose()
				} else {
					x.say(tc.status, tc.code)
				}
			})
			s.isRight(t, complete(t, s, g.Ticket), content)
			require.EqualValues(t, 2, met.Load())
			require.Equal(t, 1, s.proxy.count("UploadPartCopy final"), "copied once")
			require.Zero(t, s.unfinished(t))
		})
	}
}

// That S3 fails when it is asked whether the object is there after all does not
// mean that the file has not arrived.
func TestFaultAfterAVanishedSourceIsAFault(t *testing.T) {
	srv := foreign.Embedded(t)
	s, g := uploaded(t, srv)
	var looked atomic.Int32
	s.proxy.with(func(x *exchange) {
		switch {
		case x.call == "HeadObject staging":
			x.say(http.StatusNotFound, "NoSuchKey")
		case x.call == "HeadObject final" && looked.Add(1) > 1:
			x.say(http.StatusInternalServerError, "InternalError")
		default:
			x.pass()
		}
	})
	comesBack(t, call(t, s, "complete", ticketOf(g)), 503, "storage_unavailable")
}

// A provider of credentials that stops giving any.
type fading struct {
	creds aws.CredentialsProvider
	clock *movedClock
	gone  atomic.Bool
}

// movedClock is a clock that a test puts forward.
type movedClock struct{ moved atomic.Int64 }

func (c *movedClock) now() time.Time { return time.Now().Add(time.Duration(c.moved.Load())) }

func (f *fading) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if f.gone.Load() {
		return aws.Credentials{}, errors.New("the metadata service says: secret-role-name not found")
	}
	c, err := f.creds.Retrieve(ctx)
	c.CanExpire, c.Expires = true, f.clock.now().Add(30*time.Second)
	return c, err
}

func TestCredentialsThatEndInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	clock := &movedClock{}
	signing, service := &fading{creds: bucket.Credentials, clock: clock}, &fading{creds: bucket.ServiceCredentials, clock: clock}
	bucket.Credentials, bucket.ServiceCredentials = signing, service
	got := &receipts{}
	h := newReplica(t, bucket, append(inParts, postern.WithPromotion("staging/"), postern.WithOnComplete(got.hook), postern.WithClock(clock.now))...)
	large := big(5<<20 + 1)
	small, parts := ask(t, h, fileOf(content)), ask(t, h, fileOf(large))
	upload(t, h, small, content)
	require.Equal(t, http.StatusOK, putPart(t, h, parts, 1, large).Status)

	signing.gone.Store(true)
	clock.moved.Add(int64(time.Minute)) // what is held has ended
	for action, request := range map[string]any{
		"sign": fileOf(content), "parts": map[string]any{"ticket": parts.Ticket, "numbers": []int{2}},
	} {
		a := call(t, h, action, request)
		comesBack(t, a, 503, "credentials_unavailable")
		require.NotContains(t, string(a.Body), "secret-role-name")
	}
	require.Equal(t, http.StatusOK, call(t, h, "list", ticketOf(parts)).Status, "the other identity goes on")
	signing.gone.Store(false)

	service.gone.Store(true)
	clock.moved.Add(int64(time.Minute))
	for action, request := range map[string]any{
		"sign": fileOf(large), "list": ticketOf(parts), "abort": ticketOf(parts), "complete": ticketOf(small),
	} {
		a := call(t, h, action, request)
		require.Equal(t, http.StatusServiceUnavailable, a.Status, "%s: %s", action, a.Body)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		require.NotContains(t, string(a.Body), "secret-role-name")
	}
	require.Zero(t, got.count())
	service.gone.Store(false)
	require.Equal(t, http.StatusOK, putPart(t, h, parts, 2, large).Status)
	// A provider that has failed is asked again after a pause.
	for _, g := range []grant{parts, small} {
		for call(t, h, "complete", ticketOf(g)).Status == http.StatusServiceUnavailable {
			time.Sleep(100 * time.Millisecond)
		}
		complete(t, h, g.Ticket)
	}
}

// A grant of credentials that live for a short time is no longer valid than they.
func TestGrantEndsWithItsCredentials(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	bucket.Credentials = &fading{creds: bucket.Credentials, clock: &movedClock{}}
	h := newReplica(t, bucket, append(inParts, postern.WithMode(postern.ModePut))...)
	for _, a := range []answer{
		call(t, h, "sign", fileOf(content)),
		call(t, h, "parts", map[string]any{"ticket": ask(t, h, fileOf(big(6<<20))).Ticket, "numbers": []int{1}}),
	} {
		var grant struct {
			Expires   time.Time
			ExpiresIn int `json:"expires_in"`
		}
		a.into(t, &grant)
		require.LessOrEqual(t, grant.ExpiresIn, 30)
		require.WithinRange(t, grant.Expires, time.Now().Add(-time.Second), time.Now().Add(31*time.Second))
	}
}

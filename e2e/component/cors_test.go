package component_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

// TestABucketThatHasNeverAnsweredIsNotTriedForLong has two buckets, of which one's CORS
// rules lack the page: that the other one has answered says nothing about it.
func TestABucketThatHasNeverAnsweredIsNotTriedForLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size int
	}{
		{"by a form, which nobody is asked about before", 1000},
		{"in parts", 6 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			other := s3test.Start(t, s3test.WithCORSOrigins("https://app.example"))
			otherTap := tap.Start(t, other.Endpoint)
			bucket := postern.Bucket{
				Name: other.Bucket, Region: other.Region, Endpoint: other.Endpoint, PublicEndpoint: otherTap.URL, PathStyle: true,
				Credentials: other.Credentials(), Provider: postern.VersityGW,
			}
			s := serveWith(t, `<postern-upload multiple></postern-upload>`, setup{
				other: otherTap.URL,
				more: []postern.HandlerOption{postern.WithBuckets(postern.BucketsFunc(func(_ context.Context, u *postern.Upload) (postern.Bucket, error) {
					if u.Subject == "bob" {
						return bucket, nil
					}
					return postern.Bucket{}, nil
				}))},
			})
			e := s.open()
			e.AllowErrors()
			e.Pick(fixture.Text(t, "mine.txt", c.size))
			e.WaitFor("mine.txt", "done")

			browser.Eval[bool](e.Page, `(`+e.JS()+`.headers = { "X-User": "bob" }, true)`)
			e.noteMessages("other.txt")
			e.Pick(fixture.Text(t, "other.txt", c.size))
			require.Equal(t, "The storage can’t be reached, or doesn’t accept uploads from this page.", e.Failure("other.txt"))
			tries := map[int]int{} // of each part
			for _, r := range otherTap.Passed() {
				tries[r.Part]++
			}
			require.Equal(t, 2, slices.Max(slices.Collect(maps.Values(tries))), "tried once more, and then given up: %v", tries)
			said := browser.Eval[[]string](e.Page, `said`)
			require.Equal(t, "Trying again: the storage doesn’t answer", said[len(said)-2], "%q", said)

			got := browser.Eval[map[string]string](e.Page, `(({ code, mend, from, detail }) => ({ code, mend, from, detail }))(
				events.find(({ type }) => type === "postern-error").detail.error)`)
			require.Equal(t, map[string]string{
				"code": "bucket_unreachable", "mend": "operator", "from": "bucket",
				"detail": "The CORS rules of " + otherTap.URL + " lack this page, or the connect-src of its Content-Security-Policy lacks " + otherTap.URL + ".",
			}, got)
			require.Len(t, e.value(), 1)
		})
	}
}

// TestABucketThatHasAnsweredIsTriedAgain has its CORS rules taken away for a while.
func TestABucketThatHasAnsweredIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := serveWith(t, `<postern-upload multiple></postern-upload>`, setup{tapped: true})
	e := s.open()
	e.AllowErrors()
	e.Pick(fixture.Text(t, "before.txt", 1000))
	e.WaitFor("before.txt", "done")

	s.allow("https://app.example")
	var tries atomic.Int32
	s.tap.Hold(func(*http.Request) bool { return tries.Add(1) > 3 })
	browser.Eval[bool](e.Page, `(Math.random = () => 0.01, true)`)
	e.Pick(fixture.Text(t, "after.txt", 1000))
	require.Eventually(t, func() bool { return tries.Load() == 4 }, browser.Patience, 20*time.Millisecond)
	require.Equal(t, "Trying again: the storage doesn’t answer", e.Says("after.txt"), "which has answered before")
	require.Zero(t, browser.Eval[int](e.Page, e.Percent("after.txt")), "it looks like no progress")

	s.allow("*")
	s.tap.Release()
	e.WaitFor("after.txt", "done")
	require.Len(t, e.value(), 2)
}

// allow has the bucket's CORS rules name the pages of one origin.
func (s *site) allow(origin string) {
	s.t.Helper()
	_, err := s.s3.Client().PutBucketCors(s.t.Context(), &s3.PutBucketCorsInput{
		Bucket: &s.s3.Bucket,
		CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
			AllowedOrigins: []string{origin}, AllowedMethods: []string{http.MethodPost, http.MethodPut}, AllowedHeaders: []string{"*"},
		}}},
	})
	require.NoError(s.t, err)
}

// noteMessages has the page note what a file's row says, from its beginning on.
func (e *upload) noteMessages(name string) {
	e.t.Helper()
	browser.Eval[bool](e.Page, `(() => {
		window.said = [];
		new MutationObserver(() => {
			const message = `+e.In(name, "message")+`?.innerText;
			if (message && message !== said.at(-1)) said.push(message);
		}).observe(`+e.Root()+`, { subtree: true, childList: true, characterData: true });
		return true;
	})()`)
}

package events_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/events"
)

// event is what Amazon's S3 says of a new object.
func event(bucket, key string) string {
	return fmt.Sprintf(`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":%q},"object":{"key":%q}}}]}`, bucket, url.QueryEscape(key))
}

func TestUploadOfAClosedPageIsCompletedByTheServersWebhook(t *testing.T) {
	for _, mode := range []postern.Mode{postern.ModePost, postern.ModePut} {
		t.Run(string(mode), func(t *testing.T) {
			s := newSiteWithWebhook(t, mode)
			for i := range 3 {
				content := strings.Repeat("x", i+1)
				s.upload(t, content)
				s.requireComplete(t, <-s.receipts, content)
				s.await(events.Completed)
			}
			require.Empty(t, s.keys(t, "staging/"))
			require.Empty(t, s.receipts)
		})
	}
}

func TestForgedEventCompletesNothingThatIsNotAnUpload(t *testing.T) {
	s := newSite(t, postern.ModePost)
	put := func(key string) {
		_, err := s.s3.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.s3.Bucket, Key: &key, Body: strings.NewReader("forged")})
		require.NoError(t, err)
	}
	const id = "0123456789abcdef0123456789abcdef"
	for _, key := range []string{"final/report.txt", "staging/" + id, "staging/elections/" + id, "staging/x"} {
		put(key)
	}
	before := s.keys(t, "")
	for _, key := range []string{
		"final/report.txt", "staging/" + id, "staging/elections/" + id, "staging/x", "staging/", "staging/missing", "../" + id, "", "staging/../x",
		strings.Repeat("k", 2000), "staging/\u0000",
	} {
		require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, key)), key)
		require.Equal(t, http.StatusNoContent, s.deliver(event("elsewhere", key)), key)
	}
	require.Equal(t, before, s.keys(t, ""))
	require.Empty(t, s.receipts)
}

// An event may tell of another upload's key: that one is completed, as it would be
// anyway, for whom its ticket says.
func TestForgedEventOfAnUploadDoesWhatATrueOneDoes(t *testing.T) {
	s := newSite(t, postern.ModePost)
	key := s.upload(t, "content")
	require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, key)))
	s.requireComplete(t, <-s.receipts, "content")
}

func TestDuplicateEventsCompleteOnce(t *testing.T) {
	s := newSite(t, postern.ModePut)
	first, second := s.upload(t, "first"), s.upload(t, "second")
	var all sync.WaitGroup
	for range 5 {
		for _, key := range []string{second, first} {
			all.Go(func() {
				if status := s.deliver(event(s.s3.Bucket, key)); status != http.StatusNoContent {
					t.Error(status)
				}
			})
		}
	}
	all.Wait()
	require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, first)))
	require.Len(t, s.receipts, 2)
	require.NotEqual(t, (<-s.receipts).Key, (<-s.receipts).Key)
	require.Empty(t, s.keys(t, "staging/"))
}

func TestEventBeforeItsObjectDoesNoHarm(t *testing.T) {
	s := newSite(t, postern.ModePut)
	key := s.upload(t, "content")
	_, err := s.s3.Client().CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: &s.s3.Bucket, Key: aws.String("kept"), CopySource: aws.String(s.s3.Bucket + "/" + key),
	})
	require.NoError(t, err)
	_, err = s.s3.Client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.s3.Bucket, Key: &key})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, key)))
	require.Empty(t, s.receipts)

	_, err = s.s3.Client().CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: &s.s3.Bucket, Key: &key, CopySource: aws.String(s.s3.Bucket + "/kept"),
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, key)))
	s.requireComplete(t, <-s.receipts, "content")
}

func TestHookThatFailsHasTheEventSentAgain(t *testing.T) {
	s := newSite(t, postern.ModePost)
	key := s.upload(t, "content")
	s.broken.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, s.deliver(event(s.s3.Bucket, key)))
	require.Empty(t, s.receipts)
	require.Equal(t, []string{key}, s.keys(t, "staging/"))
	s.broken.Store(false)
	require.Equal(t, http.StatusNoContent, s.deliver(event(s.s3.Bucket, key)))
	s.requireComplete(t, <-s.receipts, "content")
	require.Empty(t, s.keys(t, "staging/"))
}

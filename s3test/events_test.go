package s3test_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

// event is what a test looks at in a webhook's message.
type event struct {
	Event   string
	Records []struct {
		EventName string
		S3        struct {
			Bucket struct{ Name string }
			Object struct {
				Key  string
				Size int64
			}
		}
	}
}

// webhook returns an address, and what is sent to it.
func webhook(t *testing.T) (string, <-chan event) {
	t.Helper()
	sent := make(chan event, 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e event
		body, err := io.ReadAll(r.Body)
		if err == nil && json.Unmarshal(body, &e) == nil {
			sent <- e
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, sent
}

func TestWebhookGetsAnEventOfEachChange(t *testing.T) {
	address, sent := webhook(t)
	srv := s3test.Start(t, s3test.WithWebhook(address))
	require.Equal(t, "s3:TestEvent", (<-sent).Event)
	client := srv.Client()
	next := func(name, key string, size int64) {
		t.Helper()
		e := <-sent
		require.Len(t, e.Records, 1)
		require.Equal(t, name, e.Records[0].EventName)
		require.Equal(t, srv.Bucket, e.Records[0].S3.Bucket.Name)
		require.Equal(t, key, e.Records[0].S3.Object.Key)
		require.Equal(t, size, e.Records[0].S3.Object.Size)
	}

	const key = "staging/a b+ü%.png"
	put(t, srv, key, "hello")
	next("s3:ObjectCreated:Put", key, 5)

	_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &srv.Bucket, Key: aws.String("copy"), CopySource: aws.String(srv.Bucket + "/" + escape(key))})
	require.NoError(t, err)
	next("s3:ObjectCreated:Copy", "copy", 0)

	begun, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &srv.Bucket, Key: aws.String("parts")})
	require.NoError(t, err)
	part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: &srv.Bucket, Key: begun.Key, UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte("hello")),
	})
	require.NoError(t, err)
	_, err = client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &srv.Bucket, Key: begun.Key, UploadId: begun.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}},
	})
	require.NoError(t, err)
	next("s3:ObjectCreated:CompleteMultipartUpload", "parts", 0)

	_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: aws.String(key)})
	require.NoError(t, err)
	next("s3:ObjectRemoved:Delete", key, 0)
}

// The server makes events of requests whose memory others use by then.
func TestEventsOfParallelWritesAreTheirOwn(t *testing.T) {
	address, sent := webhook(t)
	srv := s3test.Start(t, s3test.WithWebhook(address))
	<-sent
	want := map[string]bool{}
	var all sync.WaitGroup
	for i := range 50 {
		key := string(rune('a'+i%26)) + string(bytes.Repeat([]byte{'x'}, i+1))
		want[key] = true
		all.Go(func() {
			_, err := srv.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &srv.Bucket, Key: &key, Body: bytes.NewReader(nil)})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range 50 {
		record := (<-sent).Records[0].S3
		require.Equal(t, srv.Bucket, record.Bucket.Name)
		require.True(t, want[record.Object.Key], record.Object.Key)
		delete(want, record.Object.Key)
	}
}

func TestServerWhoseEventsNobodyTakesDoesNotStart(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, option := range []s3test.Option{s3test.WithWebhook(gone.URL), s3test.WithNATS("nats://"+gone.Listener.Addr().String(), "uploads")} {
		_, err := s3test.New("", "", option)
		require.ErrorContains(t, err, "events")
	}
}

package foreign

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

// WebhookSecret is what servers send with events.
const WebhookSecret = "a-secret-of-the-webhook"

// StartWithEvents is [Start] for a server that sends events of its bucket to a handler:
// the embedded one, or MinIO. It ends the test if another one is asked for.
func StartWithEvents(t testing.TB, h http.Handler) *Server {
	t.Helper()
	if _, ok := Asked(); !ok {
		web := httptest.NewServer(h)
		t.Cleanup(web.Close)
		return Embedded(t, s3test.WithWebhook(web.URL+"/events?token="+WebhookSecret))
	}
	s := Start(t)
	require.Equal(t, MinIO, s.Name, "it sends no events")
	ln, err := net.Listen("tcp", s.webhook)
	require.NoError(t, err)
	web := &httptest.Server{Listener: ln, Config: &http.Server{Handler: h}}
	web.Start()
	t.Cleanup(web.Close)
	_, err = s.Client().PutBucketNotificationConfiguration(context.Background(), &s3.PutBucketNotificationConfigurationInput{
		Bucket: &s.Bucket,
		NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{
			QueueArn: aws.String("arn:minio:sqs::POSTERN:webhook"),
			Events:   []types.Event{"s3:ObjectCreated:*"},
		}}},
	})
	require.NoError(t, err)
	return s
}

// minioWebhook has MinIO know of a webhook, to which it sends events of the buckets that
// are set up so, and keeps them until it listens.
func minioWebhook(address, queue string) []string {
	return []string{
		"MINIO_NOTIFY_WEBHOOK_ENABLE_POSTERN=on",
		"MINIO_NOTIFY_WEBHOOK_ENDPOINT_POSTERN=http://" + address + "/events",
		"MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_POSTERN=" + WebhookSecret,
		"MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_POSTERN=" + queue,
	}
}

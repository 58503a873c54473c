package events_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/events"
)

// What servers send of an object "staging/a b+ü.png" in the bucket "uploads".
const (
	key = "staging/a b+ü.png"

	amazon = `{"Records":[{"eventVersion":"2.6","eventSource":"aws:s3","awsRegion":"eu-central-1",` +
		`"eventTime":"2026-11-12T00:00:00.000Z","eventName":"ObjectCreated:Post","userIdentity":{"principalId":"A1"},` +
		`"requestParameters":{"sourceIPAddress":"192.0.2.7"},"responseElements":{"x-amz-request-id":"R","x-amz-id-2":"H"},` +
		`"s3":{"s3SchemaVersion":"1.0","configurationId":"postern","bucket":{"name":"uploads","ownerIdentity":{"principalId":"A1"},` +
		`"arn":"arn:aws:s3:::uploads"},"object":{"key":"staging/a+b%2B%C3%BC.png","size":5,"eTag":"5d41","sequencer":"0055AED6DCD90281E5"}}}]}`
	minio = `{"EventName":"s3:ObjectCreated:CompleteMultipartUpload","Key":"uploads/staging/a b+ü.png","Records":[` +
		`{"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"","eventTime":"2026-11-12T00:00:00.000Z",` +
		`"eventName":"s3:ObjectCreated:CompleteMultipartUpload","userIdentity":{"principalId":"minio"},` +
		`"requestParameters":{"principalId":"minio","region":"","sourceIPAddress":"192.0.2.7"},` +
		`"responseElements":{"x-amz-request-id":"R","x-minio-deployment-id":"D"},"s3":{"s3SchemaVersion":"1.0",` +
		`"configurationId":"Config","bucket":{"name":"uploads","ownerIdentity":{"principalId":"minio"},"arn":"arn:aws:s3:::uploads"},` +
		`"object":{"key":"staging%2Fa+b%2B%C3%BC.png","size":5,"eTag":"5d41-1","contentType":"image/png",` +
		`"userMetadata":{"content-type":"image/png","X-Amz-Meta-Postern-Id":"x"},"sequencer":"18A0"}},` +
		`"source":{"host":"192.0.2.7","port":"","userAgent":"Mozilla"}}]}`
	versitygw = `{"Records":[{"eventVersion":"2.2","eventSource":"aws:s3","awsRegion":"us-east-1","eventTime":"2026-11-12T00:00:00Z",` +
		`"eventName":"s3:ObjectCreated:Put","userIdentity":{"PrincipalId":"user"},"requestParameters":{"sourceIPAddress":"192.0.2.7"},` +
		`"responseElements":{"x-amz-request-id":"","x-amz-id-2":""},"s3":{"s3SchemaVersion":"1.0","configurationId":"webhook-global",` +
		`"bucket":{"name":"uploads","ownerIdentity":{"PrincipalId":"root"},"arn":"arn:aws:s3:::/uploads/staging/a b+ü.png"},` +
		`"object":{"key":"staging/a b+ü.png","size":5,"eTag":"5d41","versionId":null,"sequencer":"01K"}},` +
		`"glacierEventData":{"restoreEventData":{"lifecycleRestorationExpiryTime":"","lifecycleRestoreStorageClass":""}}}]}`
	eventBridge = `{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"Object Created","source":"aws.s3",` +
		`"account":"111122223333","time":"2026-11-12T00:00:00Z","region":"eu-central-1","resources":["arn:aws:s3:::uploads"],` +
		`"detail":{"version":"0","bucket":{"name":"uploads"},"object":{"key":"staging/a b+ü.png","size":5,"etag":"5d41",` +
		`"sequencer":"617f08299329d189"},"request-id":"R","requester":"111122223333","source-ip-address":"192.0.2.7","reason":"PostObject"}}`
	removed = `{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"uploads"},"object":{"key":"staging/x"}}}]}`
	test    = `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-12T00:00:00.000Z","Bucket":"uploads","RequestId":"R","HostId":"H"}`
)

// sns is a message in the envelope of SNS.
func sns(message string) string {
	return fmt.Sprintf(`{"Type":"Notification","MessageId":"M","TopicArn":"arn:aws:sns:eu-central-1:111122223333:uploads",`+
		`"Subject":"Amazon S3 Notification","Message":%q,"Timestamp":"2026-11-12T00:00:00.000Z","SignatureVersion":"1",`+
		`"Signature":"S","SigningCertURL":"https://sns.eu-central-1.amazonaws.com/c.pem","UnsubscribeURL":"https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe"}`, message)
}

func TestEveryShapeOfACreationTellsBucketAndDecodedKey(t *testing.T) {
	for name, body := range map[string]string{
		"Amazon S3": amazon, "MinIO": minio, "versitygw": versitygw, "EventBridge": eventBridge, "SNS": sns(amazon),
	} {
		m, err := events.Parse([]byte(body))
		require.NoError(t, err, name)
		require.Equal(t, events.Message{Created: []events.Object{{Bucket: "uploads", Key: key}}}, m, name)
	}
}

func TestWhatCreatesNothingTellsNothing(t *testing.T) {
	for name, body := range map[string]string{
		"removal":              removed,
		"no records":           `{"Records":[]}`,
		"test event":           test,
		"test event by SNS":    sns(test),
		"removal, EventBridge": strings.ReplaceAll(eventBridge, "Object Created", "Object Deleted"),
		"end of subscription":  `{"Type":"UnsubscribeConfirmation","SubscribeURL":"https://sns.eu-central-1.amazonaws.com/"}`,
		"tags":                 strings.ReplaceAll(amazon, "ObjectCreated:Post", "ObjectTagging:Put"),
	} {
		m, err := events.Parse([]byte(body))
		require.NoError(t, err, name)
		require.Equal(t, events.Message{}, m, name)
	}
}

func TestRecordsKeepTheirOrder(t *testing.T) {
	m, err := events.Parse([]byte(`{"Records":[` + record("b", "1") + `,` + record("a", "2") + `,` + record("b", "1") + `]}`))
	require.NoError(t, err)
	require.Equal(t, []events.Object{{Bucket: "b", Key: "1"}, {Bucket: "a", Key: "2"}, {Bucket: "b", Key: "1"}}, m.Created)
}

// record is one of a creation.
func record(bucket, key string) string {
	return fmt.Sprintf(`{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":%q},"object":{"key":%q}}}`, bucket, key)
}

func TestWhatIsNoNotificationIsMalformed(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":             ``,
		"no JSON":             `Records`,
		"another object":      `{"hello":"world"}`,
		"a list":              `[` + amazon + `]`,
		"trailing data":       amazon + amazon,
		"records of no list":  `{"Records":{"0":1}}`,
		"a record of no kind": `{"Records":["x"]}`,
		"an undecodable key":  `{"Records":[` + record("uploads", "staging/%zz") + `]}`,
		"SNS in SNS":          sns(sns(amazon)),
		"SNS with a text":     sns("hello"),
		"too many records":    `{"Records":[` + strings.Repeat("{},", 1000) + `{}]}`,
		"too long":            amazon + strings.Repeat(" ", events.MaxBody),
	} {
		_, err := events.Parse([]byte(body))
		require.ErrorIs(t, err, events.ErrMalformed, name)
		require.NotContains(t, err.Error(), "hello", name)
	}
	_, err := events.Parse([]byte(`{"Records":[` + strings.Repeat("{},", 999) + `{}]}`))
	require.NoError(t, err)
}

func TestConfirmationTellsItsAddress(t *testing.T) {
	m, err := events.Parse([]byte(confirmation("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription")))
	require.NoError(t, err)
	require.Equal(t, events.Message{SubscribeURL: "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"}, m)
}

func confirmation(address string) string {
	return fmt.Sprintf(`{"Type":"SubscriptionConfirmation","MessageId":"M","Token":"T","TopicArn":"arn:aws:sns:eu-central-1:111122223333:uploads",`+
		`"Message":"You have chosen to subscribe","SubscribeURL":%q,"Timestamp":"2026-11-12T00:00:00.000Z","SignatureVersion":"1","Signature":"S"}`, address)
}

func FuzzParse(f *testing.F) {
	for _, body := range []string{amazon, minio, versitygw, eventBridge, removed, test, sns(amazon), confirmation("https://x/")} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := events.Parse(body)
		if err != nil {
			require.ErrorIs(t, err, events.ErrMalformed)
			require.Empty(t, m.Created)
		}
		require.LessOrEqual(t, len(m.Created), 1000)
	})
}

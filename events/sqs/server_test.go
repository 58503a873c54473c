package sqsevents_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/servertest"
)

// shared is the server of all tests that do it no harm.
var shared *server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if shared, err = newServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer shared.kill()
		return m.Run()
	}())
}

// server speaks SQS and keeps its queues in memory.
type server struct {
	addr    *net.TCPAddr
	process *servertest.Process
}

func newServer() (*server, error) {
	if _, err := os.Stat(filepath.Join("testdata", "server", "node_modules")); err != nil {
		return nil, fmt.Errorf("these tests need a server of npm: run scripts/npm events/sqs/testdata/server: %w", err)
	}
	s := &server{}
	return s, servertest.StartOnFreePort(func(addr *net.TCPAddr) error {
		s.addr = addr
		return s.start()
	})
}

// start starts the server, or starts it again, empty.
func (s *server) start() (err error) {
	s.process, err = servertest.Start(exec.Command("node", filepath.Join("testdata", "server", "server.js"), strconv.Itoa(s.addr.Port)), "ready")
	return err
}

func (s *server) kill() { s.process.Stop(syscall.SIGKILL) }

func (s *server) client() *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint:     aws.String("http://" + s.addr.String()),
		Region:           "eu-central-1",
		Credentials:      credentials.NewStaticCredentialsProvider("test", "test", ""),
		RetryMaxAttempts: 1,
	})
}

// queue is a queue of one test.
type queue struct {
	*sqs.Client
	name, url string
}

func newQueue(t *testing.T, s *server, attributes map[string]string) queue {
	t.Helper()
	q := queue{Client: s.client(), name: rand.Text()}
	require.NoError(t, q.create(t.Context(), attributes))
	return q
}

func (q *queue) create(ctx context.Context, attributes map[string]string) error {
	made, err := q.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &q.name, Attributes: attributes})
	if err == nil {
		q.url = aws.ToString(made.QueueUrl)
	}
	return err
}

func (q queue) send(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		_, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &q.url, MessageBody: &body})
		require.NoError(t, err)
	}
}

// count returns how many messages wait, and how many are worked on.
func (q queue) count(t *testing.T) (waiting, working string) {
	t.Helper()
	out, err := q.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl:       &q.url,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	require.NoError(t, err)
	return out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesNotVisible"]
}

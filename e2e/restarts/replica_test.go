package restarts_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// reconciling has replicas complete by themselves what no browser has asked for. By
// their clock the minute has passed for which an upload is left to its browser.
var reconciling = []postern.HandlerOption{
	postern.WithReconciler(2 * time.Second),
	postern.WithClock(func() time.Time { return time.Now().Add(2 * time.Minute) }),
}

// variable holds the config of a process that is a replica.
const variable = "POSTERN_TEST_REPLICA"

// config is what the replicas share.
type config struct {
	Bucket           postern.Bucket // without credentials
	Signing, Service aws.Credentials
	Tickets          []byte
	Journal          string // the file in which the application notes receipts
}

const (
	staging = "staging/"
	// patience is how long the end of a replica may take.
	patience = 25 * time.Second
	// slow is the name of a file of which the application takes long to take note, so
	// that no request is there any more when it has.
	slow     = "slow.bin"
	hookTime = 500 * time.Millisecond
)

// serve is a replica. It ends with SIGTERM, in order, or with its standard input, at
// once.
func serve() (err error) {
	var c config
	if err := json.Unmarshal([]byte(os.Getenv(variable)), &c); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	journal, err := os.OpenFile(c.Journal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer journal.Close()
	c.Bucket.Credentials = credentials.StaticCredentialsProvider{Value: c.Signing}
	c.Bucket.ServiceCredentials = credentials.StaticCredentialsProvider{Value: c.Service}
	h, err := postern.New(c.Bucket, append([]postern.HandlerOption{
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "acme"
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("files/{uuid}")),
		postern.WithTicketKeys(c.Tickets),
		postern.WithPromotion(staging),
		postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
			if r.Filename == slow {
				time.Sleep(hookTime)
			}
			_, err := fmt.Fprintln(journal, r.Key)
			return err
		}),
	}, reconciling...)...)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	fmt.Println(ln.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), h.Shutdown(ctx))
}

// replica is a process that serves.
type replica struct {
	addr string
	cmd  *exec.Cmd
}

func start(t *testing.T, c *config) *replica {
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	r := &replica{cmd: exec.Command(os.Args[0])}
	r.cmd.Env = append(os.Environ(), variable+"="+string(encoded))
	r.cmd.Stderr = os.Stderr
	stdin, err := r.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := r.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	r.addr = strings.TrimSpace(line)
	return r
}

// stop ends a replica as a platform does, and waits until it has ended in order.
func (r *replica) stop(t *testing.T) {
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, r.cmd.Wait())
}

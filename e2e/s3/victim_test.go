package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// victimEnv holds the victimConfig of a process that is there to be killed.
const victimEnv = "POSTERN_TEST_VICTIM"

// victimConfig is what the server in another process needs to know.
type victimConfig struct {
	Bucket  postern.Bucket // without credentials
	Signing [2]string
	Service [2]string
	Staging string // "" without promotion
	Hook    string // a URL to which the receipts are posted
}

// runVictim is a server with one handler. It ends with its standard input.
func runVictim() int {
	err := func() error {
		var c victimConfig
		if err := json.Unmarshal([]byte(os.Getenv(victimEnv)), &c); err != nil {
			return err
		}
		c.Bucket.Credentials = credentials.NewStaticCredentialsProvider(c.Signing[0], c.Signing[1], "")
		c.Bucket.ServiceCredentials = credentials.NewStaticCredentialsProvider(c.Service[0], c.Service[1], "")
		opts := append([]postern.HandlerOption{
			postern.WithAuthorizer(principal),
			postern.WithTicketKeys(ticketKey),
			postern.WithSniffing(),
			postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
				body, err := json.Marshal(r)
				if err != nil {
					return err
				}
				res, err := http.Post(c.Hook, "application/json", bytes.NewReader(body))
				if err != nil {
					return err
				}
				return res.Body.Close()
			}),
		}, inParts...)
		if c.Staging != "" {
			opts = append(opts, postern.WithPromotion(c.Staging))
		}
		h, err := postern.New(c.Bucket, opts...)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println("http://" + listener.Addr().String())
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		return http.Serve(listener, h)
	}()
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// victim is a running server in another process.
type victim struct {
	url string
	cmd *exec.Cmd
	end func()
}

// startVictim starts a process, with more in its environment.
func startVictim(t testing.TB, c victimConfig, environment ...string) *victim {
	config, err := json.Marshal(c)
	require.NoError(t, err)
	v := &victim{cmd: exec.Command(os.Args[0])}
	v.cmd.Env = append(append(os.Environ(), environment...), victimEnv+"="+string(config))
	v.cmd.Stderr = os.Stderr
	stdin, err := v.cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := v.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, v.cmd.Start())
	v.end = sync.OnceFunc(func() {
		_ = v.cmd.Process.Kill()
		_ = stdin.Close()
		_ = v.cmd.Wait()
	})
	t.Cleanup(v.end)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	v.url = strings.TrimSpace(line)
	return v
}

// kill ends the process by SIGKILL, and waits until it is gone.
func (v *victim) kill() { v.end() }

// complete asks the process to complete an upload; ok is false if it died.
func (v *victim) complete(t testing.TB, ticket string) (r receipt, ok bool) {
	body, err := json.Marshal(map[string]any{"ticket": ticket})
	require.NoError(t, err)
	request, err := http.NewRequest("POST", v.url+"/complete", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return r, false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return r, false
	}
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", text)
	require.NoError(t, json.Unmarshal(text, &r))
	return r, true
}

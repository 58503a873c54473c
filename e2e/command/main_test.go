// Package command_test runs the command postern, and holds docs/troubleshooting.md to
// what happens: what a person sees, what the log says, and what the doctor says.
package command_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

const origin = "https://app.example.com"

// binary is the command, built in its own module.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postern-")
	if err == nil {
		binary = filepath.Join(dir, "postern")
		var out []byte
		if out, err = exec.Command("go", "-C", "../../cmd/postern", "build", "-o", binary, ".").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(status)
}

// site is a server, and the identities that a handler has there.
type site struct {
	*foreign.Server
	signer aws.Credentials // may put under "staging/", and nothing else
	bucket postern.Bucket
}

func newSite(t testing.TB, srv *foreign.Server) *site {
	provider, err := srv.PutOnlyUser(context.Background(), "staging/")
	require.NoError(t, err)
	signer, err := provider.Retrieve(context.Background())
	require.NoError(t, err)
	s := &site{Server: srv, signer: signer}
	s.bucket = postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, Provider: postern.Provider(srv.Name),
		Credentials: provider, ServiceCredentials: srv.Credentials(),
	}
	return s
}

// env is what the command is told of the site.
func (s *site) env() map[string]string {
	return map[string]string{
		"POSTERN_BUCKET": s.Endpoint + "/" + s.Bucket, "POSTERN_PROVIDER": s.Name, "POSTERN_ORIGIN": origin,
		"AWS_REGION": s.Region, "AWS_ACCESS_KEY_ID": s.AccessKeyID, "AWS_SECRET_ACCESS_KEY": s.SecretAccessKey,
		"POSTERN_SIGNING_ACCESS_KEY_ID": s.signer.AccessKeyID, "POSTERN_SIGNING_SECRET_ACCESS_KEY": s.signer.SecretAccessKey,
	}
}

// result is how the command ended.
type result struct {
	status      int
	out, errors string
}

// run runs the command. No secret of the environment may be in what it prints.
func run(t testing.TB, env map[string]string, in string, args ...string) result {
	c := exec.CommandContext(t.Context(), binary, args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "POSTERN_") {
			c.Env = append(c.Env, v)
		}
	}
	c.Env = append(c.Env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	var out, errors bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(in), &out, &errors
	_ = c.Run()
	r := result{c.ProcessState.ExitCode(), out.String(), errors.String()}
	for name, value := range env {
		if strings.Contains(name, "SECRET") || strings.Contains(name, "TICKET_KEYS") {
			require.NotContains(t, r.out+r.errors, value, name)
		}
	}
	return r
}

// keys are the objects of the bucket.
func (s *site) keys(t testing.TB) (all []string) {
	out, err := s.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	require.NoError(t, err)
	for _, o := range out.Contents {
		all = append(all, aws.ToString(o.Key))
	}
	return all
}

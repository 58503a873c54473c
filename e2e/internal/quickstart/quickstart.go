// Package quickstart runs the quickstart program of the examples.
package quickstart

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/program"
	"github.com/postern-go/postern/s3test"
)

// Program is the running program.
type Program = program.Program

// Build compiles the program, for TestMain, which calls remove at the end.
func Build() (remove func(), err error) { return program.Build("quickstart") }

// Start runs the program on a free port until the test ends or Stop: see
// [program.Start].
func Start(t testing.TB, args, env []string) *Program {
	t.Helper()
	return program.Start(t, "quickstart", append([]string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0"}, args...), env)
}

// StartWith runs the program on the bucket of an S3 server, with one account that
// may only write what has not been checked, and another for all else.
func StartWith(t testing.TB, s3 *s3test.Server, args ...string) *Program {
	t.Helper()
	ctx := context.Background()
	made, err := s3.PutOnlyUser(ctx, "staging/")
	require.NoError(t, err)
	signer, err := made.Retrieve(ctx)
	require.NoError(t, err)
	service := "SERVICE" + rand.Text()
	require.NoError(t, s3.AddUser(ctx, service, "service-secret",
		s3test.Permission{Action: "s3:ListBucket"},
		s3test.Permission{Action: "s3:ListBucketMultipartUploads"},
		s3test.Permission{Action: "s3:GetObject", Keys: "*"},
		s3test.Permission{Action: "s3:PutObject", Keys: "*"},
		s3test.Permission{Action: "s3:DeleteObject", Keys: "*"},
		s3test.Permission{Action: "s3:ListMultipartUploadParts", Keys: "*"},
		s3test.Permission{Action: "s3:AbortMultipartUpload", Keys: "*"}))
	return Start(t,
		append([]string{
			"-endpoint", s3.Endpoint, "-bucket", s3.Bucket, "-region", s3.Region, "-path-style", "-provider", string(postern.VersityGW),
		}, args...),
		[]string{
			"POSTERN_SIGNING_ACCESS_KEY_ID=" + signer.AccessKeyID, "POSTERN_SIGNING_SECRET_ACCESS_KEY=" + signer.SecretAccessKey,
			"AWS_ACCESS_KEY_ID=" + service, "AWS_SECRET_ACCESS_KEY=service-secret",
		})
}

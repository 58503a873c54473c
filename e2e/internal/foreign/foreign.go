// Package foreign gives tests an S3 server that others have written, as a process
// of its own, where one is asked for by the environment: see [Variable].
package foreign

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

// Variable is the environment variable that says at which server tests run. It
// holds the name of a Server, and VersityGW where it is not set.
const Variable = "POSTERN_TEST_S3"

// The names of servers.
const (
	VersityGW = "versitygw" // in the test process: s3test
	MinIO     = "minio"     // scripts/minio builds it
	Ceph      = "ceph-rgw"  // scripts/ceph installs it
	SeaweedFS = "seaweedfs" // scripts/seaweedfs builds it
)

// Server is a running S3 server, with a bucket for one test. It has what an
// [s3test.Server] has.
type Server struct {
	Name            string // one of the names above
	Version         string // of Ceph, whose packages are the system's: "16.2.15"; else empty
	Endpoint        string // base URL without a final slash
	Region          string // the region that signatures must be made for
	Bucket          string // a bucket of its own
	AccessKeyID     string // of the root account, which may do everything
	SecretAccessKey string

	users   users
	webhook string // the address to which it sends events, if it does
}

// users are the accounts of a server.
type users interface {
	// add adds an account that may do in a bucket what the permissions say, and
	// nothing else.
	add(ctx context.Context, s *Server, accessKeyID, secretAccessKey string, allowed []s3test.Permission) error
}

// process is a server that all tests of a test process share.
type process struct {
	version, endpoint, accessKeyID, secretAccessKey string

	group   *group
	users   users
	webhook string
}

// processes starts each server once. It ends with the test process.
var processes = map[string]func() (*process, error){
	MinIO:     sync.OnceValues(startMinIO),
	Ceph:      sync.OnceValues(startCeph),
	SeaweedFS: sync.OnceValues(startSeaweedFS),
}

// Start gives a test the server that the environment names. The bucket is empty
// and open to pages of any origin. It ends the test if there is no such server.
func Start(t testing.TB) *Server {
	t.Helper()
	name, ok := Asked()
	if !ok {
		return Embedded(t)
	}
	require.Contains(t, processes, name, "%s names no server", Variable)
	p, err := processes[name]()
	require.NoError(t, err)
	s := &Server{
		Name:            name,
		Version:         p.version,
		Endpoint:        p.endpoint,
		Region:          s3test.DefaultRegion,
		Bucket:          "uploads-" + strings.ToLower(rand.Text()),
		AccessKeyID:     p.accessKeyID,
		SecretAccessKey: p.secretAccessKey,
		users:           p.users,
		webhook:         p.webhook,
	}
	require.NoError(t, s.CreateBucket(context.Background(), s.Bucket))
	return s
}

// Embedded gives a test the server of s3test, whatever the environment says.
func Embedded(t testing.TB, opts ...s3test.Option) *Server {
	t.Helper()
	embedded := s3test.Start(t, opts...)
	return &Server{
		Name:            VersityGW,
		Endpoint:        embedded.Endpoint,
		Region:          embedded.Region,
		Bucket:          embedded.Bucket,
		AccessKeyID:     embedded.AccessKeyID,
		SecretAccessKey: embedded.SecretAccessKey,
		users:           embeddedUsers{embedded},
	}
}

// Asked reports whether the environment names a server of others, and which.
func Asked() (name string, ok bool) {
	name = os.Getenv(Variable)
	return name, name != "" && name != VersityGW
}

// Credentials gives the root account's credentials.
func (s *Server) Credentials() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, "")
}

// Client gives a client that acts as the root account.
func (s *Server) Client() *s3.Client { return s.ClientFor(s.Credentials()) }

// ClientFor gives a client that acts as the account with these credentials.
func (s *Server) ClientFor(creds aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		Credentials:  creds,
		UsePathStyle: true,
	})
}

// CreateBucket makes another bucket that is open to pages of any origin.
func (s *Server) CreateBucket(ctx context.Context, name string) error {
	if _, err := s.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("create bucket %q: %w", name, err)
	}
	_, err := s.Client().PutBucketCors(ctx, &s3.PutBucketCorsInput{
		Bucket: &name,
		CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{
			AllowedOrigins: []string{"*"},
			AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut},
			AllowedHeaders: []string{"*"},
			ExposeHeaders:  []string{"ETag", "Location"},
		}}},
	})
	// MinIO has one rule for the whole server, which allows any origin.
	if code(err) == "NotImplemented" && s.Name == MinIO {
		return nil
	}
	return err
}

// AddUser adds an account that may do in the server's bucket what the permissions
// say, and nothing else.
func (s *Server) AddUser(ctx context.Context, accessKeyID, secretAccessKey string, allowed ...s3test.Permission) error {
	if err := s.users.add(ctx, s, accessKeyID, secretAccessKey, allowed); err != nil {
		return fmt.Errorf("add user %q: %w", accessKeyID, err)
	}
	return nil
}

// PutOnlyUser adds an account with random credentials that may write objects
// whose keys begin with prefix, and do nothing else.
func (s *Server) PutOnlyUser(ctx context.Context, prefix string) (aws.CredentialsProvider, error) {
	id, secret := "PUTONLY"+rand.Text()[:13], rand.Text()
	if err := s.AddUser(ctx, id, secret, s3test.Permission{Action: "s3:PutObject", Keys: prefix + "*"}); err != nil {
		return nil, err
	}
	return credentials.NewStaticCredentialsProvider(id, secret, ""), nil
}

type embeddedUsers struct{ *s3test.Server }

func (u embeddedUsers) add(ctx context.Context, _ *Server, accessKeyID, secretAccessKey string, allowed []s3test.Permission) error {
	return u.AddUser(ctx, accessKeyID, secretAccessKey, allowed...)
}

// statement is a part of a policy, as S3 has them.
type statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string
}

const policyVersion = "2012-10-17"

type policy struct {
	Version   string
	Statement []statement
}

// allow is a policy's statements for some permissions.
func allow(bucket string, principal map[string]string, allowed []s3test.Permission) (all []statement) {
	for _, a := range allowed {
		resource := "arn:aws:s3:::" + bucket
		if a.Keys != "" {
			resource += "/" + a.Keys
		}
		all = append(all, statement{Effect: "Allow", Principal: principal, Action: []string{a.Action}, Resource: []string{resource}})
	}
	return all
}

// code is the code of S3's error document.
func code(err error) string {
	var apiErr smithy.APIError
	if errors.As(err, &apiErr) {
		return apiErr.ErrorCode()
	}
	return ""
}

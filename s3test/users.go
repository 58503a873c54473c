package s3test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/versity/versitygw/auth"
)

// Permission allows one action in the server's bucket.
type Permission struct {
	// Action is an action of S3, such as "s3:GetObject" or "s3:ListBucket".
	Action string
	// Keys says for which keys an action on objects is allowed; '*' stands for
	// any characters. Empty makes the bucket itself the resource, which
	// actions on buckets need.
	Keys string
}

// AddUser adds an account that may do in the server's bucket what the
// permissions say, and nothing else. It adds to the bucket's policy, which a
// test may replace; the account stays with the data. An access key ID that is
// taken is an error.
func (s *Server) AddUser(ctx context.Context, accessKeyID, secretAccessKey string, allowed ...Permission) error {
	err := s.gateway.iam.CreateAccount(auth.Account{
		Access: accessKeyID,
		Secret: secretAccessKey,
		Role:   auth.RoleUser,
	})
	if err != nil {
		return fmt.Errorf("s3test: add user %q: %w", accessKeyID, err)
	}
	if err := s.allow(ctx, accessKeyID, allowed); err != nil {
		return errors.Join(
			fmt.Errorf("s3test: permissions of user %q: %w", accessKeyID, err),
			s.gateway.iam.DeleteUserAccount(accessKeyID),
		)
	}
	return nil
}

// PutOnlyUser adds an account with random credentials that may write objects
// whose keys begin with prefix, by PutObject, POST and multipart upload, and
// do nothing else: not read, list, delete or abort. Upload grants should be
// signed with no more than this. In prefix, '*' and '?' are wildcards.
func (s *Server) PutOnlyUser(ctx context.Context, prefix string) (aws.CredentialsProvider, error) {
	id, secret := "S3TEST"+rand.Text(), rand.Text()
	if err := s.AddUser(ctx, id, secret, Permission{Action: "s3:PutObject", Keys: prefix + "*"}); err != nil {
		return nil, err
	}
	return credentials.NewStaticCredentialsProvider(id, secret, ""), nil
}

type policy struct {
	Version   string
	Statement []json.RawMessage
}

type statement struct {
	Effect    string
	Principal map[string]string
	Action    string
	Resource  string
}

// allow adds statements to the bucket's policy and keeps those it has.
func (s *Server) allow(ctx context.Context, user string, allowed []Permission) error {
	if len(allowed) == 0 {
		return nil
	}
	s.policy.Lock()
	defer s.policy.Unlock()

	p := policy{Version: "2012-10-17"}
	client := s.Client()
	current, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &s.Bucket})
	var apiErr smithy.APIError
	switch {
	case err == nil:
		if err := json.Unmarshal([]byte(aws.ToString(current.Policy)), &p); err != nil {
			return err
		}
	case errors.As(err, &apiErr) && apiErr.ErrorCode() == "NoSuchBucketPolicy":
	default:
		return err
	}
	for _, a := range allowed {
		resource := "arn:aws:s3:::" + s.Bucket
		if a.Keys != "" {
			resource += "/" + a.Keys
		}
		raw, err := json.Marshal(statement{"Allow", map[string]string{"AWS": user}, a.Action, resource})
		if err != nil {
			return err
		}
		p.Statement = append(p.Statement, raw)
	}
	doc, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.Bucket, Policy: aws.String(string(doc))})
	return err
}

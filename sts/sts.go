// Package sts gets temporary credentials for sessions from a Security Token Service: that
// of Amazon, or one that is part of an S3 server, as MinIO and Ceph have it.
//
// It makes one call, AssumeRole ("AWS Security Token Service API Reference"), which is a
// signed form, and so needs no other client.
package sts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/postern-go/postern"
)

// Config says where the service is, and as whom to call it.
type Config struct {
	// Region is the one that is signed for.
	Region string
	// Endpoint is the address of the service: Amazon's in the region if it is empty. At
	// MinIO it is that of S3.
	Endpoint string
	// RoleARN is the role whose credentials are given, as far as a session's policy allows
	// what it may do: s3:PutObject under the staging prefix, and no more. MinIO needs none,
	// and gives what the caller may do.
	RoleARN string
	// Credentials are the caller's, who may do sts:AssumeRole with the role. MinIO refuses
	// temporary ones.
	Credentials aws.CredentialsProvider
	// HTTPClient makes the calls; one of 10 seconds if it is nil.
	HTTPClient *http.Client
}

// Provider is a [postern.SessionProvider]. It is safe for concurrent use.
type Provider struct {
	config Config
	signer *v4.Signer
}

var _ postern.SessionChecker = (*Provider)(nil)

// ErrUnsupported means that a provider of S3 has no such service.
var ErrUnsupported = errors.New("sts: this provider has no AssumeRole")

// The errors of [New].
var (
	errRegion      = errors.New("sts: a region is needed")
	errRole        = errors.New("sts: Amazon needs the ARN of a role")
	errEndpoint    = errors.New("sts: an endpoint is an absolute http or https URL without user, query and fragment")
	errCredentials = errors.New("sts: credentials are needed")
)

// New returns a Provider. It calls nothing.
func New(c Config) (*Provider, error) {
	if c.Region == "" {
		return nil, errRegion
	}
	if c.Credentials == nil {
		return nil, errCredentials
	}
	if c.Endpoint == "" {
		if c.RoleARN == "" {
			return nil, errRole
		}
		suffix := "amazonaws.com"
		if strings.HasPrefix(c.Region, "cn-") {
			suffix += ".cn"
		}
		c.Endpoint = "https://sts." + c.Region + "." + suffix
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errEndpoint
	}
	c.Endpoint = strings.TrimSuffix(c.Endpoint, "/") + "/"
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Provider{config: c, signer: v4.NewSigner()}, nil
}

// CheckProvider returns [ErrUnsupported] for a provider of S3 that is known to have no
// AssumeRole with a session's policy.
func (p *Provider) CheckProvider(of postern.Provider) error {
	switch of {
	case postern.CloudflareR2, postern.BackblazeB2, postern.DigitalOceanSpaces, postern.GoogleCloudStorage, postern.Garage,
		postern.Supabase, postern.VersityGW:
		return fmt.Errorf("%w: %s", ErrUnsupported, of)
	}
	return nil
}

// maxAnswer bounds an answer in bytes.
const maxAnswer = 64 << 10

// Session calls AssumeRole.
func (p *Provider) Session(ctx context.Context, q postern.SessionRequest) (aws.Credentials, error) {
	form := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleSessionName": {"postern-" + q.ID}, "Policy": {q.Policy},
		"DurationSeconds": {strconv.FormatInt(int64(q.Lifetime/time.Second), 10)},
	}
	if p.config.RoleARN != "" {
		form.Set("RoleArn", p.config.RoleARN)
	}
	body := form.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.config.Endpoint, strings.NewReader(body))
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("sts: AssumeRole: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	caller, err := p.config.Credentials.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("sts: the caller's credentials: %w", err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := p.signer.SignHTTP(ctx, caller, r, hex.EncodeToString(sum[:]), "sts", p.config.Region, time.Now()); err != nil {
		return aws.Credentials{}, fmt.Errorf("sts: AssumeRole: %w", err)
	}
	res, err := p.config.HTTPClient.Do(r)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("sts: AssumeRole: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("sts: AssumeRole: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return aws.Credentials{}, failure(res.StatusCode, answer)
	}
	return credentialsOf(answer)
}

// Error is what the service has answered in the place of credentials.
type Error struct {
	Status        int // of HTTP
	Code, Message string
}

// Error names the code.
func (e *Error) Error() string {
	return fmt.Sprintf("sts: AssumeRole: %d %s: %s", e.Status, e.Code, e.Message)
}

func failure(status int, answer []byte) error {
	type reason struct{ Code, Message string }
	var document struct {
		Error  reason
		reason // of a server that knows S3 only
	}
	_ = xml.Unmarshal(answer, &document) // a proxy's answer has no code
	r := document.Error
	if r.Code == "" {
		r = document.reason
	}
	return &Error{Status: status, Code: clip(r.Code), Message: clip(r.Message)}
}

func clip(s string) string { return s[:min(len(s), 256)] }

var errAnswer = errors.New("sts: AssumeRole: the answer has no credentials")

func credentialsOf(answer []byte) (aws.Credentials, error) {
	var document struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      time.Time
		} `xml:"AssumeRoleResult>Credentials"`
	}
	// Its error may quote the answer.
	if err := xml.Unmarshal(answer, &document); err != nil {
		return aws.Credentials{}, errAnswer
	}
	c := document.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration.IsZero() {
		return aws.Credentials{}, errAnswer
	}
	return aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		CanExpire: true, Expires: c.Expiration, Source: "sts",
	}, nil
}

package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/internal/store"
)

// TestMain also runs the servers that crash tests kill, and shortens what faults
// must wait for.
func TestMain(m *testing.M) {
	store.Limits.Attempt, store.Limits.Call, store.Limits.Copy = 3*time.Second, 10*time.Second, 10*time.Second
	store.Limits.Road = 11 * time.Second
	if os.Getenv(victimEnv) != "" {
		os.Exit(runVictim())
	}
	os.Exit(m.Run())
}

// site is a handler whose S3 is behind a proxy, with a part of a bucket that is
// its own. Sites share a server, so that many can run at once.
type site struct {
	*postern.Handler
	srv     *foreign.Server
	proxy   *proxy
	bucket  postern.Bucket
	got     *receipts
	staging string
	final   string

	promotes bool
}

var sites atomic.Int32

// identitiesOf are the same for all sites of a server: each user makes the bucket's
// policy longer.
func identitiesOf(t testing.TB, srv *foreign.Server) postern.Bucket {
	identities.Lock()
	defer identities.Unlock()
	b, ok := identities.of[srv]
	if !ok {
		b = twoIdentities(t, srv, "")
		identities.of[srv] = b
	}
	return b
}

var identities = struct {
	sync.Mutex
	of map[*foreign.Server]postern.Bucket
}{of: map[*foreign.Server]postern.Bucket{}}

// newSite is a site whose objects are named by chance.
func newSite(t testing.TB, srv *foreign.Server, promotion bool, opts ...postern.HandlerOption) *site {
	return newSiteOfKeys(t, srv, promotion, "{uuid}{ext}", opts...)
}

// newSiteOfKeys is a site whose objects are named by a template, in its part of the
// bucket.
func newSiteOfKeys(t testing.TB, srv *foreign.Server, promotion bool, template string, opts ...postern.HandlerOption) *site {
	n := sites.Add(1)
	s := &site{srv: srv, got: &receipts{}, promotes: promotion, staging: fmt.Sprintf("staging-%d/", n), final: fmt.Sprintf("final-%d/", n)}
	s.proxy = newProxy(t, srv, s.staging)
	s.bucket = identitiesOf(t, srv)
	s.bucket.Endpoint, s.bucket.PublicEndpoint = s.proxy.URL, srv.Endpoint
	all := []postern.HandlerOption{
		postern.WithOnComplete(s.got.hook),
		postern.WithKeyPolicy(postern.KeyTemplate(s.final + template)),
	}
	if promotion {
		all = append(all, postern.WithPromotion(s.staging))
	}
	s.Handler = newReplica(t, s.bucket, append(all, opts...)...)
	return s
}

// replica is another handler for the same uploads, without the proxy.
func (s *site) replica(t testing.TB, opts ...postern.HandlerOption) *postern.Handler {
	b := s.bucket
	b.Endpoint = b.PublicEndpoint
	return newReplica(t, b, append([]postern.HandlerOption{
		postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging)}, opts...)...)
}

// victimConfig describes the site to another process.
func (s *site) victimConfig(t testing.TB) victimConfig {
	signing, err := s.bucket.Credentials.Retrieve(context.Background())
	require.NoError(t, err)
	service, err := s.bucket.ServiceCredentials.Retrieve(context.Background())
	require.NoError(t, err)
	c := victimConfig{
		Bucket:  s.bucket,
		Signing: [2]string{signing.AccessKeyID, signing.SecretAccessKey},
		Service: [2]string{service.AccessKeyID, service.SecretAccessKey},
		Hook:    s.proxy.URL + "/hook",
	}
	c.Bucket.Credentials, c.Bucket.ServiceCredentials = nil, nil
	if s.promotes {
		c.Staging = s.staging
	}
	return c
}

// keys are the objects of the site.
func (s *site) keys(t testing.TB) (all []string) {
	for _, prefix := range []string{s.staging, s.final} {
		out, err := s.srv.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.srv.Bucket, Prefix: &prefix})
		require.NoError(t, err)
		for _, o := range out.Contents {
			all = append(all, aws.ToString(o.Key))
		}
	}
	return all
}

// stagingKey is the key of the only staging object.
func (s *site) stagingKey(t testing.TB) string {
	for _, key := range s.keys(t) {
		if strings.HasPrefix(key, s.staging) {
			return key
		}
	}
	require.Fail(t, "no staging object")
	return ""
}

// unfinished counts the site's multipart uploads.
func (s *site) unfinished(t testing.TB) (n int) {
	for _, prefix := range []string{s.staging, s.final} {
		out, err := s.srv.Client().ListMultipartUploads(context.Background(),
			&s3.ListMultipartUploadsInput{Bucket: &s.srv.Bucket, Prefix: &prefix})
		require.NoError(t, err)
		n += len(out.Uploads)
	}
	return n
}

// isRight asserts that a receipt tells the truth about what is stored.
func (s *site) isRight(t testing.TB, r receipt, content []byte) {
	out, stored := object(t, s.srv, r.Key)
	require.True(t, bytes.Equal(content, stored), "the object has other bytes")
	require.EqualValues(t, len(content), r.Size)
	require.Equal(t, aws.ToString(out.ETag), r.ETag)
	require.Equal(t, r.ID, out.Metadata["postern-id"])
	require.Equal(t, r.Type, aws.ToString(out.ContentType))
}

// pngFile is a small picture.
var pngFile = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 32, 32)))
	return b.Bytes()
})

func picture() map[string]any {
	return map[string]any{"filename": "cat.png", "type": "image/png", "size": len(pngFile())}
}

// htmlFile is a page of a given length.
func htmlFile(length int) []byte {
	page := []byte("<!DOCTYPE html><html><script>alert(document.domain)</script>")
	return append(page, bytes.Repeat([]byte(" "), length-len(page))...)
}

// together runs cases at the same time, at most so many; those that only wait do
// not count.
type together struct {
	wg    sync.WaitGroup
	slots chan struct{}
}

func newTogether(max int) *together { return &together{slots: make(chan struct{}, max)} }

func (g *together) run(t *testing.T, name string, waits bool, test func(t *testing.T)) {
	g.wg.Go(func() {
		if !waits {
			g.slots <- struct{}{}
			defer func() { <-g.slots }()
		}
		t.Run(name, test)
	})
}

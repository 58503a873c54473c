// Package inspect_test has the inspectors of the package inspect look at uploads in a
// real S3 server, with a real clamd.
package inspect_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"mime/multipart"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/inspect"
	"github.com/postern-go/postern/internal/servertest"
)

// eicar is the file that every scanner takes for a virus, in two halves, so that none
// takes this one for it.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + `STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// streamMaxLength and maxFileSize are what clamd is told, in bytes.
const (
	streamMaxLength = 4 << 20
	maxFileSize     = 2 << 20
)

// startClamd starts a clamd that knows one signature, and returns its address.
func startClamd(t *testing.T) (address string) {
	dir, err := os.MkdirTemp("", "clamd") // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	signatures := filepath.Join(dir, "signatures")
	require.NoError(t, os.Mkdir(signatures, 0o755))
	signature := fmt.Sprintf("%x:%d:Postern.Eicar\n", md5.Sum([]byte(eicar)), len(eicar))
	require.NoError(t, os.WriteFile(filepath.Join(signatures, "test.hdb"), []byte(signature), 0o644))
	require.NoError(t, servertest.StartOnFreePort(func(addr *net.TCPAddr) error {
		config := filepath.Join(dir, "clamd.conf")
		lines := []string{
			"Foreground yes", "DatabaseDirectory " + signatures, "TemporaryDirectory " + dir,
			"TCPAddr 127.0.0.1", fmt.Sprint("TCPSocket ", addr.Port),
			fmt.Sprint("StreamMaxLength ", streamMaxLength), fmt.Sprint("MaxFileSize ", maxFileSize), "AlertExceedsMax yes", "",
		}
		if err := os.WriteFile(config, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			return err
		}
		p, err := servertest.Start(exec.Command("clamd", "--config-file="+config), "Self checking every")
		if err == nil {
			t.Cleanup(func() { p.Stop(syscall.SIGTERM) })
			address = addr.String()
		}
		return err
	}))
	return address
}

// site is a handler with inspectors, and its bucket.
type site struct {
	*postern.Handler
	srv      *foreign.Server
	receipts atomic.Int32
}

func newSite(t *testing.T, inspectors ...inspect.Inspector) *site {
	s := &site{srv: foreign.Embedded(t)}
	putOnly, err := s.srv.PutOnlyUser(context.Background(), "staging/")
	require.NoError(t, err)
	opts := []postern.HandlerOption{
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "ada"
			return nil
		}),
		postern.WithTicketKeys(bytes.Repeat([]byte{7}, 32)),
		postern.WithPromotion("staging/"),
		postern.WithOnComplete(func(context.Context, *postern.Receipt) error {
			s.receipts.Add(1)
			return nil
		}),
		postern.WithAttributes(postern.Attributes{Tags: map[string]string{"by": "ada"}}),
	}
	for _, fn := range inspectors {
		opts = append(opts, postern.WithInspector(fn))
	}
	s.Handler, err = postern.New(postern.Bucket{
		Name: s.srv.Bucket, Region: s.srv.Region, Endpoint: s.srv.Endpoint, Provider: postern.VersityGW,
		Credentials: putOnly, ServiceCredentials: s.srv.Credentials(),
	}, opts...)
	require.NoError(t, err)
	return s
}

// answer is what the handler says.
type answer struct {
	Status int    `json:"-"`
	Key    string // of a grant and a receipt
	Code   string
	URL    string
	Fields map[string]string
	Ticket string
}

func (s *site) call(t *testing.T, action string, request any) (a answer) {
	body, err := json.Marshal(request)
	require.NoError(t, err)
	r := httptest.NewRequest("POST", "/"+action, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	a.Status = w.Code
	return a
}

// send uploads a file, which is not completed.
func (s *site) send(t *testing.T, mediaType string, content []byte) (ticket, key string) {
	g := s.call(t, "sign", map[string]any{"filename": "file", "type": mediaType, "size": len(content)})
	require.Equal(t, http.StatusCreated, g.Status)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range g.Fields {
		require.NoError(t, form.WriteField(name, value))
	}
	file, err := form.CreateFormFile("file", "file")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, form.Close())
	res, err := http.Post(g.URL, form.FormDataContentType(), &body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Less(t, res.StatusCode, 300)
	return g.Ticket, g.Key
}

func (s *site) complete(t *testing.T, ticket string) answer {
	return s.call(t, "complete", map[string]any{"ticket": ticket})
}

// exists reports whether there is an object at a key.
func (s *site) exists(t *testing.T, key string) bool {
	out, err := s.srv.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &s.srv.Bucket, Prefix: &key})
	require.NoError(t, err)
	return len(out.Contents) > 0
}

func TestClamdFindsWhatItsSignaturesKnow(t *testing.T) {
	s := newSite(t, inspect.Clamd("tcp", startClamd(t), inspect.ClamdMaxSize(maxFileSize)))
	for name, tc := range map[string]struct {
		content []byte
		code    string
	}{
		"a virus":                  {[]byte(eicar), "malware"},
		"a text":                   {[]byte("nothing bad"), ""},
		"several chunks":           {bytes.Repeat([]byte("nothing bad\n"), 20_000), ""},
		"the largest":              {make([]byte, maxFileSize), ""},
		"what is too large for it": {make([]byte, maxFileSize+1), "unscannable"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.receipts.Load()
			ticket, key := s.send(t, "application/octet-stream", tc.content)
			a := s.complete(t, ticket)
			require.Equal(t, tc.code, a.Code)
			require.Equal(t, tc.code == "", s.exists(t, key))
			require.Equal(t, tc.code == "", s.receipts.Load() > before)
		})
	}
}

// A clamd whose limits are narrower than ours refuses, or finds that they are exceeded:
// nothing that it has not seen is accepted.
func TestClamdWithNarrowerLimitsAcceptsNothingUnseen(t *testing.T) {
	s := newSite(t, inspect.Clamd("tcp", startClamd(t)))
	ticket, key := s.send(t, "application/octet-stream", make([]byte, streamMaxLength+1))
	a := s.complete(t, ticket)
	require.Equal(t, "inspection_failed", a.Code)
	require.True(t, s.exists(t, key), "a fault deletes nothing")
	ticket, key = s.send(t, "application/octet-stream", make([]byte, maxFileSize+1))
	require.Equal(t, "malware", s.complete(t, ticket).Code)
	require.False(t, s.exists(t, key))
	require.Zero(t, s.receipts.Load())
}

func TestGuardDutyIsAwaited(t *testing.T) {
	s := newSite(t, inspect.GuardDuty())
	tag := func(key, status string) {
		// As GuardDuty does: it keeps the others.
		_, err := s.srv.Client().PutObjectTagging(context.Background(), &s3.PutObjectTaggingInput{
			Bucket: &s.srv.Bucket, Key: &key, Tagging: &types.Tagging{TagSet: []types.Tag{
				{Key: aws.String("by"), Value: aws.String("ada")},
				{Key: aws.String("GuardDutyMalwareScanStatus"), Value: &status},
			}},
		})
		require.NoError(t, err)
	}
	for status, code := range map[string]string{"NO_THREATS_FOUND": "", "THREATS_FOUND": "malware", "FAILED": "inspection_failed"} {
		t.Run(status, func(t *testing.T) {
			before := s.receipts.Load()
			ticket, key := s.send(t, "text/plain", []byte("hello"))
			require.Equal(t, http.StatusAccepted, s.complete(t, ticket).Status)
			tag(key, status)
			a := s.complete(t, ticket)
			require.Equal(t, code, a.Code)
			require.Equal(t, code != "malware", s.exists(t, key))
			require.Equal(t, code == "", s.receipts.Load() > before)
		})
	}
}

func TestPictureThatIsLargerThanItLooksIsRejected(t *testing.T) {
	s := newSite(t, inspect.ImageBounds(1_000_000))
	var small, large bytes.Buffer
	require.NoError(t, png.Encode(&small, image.NewGray(image.Rect(0, 0, 1000, 1000))))
	require.NoError(t, png.Encode(&large, image.NewGray(image.Rect(0, 0, 1000, 1001))))
	ticket, key := s.send(t, "image/png", small.Bytes())
	require.Equal(t, http.StatusOK, s.complete(t, ticket).Status)
	require.True(t, s.exists(t, key))
	ticket, key = s.send(t, "image/png", large.Bytes())
	require.Equal(t, "image_too_large", s.complete(t, ticket).Code)
	require.False(t, s.exists(t, key))
}

// Package s3_test holds what the root module may not import: grants used and
// abused at a real S3 server, and signatures beside those of the AWS SDK.
package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// bucketOf describes the bucket of a test server. The grants are signed with a
// key that may only put objects.
func bucketOf(t testing.TB, srv *foreign.Server) postern.Bucket {
	putOnly, err := srv.PutOnlyUser(context.Background(), "")
	require.NoError(t, err)
	return postern.Bucket{
		Name:        srv.Bucket,
		Region:      srv.Region,
		Endpoint:    srv.Endpoint,
		Credentials: putOnly,
	}
}

func mustNew(t testing.TB, bucket postern.Bucket, opts ...postern.HandlerOption) *postern.Handler {
	h, err := postern.New(bucket, opts...)
	require.NoError(t, err)
	return h
}

// newHandler is a handler whose tickets are its own.
func newHandler(t testing.TB, srv *foreign.Server, opts ...postern.HandlerOption) *postern.Handler {
	return mustNew(t, bucketOf(t, srv), append([]postern.HandlerOption{postern.WithAuthorizer(principal)}, opts...)...)
}

// grant is what a browser reads. Fields keep their order.
type grant struct {
	Mode, Key, Method, URL, Location, Ticket string
	Fields, Headers                          fields
	PartSize                                 int64 `json:"part_size"`
	Parts                                    int
	Complete                                 bool
}

type fields []postern.Field

func (f *fields) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*f = append(*f, postern.Field{Name: name.(string), Value: value})
	}
	return nil
}

// with returns the fields with one of them replaced, or added if it is new.
func (f fields) with(name, value string) fields {
	var changed fields
	found := false
	for _, field := range f {
		if field.Name == name {
			field.Value, found = value, true
		}
		changed = append(changed, field)
	}
	if !found {
		changed = append(changed, postern.Field{Name: name, Value: value})
	}
	return changed
}

func (f fields) get(name string) string {
	for _, field := range f {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// ask sends a request for a grant to the handler.
func ask(t testing.TB, h http.Handler, request map[string]any) grant {
	a := call(t, h, "sign", request)
	require.Equal(t, http.StatusCreated, a.Status, "%s", a.Body)
	var g grant
	a.into(t, &g)
	return g
}

// s3Answer is a status, and the code of S3's error document if there is one.
type s3Answer struct {
	Status int
	Code   string
	Header http.Header
	Body   string
}

// postForm uploads as a browser does: the fields in order, the file last.
func postForm(t testing.TB, url string, form fields, content []byte) s3Answer {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, f := range form {
		require.NoError(t, m.WriteField(f.Name, f.Value))
	}
	file, err := m.CreateFormFile("file", "file")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	return do(t, "POST", url, &body, http.Header{"Content-Type": {m.FormDataContentType()}})
}

func do(t testing.TB, method, url string, body io.Reader, header http.Header) s3Answer {
	r, err := http.NewRequest(method, url, body)
	require.NoError(t, err)
	r.Header = header
	r.Close = true // what a server has not read of a body would spoil the next request
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var document struct{ Code string }
	if res.StatusCode >= 400 {
		_ = xml.Unmarshal(text, &document)
	}
	return s3Answer{res.StatusCode, document.Code, res.Header, string(text)}
}

// object reads an object back.
func object(t testing.TB, srv *foreign.Server, key string) (*s3.GetObjectOutput, []byte) {
	out, err := srv.Client().GetObject(context.Background(), &s3.GetObjectInput{Bucket: &srv.Bucket, Key: &key})
	require.NoError(t, err)
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return out, content
}

// keys lists what the bucket holds.
func keys(t testing.TB, srv *foreign.Server) (all []string) {
	out, err := srv.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	for _, o := range out.Contents {
		all = append(all, aws.ToString(o.Key))
	}
	return all
}

// oddKeys are keys that signers, servers and URL parsers read differently.
func oddKeys() []string {
	long := strings.Repeat(strings.Repeat("k", 254)+"/", 4) + "1234"
	return []string{
		"plain.txt", "with space", "a+b", "a&b", "100%", "a%20b", "it's", `quo"te`, "do$$ar", "${x}", `back\slash`,
		"日本語/ファイル.txt", "emoji-😀", "semi;colon", "question?mark", "hash#tag", "a=b", "a,b", "[x]", "{y}", "|", "^", "`",
		"~tilde", "*star", "(paren)", "<angle>", "é", "e\u0301", ".hidden", "a..b", "...", long,
	}
}

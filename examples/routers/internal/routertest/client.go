package routertest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// grant is what the tests read of one.
type grant struct {
	Mode, Key, URL, Ticket string
	Fields                 map[string]string
	Parts                  int32
}

type ticket struct {
	Ticket string `json:"ticket"`
}

func photo(size int) map[string]any {
	return map[string]any{"filename": "photo.png", "type": "image/png", "size": size}
}

func (s *site) sign(t *testing.T, prefix, user string, size int) (g grant) {
	t.Helper()
	s.post(t, prefix+"sign", user, photo(size)).decode(t, http.StatusCreated, &g)
	return g
}

func (s *site) post(t *testing.T, path, user string, body any) *answer {
	t.Helper()
	return s.send(t, http.MethodPost, path, user, body)
}

// send makes a request with the user's token; "" sends none.
func (s *site) send(t *testing.T, method, path, user string, body any) *answer {
	t.Helper()
	var content []byte
	if body != nil {
		var err error
		content, err = json.Marshal(body)
		require.NoError(t, err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(content))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+user+"-demo")
	}
	return do(t, r)
}

// postForm uploads a file as a browser does: the fields, and the file last.
func postForm(t *testing.T, g grant, file []byte) *answer {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range g.Fields {
		require.NoError(t, form.WriteField(name, value))
	}
	w, err := form.CreateFormFile("file", "photo.png")
	require.NoError(t, err)
	_, err = w.Write(file)
	require.NoError(t, err)
	require.NoError(t, form.Close())

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL, &body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return do(t, r)
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func do(t *testing.T, r *http.Request) *answer {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return &answer{response.StatusCode, response.Header, body}
}

func (a *answer) decode(t *testing.T, status int, v any) {
	t.Helper()
	require.Equal(t, status, a.status, "%.500s", a.body)
	require.Equal(t, []string{"application/json"}, a.header.Values("Content-Type"))
	require.Equal(t, []string{"no-store"}, a.header.Values("Cache-Control"))
	require.NoError(t, json.Unmarshal(a.body, v))
}

// problem checks that the answer is a problem document (RFC 9457).
func (a *answer) problem(t *testing.T, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.status, "%.500s", a.body)
	require.Equal(t, []string{"application/problem+json"}, a.header.Values("Content-Type"))
	var p struct {
		Status int
		Code   string
	}
	require.NoError(t, json.Unmarshal(a.body, &p))
	require.Equal(t, status, p.Status)
	require.Equal(t, code, p.Code)
}

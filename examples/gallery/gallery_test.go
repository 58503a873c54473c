package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// open runs the gallery, with its own S3 server, for the length of a test.
func open(t *testing.T) *httptest.Server {
	*dir, *s3Addr = t.TempDir(), "127.0.0.1:0"
	a := &app{}
	require.NoError(t, a.openDatabase(t.Context()))
	t.Cleanup(func() { _ = a.db.Close() })
	require.NoError(t, a.openBucket(t.Context()))
	require.NoError(t, a.newUploads(t.Context()))
	server := httptest.NewServer(a.routes("'self'"))
	t.Cleanup(server.Close)
	return server
}

// person is a browser in which somebody has signed in.
type person struct {
	t      *testing.T
	at     string
	client *http.Client
}

func signIn(t *testing.T, gallery *httptest.Server, email string) *person {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	p := &person{t, gallery.URL, &http.Client{Jar: jar}}
	response, err := p.client.PostForm(p.at+"/sign-in", url.Values{"email": {email}, "password": {"open-sesame"}})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, response.Body.Close())
	return p
}

// ask sends a request and reads the answer as JSON, if it is to be read.
func (p *person) ask(method, path, body string, answer any) (status int) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.at+path, strings.NewReader(body))
	require.NoError(p.t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := p.client.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	if answer != nil {
		require.NoError(p.t, json.NewDecoder(response.Body).Decode(answer))
	}
	return response.StatusCode
}

// upload does what postern.js does in a browser, and returns the ticket.
func (p *person) upload(content []byte) (ticket string) {
	p.t.Helper()
	var grant struct {
		URL, Ticket string
		Fields      map[string]string
	}
	file, err := json.Marshal(map[string]any{"filename": "dot.png", "type": "image/png", "size": len(content)})
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusCreated, p.ask(http.MethodPost, "/uploads/sign", string(file), &grant))

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range grant.Fields {
		require.NoError(p.t, form.WriteField(name, value))
	}
	part, err := form.CreateFormFile("file", "dot.png")
	require.NoError(p.t, err)
	_, err = part.Write(content)
	require.NoError(p.t, err)
	require.NoError(p.t, form.Close())
	response, err := http.Post(grant.URL, form.FormDataContentType(), &body)
	require.NoError(p.t, err)
	require.NoError(p.t, response.Body.Close())
	require.Equal(p.t, http.StatusCreated, response.StatusCode)
	return grant.Ticket
}

func (p *person) complete(ticket string, answer any) (status int) {
	p.t.Helper()
	return p.ask(http.MethodPost, "/uploads/complete", `{"ticket":"`+ticket+`"}`, answer)
}

func dot(t *testing.T) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))))
	return b.Bytes()
}

func TestAnUploadBecomesOnePhoto(t *testing.T) {
	gallery := open(t)
	ada, grace := signIn(t, gallery, "ada@acme.example"), signIn(t, gallery, "grace@globex.example")
	ticket := ada.upload(dot(t))
	var home view
	ada.ask(http.MethodGet, "/", "", &home)
	require.Empty(t, home.Photos, "it is not complete")

	for range 2 { // browsers may ask again
		var receipt struct{ ID, Key string }
		require.Equal(t, http.StatusOK, ada.complete(ticket, &receipt))
		require.Regexp(t, "^acme/", receipt.Key)
		ada.ask(http.MethodGet, "/", "", &home)
		require.Len(t, home.Photos, 1)
		require.Equal(t, receipt.ID, home.Photos[0].ID)
	}
	photo := "/photos/" + home.Photos[0].ID
	require.Equal(t, http.StatusOK, ada.ask(http.MethodGet, photo, "", nil), "the bucket's answer")
	require.Equal(t, http.StatusNotFound, grace.ask(http.MethodGet, photo, "", nil))
	require.Equal(t, http.StatusNotFound, grace.ask(http.MethodPost, photo+"/delete", "", nil))

	require.Equal(t, http.StatusOK, ada.ask(http.MethodPost, photo+"/delete", "", &home))
	require.Empty(t, home.Photos)
	require.Equal(t, http.StatusNotFound, ada.ask(http.MethodGet, photo, "", nil))
	require.Equal(t, http.StatusNotFound, ada.complete(ticket, nil), "a photo that was deleted does not come back")
}

func TestWhatIsNoImageIsNoPhoto(t *testing.T) {
	gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	var problem struct{ Code string }
	require.Equal(t, http.StatusUnprocessableEntity, ada.complete(ada.upload([]byte("<script>alert(1)</script>")), &problem))
	require.Equal(t, postern.ErrContentMismatch.Code, problem.Code)
	var home view
	ada.ask(http.MethodGet, "/", "", &home)
	require.Empty(t, home.Photos)
}

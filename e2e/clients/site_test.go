package clients_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
)

// site is the running program.
type site struct {
	*program.Program
	t    testing.TB
	seen map[string]bool // what added returned before
}

// start runs the program, with an empty bucket of its own. The test runs beside others.
func start(t *testing.T) *site {
	t.Helper()
	t.Parallel()
	return &site{program.Start(t, "clients", []string{
		"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-node-modules", nodeModules,
	}, nil), t, map[string]bool{}}
}

// added returns what a tenant has in the bucket since it was last called.
func (s *site) added(tenant string) []object {
	s.t.Helper()
	var objects []object
	for _, o := range s.stored(tenant) {
		if !s.seen[o.key] {
			objects = append(objects, o)
		}
		s.seen[o.key] = true
	}
	return objects
}

// open opens the page of a client in a browser, signed in as a tenant.
func (s *site) open(client, tenant string) *browser.Page {
	s.t.Helper()
	page := browser.Open(s.t, s.URL+"/"+client+"/")
	signIn(page, tenant)
	return page
}

func signIn(page *browser.Page, tenant string) {
	page.Click(`.tenants [value=` + tenant + `]`)
	page.Wait(`document.querySelector("#who")?.innerText === "Signed in as ` + tenant + `" && document.readyState === "complete"`)
}

type object struct {
	key, contentType string
	bytes            []byte
}

// String leaves the bytes out, which are many.
func (o object) String() string {
	return fmt.Sprintf("%s %s of %d bytes", o.key, o.contentType, len(o.bytes))
}

// photo is a picture of megabytes, of whose upload there is something to see.
func photo(t testing.TB, name string) fixture.File {
	t.Helper()
	return fixture.Write(t, name, append(fixture.PNG(t, name, 900, 600).Bytes, make([]byte, 3*megabyte)...))
}

// as returns a client without a browser that is signed in as a tenant.
func (s *site) as(tenant string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	client := &http.Client{Jar: jar}
	response, err := client.PostForm(s.URL+"/sign-in", url.Values{"tenant": {tenant}})
	require.NoError(s.t, err)
	require.NoError(s.t, response.Body.Close())
	return client
}

// do sends a request as a tenant.
func (s *site) do(tenant string, r *http.Request) (status int, body string) {
	s.t.Helper()
	response, err := s.as(tenant).Do(r)
	require.NoError(s.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, string(content)
}

var fileLink = regexp.MustCompile(`href="/files/([^"]+)"`)

// stored returns what a tenant has in the bucket.
func (s *site) stored(tenant string) []object {
	s.t.Helper()
	client := s.as(tenant)
	get := func(address string) (contentType string, body []byte) {
		response, err := client.Get(address)
		require.NoError(s.t, err)
		defer response.Body.Close()
		body, err = io.ReadAll(response.Body)
		require.NoError(s.t, err)
		require.Equal(s.t, http.StatusOK, response.StatusCode, string(body))
		return response.Header.Get("Content-Type"), body
	}
	_, list := get(s.URL + "/files/")
	var objects []object
	for _, link := range fileLink.FindAllStringSubmatch(string(list), -1) {
		contentType, content := get(s.URL + "/files/" + link[1])
		objects = append(objects, object{link[1], contentType, content})
	}
	return objects
}

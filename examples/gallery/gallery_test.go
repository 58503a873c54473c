package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/postern-go/postern"
)

// open runs the gallery, with its own S3 server, for the length of a test.
func open(t *testing.T) (*app, *httptest.Server) {
	*dir = t.TempDir()
	for _, s := range sites {
		*s.s3Addr = "127.0.0.1:0"
	}
	a := &app{}
	require.NoError(t, a.openDatabase(t.Context()))
	t.Cleanup(func() { _ = a.db.Close() })
	require.NoError(t, a.openRegions(t.Context()))
	require.NoError(t, a.newUploads(t.Context()))
	routes, err := a.routes("'self'")
	require.NoError(t, err)
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	return a, server
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

func TestTheAccountsOfADemoAreWorthNothingWhereOthersCanCome(t *testing.T) {
	open(t)
	*https = true
	t.Cleanup(func() { *https = false })
	a := &app{}
	require.NoError(t, a.openDatabase(t.Context()), "in the folder of the demo")
	t.Cleanup(func() { _ = a.db.Close() })
	signIn := func(password string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(url.Values{"email": {"ada@acme.example"}, "password": {password}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		a.sessions.LoadAndSave(try(a.signIn)).ServeHTTP(w, r)
		return w.Result()
	}
	require.Equal(t, http.StatusUnauthorized, signIn("open-sesame").StatusCode)

	hash, err := bcrypt.GenerateFromPassword([]byte("her own"), bcrypt.MinCost)
	require.NoError(t, err)
	_, err = a.db.ExecContext(t.Context(), `UPDATE users SET password = $1 WHERE email = 'ada@acme.example'`, hash)
	require.NoError(t, err)
	response := signIn("her own")
	require.Equal(t, http.StatusSeeOther, response.StatusCode)
	cookie := response.Cookies()[0]
	require.True(t, cookie.Secure, "behind https the cookie goes nowhere else")
	require.Equal(t, "__Host-session", cookie.Name)
	require.Equal(t, "/", cookie.Path)
}

func TestAnUploadBecomesOnePhoto(t *testing.T) {
	_, gallery := open(t)
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
	var theirs view
	grace.ask(http.MethodGet, "/", "", &theirs)
	require.Equal(t, "Globex", theirs.User.Organisation)
	require.Empty(t, theirs.Photos)
	photo := "/photos/" + home.Photos[0].ID
	require.Equal(t, http.StatusOK, ada.ask(http.MethodGet, photo, "", nil), "the bucket's answer")
	require.Equal(t, http.StatusNotFound, grace.ask(http.MethodGet, photo, "", nil))
	require.Equal(t, http.StatusNotFound, grace.ask(http.MethodPost, photo+"/delete", "", nil))

	require.Equal(t, http.StatusOK, ada.ask(http.MethodPost, photo+"/delete", "", &home))
	require.Empty(t, home.Photos)
	require.Equal(t, http.StatusNotFound, ada.ask(http.MethodGet, photo, "", nil))
	require.Equal(t, http.StatusNotFound, ada.complete(ticket, nil), "a photo that was deleted does not come back")
}

// keys lists what a region's bucket has.
func keys(t *testing.T, a *app, region string) (list []string) {
	t.Helper()
	r := a.regions[region]
	found, err := r.objects.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &r.bucket.Name})
	require.NoError(t, err)
	for _, o := range found.Contents {
		list = append(list, *o.Key)
	}
	return list
}

// link returns where a photo of somebody is read.
func (p *person) link(id string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.at+"/photos/"+id, nil)
	require.NoError(p.t, err)
	client := *p.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	require.NoError(p.t, err)
	require.NoError(p.t, response.Body.Close())
	require.Equal(p.t, http.StatusSeeOther, response.StatusCode)
	return response.Header.Get("Location")
}

func TestPhotosStayInTheRegionOfTheirOrganisation(t *testing.T) {
	a, gallery := open(t)
	for email, tc := range map[string]struct{ region, other string }{
		"ada@acme.example":     {"eu", "us"},
		"grace@globex.example": {"us", "eu"},
	} {
		p := signIn(t, gallery, email)
		elsewhere := keys(t, a, tc.other)
		var receipt struct{ ID, Key string }
		require.Equal(t, http.StatusOK, p.complete(p.upload(dot(t)), &receipt))
		require.Equal(t, []string{receipt.Key}, keys(t, a, tc.region), email)
		require.Equal(t, elsewhere, keys(t, a, tc.other), "nothing of it is in the other bucket")

		bucket := a.regions[tc.region].bucket
		require.True(t, strings.HasPrefix(p.link(receipt.ID), bucket.Endpoint+"/"+bucket.Name+"/"+receipt.Key+"?"), email)
		require.Equal(t, http.StatusOK, p.ask(http.MethodGet, "/photos/"+receipt.ID, "", nil), "the bucket's answer")
		require.Equal(t, http.StatusOK, p.ask(http.MethodPost, "/photos/"+receipt.ID+"/delete", "", nil))
		require.Empty(t, keys(t, a, tc.region))
	}
}

func TestAnOrganisationThatMovesKeepsItsPhotosWhereTheyAre(t *testing.T) {
	a, gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	var old, next struct{ ID string }
	require.Equal(t, http.StatusOK, ada.complete(ada.upload(dot(t)), &old))
	begun := ada.upload(dot(t))
	_, err := a.db.ExecContext(t.Context(), "UPDATE tenants SET region = 'us' WHERE id = 'acme'")
	require.NoError(t, err)

	var problem struct{ Code string }
	require.Equal(t, http.StatusConflict, ada.complete(begun, &problem), "what was begun begins again")
	require.Equal(t, postern.ErrBucketChanged.Code(), problem.Code)
	require.Equal(t, http.StatusOK, ada.complete(ada.upload(dot(t)), &next))
	require.Contains(t, ada.link(old.ID), "/gallery-eu/")
	require.Contains(t, ada.link(next.ID), "/gallery-us/")
	require.Equal(t, http.StatusOK, ada.ask(http.MethodGet, "/photos/"+old.ID, "", nil), "the bucket's answer")
}

func TestWhatFailsCanBeTriedAgain(t *testing.T) {
	a, gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	exec := func(query string) {
		_, err := a.db.ExecContext(t.Context(), query)
		require.NoError(t, err)
	}
	ticket := ada.upload(dot(t))
	exec("ALTER TABLE photos RENAME TO away")
	var problem struct{ Code string }
	require.Equal(t, http.StatusServiceUnavailable, ada.complete(ticket, &problem))
	require.Equal(t, postern.ErrCompletionFailed.Code(), problem.Code)
	require.Equal(t, http.StatusInternalServerError, ada.ask(http.MethodGet, "/", "", nil))
	exec("ALTER TABLE away RENAME TO photos")
	require.Equal(t, http.StatusOK, ada.complete(ticket, nil))

	var home view
	ada.ask(http.MethodGet, "/", "", &home)
	require.Len(t, home.Photos, 1)
	photo := "/photos/" + home.Photos[0].ID
	objects := a.regions["eu"].objects
	a.regions["eu"].objects = s3.New(objects.Options(), func(o *s3.Options) {
		o.BaseEndpoint, o.RetryMaxAttempts = aws.String("http://127.0.0.1:1"), 1 // nobody is there
	})
	require.Equal(t, http.StatusInternalServerError, ada.ask(http.MethodPost, photo+"/delete", "", nil))
	a.regions["eu"].objects = objects
	require.Equal(t, http.StatusOK, ada.ask(http.MethodGet, photo, "", nil), "it is still there")
	require.Equal(t, http.StatusOK, ada.ask(http.MethodPost, photo+"/delete", "", &home))
	require.Empty(t, home.Photos)
}

func TestWhatChangesInTheDatabaseHoldsAtOnce(t *testing.T) {
	a, gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	const large = `{"filename":"a.png","type":"image/png","size":2000001}`
	require.Equal(t, http.StatusRequestEntityTooLarge, ada.ask(http.MethodPost, "/uploads/sign", large, nil))
	for _, step := range []struct {
		query string
		want  int
	}{
		{"UPDATE tenants SET plan = 'studio' WHERE id = 'acme'", http.StatusCreated},
		{"DELETE FROM users WHERE email = 'ada@acme.example'", http.StatusUnauthorized},
	} {
		_, err := a.db.ExecContext(t.Context(), step.query)
		require.NoError(t, err)
		require.Equal(t, step.want, ada.ask(http.MethodPost, "/uploads/sign", large, nil), step.query)
	}
}

// TestTheDatabaseHasNoTokens: whoever reads a backup is nobody.
func TestTheDatabaseHasNoTokens(t *testing.T) {
	a, gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	at, err := url.Parse(gallery.URL)
	require.NoError(t, err)
	var all, known int
	require.NoError(t, a.db.QueryRowContext(t.Context(), "SELECT count(*), count(CASE WHEN token = $1 THEN 1 END) FROM sessions",
		ada.client.Jar.Cookies(at)[0].Value).Scan(&all, &known))
	require.Equal(t, 1, all)
	require.Zero(t, known)
}

// TestPagesKnowTheirSources: the browser tests see that they need no others.
func TestPagesKnowTheirSources(t *testing.T) {
	_, gallery := open(t)
	response, err := http.Get(gallery.URL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Regexp(t, "^default-src 'none'; script-src 'self'; style-src 'self'; ", response.Header.Get("Content-Security-Policy"))
	require.Contains(t, response.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
}

func TestWhatIsNoImageIsNoPhoto(t *testing.T) {
	_, gallery := open(t)
	ada := signIn(t, gallery, "ada@acme.example")
	var problem struct{ Code string }
	require.Equal(t, http.StatusUnprocessableEntity, ada.complete(ada.upload([]byte("<script>alert(1)</script>")), &problem))
	require.Equal(t, postern.ErrContentMismatch.Code(), problem.Code)
	var home view
	ada.ask(http.MethodGet, "/", "", &home)
	require.Empty(t, home.Photos)
}

// TestTheDatabaseOfTheReadmeWaitsItsTurn writes from two processes at once.
func TestTheDatabaseOfTheReadmeWaitsItsTurn(t *testing.T) {
	const folder, rows = "GALLERY_TEST_README", 300
	home, err := os.Getwd()
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	name := regexp.MustCompile(`sql\.Open\("sqlite", "(.+)"\)`).FindSubmatch(readme)
	require.Len(t, name, 2)
	if dir := os.Getenv(folder); dir != "" {
		t.Chdir(dir)
	} else {
		t.Chdir(t.TempDir())
	}
	db, err := sql.Open("sqlite", string(name[1]))
	require.NoError(t, err)
	defer db.Close()
	if os.Getenv(folder) != "" {
		for range rows {
			tx, err := db.Begin()
			require.NoError(t, err)
			var n int
			require.NoError(t, tx.QueryRow("SELECT count(*) FROM files").Scan(&n))
			_, err = tx.Exec("INSERT INTO files (n) VALUES ($1)", n)
			require.NoError(t, err)
			require.NoError(t, tx.Commit())
		}
		return
	}

	_, err = db.Exec("CREATE TABLE files (n INTEGER PRIMARY KEY)")
	require.NoError(t, err)
	dir, err := os.Getwd()
	require.NoError(t, err)
	var writers [2]*exec.Cmd
	var said [2]bytes.Buffer
	for i := range writers {
		writers[i] = exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		writers[i].Dir = home
		writers[i].Env = append(os.Environ(), folder+"="+dir)
		writers[i].Stdout = &said[i]
		require.NoError(t, writers[i].Start())
	}
	for i, w := range writers {
		require.NoError(t, w.Wait(), said[i].String())
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM files").Scan(&n))
	require.Equal(t, 2*rows, n)
}

package gallery_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
	"github.com/postern-go/postern/s3test"
)

// send makes a request with a cookie, if any, and follows nothing.
func send(t *testing.T, request *http.Request, cookie *http.Cookie) *http.Response {
	t.Helper()
	if cookie != nil {
		request.AddCookie(cookie)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response
}

func form(t *testing.T, address string, values url.Values) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request
}

// sign asks for a grant with a cookie.
func sign(t *testing.T, gallery *program.Program, cookie *http.Cookie) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gallery.URL+"/uploads/sign",
		strings.NewReader(`{"filename":"a.png","type":"image/png","size":100}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	return send(t, request, cookie).StatusCode
}

// read returns a page.
func read(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	require.NoError(t, err)
	return body(t, response)
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(content)
}

func TestSessionsAreSafe(t *testing.T) {
	credentials := url.Values{"email": {" Ada@Acme.example "}, "password": {password}}
	dir := t.TempDir()
	gallery := start(t, "-dir", dir)
	in := send(t, form(t, gallery.URL+"/sign-in", credentials), nil)
	require.Equal(t, http.StatusSeeOther, in.StatusCode)
	cookie := in.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Empty(t, cookie.Domain)

	t.Run("each sign-in has a new one, and the old one is worth nothing", func(t *testing.T) {
		again := send(t, form(t, gallery.URL+"/sign-in", credentials), cookie)
		require.Equal(t, http.StatusSeeOther, again.StatusCode)
		require.NotEqual(t, cookie.Value, again.Cookies()[0].Value)
		require.Equal(t, http.StatusUnauthorized, sign(t, gallery, cookie))
		cookie = again.Cookies()[0]
		require.Equal(t, http.StatusCreated, sign(t, gallery, cookie))
	})
	t.Run("after signing out, it is worth nothing to whoever has it", func(t *testing.T) {
		out := send(t, form(t, gallery.URL+"/sign-out", nil), cookie)
		require.Equal(t, http.StatusSeeOther, out.StatusCode)
		require.Negative(t, out.Cookies()[0].MaxAge)
		require.Equal(t, http.StatusUnauthorized, sign(t, gallery, cookie))
	})
	t.Run("a wrong password, and nobody, look alike", func(t *testing.T) {
		var answers []string
		for _, email := range []string{ada, "ida@acme.example"} {
			wrong, err := http.PostForm(gallery.URL+"/sign-in", url.Values{"email": {email}, "password": {"password"}})
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, wrong.StatusCode)
			require.Empty(t, wrong.Cookies())
			answers = append(answers, strings.ReplaceAll(body(t, wrong), `value="`+email+`"`, ""))
		}
		require.Equal(t, answers[0], answers[1])
	})
	t.Run("a page of another origin cannot sign anybody in", func(t *testing.T) {
		foreign := form(t, gallery.URL+"/sign-in", credentials)
		foreign.Header.Set("Sec-Fetch-Site", "cross-site")
		require.Equal(t, http.StatusForbidden, send(t, foreign, nil).StatusCode)
	})
	t.Run("without the demo, and wherever others can come, there are no accounts that everybody knows", func(t *testing.T) {
		for _, flag := range []string{"-demo=false", "-https", "-addr=0.0.0.0:0"} {
			gallery := start(t, "-dir", dir, flag) // which has the accounts
			address := strings.Replace(gallery.URL, "0.0.0.0", "127.0.0.1", 1)
			require.Equal(t, http.StatusUnauthorized, send(t, form(t, address+"/sign-in", credentials), nil).StatusCode, flag)
			require.NotContains(t, read(t, address), password, flag)
		}
		require.Contains(t, read(t, gallery.URL), password)
	})
}

func TestItGoesOnAfterARestart(t *testing.T) {
	onEach(t, func(t *testing.T, database []string) {
		gallery := start(t, database...)
		page := browser.Open(t, gallery.URL)
		signIn(page, ada)
		upload(page, fixture.PNG(t, "sea.png", 90, 60))
		gallery.Stop()

		again := start(t, database...)
		page.Navigate(again.URL) // cookies know no ports
		page.Wait(thumb("sea.png") + `?.naturalWidth > 0`)
		upload(page, fixture.PNG(t, "hill.png", 60, 60))
	})
}

func TestReplicasShareWhatTheyKnow(t *testing.T) {
	srv := s3test.Start(t)
	where := []string{"-db", database(t), "-dir", "/dev/null/none"} // they keep no files
	one, two := startWith(t, srv, where...), startWith(t, srv, where...)
	page := browser.Open(t, one.URL)
	signIn(page, ada)
	upload(page, fixture.PNG(t, "sea.png", 90, 60))
	grant := ask(page, "sign", map[string]any{"filename": "a.png", "type": "image/png", "size": 100})

	page.Navigate(two.URL)
	page.Wait(thumb("sea.png") + `?.naturalWidth > 0`)
	require.Equal(t, "object_missing", ask(page, "complete", map[string]any{"ticket": grant.Ticket}).Code, "the ticket is known")
}

func TestReplicasMayStartTogether(t *testing.T) {
	where := database(t)
	for i := range 4 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			start(t, "-dir", t.TempDir(), "-db", where)
		})
	}
}

// TestAFrontEndElsewhere uploads from a page of another origin, with the session's
// cookie.
func TestAFrontEndElsewhere(t *testing.T) {
	pages := http.NewServeMux()
	pages.Handle("/client/", client.Handler())
	pages.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><script type="module">
			import { upload } from "/client/postern.js";
			window.upload = upload;
		</script>`))
	})
	frontEnd, stranger := httptest.NewServer(pages), httptest.NewServer(pages)
	defer frontEnd.Close()
	defer stranger.Close()
	gallery := start(t, "-dir", t.TempDir(), "-front-end", "https://app.example.com "+frontEnd.URL)

	app := func(page *browser.Page, expression string) string {
		page.Wait(`window.upload`)
		return browser.Eval[string](page, `(async (gallery) => {
			const home = () => fetch(gallery, { credentials: "include", headers: { Accept: "application/json" } }).then((r) => r.json());
			const post = (path, values) => fetch(gallery + path, { method: "POST", credentials: "include", body: new URLSearchParams(values) });
			`+expression+`
		})(`+browser.Quote(gallery.URL)+`).catch((e) => e.code ?? e.name)`)
	}
	page := browser.Open(t, frontEnd.URL)
	require.Equal(t, "Acme", app(page, `
		await post("/sign-in", { email: "`+ada+`", password: "`+password+`" });
		return (await home()).User.Organisation;`))
	require.Equal(t, "dot.png", app(page, `
		const canvas = new OffscreenCanvas(8, 8);
		canvas.getContext("2d");
		const file = new File([await canvas.convertToBlob()], "dot.png", { type: "image/png" });
		await upload(file, { endpoint: gallery + "/uploads", credentials: "include", store: null });
		return (await home()).Photos[0].Filename;`))
	require.Equal(t, "8", app(page, `
		const image = new Image();
		image.src = gallery + "/photos/" + (await home()).Photos[0].ID;
		await image.decode();
		return String(image.naturalWidth);`))

	t.Run("a stranger on the same site can do nothing, although the cookie comes along", func(t *testing.T) {
		page.AllowErrors()
		page.Navigate(stranger.URL)
		require.Equal(t, "TypeError", app(page, `return (await home()).User.Organisation;`))
		require.Equal(t, "network", app(page, `
			await upload(new File(["x"], "x.png", { type: "image/png" }), {
				endpoint: gallery + "/uploads", credentials: "include", store: null, signal: AbortSignal.timeout(1500),
			}).catch((e) => { throw e.code === "aborted" ? Object.assign(e, { code: "network" }) : e; });
			return "uploaded";`))
		for _, path := range []string{"/sign-out", "/photos/x/delete", "/sign-in"} {
			page.Navigate(stranger.URL)
			browser.Eval[bool](page, `(() => {
				const form = document.createElement("form");
				form.method = "post";
				form.action = `+browser.Quote(gallery.URL+path)+`;
				document.documentElement.append(form);
				form.submit();
				return true;
			})()`)
			page.Wait(`document.body?.innerText.includes("cross_origin")`)
		}
	})
	page.Navigate(gallery.URL)
	page.Wait(thumb("dot.png") + `?.naturalWidth > 0`)

	page.Navigate(frontEnd.URL)
	require.Equal(t, "0, then nobody", app(page, `
		await post("/photos/" + (await home()).Photos[0].ID + "/delete");
		const left = (await home()).Photos?.length ?? 0;
		await post("/sign-out");
		return left + ((await home()).User ? "" : ", then nobody");`))
}

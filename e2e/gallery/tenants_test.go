package gallery_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/s3test"
)

// status returns how the server answers to the page of somebody.
func status(page *browser.Page, method, path string) int {
	return browser.Eval[int](page, `fetch(`+browser.Quote(path)+`, { method: `+browser.Quote(method)+` }).then((r) => r.status)`)
}

// answer is Postern's.
type answer struct {
	Status       int
	Code, Ticket string
}

// ask sends JSON to Postern.
func ask(page *browser.Page, action string, body map[string]any) answer {
	text, _ := json.Marshal(body)
	return browser.Eval[answer](page, `fetch("/uploads/`+action+`", {
		method: "POST", headers: { "Content-Type": "application/json" }, body: `+browser.Quote(string(text))+`,
	}).then(async (r) => ({ Status: r.status, ...Object.fromEntries(
		Object.entries(await r.json().catch(() => ({}))).map(([k, v]) => [k[0].toUpperCase() + k.slice(1), v])
			.filter(([k]) => k === "Code" || k === "Ticket")) }))`)
}

func TestOrganisationsNeitherSeeNorReachEachOthersPhotos(t *testing.T) {
	onEach(t, func(t *testing.T, database []string) {
		srv := s3test.Start(t)
		gallery := startWith(t, srv, database...)
		acme, globex := browser.Open(t, gallery.URL), browser.Open(t, gallery.URL)
		signIn(acme, ada)
		signIn(globex, grace)

		sea, hill, lake := fixture.PNG(t, "sea.png", 300, 200), fixture.PNG(t, "hill & <dale>.png", 240, 240), fixture.PNG(t, "lake.png", 320, 180)
		upload(acme, sea, hill)
		upload(globex, lake)
		european, americans := objects(t, srv, srv.Bucket), objects(t, srv, american)
		require.Len(t, european, 2, "and nothing is left in staging")
		require.Len(t, americans, 1)
		keyOf := func(f fixture.File) (key string) {
			for _, stored := range []map[string][]byte{european, americans} {
				for k, content := range stored {
					if string(content) == string(f.Bytes) {
						key = k
					}
				}
			}
			return key
		}
		require.Regexp(t, `^acme/\d{4}-\d\d-\d\d/[0-9a-f-]{36}\.png$`, keyOf(sea))
		require.Regexp(t, `^acme/`, keyOf(hill))
		require.Regexp(t, `^globex/`, keyOf(lake))

		reload := func(page *browser.Page) {
			browser.Eval[bool](page, `window.old = true`)
			browser.Eval[bool](page, `location.reload(), true`)
			page.Wait(`!window.old && document.readyState === "complete"`)
		}
		reload(acme)
		reload(globex)
		names, ids := photos(acme)
		require.ElementsMatch(t, []string{sea.Name, hill.Name}, names)
		theirNames, theirIDs := photos(globex)
		require.Equal(t, []string{lake.Name}, theirNames)

		t.Run("by their addresses", func(t *testing.T) {
			require.Equal(t, http.StatusOK, status(acme, "GET", "/photos/"+ids[0]), "the bucket's answer, through the link")
			require.Equal(t, http.StatusNotFound, status(globex, "GET", "/photos/"+ids[0]))
			require.Equal(t, http.StatusNotFound, status(acme, "GET", "/photos/"+theirIDs[0]))
			require.Equal(t, http.StatusNotFound, status(globex, "POST", "/photos/"+ids[0]+"/delete"))
			require.Equal(t, http.StatusNotFound, status(globex, "GET", "/photos/"+strings.Repeat("0", 32)), "as if it were not there")
			require.Len(t, objects(t, srv, american), 1)
			require.Len(t, objects(t, srv, srv.Bucket), 2)
		})
		t.Run("by a link that was made for another photo", func(t *testing.T) {
			link := browser.Eval[string](globex, `fetch("/photos/`+theirIDs[0]+`").then((r) => r.url)`)
			require.Contains(t, link, "X-Amz-Expires=60&")
			require.Contains(t, link, "/"+american+"/"+keyOf(lake))
			response, err := http.Get(strings.Replace(link, "/"+american+"/"+keyOf(lake), "/"+srv.Bucket+"/"+keyOf(sea), 1))
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, http.StatusForbidden, response.StatusCode)
		})
		t.Run("by a ticket of somebody else", func(t *testing.T) {
			grant := ask(acme, "sign", map[string]any{"filename": "a.png", "type": "image/png", "size": 100})
			require.Equal(t, http.StatusCreated, grant.Status)
			for _, action := range []string{"complete", "abort", "list", "parts"} {
				got := ask(globex, action, map[string]any{"ticket": grant.Ticket, "numbers": []int{1}})
				require.Equal(t, answer{Status: http.StatusForbidden, Code: "ticket_foreign"}, got, action)
			}
		})
		t.Run("colleagues see each other's", func(t *testing.T) {
			signOut(acme)
			require.Equal(t, http.StatusNotFound, status(acme, "GET", "/photos/"+ids[0]), "nobody is signed in")
			require.Equal(t, http.StatusUnauthorized, ask(acme, "sign", map[string]any{"filename": "a.png", "type": "image/png", "size": 100}).Status)
			signIn(acme, alan)
			names, _ := photos(acme)
			require.ElementsMatch(t, []string{sea.Name, hill.Name}, names)
			acme.Wait(thumb(sea.Name) + `.naturalWidth > 0`)
		})
		t.Run("what is deleted is gone for everybody", func(t *testing.T) {
			acme.Click(`.thumb[aria-label="Show sea.png"]`)
			acme.Wait(`document.querySelector(":popover-open > img").naturalWidth === 300`)
			acme.Click(`[aria-label="Delete for good: sea.png"]`)
			acme.Wait(`document.readyState === "complete" && document.querySelectorAll("[data-photo]").length === 1`)
			left := objects(t, srv, srv.Bucket)
			require.Len(t, left, 1)
			require.NotContains(t, left, keyOf(sea))
			require.Contains(t, left, keyOf(hill))
		})
	})
}

func TestLimitsAreThoseOfThePlan(t *testing.T) {
	onEach(t, func(t *testing.T, database []string) {
		srv := s3test.Start(t)
		gallery := startWith(t, srv, database...)
		small := fixture.PNG(t, "small.png", 100, 100)
		large := fixture.Write(t, "large.png", append(small.Bytes, make([]byte, 2_100_000)...))
		fake := fixture.Write(t, "fake.png", []byte("<!doctype html><script>alert(1)</script>"))
		text := fixture.Text(t, "notes.txt", 100)

		page := browser.Open(t, gallery.URL)
		plan := func() string { return browser.Eval[string](page, `document.querySelector(".plan").innerText`) }
		signIn(page, ada)
		require.Equal(t, "Free plan Photos up to 2 MB each, kept in Europe", plan())
		e := uploads(page)
		require.Equal(t, "Only JPEG, PNG, GIF, WebP, and AVIF · Up to 2 MB each", browser.Eval[string](page, e.Part("hint")+`.innerText`))
		e.Pick(large, fake, text)
		require.Equal(t, "Your plan allows photos up to 2 MB.", e.Failure(large.Name))
		require.Equal(t, "This is not a photo of an accepted type.", e.Failure(fake.Name))
		require.Equal(t, "This is not a photo of an accepted type.", e.Failure(text.Name))
		require.Empty(t, objects(t, srv, srv.Bucket))
		e.Push(large.Name, "remove")
		page.Wait(e.Root() + `.querySelectorAll("[part~=file]").length === 2`)

		signOut(page)
		signIn(page, grace)
		require.Equal(t, "Studio plan Photos up to 25 MB each, kept in the United States", plan())
		upload(page, large)
		require.Len(t, objects(t, srv, american), 1)
	})
}

func TestAPhotoThatIsStoredHasNotFailed(t *testing.T) {
	page := browser.Open(t, start(t, "-dir", t.TempDir()).URL)
	signIn(page, ada)
	for what, answer := range map[string]string{
		"the network is gone": `Promise.reject(new TypeError("no network"))`,
		"the server is ill":   `Promise.resolve(new Response("Something went wrong.", { status: 500 }))`,
	} {
		browser.Eval[bool](page, `(window.fetch = ((real) => (...args) => args[0] === "/" ? `+answer+` : real(...args))(fetch), true)`)
		f := fixture.PNG(t, what+".png", 40, 30)
		e := uploads(page)
		e.Pick(f)
		e.WaitFor(f.Name, "done")
		page.Wait(e.Part("message") + `.innerText.includes("Uploaded")`)
		page.Reload()
		page.Wait(thumb(f.Name) + `?.naturalWidth > 0`)
	}
}

func TestPhotosMayBeDroppedAnywhere(t *testing.T) {
	page := browser.Open(t, start(t, "-dir", t.TempDir()).URL)
	signIn(page, ada)
	e := uploads(page)
	beside, inside := fixture.PNG(t, "beside.png", 40, 30), fixture.PNG(t, "inside.png", 40, 30)
	at := browser.Eval[[]float64](page, `(({ x, y, width, height }) => [x + width / 2, y + height / 2])(document.querySelector("h1").getBoundingClientRect())`)
	page.Drag(at[0], at[1], beside.Path)
	page.Wait(`document.body.matches(".over")`)
	page.Drop(at[0], at[1], beside.Path)
	page.Wait(thumb(beside.Name) + `?.naturalWidth > 0`)
	e.Drop(inside.Path)
	page.Wait(thumb(inside.Name) + `?.naturalWidth > 0`)
	page.Wait(`!document.body.matches(".over")`)
	names, _ := photos(page)
	require.ElementsMatch(t, []string{beside.Name, inside.Name}, names)
}

package clients_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/companion"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/s3test"
)

// openPlugin opens the example's page in one of its ways.
func openPlugin(t *testing.T, mode string) (*site, *browser.Page) {
	s := start(t)
	page := s.open("uppyplugin", "acme")
	if mode != "" {
		page.Navigate(s.URL + "/uppyplugin/?" + mode)
	}
	return s, page
}

func TestTheUppyPluginUploadsInOneRequest(t *testing.T) {
	for _, mode := range []string{"forms", "puts"} {
		t.Run(mode, func(t *testing.T) {
			s, page := openPlugin(t, mode)
			f := photo(t, "evening at sea.png")
			chooseInUppy(page, f)
			page.Throttle(megabyte)
			page.Click(uppyUpload)
			page.Wait(uppyBar + ` > 0 && ` + uppyBar + ` < 100`)
			page.Wait(uppyDone)

			stored := storedByUppy(t, s, page, f, "image/png")
			require.Contains(t, s.Log(), `"action":"complete","outcome":"granted"`)
			require.Equal(t, f.Name+" is stored as "+stored.key, browser.Eval[string](page, `document.querySelector("#receipts li").textContent`))
		})
	}
}

func TestTheUppyPluginUploadsInPartsPausesAndGoesOn(t *testing.T) {
	s, page := openPlugin(t, "")
	f := fixture.Text(t, "log.txt", long)
	chooseInUppy(page, f)
	startUppy(page)
	pauseUppy(page)
	page.Throttle(0)
	require.Empty(t, s.stored("acme"))
	page.Click(button("Resume"))
	page.Wait(uppyDone)

	wentOn(t, s)
	storedByUppy(t, s, page, f, "text/plain")
}

func TestTheUppyPluginCancelsAndLeavesNothing(t *testing.T) {
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprintf("paused: %t", paused), func(t *testing.T) {
			s, page := openPlugin(t, "")
			chooseInUppy(page, fixture.Text(t, "log.txt", long))
			startUppy(page)
			if paused {
				pauseUppy(page)
			}
			page.Click(button("Cancel"))
			page.Wait(uppyItems + ` === 0`)
			page.Throttle(0)
			gaveUp(t, s)
			page.Wait(`!Object.keys(localStorage).some((name) => name.startsWith("postern"))`)
		})
	}
}

func TestAFileIsRemovedWhileTheUppyPluginUploads(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.Choose(uppyPicker, fixture.Text(t, "stays.txt", 7*megabyte).Path, fixture.Text(t, "goes.txt", long).Path)
	page.Throttle(3 * megabyte)
	page.Click(uppyUpload)
	page.Wait(`uppy.getFiles().length === 2 && uppy.getFiles().every(({ progress }) => progress.bytesUploaded > 0)`)
	page.Throttle(slow)
	page.ClickOn(`[...document.querySelectorAll(".uppy-Dashboard-Item")].find((item) => item.innerText.includes("goes.txt"))
		?.querySelector(".uppy-Dashboard-Item-action--remove")`)
	page.Wait(uppyItems + ` === 1`)
	page.Throttle(0)
	page.Wait(uppyDone)
	require.Equal(t, []string{"stays.txt"}, browser.Eval[[]string](page, `uppy.getFiles().map(({ response }) => response.body.filename)`))
	require.Eventually(t, func() bool { return s.aborted.Load() == 1 }, browser.Patience, 20*time.Millisecond)
	require.EqualValues(t, 1, s.completed.Load())
}

func TestTheUppyPluginGoesOnAfterAReload(t *testing.T) {
	for name, size := range map[string]int{
		"with Golden Retriever":         6 * megabyte,
		"when the file is chosen again": 22 * megabyte,
	} {
		t.Run(name, func(t *testing.T) {
			s, page := openPlugin(t, "")
			f := fixture.Text(t, "log.txt", size)
			chooseInUppy(page, f)
			page.Throttle(megabyte / 2) // the last part, which is small, is there long before the others
			page.Click(uppyUpload)
			page.Wait(`Object.entries(localStorage).some(([name, saved]) => name.startsWith("postern[") && JSON.parse(saved).done.length > 0)`)
			comeBackToUppy(page, f)
			goOnInUppy(page)

			wentOn(t, s)
			storedByUppy(t, s, page, f, "text/plain")
		})
	}
}

func TestTheUppyPluginShowsTheServersWords(t *testing.T) {
	t.Run("of a refusal to sign", func(t *testing.T) {
		s, page := openPlugin(t, "forms")
		page.AllowErrors() // Uppy writes them to the console
		chooseInUppy(page, fixture.Write(t, "page.html", []byte("<!doctype html>")))
		page.Click(uppyUpload)
		page.Wait(uppyFailed)
		saysInUppy(page, "Files of type text/html are not accepted.")
		require.Empty(t, s.stored("acme"))
	})
	t.Run("of a refusal to complete", func(t *testing.T) {
		s, page := openPlugin(t, "forms")
		page.AllowErrors() // Uppy writes them to the console
		chooseInUppy(page, fixture.Write(t, "page.png", []byte("<!doctype html><script>alert(1)</script>")))
		page.Click(uppyUpload)
		page.Wait(uppyFailed)
		saysInUppy(page, "The file says that it is image/png, but its content is text/html.")
		require.Empty(t, s.stored("acme"))
	})
}

// TestTheUppyPluginAtProvidersWithoutForms has it upload by PUT and in parts.
func TestTheUppyPluginAtProvidersWithoutForms(t *testing.T) {
	for _, p := range []postern.Provider{postern.CloudflareR2, postern.BackblazeB2} {
		t.Run(string(p), func(t *testing.T) {
			s := startPlugin(t, p)
			page := s.open(t)
			page.Choose(uppyPicker, fixture.PNG(t, "small.png", 300, 200).Path, fixture.Text(t, "large.txt", 12*megabyte).Path)
			page.Click(uppyUpload)
			page.Wait(uppyDone)
			require.EqualValues(t, 2, s.completed.Load())
			require.Equal(t, []string{"PUT", "PUT", "PUT", "PUT"}, browser.Eval[[]string](page, `sent`), "one file, and three parts")
		})
	}
}

func TestTheUppyPluginSendsABearerTokenAndMeta(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	f := fixture.PNG(t, "evening.png", 300, 200)
	page.Choose(uppyPicker, f.Path)
	browser.Eval[bool](page, `(() => {
		const [{ id }] = uppy.getFiles();
		uppy.setFileMeta(id, { name: "morning.png", caption: "Fog", rating: 5, relativePath: "holiday/2026/evening.png", left: null });
		return true;
	})()`)
	page.Click(uppyUpload)
	page.Wait(uppyDone)
	got := browser.Eval[struct {
		Filename string
		Key      string
		Size     int
		ID       string
		Metadata map[string]string
		Data     struct{ Row int }
	}](page, `uppy.getFiles()[0].response.body`)
	require.Equal(t, "morning.png", got.Filename)
	require.Equal(t, "holiday/2026/morning.png", got.Key[strings.IndexByte(got.Key, '/')+1:])
	require.Equal(t, len(f.Bytes), got.Size)
	require.NotEmpty(t, got.ID)
	require.Equal(t, map[string]string{"caption": "Fog", "rating": "5"}, got.Metadata)
	require.Equal(t, 1, got.Data.Row)
	require.Equal(t, `[200,true]`, browser.Eval[string](page, `JSON.stringify([events["upload-success"][0].status, events["upload-success"][0].body.id === uppy.getFiles()[0].response.body.id])`))
}

func TestARefusedFileIsTriedAgainWithTheUppyPlugin(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.AllowErrors() // Uppy writes them to the console
	s.refuse("b.txt", "Your plan has no room for this file.")
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", 1000).Path, fixture.Text(t, "b.txt", 1000).Path)
	page.Click(uppyUpload)
	page.Wait(uppyFailed)
	saysInUppy(page, "Your plan has no room for this file.")
	require.Equal(t, "no_room 403 server UploadError", browser.Eval[string](page, `(({ code, status, from, name }) => [code, status, from, name].join(" "))(events["upload-error"][0])`))
	require.Equal(t, "403 no_room", browser.Eval[string](page, `(({ response: { status, body } }) => status + " " + body.code)(uppy.getFiles().find(({ error }) => error))`))
	page.Wait(`results.length === 1`)
	require.EqualValues(t, 1, s.completed.Load(), "the other one has gone up")

	s.refuse("", "")
	page.Click(uppyRetry)
	page.Wait(uppyDone)
	require.EqualValues(t, 2, s.completed.Load())
}

// Uppy forgets what has failed when all goes on.
func TestARefusedFileIsTriedAgainWhenTheUppyPluginGoesOn(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.AllowErrors() // Uppy writes them to the console
	s.refuse("b.txt", "Your plan has no room for this file.")
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", long).Path, fixture.Text(t, "b.txt", 1000).Path)
	page.Throttle(3 * megabyte)
	page.Click(uppyUpload)
	page.Wait(`events["upload-error"]?.length === 1`)
	browser.Eval[bool](page, `(uppy.pauseAll(), true)`)
	page.Throttle(0)
	s.refuse("", "")
	browser.Eval[bool](page, `(uppy.resumeAll(), true)`)
	page.Wait(uppyDone)
	require.EqualValues(t, 2, s.completed.Load())
}

func TestTheUppyPluginUploadsManyFilesTogether(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	var paths []string
	for i := range 30 {
		paths = append(paths, fixture.Text(t, fmt.Sprintf("file %02d.txt", i), 20_000+i).Path)
	}
	page.Choose(uppyPicker, paths...)
	page.Click(uppyUpload)
	page.Wait(uppyDone)
	require.EqualValues(t, 30, s.completed.Load())
	require.Equal(t, 30, browser.Eval[int](page, `new Set(events["upload-success"].map(({ body }) => body.key)).size`))
	require.Less(t, s.calls("sign"), 10, "they ask together")
	require.Equal(t, 30, browser.Eval[int](page, `results[0].successful.length`))
}

func TestOneFileIsPausedByTheUppyPlugin(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", long).Path, fixture.Text(t, "b.txt", 7*megabyte).Path)
	page.Throttle(6 * megabyte)
	page.Click(uppyUpload)
	page.Wait(`uppy.getFiles().length === 2 && uppy.getFiles().every(({ progress }) => progress.bytesUploaded > 0)`)
	asked := s.calls("sign") // together, or one after the other
	page.Throttle(slow)
	page.ClickOn(`[...document.querySelectorAll(".uppy-Dashboard-Item")].find((item) => item.innerText.includes("a.txt"))
		?.querySelector(".uppy-Dashboard-Item-progressIndicator")`)
	page.Wait(`uppy.getFiles().some(({ isPaused }) => isPaused)`)
	page.Throttle(0)
	page.Wait(`events["upload-success"]?.length === 1 && uppy.getFiles().find(({ isPaused }) => isPaused)?.name === "a.txt"`)
	require.EqualValues(t, 1, s.completed.Load())
	page.ClickOn(`[...document.querySelectorAll(".uppy-Dashboard-Item")].find((item) => item.innerText.includes("a.txt"))
		?.querySelector(".uppy-Dashboard-Item-progressIndicator")`)
	page.Wait(uppyDone)
	require.EqualValues(t, 2, s.completed.Load())
	require.Equal(t, asked, s.calls("sign"), "what was paused goes on")
}

func TestTheUppyPluginWaitsForTheNetwork(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.AllowErrors() // the browser says that it is offline
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", long).Path)
	startUppy(page)
	page.Offline(true)
	page.Wait(`document.querySelector(".uppy-Informer")?.innerText.includes("No Internet connection")`)
	page.Offline(false)
	page.Throttle(0)
	page.Wait(uppyDone)
	require.EqualValues(t, 1, s.completed.Load())
	require.Equal(t, 1, s.calls("sign"))
}

func TestProcessorsOfUppyRunAroundThePlugin(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	// A preprocessor changes the bytes, and leaves a Blob without a date.
	browser.Eval[bool](page, `(() => {
		uppy.addPreProcessor(async (ids) => ids.forEach((id) => {
			const data = new Blob(["changed "], { type: "text/plain" });
			uppy.setFileState(id, { data, size: data.size });
		}));
		uppy.addPostProcessor(async (ids) => ids.forEach((id) => uppy.setFileMeta(id, { key: uppy.getFile(id).response.body.key })));
		return true;
	})()`)
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", 1000).Path)
	page.Click(uppyUpload)
	page.Wait(uppyDone)
	require.Equal(t, `[8,true]`, browser.Eval[string](page, `(([{ response: { body }, meta }]) => JSON.stringify([body.size, body.key === meta.key]))(uppy.getFiles())`))
	require.EqualValues(t, 1, s.completed.Load())
}

func TestWhatIsNotInTheBrowserIsRefusedByTheUppyPlugin(t *testing.T) {
	page := startPlugin(t, postern.VersityGW).open(t)
	page.AllowErrors() // Uppy writes them to the console
	require.Equal(t, "Files of other services can’t be uploaded here.", browser.Eval[string](page, `(async () => {
		uppy.addFile({ name: "a.txt", type: "text/plain", isRemote: true, data: { size: 1 }, remote: { body: {} } });
		const { failed: [{ error }] } = await uppy.upload();
		return error;
	})()`))
}

func TestTheUppyPluginSpeaksThePagesLanguage(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.AllowErrors() // Uppy writes them to the console
	s.refuse("a.txt", "Your plan has no room for this file.")
	browser.Eval[bool](page, `(uppy.getPlugin("Postern").setOptions({ locale: { strings: { no_room: "Kein Platz (%{code})." } } }), true)`)
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", 1000).Path)
	page.Click(uppyUpload)
	page.Wait(uppyFailed)
	saysInUppy(page, "Kein Platz (no_room).")
}

func TestTheUppyPluginIsTakenAway(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := s.open(t)
	page.Choose(uppyPicker, fixture.Text(t, "a.txt", long).Path)
	startUppy(page)
	browser.Eval[bool](page, `(uppy.destroy(), true)`)
	page.Throttle(0)
	require.Eventually(t, func() bool { return s.aborted.Load() == 1 }, browser.Patience, 20*time.Millisecond)
	require.False(t, browser.Eval[bool](page, `uppy.getState().capabilities.resumableUploads`))
	require.Zero(t, s.completed.Load())
}

// TestTheUppyPluginWithUppy5 has no Dashboard.
func TestTheUppyPluginWithUppy5(t *testing.T) {
	s := startPlugin(t, postern.VersityGW)
	page := browser.Open(t, s.URL+"/five")
	page.Wait(`window.uppy`)
	require.Equal(t, "a.txt 3 b.txt 12582912", browser.Eval[string](page, `(async () => {
		uppy.addFile({ name: "a.txt", type: "text/plain", data: new Blob(["abc"]) });
		uppy.addFile({ name: "b.txt", type: "text/plain", data: new Blob([new Uint8Array(12 * 2 ** 20)]) });
		const { successful } = await uppy.upload();
		return successful.flatMap(({ response: { body } }) => [body.filename, body.size]).join(" ");
	})()`))
	require.EqualValues(t, 2, s.completed.Load())
}

// pluginSite is a page that has Uppy in one file, as from a CDN, and a Handler whose
// users have a token.
type pluginSite struct {
	URL       string
	completed atomic.Int32
	aborted   atomic.Int32
	receipt   atomic.Pointer[postern.Receipt]

	mu      sync.Mutex
	asked   map[string]int
	refused map[string]string
}

const pluginToken = "a-token"

var errNoRoom = postern.NewProblem(http.StatusForbidden, "no_room", "No room")

// calls is how many requests of an action there were.
func (s *pluginSite) calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[action]
}

// last is the receipt of the last upload.
func (s *pluginSite) last() *postern.Receipt { return s.receipt.Load() }

// refuse has files of a name refused, and no others.
func (s *pluginSite) refuse(name, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = map[string]string{name: detail}
}

func (s *pluginSite) authorize(r *http.Request, u *postern.Upload) error {
	if r.Header.Get("Authorization") != "Bearer "+pluginToken {
		return postern.ErrUnauthenticated
	}
	u.Subject = "ada"
	s.mu.Lock()
	defer s.mu.Unlock()
	if detail, refused := s.refused[u.Filename]; refused {
		return errNoRoom.WithDetail(detail)
	}
	return nil
}

// startPlugin serves the page, at an S3 server like a provider's. The test runs beside
// others.
func startPlugin(t *testing.T, p postern.Provider) *pluginSite {
	t.Helper()
	t.Parallel()
	srv := s3test.Start(t, s3test.Like(p))
	s := &pluginSite{asked: map[string]int{}}
	return s.serve(t, postern.Bucket{
		Name: srv.Bucket, Region: srv.Region, Endpoint: srv.Endpoint, PathStyle: true, Credentials: srv.Credentials(), Provider: p,
	})
}

func (s *pluginSite) serve(t *testing.T, bucket postern.Bucket) *pluginSite {
	t.Helper()
	h, err := postern.New(bucket,
		postern.AllowSharedCredentials(),
		postern.WithAuthorizer(s.authorize),
		postern.WithKeyPolicy(postern.KeyTemplate("{uuid}/{path}/{slug}{ext}")),
		postern.WithContentTypes("image/*", "text/plain"),
		postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(5<<20), postern.WithPartSize(5<<20),
		postern.WithPromotion("staging/"),
		postern.WithClientMetadata("caption", "rating"),
		postern.WithObserver(func(_ context.Context, d postern.Decision) {
			if d.Action == postern.ActionAbort && d.Outcome == postern.OutcomeGranted {
				s.aborted.Add(1)
			}
		}),
		postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
			s.receipt.Store(r)
			r.Data = map[string]int32{"row": s.completed.Add(1)}
			return nil
		}))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/uploads/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked[path.Base(r.URL.Path)]++
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	})
	mux.Handle("/client/", client.Handler())
	mux.HandleFunc("/uppy6.js", script(uppyInOneFile(t, `
		export { default as Uppy, BasePlugin } from "@uppy/core";
		export { default as Dashboard } from "@uppy/dashboard";
		export { default as AwsS3 } from "@uppy/aws-s3";`)))
	mux.HandleFunc("/uppy5.js", script(uppyInOneFile(t, `export { default as Uppy, BasePlugin } from "uppy5-core";`)))
	mux.Handle("/npm/", http.StripPrefix("/npm/", http.FileServer(http.Dir(nodeModules))))
	c, err := companion.New(h)
	require.NoError(t, err)
	mux.Handle("/uppy/", c)
	mux.HandleFunc("/{$}", pluginPage("6", `
		import { Dashboard } from "@uppy/core";
		uppy.use(Dashboard, dashboard).use(Postern, { endpoint: "/uploads", headers: async () => headers });`))
	mux.HandleFunc("/signed", pluginPage("6", `
		import { AwsS3, Dashboard } from "@uppy/core";
		const at = "/uppy/s3/multipart";
		async function signRequest({ method, key, uploadId, partNumber }) {
			if (!uploadId) {
				const { name: filename, type, size, meta: { caption } } = uppy.getFile(key);
				const query = new URLSearchParams({ format: "xml", filename, type, size });
				if (caption) query.set("metadata[caption]", caption);
				return { url: at + "?" + query, headers };
			}
			const upload = at + "/" + encodeURIComponent(uploadId);
			if (partNumber) return (await fetch(upload + "/" + partNumber, { headers })).json();
			return { url: upload + (method === "POST" ? "/complete" : "") + "?format=xml", headers };
		}
		uppy.use(Dashboard, dashboard)
			.use(AwsS3, { signRequest, generateObjectKey: ({ id }) => id, shouldUseMultipart: ({ size }) => size > 0 });`))
	mux.HandleFunc("/five", pluginPage("5", `uppy.use(Postern, { endpoint: "/uploads", headers });`))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// open opens the page.
func (s *pluginSite) open(t *testing.T) *browser.Page {
	t.Helper()
	return s.openAt(t, "/")
}

func (s *pluginSite) openAt(t *testing.T, path string) *browser.Page {
	t.Helper()
	page := browser.Open(t, s.URL+path)
	page.Wait(`window.uppy && document.querySelector(` + browser.Quote(uppyPicker) + `)`)
	return page
}

// pluginPage says where @uppy/core is, which the plugin imports, and keeps what happens.
func pluginPage(version, more string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Uppy</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/npm/@uppy/core/dist/style.min.css"><link rel="stylesheet" href="/npm/@uppy/dashboard/dist/style.min.css">
<script type="importmap">{ "imports": { "@uppy/core": "/uppy`+version+`.js" } }</script>
<div id="dashboard"></div>
<script type="module">
import { Uppy } from "@uppy/core";
import Postern from "/client/uppy.js";
window.sent = [];
const { open } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.open = function (method, ...rest) { sent.push(method); open.call(this, method, ...rest); };
window.events = {};
window.results = [];
const headers = { Authorization: "Bearer `+pluginToken+`" };
const dashboard = { target: "#dashboard", inline: true, proudlyDisplayPoweredByUppy: false };
const uppy = new Uppy();
for (const name of ["upload-success", "upload-error"]) uppy.on(name, (file, what) => (events[name] ??= []).push(what));
uppy.on("complete", (result) => results.push(result));
`+more+`
window.uppy = uppy;
</script>`)
	}
}

func script(source []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(source)
	}
}

// bundles are what uppyInOneFile has made.
var bundles sync.Map

// uppyInOneFile makes one module of packages, as CDNs have it.
func uppyInOneFile(t *testing.T, exports string) []byte {
	t.Helper()
	made, _ := bundles.LoadOrStore(exports, sync.OnceValues(func() ([]byte, error) {
		folder := filepath.Dir(nodeModules)
		esbuild := exec.Command(filepath.Join(folder, "..", "..", "client", "node_modules", ".bin", "esbuild"), "--bundle", "--format=esm")
		esbuild.Dir = folder
		esbuild.Stdin = strings.NewReader(exports)
		return esbuild.Output()
	}))
	bundle, err := made.(func() ([]byte, error))()
	require.NoError(t, err)
	return bundle
}

package browser_test

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
)

const page = `<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark } body { margin: 0; background: light-dark(#fff, #000) } #far { margin-top: 3000px }</style>
<form><input id="field"><input type="file" id="files" multiple> <button id="button" type="button">B</button></form><pre id="said"></pre>
<p id="shadow"></p><p><button id="shy">Shy</button></p><button id="far">Far</button>
<script>
const say = (what) => (said.textContent += what + " ");
button.onclick = () => say("clicked");
far.onclick = () => say("far");
shy.onpointerover = () => { shy.onpointerover = null; shy.style.marginLeft = "300px"; };
shy.onclick = () => say("caught");
field.onkeydown = (event) => say(event.key);
addEventListener("offline", () => say("offline"));
addEventListener("online", () => say("online"));
shadow.attachShadow({ mode: "open" }).innerHTML = "<input type=file><button>Inner</button>";
addEventListener("dragover", (event) => { event.preventDefault(); say(event.type + event.dataTransfer.types.join()); });
addEventListener("drop", (event) => { event.preventDefault(); say([...event.dataTransfer.files].map((f) => f.name + f.size)); });
addEventListener("drop", async ({ dataTransfer: { items } }) => {
	const folder = [...items].map((item) => item.webkitGetAsEntry()).find((entry) => entry?.isDirectory);
	const inside = folder && await new Promise((done, failed) => folder.createReader().readEntries(done, failed));
	say(folder ? "folder:" + folder.name + "/" + inside.map(({ name }) => name) : "no folder");
});
</script>`

func serve(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("GET /same", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"same"`)
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("X-Asked", r.Header.Get("If-None-Match"))
		http.ServeContent(w, r, "same", time.Time{}, strings.NewReader("same"))
	})
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// TestEachBrowserDoesWhatAPageAsksOfIt holds all browsers to the same, so that a test
// that passes in one and not in another has found a difference of theirs.
func TestEachBrowserDoesWhatAPageAsksOfIt(t *testing.T) {
	for _, name := range []browser.Name{browser.WebKit, browser.Firefox, browser.Chromium} {
		t.Run(string(name), func(t *testing.T) {
			srv := serve(t)
			folder := t.TempDir()
			a, b := filepath.Join(folder, "a.txt"), filepath.Join(folder, "ä b.txt")
			require.NoError(t, os.WriteFile(a, []byte("a"), 0o600))
			require.NoError(t, os.WriteFile(b, []byte("bb"), 0o600))
			p := browser.OpenIn(t, name, srv.URL)
			says := func(what string) {
				t.Helper()
				p.Wait(`said.textContent.includes(` + browser.Quote(what) + `)`)
			}

			require.True(t, browser.Eval[bool](p, `isSecureContext && navigator.onLine`))
			require.Equal(t, map[string]any{"a": []any{1.0, nil}}, browser.Eval[map[string]any](p, `Promise.resolve({ a: [1, null] })`))
			p.Click("#button")
			says("clicked")
			p.Click("#shy")
			says("caught")
			p.Click("#far")
			says("far")
			browser.Eval[bool](p, `(scrollTo(0, 0), true)`)
			p.Click("#field")
			p.Press("x")
			says("x")
			p.Press(browser.ArrowRight)
			says("ArrowRight")
			p.Press(browser.Tab)
			p.Wait(`document.activeElement.id === "files"`)
			p.Choose("#files", a, b)
			require.Equal(t, []string{"a.txt1", "ä b.txt2"}, browser.Eval[[]string](p, `[...files.files].map((f) => f.name + f.size)`))
			p.ChooseIn(`shadow.shadowRoot.querySelector("input")`, b)
			require.Equal(t, 2, browser.Eval[int](p, `shadow.shadowRoot.querySelector("input").files[0].size`))
			browser.Eval[bool](p, `(shadow.shadowRoot.querySelector("button").onclick = () => say("inner"), true)`)
			p.ClickOn(`shadow.shadowRoot.querySelector("button")`)
			says("inner")
			p.DropAt(20, 20, a, b)
			says("dragoverFiles")
			says("a.txt1,ä b.txt2")
			p.DropAddresses(20, 20, (&url.URL{Scheme: "file", Path: folder}).String())
			if browser.HasIn(name, browser.DropOfFolders) {
				says("folder:" + filepath.Base(folder) + "/")
			} else {
				says("dragovertext/uri-list")
				p.Wait(`said.textContent.endsWith("no folder ")`)
			}

			require.EqualValues(t, 400, p.Resize(400, 500))
			p.Prefer("prefers-color-scheme", "dark")
			p.Wait(`getComputedStyle(document.body).backgroundColor === "rgb(0, 0, 0)"`)
			p.Prefer("prefers-color-scheme", "light")
			p.Wait(`getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"`)
			picture, err := png.Decode(bytes.NewReader(p.Picture("contract-" + string(name))))
			require.NoError(t, err)
			require.Equal(t, 400, picture.Bounds().Dx())

			p.Throttle(50 << 10)
			browser.Eval[bool](p, `((x) => {
				window.seen = [];
				x.upload.onprogress = ({ loaded, total }) => seen.push(loaded / total);
				x.onload = () => (window.sent = x.responseText);
				x.open("POST", "/");
				x.send(new Uint8Array(2 << 20));
				return true;
			})(new XMLHttpRequest())`)
			p.Wait(`seen.some((s) => s > 0)`)
			require.Less(t, browser.Eval[float64](p, `seen.at(-1)`), 0.9, "it is under way")
			p.Throttle(0)
			p.Wait(`window.sent === "2097152"`)

			p.Offline(true)
			says("offline")
			require.Equal(t, "failed", browser.Eval[string](p, `fetch("/").then(() => "passed", () => "failed")`))
			p.Offline(false)
			says("online")
			require.Equal(t, "passed", browser.Eval[string](p, `fetch("/").then(() => "passed", () => "failed")`))

			require.Subset(t, p.Accessible("button"), []string{"B", "Inner", "Shy", "Far"})
			for ability, expression := range map[browser.Ability]string{
				browser.DroppedHandles: `"getAsFileSystemHandle" in DataTransferItem.prototype`,
				browser.HTTPCache:      `fetch("/same").then((r) => r.text()).then(() => fetch("/same")).then((r) => r.headers.get("X-Asked") === '"same"')`,
				browser.OwnFiles:       `"createWritable" in (globalThis.FileSystemFileHandle?.prototype ?? {})`,
				browser.KeptBlobs: `new Promise((done) => {
					const opening = indexedDB.open("blobs", 1);
					opening.onupgradeneeded = () => opening.result.createObjectStore("blobs");
					opening.onsuccess = () => {
						const transaction = opening.result.transaction("blobs", "readwrite");
						transaction.objectStore("blobs").put(new Blob(["a"]), "a");
						transaction.oncomplete = () => done(true);
						transaction.onabort = () => done(false);
					};
				})`,
			} {
				require.Equal(t, browser.HasIn(name, ability), browser.Eval[bool](p, expression), ability)
			}

			browser.Eval[bool](p, `(localStorage.x = "kept", true)`)
			p.Reload()
			require.Equal(t, "kept", browser.Eval[string](p, `localStorage.x`))
			require.Empty(t, browser.Eval[string](p, `said.textContent`))
			p.WithoutScripts()
			p.Navigate(srv.URL)
			p.Wait(`document.querySelector("#shadow") && !document.querySelector("#shadow").shadowRoot`)

			another := browser.OpenIn(t, name, srv.URL)
			require.Zero(t, browser.Eval[int](another, `localStorage.length`), "it has a fresh profile")
		})
	}
}

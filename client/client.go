// Package client serves the browser's side of Postern: postern.js, an ES module
// that uploads by whatever a grant says, in parts where it must, and goes on after
// a lost connection or a reload.
//
// A page imports it from where the handler is mounted:
//
//	import { upload, UploadError } from "/client/postern.js";
//
//	const receipt = await upload(file, {
//	  endpoint: "/uploads",
//	  onProgress: ({ loaded, total }) => (bar.value = loaded / total),
//	});
//
// It has no dependency, and whoever uses it needs no build step. postern.d.ts beside
// it has its types, and says what each option does.
//
// postern-upload.js has a form control around it, a drop zone and its uploads:
//
//	<script type="module" src="/client/postern-upload.js"></script>
//	<postern-upload name="photo" endpoint="/uploads" accept="image/*" multiple></postern-upload>
//
// The form then sends the keys of the uploads under that name. postern-upload.d.ts
// has its attributes, properties, events, parts and texts.
//
// uppy.js is an uploader for Uppy, which brings the user interface:
//
//	import Postern from "/client/uppy.js";
//
//	new Uppy().use(Dashboard, { target: "#uploads" }).use(Postern, { endpoint: "/uploads" });
//
// It imports @uppy/core by that name: see docs/clients.md.
//
// The form control speaks the language of the page around it: what is not English it loads from
// locales beside it. Uploads in parts load crc64.js, too: the worker that sums them; and
// elements that list what was cut off load kept.js, which brings files back.
//
// What is served is made of the sources in src, bundled and minified, by build.js. So is
// the npm package, which has hooks for React, Vue and Svelte besides: package.json here.
package client

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

var (
	//go:embed dist/postern.js
	module []byte
	//go:embed postern.d.ts
	types []byte
	//go:embed dist/postern-upload.js
	component []byte
	//go:embed postern-upload.d.ts
	componentTypes []byte
	//go:embed dist/uppy.js
	uppy []byte
	//go:embed uppy.d.ts
	uppyTypes []byte
	//go:embed dist/crc64.js
	checksums []byte
	//go:embed dist/kept.js
	keeper []byte
	//go:embed dist/locales/*.js
	locales embed.FS
)

const script = "text/javascript; charset=utf-8"

// file is one of the files, and how it is served.
type file struct {
	content     []byte
	contentType string
	etag        string
}

func newFile(content []byte, contentType string) *file {
	sum := sha256.Sum256(content)
	return &file{content, contentType, `"` + hex.EncodeToString(sum[:16]) + `"`}
}

// Handler serves the modules, their types, what they load and the texts of other languages
// at any mount: the last segment of the path names the file, the last two
// locales/de.js; every other address is 404. Browsers keep the files and ask each time
// whether they are still the same. Pages of any origin may import them: they are the same
// for everybody.
func Handler() http.Handler {
	files := map[string]*file{
		"postern.js":          newFile(module, script),
		"postern.d.ts":        newFile(types, "application/typescript; charset=utf-8"),
		"postern-upload.js":   newFile(component, script),
		"postern-upload.d.ts": newFile(componentTypes, "application/typescript; charset=utf-8"),
		"uppy.js":             newFile(uppy, script),
		"uppy.d.ts":           newFile(uppyTypes, "application/typescript; charset=utf-8"),
		"crc64.js":            newFile(checksums, script),
		"kept.js":             newFile(keeper, script),
	}
	texts, _ := fs.Glob(locales, "dist/locales/*.js") // the pattern is right
	for _, name := range texts {
		content, _ := locales.ReadFile(name) // it is embedded
		files[strings.TrimPrefix(name, "dist/")] = newFile(content, script)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[nameIn(r.URL.Path)]
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Content-Type", f.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
	})
}

// nameIn returns which file a path asks for.
func nameIn(path string) string {
	const folder = "locales/"
	at := strings.LastIndexByte(path, '/') + 1
	if strings.HasSuffix(path[:at], "/"+folder) {
		at -= len(folder)
	}
	return path[at:]
}

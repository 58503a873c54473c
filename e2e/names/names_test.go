// Package names_test downloads files under the names that Postern stores, with
// real browsers, and looks at what is on the disk.
package names_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/internal/filename"
)

// percent is a name that Firefox decodes once more than it was encoded.
const percent = "%41%2e.txt"

// names are what people call their files. Each is unlike the others where a file
// system ignores case.
var names = []string{
	"photo.png",
	"Annual report 2026.pdf",
	"a, b; c = d.txt",
	"it's 100% (final) [2] {x} & more~.txt",
	"semi;colon.txt",
	"=?UTF-8?Q?encoded.exe?=",
	"_!#$&'()+,-.;=@[]^`{}~_.txt",
	percent,
	"x.txt; filename=y.exe",
	"naïve.txt",
	"Straße.txt",
	"Bjørn.png",
	"đường.png",
	"Łódź.txt",
	"x².txt",
	"Привет, мир.txt",
	"Κατάλογος.pdf",
	"日本語.txt",
	"（株）①㈱.pdf",
	"議事録　最終.pdf",
	"葛\U000e0100城.txt",
	"تقرير.pdf",
	"می\u200cخواهم.pdf",
	"שלום.txt",
	"ශ්\u200dරී ලංකා.pdf",
	"हिन्दी.txt",
	"ภาษาไทย.txt",
	"한국어.txt",
	"👨\u200d👩\u200d👧.png",
	"❤\ufe0f.png",
	"1\ufe0f\u20e3.png",
	"🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png",
	"archive.tar.gz",
	"noextension",
	strings.Repeat("日", 80) + ".txt",
}

// onDisk returns what a browser calls a file, for whom it is stored under a name:
// browsers put an underscore for invisible characters, joiners too, and for
// others that a file system might not take.
func onDisk(name, replaced string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) || strings.ContainsRune(replaced, r) {
			return '_'
		}
		return r
	}, name)
}

func allOnDisk(replaced string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = onDisk(name, replaced)
	}
	return all
}

// serve serves a file for each name, as a bucket does, and a page with a link to
// each.
func serve(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	var links strings.Builder
	for i, name := range names {
		require.Equal(t, name, filename.Clean(name), "the name is stored as it is")
		path := fmt.Sprintf("/file/%d", i)
		fmt.Fprintf(&links, "<iframe hidden src=%q title=\"%s\"></iframe>\n", path, html.EscapeString(name))
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", filename.Disposition("attachment", name))
			_, _ = w.Write([]byte(strconv.Itoa(i)))
		})
	}
	page := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = fmt.Fprint(w, "<!doctype html><title>files</title>"+body)
		}
	}
	mux.HandleFunc("GET /{$}", page(""))
	mux.HandleFunc("GET /all", page(links.String()))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// saved waits until a folder has as many files as there are names, each with its
// bytes, and returns what they are called, in the order of the names.
func saved(t *testing.T, folder string) []string {
	got := make([]string, len(names))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		entries, err := os.ReadDir(folder)
		require.NoError(t, err)
		found := 0
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(folder, e.Name()))
			require.NoError(t, err)
			if i, err := strconv.Atoi(string(data)); err == nil && !strings.HasSuffix(e.Name(), ".part") && !strings.HasSuffix(e.Name(), ".crdownload") {
				got[i] = e.Name()
				found++
			}
		}
		assert.Equal(t, len(names), found)
	}, 2*browser.Patience, 50*time.Millisecond)
	return got
}

func TestChromiumSavesFilesUnderTheirNames(t *testing.T) {
	srv, folder := serve(t), t.TempDir()
	page := browser.Open(t, srv.URL)
	page.SaveTo(folder)
	for i := range names {
		browser.Eval[bool](page, fmt.Sprintf("location.href = '/file/%d', true", i))
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			entries, err := os.ReadDir(folder)
			assert.NoError(t, err)
			assert.Len(t, entries, i+1)
		}, browser.Patience, 20*time.Millisecond)
	}
	require.Equal(t, allOnDisk("?"), saved(t, folder))
}

func TestFirefoxSavesFilesUnderTheirNames(t *testing.T) {
	srv, folder, profile := serve(t), t.TempDir(), t.TempDir()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		path, err = exec.LookPath("firefox")
	}
	require.NoError(t, err, "the test needs Firefox: run scripts/firefox")
	preferences := map[string]any{
		"browser.download.folderList":                2,
		"browser.download.dir":                       folder,
		"browser.download.useDownloadDir":            true,
		"browser.download.alwaysOpenPanel":           false,
		"browser.helperApps.neverAsk.saveToDisk":     "application/octet-stream",
		"browser.shell.checkDefaultBrowser":          false,
		"datareporting.policy.dataSubmissionEnabled": false,
		"app.update.auto":                            false,
	}
	var js strings.Builder
	for name, value := range preferences {
		fmt.Fprintf(&js, "user_pref(%q, %#v);\n", name, value)
	}
	require.NoError(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(js.String()), 0o600))
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", profile, srv.URL+"/all")
	cmd.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	want := allOnDisk("%?")
	want[slices.Index(names, percent)] = "A..txt"
	require.Equal(t, want, saved(t, folder))
}

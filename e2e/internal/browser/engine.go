package browser

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// Name is that of a browser.
type Name string

// The browsers.
const (
	Chromium Name = "chromium"
	Firefox  Name = "firefox"
	WebKit   Name = "webkit"
)

// Var names the environment variable with the browser in which tests run.
const Var = "POSTERN_TEST_BROWSER"

// Selected is the browser in which tests run.
func Selected() Name {
	if name := os.Getenv(Var); name != "" {
		return Name(name)
	}
	return Chromium
}

// Ability is what a test needs of a browser and not every one has.
type Ability string

// The abilities.
const (
	// DropOfFolders is dropping a folder, as opposed to files, on a page.
	DropOfFolders Ability = "drop of folders"
	// KeptBlobs is keeping Blobs, as opposed to their bytes, in IndexedDB.
	KeptBlobs Ability = "Blobs in IndexedDB"
	// HTTPCache is asking a server whether an answer is still good (RFC 9111 §4.3).
	HTTPCache Ability = "HTTP cache"
	// OwnFiles is that a page writes files of its own, which have handles.
	OwnFiles Ability = "files of the page's own"
	// DroppedHandles is that a dropped file comes with a handle.
	DroppedHandles Ability = "handles of dropped files"
	// FilePermissions is asking the person whether a page may read a file again.
	FilePermissions Ability = "permissions of files"
)

// lacks has what a browser cannot do, and why: the only reasons for which a page test does
// less or other things there than in each.
var lacks = map[Name]map[Ability]string{
	Firefox: {
		DroppedHandles:  "it has no getAsFileSystemHandle",
		FilePermissions: "it gives pages no handles of files",
	},
	WebKit: {
		DropOfFolders:   "since 2.50.3, WebKitGTK gives pages nothing of dropped files (CVE-2025-13947)",
		KeptBlobs:       "what WebDriver drives is a private window, which keeps none",
		HTTPCache:       "what WebDriver drives is a private window, which has none",
		OwnFiles:        "it has no createWritable",
		DroppedHandles:  "it has no getAsFileSystemHandle",
		FilePermissions: "it gives pages no handles of files",
	},
}

// Has reports whether the selected browser can do something. A test asserts what it does
// instead.
func Has(ability Ability) bool { return HasIn(Selected(), ability) }

// HasIn is Has of another browser.
func HasIn(name Name, ability Ability) bool { return lacks[name][ability] == "" }

// Needs leaves a test out, and says why, if the browser lacks what it needs.
func Needs(t testing.TB, ability Ability) {
	t.Helper()
	if !Has(ability) {
		t.Skipf("%s has no %s: %s", Selected(), ability, lacks[Selected()][ability])
	}
}

// Keys that are no characters, for Press.
const (
	Tab        = kb.Tab
	Enter      = kb.Enter
	Escape     = kb.Escape
	ArrowLeft  = kb.ArrowLeft
	ArrowRight = kb.ArrowRight
	ArrowUp    = kb.ArrowUp
	ArrowDown  = kb.ArrowDown
)

// engine is a browser with one page. Elements are JavaScript expressions.
type engine interface {
	// evaluate returns the JSON of what an expression, or its promise, becomes.
	evaluate(ctx context.Context, expression string) (json.RawMessage, error)
	navigate(ctx context.Context, url string) error
	reload(ctx context.Context) error
	click(ctx context.Context, element string) error
	choose(ctx context.Context, element string, paths []string) error
	drag(ctx context.Context, x, y float64, paths []string) error
	drop(ctx context.Context, x, y float64, paths []string) error
	dropAddresses(ctx context.Context, x, y float64, addresses []string) error
	press(ctx context.Context, key string) error
	resize(ctx context.Context, width, height int64) error
	prefer(ctx context.Context, feature, value string) error
	withoutScripts(ctx context.Context) error
	throttle(ctx context.Context, bytesPerSecond float64) error
	offline(ctx context.Context, offline bool) error
	saveTo(ctx context.Context, folder string) error
	accessible(ctx context.Context, role string) (names []string, err error)
	picture(ctx context.Context) (png []byte, err error)
}

// start starts a browser until the test ends. It tells what goes wrong in its page.
func start(t testing.TB, name Name, fault func(text string)) engine {
	t.Helper()
	switch name {
	case Chromium:
		return startChromium(t, fault)
	case Firefox:
		return startFirefox(t, fault)
	case WebKit:
		return startWebKit(t, fault)
	}
	require.FailNow(t, "unknown browser", "%s is %q", Var, name)
	return nil
}

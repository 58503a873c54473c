// Package browser drives a real Chromium in tests.
package browser

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Patience is how long a test waits for what a page does. Tests that pass don't
// wait: it is long for the sake of busy machines.
const Patience = 30 * time.Second

// PicturesVar names the environment variable with the folder for Picture.
const PicturesVar = "E2E_PICTURES"

// Page is a page in a browser of its own, with a fresh profile. Its methods end
// the test if they cannot do what they say.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu      sync.Mutex
	faults  []string
	allowed bool
}

// Open starts a browser and opens an address. The browser ends with the test,
// which fails if the page threw an exception or broke its own security policy.
func Open(t testing.TB, url string) *Page {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(executable(t)),
		chromedp.Flag("headless", "new"),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en"),
		chromedp.WindowSize(1000, 800),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		_ = chromedp.Cancel(closing)
	})
	p := &Page{t: t, ctx: ctx}
	require.NoError(t, chromedp.Do(ctx), "the browser does not start")
	p.watch()
	p.sayYes()
	p.Do(chromedp.Navigate(url))
	return p
}

// executable finds Chromium, or a browser that is built on it.
func executable(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("the browser tests need Chromium: install it with \"apt-get install chromium\", or put it into the PATH under the name chromium")
	return ""
}

// watch notes what goes wrong in the page.
func (p *Page) watch() {
	messages := chromedp.Console(p.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			// A refused request is an error of the source "network".
			if m.IsException() || m.Source == "security" || m.Source == "javascript" || m.Source == "" && m.Type == chromedp.ConsoleError {
				p.mu.Lock()
				p.faults = append(p.faults, m.String())
				p.mu.Unlock()
			}
		}
	}()
	p.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.faults) > 0 && !p.allowed {
			p.t.Errorf("the page has errors: %q", p.faults)
		}
	})
}

// sayYes answers what the page asks, such as whether it may be left.
func (p *Page) sayYes() {
	questions := chromedp.Events(p.ctx, page.JavascriptDialogOpening)
	go func() {
		for _, err := range questions {
			if err != nil {
				return
			}
			_, _ = chromedp.Call(p.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}()
}

// AllowErrors is for tests in which the console is expected to complain, such as
// about CORS.
func (p *Page) AllowErrors() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = true
}

// Do runs steps one after the other.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.giveUp(err)
	}
}

// Eval returns the value of a JavaScript expression, promises included.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.giveUp(err, expression)
	}
	return value
}

// Wait waits until a JavaScript expression is truthy, on this page or on one to
// which it leads.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(20*time.Millisecond)))
		switch {
		case err == nil:
			return
		case ctx.Err() != nil || !navigated(err):
			p.giveUp(err, expression)
		}
	}
}

// navigated reports whether something failed because the page made room for
// another one.
func navigated(err error) bool {
	var e *cdproto.Error
	return errors.As(err, &e) && e.Code == -32000
}

// giveUp ends the test, and tells what was on the page.
func (p *Page) giveUp(err error, what ...any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.t.Fatalf("%v: %v\nthe page shows:\n%s", what, err, text)
}

// Click clicks on the first element of a CSS selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Choose picks files in a file input, as a person does in the dialog.
func (p *Page) Choose(selector string, paths ...string) {
	p.t.Helper()
	p.Do(chromedp.SetUploadFiles(chromedp.CSS(selector), paths))
}

// Press presses a key: one of chromedp/kb, or a character.
func (p *Page) Press(key string) {
	p.t.Helper()
	p.Do(chromedp.KeyEvent(key))
}

// Resize sets the size of the window's content in CSS pixels.
func (p *Page) Resize(width, height int64) {
	p.t.Helper()
	p.Do(chromedp.EmulateViewport(width, height))
}

// Prefer sets a media feature such as prefers-color-scheme.
func (p *Page) Prefer(feature, value string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
}

// WithoutScripts has the pages do without JavaScript. Eval and Wait go on working.
func (p *Page) WithoutScripts() {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// Throttle slows uploads down to a number of bytes a second; 0 ends it.
func (p *Page) Throttle(bytesPerSecond float64) {
	p.t.Helper()
	if bytesPerSecond == 0 {
		bytesPerSecond = -1
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: bytesPerSecond}},
	})
}

// Offline cuts the page's connections, and tells it so, or ends that.
func (p *Page) Offline(offline bool) {
	p.t.Helper()
	call(p, network.Enable, network.EnableParams{})
	call(p, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1, Offline: offline}},
	})
	call(p, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
	})
}

// SaveTo has downloads written to a folder.
func (p *Page) SaveTo(folder string) {
	p.t.Helper()
	call(p, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	})
}

// Reload loads the page again, and says yes if it asks.
func (p *Page) Reload() {
	p.t.Helper()
	p.Do(chromedp.Reload())
}

// Picture writes what the window shows to name.png in the folder that E2E_PICTURES
// names, if any, and returns it.
func (p *Page) Picture(name string) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	if dir := os.Getenv(PicturesVar); dir != "" {
		require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
	}
	return png
}

// Quote turns text into a JavaScript string.
func Quote(text string) string { return strconv.QuoteToASCII(text) }

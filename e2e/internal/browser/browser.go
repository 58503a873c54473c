// Package browser drives real browsers in tests: the same test runs in Chromium,
// Firefox and WebKit.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Patience is how long a test waits for what a page does. Tests that pass don't
// wait: it is long for the sake of busy machines.
const Patience = 3 * time.Minute

// PicturesVar names the environment variable with the folder for Picture.
const PicturesVar = "E2E_PICTURES"

// Page is a page in a browser of its own, with a fresh profile. Its methods end
// the test if they cannot do what they say.
type Page struct {
	t      testing.TB
	engine engine
	still  bool // without scripts, there are no timers either

	mu      sync.Mutex
	faults  []string
	allowed bool
}

// Open starts the browser that POSTERN_TEST_BROWSER names, Chromium by default, and
// opens an address. The browser ends with the test, which fails if the page threw an
// exception or broke its own security policy.
func Open(t testing.TB, url string) *Page {
	t.Helper()
	return OpenIn(t, Selected(), url)
}

// OpenIn is Open in a browser of one's choice.
func OpenIn(t testing.TB, name Name, url string) *Page {
	t.Helper()
	return openWith(t, url, func(fault func(string)) engine { return start(t, name, fault) })
}

func openWith(t testing.TB, url string, start func(fault func(string)) engine) *Page {
	t.Helper()
	p := &Page{t: t}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.faults) > 0 && !p.allowed {
			t.Errorf("the page has errors: %q", p.faults)
		}
	})
	p.engine = start(p.fault)
	p.do("open "+url, func(ctx context.Context) error { return p.engine.navigate(ctx, url) })
	return p
}

// fault notes what goes wrong in the page.
func (p *Page) fault(text string) {
	if strings.Contains(text, "/favicon.ico") {
		return // which browsers look for by themselves, and some then measure by the page's policy
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

// AllowErrors is for tests in which the console is expected to complain, such as
// about CORS.
func (p *Page) AllowErrors() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = true
}

// do ends the test if a step fails.
func (p *Page) do(what string, step func(ctx context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := step(ctx); err != nil {
		p.giveUp(err, what)
	}
}

// giveUp ends the test, and tells what was on the page.
func (p *Page) giveUp(err error, what string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text := "?"
	if value, err := p.engine.evaluate(ctx, shown); err == nil {
		_ = json.Unmarshal(value, &text)
	}
	if len(what) > 2000 {
		what = what[:2000] + "…"
	}
	p.t.Fatalf("%s: %v\nthe page shows:\n%s", what, err, text)
}

// shown is the text of the page, and of its shadow trees.
const shown = `[document.body, ...[...document.querySelectorAll("*")].flatMap(({ shadowRoot }) =>
	[...(shadowRoot?.children ?? [])])].map(({ innerText }) => innerText).filter(Boolean).join("\n")`

// Eval returns the value of a JavaScript expression, promises included.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	var value T
	p.do(expression, func(ctx context.Context) error {
		text, err := p.engine.evaluate(ctx, expression)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &value)
	})
	return value
}

// Wait waits until a JavaScript expression is truthy, on this page or on one to
// which it leads.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	p.do(expression, func(ctx context.Context) error { return p.wait(ctx, expression) })
}

// wait asks again, too, when the page has made room for another one, or is not as
// far as the expression expects.
func (p *Page) wait(ctx context.Context, expression string) error {
	if p.still {
		return wait(ctx, p.engine, `!!(`+expression+`)`)
	}
	// What is true for a moment only is seen in the page itself.
	return wait(ctx, p.engine, `new Promise((done, failed) => {
		const end = performance.now() + 500;
		const look = () => {
			const late = performance.now() > end;
			let is = false;
			try {
				is = !!(`+expression+`);
			} catch (error) {
				if (late) failed(error);
			}
			if (is || late) done(is);
			else setTimeout(look, 20);
		};
		look();
	})`)
}

// wait waits until an expression is true.
func wait(ctx context.Context, e engine, expression string) error {
	for {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		value, err := e.evaluate(once, expression)
		cancel()
		if err == nil && string(value) == "true" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it did not become true: %w", errOr(err, ctx.Err()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Navigate opens another address.
func (p *Page) Navigate(url string) {
	p.t.Helper()
	p.do("open "+url, func(ctx context.Context) error { return p.engine.navigate(ctx, url) })
}

// Reload loads the page again, and says yes if it asks.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reload", p.engine.reload)
}

// element is the first of a CSS selector, for JavaScript.
func element(selector string) string { return `document.querySelector(` + Quote(selector) + `)` }

// Click clicks on the first element of a CSS selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.ClickOn(element(selector))
}

// ClickOn clicks on the element that is the value of a JavaScript expression, once it
// is there and stands still. If the page moved all the same, and something else got the
// click, it clicks again.
func (p *Page) ClickOn(element string) {
	p.t.Helper()
	p.do("click on "+element, func(ctx context.Context) error {
		for {
			if err := p.wait(ctx, `(`+element+`)?.checkVisibility()`); err != nil {
				return err
			}
			if p.still {
				return p.engine.click(ctx, element)
			}
			if _, err := p.engine.evaluate(ctx, `(`+aim+`)(`+element+`)`); err != nil {
				return err
			}
			if err := p.engine.click(ctx, element); err != nil {
				return err
			}
			if !p.missed(ctx) {
				return nil
			}
		}
	})
}

// aim waits until an element stands still, and then looks who gets the next click. One
// that is no longer on the page has been replaced, mostly by its like.
const aim = `async (element) => {
	element.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
	for (let before, now; ; before = now) {
		now = JSON.stringify(element.getBoundingClientRect());
		if (now === before) break;
		await new Promise((soon) => setTimeout(soon, 150));
	}
	const seen = window[Symbol.for("aim")] = { hit: false, missed: false, end: new AbortController() };
	addEventListener("click", (event) => {
		const hit = event.composedPath().includes(element);
		seen[hit || !element.isConnected ? "hit" : "missed"] = true;
	}, { capture: true, signal: seen.end.signal });
	return true;
}`

// missed tells whether only others got the click. A page that has made room for another
// one does not say so.
func (p *Page) missed(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	value, err := p.engine.evaluate(ctx, `(() => {
		const seen = window[Symbol.for("aim")];
		seen?.end.abort();
		return Boolean(seen && seen.missed && !seen.hit);
	})()`)
	return err == nil && string(value) == "true"
}

// Choose picks files in the file input of a CSS selector, as a person does in the
// dialog.
func (p *Page) Choose(selector string, paths ...string) {
	p.t.Helper()
	p.ChooseIn(element(selector), paths...)
}

// ChooseIn picks files in the file input that is the value of a JavaScript expression.
func (p *Page) ChooseIn(element string, paths ...string) {
	p.t.Helper()
	p.do("choose files in "+element, func(ctx context.Context) error {
		if err := p.wait(ctx, element); err != nil {
			return err
		}
		return p.engine.choose(ctx, element, paths)
	})
}

// Drag drags files from outside over a point of the window, in CSS pixels.
func (p *Page) Drag(x, y float64, paths ...string) {
	p.t.Helper()
	p.do("drag", func(ctx context.Context) error { return p.engine.drag(ctx, x, y, paths) })
}

// DropAt drags files over a point of the window, and drops them. Those that are being
// dragged already are dropped.
func (p *Page) DropAt(x, y float64, paths ...string) {
	p.t.Helper()
	p.Drag(x, y, paths...)
	p.Drop(x, y, paths...)
}

// Drop drops files that are being dragged.
func (p *Page) Drop(x, y float64, paths ...string) {
	p.t.Helper()
	p.do("drop", func(ctx context.Context) error { return p.engine.drop(ctx, x, y, paths) })
}

// DropAddresses drags what is at addresses from another program over a point of the
// window, and drops it: files and folders, if they begin with "file:", and links. The
// browser alone decides what of it the page gets. In WebKit, Drop does without it.
func (p *Page) DropAddresses(x, y float64, addresses ...string) {
	p.t.Helper()
	p.do("drop addresses", func(ctx context.Context) error { return p.engine.dropAddresses(ctx, x, y, addresses) })
}

// Press presses a key: Tab and its like, or a character.
func (p *Page) Press(key string) {
	p.t.Helper()
	p.do("press a key", func(ctx context.Context) error { return p.engine.press(ctx, key) })
}

// Resize sets the size of the window's content in CSS pixels. It returns the width that
// the window has now: a browser may be wider at least.
func (p *Page) Resize(width, height int64) int64 {
	p.t.Helper()
	p.do("resize", func(ctx context.Context) error { return p.engine.resize(ctx, width, height) })
	return Eval[int64](p, `innerWidth`)
}

// Prefer sets a media feature such as prefers-color-scheme.
func (p *Page) Prefer(feature, value string) {
	p.t.Helper()
	p.do("prefer "+value, func(ctx context.Context) error { return p.engine.prefer(ctx, feature, value) })
	p.Wait(`matchMedia(` + Quote("("+feature+": "+value+")") + `).matches`)
}

// WithoutScripts has the pages do without JavaScript. Eval and Wait go on working.
// It belongs before all else that is done with the page.
func (p *Page) WithoutScripts() {
	p.t.Helper()
	p.do("do without scripts", p.engine.withoutScripts)
	p.still = true
}

// Throttle slows uploads down to a number of bytes a second; 0 ends it.
func (p *Page) Throttle(bytesPerSecond float64) {
	p.t.Helper()
	p.do("throttle", func(ctx context.Context) error { return p.engine.throttle(ctx, bytesPerSecond) })
}

// Offline cuts the page's connections, and tells it so, or ends that.
func (p *Page) Offline(offline bool) {
	p.t.Helper()
	p.do("go offline", func(ctx context.Context) error { return p.engine.offline(ctx, offline) })
}

// SaveTo has downloads written to a folder.
func (p *Page) SaveTo(folder string) {
	p.t.Helper()
	p.do("save to "+folder, func(ctx context.Context) error { return p.engine.saveTo(ctx, folder) })
}

// Accessible returns the names that assistive technology is told of the elements of an ARIA role, in
// the order of the page.
func (p *Page) Accessible(role string) (names []string) {
	p.t.Helper()
	p.do("read the accessibility tree", func(ctx context.Context) (err error) {
		names, err = p.engine.accessible(ctx, role)
		return err
	})
	return names
}

// Picture writes what the window shows to name.png in the folder that E2E_PICTURES
// names, if any, and returns it. The names of other browsers' pictures end with theirs.
func (p *Page) Picture(name string) (png []byte) {
	p.t.Helper()
	p.do("take a picture", func(ctx context.Context) (err error) {
		png, err = p.engine.picture(ctx)
		return err
	})
	if dir := os.Getenv(PicturesVar); dir != "" {
		if browser := Selected(); browser != Chromium {
			name += "-" + string(browser)
		}
		require.NoError(p.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
	}
	return png
}

// Quote turns text into a JavaScript string.
func Quote(text string) string { return strconv.QuoteToASCII(text) }

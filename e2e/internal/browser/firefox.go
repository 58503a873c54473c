package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// firefox is the window of a Firefox, driven by WebDriver BiDi
// (https://w3c.github.io/webdriver-bidi/). What BiDi cannot do yet is done by code in
// the browser's own window.
type firefox struct {
	*bidi
	line *line
	// user has cookies and storage of its own, as a profile would.
	user, window string
	dragging     bool
}

// preferences are those that BiDi doesn't set by itself.
const preferences = `
user_pref("network.proxy.allow_hijacking_localhost", true); // the line stands before local servers
user_pref("network.tcp.sendbuffer", 65536); // progress is what has left, more or less
user_pref("browser.shell.checkDefaultBrowser", false);
`

// firefoxes run while the tests of a package do. Each has one page at a time, since one
// window only has the focus, and the pages that follow know nothing of each other.
var firefoxes struct {
	sync.Mutex
	idle []*bidi
}

// takeFirefox returns a Firefox without a page, until it is given back.
func takeFirefox() (b *bidi, giveBack func(), err error) {
	firefoxes.Lock()
	if n := len(firefoxes.idle); n > 0 {
		b, firefoxes.idle = firefoxes.idle[n-1], firefoxes.idle[:n-1]
	}
	firefoxes.Unlock()
	if b == nil {
		if b, err = launchFirefox(); err != nil {
			return nil, nil, err
		}
	}
	return b, func() {
		firefoxes.Lock()
		defer firefoxes.Unlock()
		firefoxes.idle = append(firefoxes.idle, b)
	}, nil
}

func launchFirefox() (*bidi, error) {
	var path string
	for _, name := range []string{"firefox-esr", "firefox"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, errors.New("there is no firefox: run scripts/firefox, or put it into the PATH")
	}
	profile, err := os.MkdirTemp("", "postern-firefox-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(preferences), 0o600); err != nil {
		return nil, err
	}
	// Headless, it knows of no drag.
	d, err := startDisplay(1400, 1200)
	if err != nil {
		return nil, err
	}
	b := &bidi{display: d}
	b.process, err = run(profile, append(d.environment(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1"),
		path, "--width", "1300", "--height", "1100", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "--remote-allow-system-access")
	if err != nil {
		d.server.Stop()
		return nil, err
	}
	address, err := listening(bufio.NewScanner(b.process.Output))
	if err == nil {
		err = b.dial(address)
	}
	if err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

var listens = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

// listening waits until Firefox says where it listens, and reads on what else it says.
func listening(lines *bufio.Scanner) (string, error) {
	var said strings.Builder
	for lines.Scan() {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() {
				}
			}()
			return found[1], nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return "", fmt.Errorf("firefox does not start: %s", said.String())
}

func startFirefox(t testing.TB, fault func(string)) engine {
	t.Helper()
	b, giveBack, err := takeFirefox()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	f := &firefox{bidi: b, line: startLine(t)}
	var made struct{ UserContext, Context string }
	require.NoError(t, b.call(ctx, "browser.createUserContext", object{
		"proxy":                   object{"proxyType": "manual", "socksProxy": f.line.address(), "socksVersion": 5},
		"unhandledPromptBehavior": object{"default": "accept", "beforeUnload": "accept"},
	}, &made))
	f.user = made.UserContext
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := b.call(ctx, "browser.removeUserContext", object{"userContext": f.user}, nil); err != nil {
			b.stop() // whatever ails it
			return
		}
		giveBack()
	})
	require.NoError(t, b.call(ctx, "browsingContext.create", object{"type": "window", "userContext": f.user}, &made))
	f.window = made.Context
	t.Cleanup(b.listen(f.window, fault))
	t.Cleanup(func() {
		if f.dragging {
			b.display.outside.leave()
		}
	})
	require.NoError(t, f.resize(ctx, 1000, 800))
	return f
}

func (f *firefox) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	value, err := f.script(ctx, f.window, asText(expression))
	if err != nil || value.Type == "undefined" {
		return json.RawMessage("null"), err
	}
	return json.RawMessage(value.Value), nil
}

// node returns how BiDi calls an element.
func (f *firefox) node(ctx context.Context, element string) (object, error) {
	value, err := f.script(ctx, f.window, element)
	if err == nil && value.SharedID == "" {
		err = errors.New("there is no such element")
	}
	return object{"sharedId": value.SharedID}, err
}

func (f *firefox) navigate(ctx context.Context, url string) error {
	return f.call(ctx, "browsingContext.navigate", object{"context": f.window, "url": url, "wait": "complete"}, nil)
}

func (f *firefox) reload(ctx context.Context) error {
	return f.call(ctx, "browsingContext.reload", object{"context": f.window, "wait": "complete"}, nil)
}

func (f *firefox) click(ctx context.Context, element string) error {
	node, err := f.node(ctx, element)
	if err != nil {
		return err
	}
	return f.actions(ctx, []object{{"type": "pointer", "id": "mouse", "parameters": object{"pointerType": "mouse"}, "actions": []object{
		{"type": "pointerMove", "x": 0, "y": 0, "origin": object{"type": "element", "element": node}},
		{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
	}}})
}

func (f *firefox) press(ctx context.Context, key string) error {
	return f.actions(ctx, keyActions(key))
}

func (f *firefox) actions(ctx context.Context, actions []object) error {
	return f.call(ctx, "input.performActions", object{"context": f.window, "actions": actions}, nil)
}

func (f *firefox) choose(ctx context.Context, element string, paths []string) error {
	node, err := f.node(ctx, element)
	if err != nil {
		return err
	}
	return f.call(ctx, "input.setFiles", object{"context": f.window, "element": node, "files": paths}, nil)
}

func (f *firefox) drag(ctx context.Context, x, y float64, paths []string) error {
	return f.dragAddresses(ctx, x, y, addressesOf(paths))
}

func (f *firefox) dragAddresses(ctx context.Context, x, y float64, addresses []string) error {
	err := f.display.dragOver(ctx, f, `[mozInnerScreenX, mozInnerScreenY]`, x, y, addresses)
	f.dragging = err == nil
	return err
}

func (f *firefox) drop(ctx context.Context, _, _ float64, _ []string) error {
	f.dragging = false
	return f.display.outside.drop(ctx)
}

func (f *firefox) dropAddresses(ctx context.Context, x, y float64, addresses []string) error {
	if err := f.dragAddresses(ctx, x, y, addresses); err != nil {
		return err
	}
	return f.drop(ctx, x, y, nil)
}

func (f *firefox) resize(ctx context.Context, width, height int64) error {
	return f.call(ctx, "browsingContext.setViewport", object{
		"context": f.window, "viewport": object{"width": width, "height": height},
	}, nil)
}

// inside runs code of the browser's own on the page's BrowsingContext, b.
func (f *firefox) inside(ctx context.Context, code string) error {
	_, err := f.script(ctx, f.own, `(() => {
		const { NavigableManager } = ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs");
		const b = NavigableManager.getBrowsingContextById(`+Quote(f.window)+`);
		`+code+`
	})()`)
	return err
}

func (f *firefox) prefer(ctx context.Context, feature, value string) error {
	if feature != "prefers-color-scheme" {
		return errLacking
	}
	return f.inside(ctx, `b.prefersColorSchemeOverride = `+Quote(value))
}

func (f *firefox) withoutScripts(ctx context.Context) error {
	return f.inside(ctx, `b.allowJavascript = false`)
}

func (f *firefox) throttle(_ context.Context, bytesPerSecond float64) error {
	f.line.setRate(bytesPerSecond)
	return nil
}

func (f *firefox) offline(ctx context.Context, offline bool) error {
	var conditions any
	if offline {
		conditions = object{"type": "offline"}
	}
	f.line.setCut(offline)
	return f.call(ctx, "emulation.setNetworkConditions", object{"networkConditions": conditions, "contexts": []string{f.window}}, nil)
}

func (f *firefox) saveTo(ctx context.Context, folder string) error {
	return f.call(ctx, "browser.setDownloadBehavior", object{
		"downloadBehavior": object{"type": "allowed", "destinationFolder": folder}, "userContexts": []string{f.user},
	}, nil)
}

// accessible looks at the tree that the browser makes for assistive technology, once it has
// all of the page.
func (f *firefox) accessible(ctx context.Context, role string) (names []string, err error) {
	value, err := f.script(ctx, f.own, `(async () => {
		const { NavigableManager } = ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs");
		const { embedderElement } = NavigableManager.getBrowsingContextById(`+Quote(f.window)+`);
		// It has trees for as long as somebody holds it.
		window.trees ??= Cc["@mozilla.org/accessibilityService;1"].getService(Ci.nsIAccessibilityService);
		const all = (node) => node ? [node, ...Array.from({ length: node.childCount }, (_, i) => all(node.getChildAt(i))).flat()] : [];
		const seen = () => all(trees.getAccessibleFor(embedderElement)?.firstChild).map(({ computedARIARole, name }) => [computedARIARole, name ?? ""]);
		for (let last = "", now; ; last = now) {
			now = JSON.stringify(seen());
			if (now === last && now !== "[]") break;
			await new Promise((soon) => setTimeout(soon, 50));
		}
		return JSON.stringify(seen().filter(([role]) => role === `+Quote(role)+`).map(([, name]) => name));
	})()`)
	if err != nil {
		return nil, err
	}
	return names, json.Unmarshal([]byte(value.Value), &names)
}

func (f *firefox) picture(ctx context.Context) ([]byte, error) {
	var got struct{ Data string }
	if err := f.call(ctx, "browsingContext.captureScreenshot", object{"context": f.window}, &got); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(got.Data)
}

// bidi is a session of WebDriver BiDi.
type bidi struct {
	conn    *websocket.Conn
	process *process // which ends when nobody holds it
	display *display
	// own is the browser's own window.
	own string

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	faults  map[string]func(string) // by window
}

// message is what comes from the browser.
type message struct {
	ID             int
	Type           string
	Result         json.RawMessage
	Error, Message string
	Method         string
	Params         json.RawMessage
}

// stop ends the browser.
func (b *bidi) stop() {
	b.process.Stop()
	b.display.server.Stop()
}

func (b *bidi) dial(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, address+"/session", nil)
	if err != nil {
		return err
	}
	conn.SetReadLimit(-1)
	b.conn, b.waiting, b.faults = conn, map[int]chan message{}, map[string]func(string){}
	go b.read()
	var tree struct{ Contexts []struct{ Context string } }
	for _, step := range []struct {
		method string
		params object
		result any
	}{
		{"session.new", object{"capabilities": object{}}, nil},
		{"session.subscribe", object{"events": []string{"log.entryAdded"}}, nil},
		{"browsingContext.getTree", object{"moz:scope": "chrome"}, &tree},
	} {
		if err := b.call(ctx, step.method, step.params, step.result); err != nil {
			return err
		}
	}
	b.own = tree.Contexts[0].Context
	return nil
}

func (b *bidi) read() {
	for {
		_, text, err := b.conn.Read(context.Background())
		var m message
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		b.mu.Lock()
		if err != nil {
			for _, waiting := range b.waiting {
				waiting <- message{Type: "error", Error: "firefox is gone", Message: err.Error()}
			}
			b.waiting = nil
			b.mu.Unlock()
			return
		}
		if waiting, ok := b.waiting[m.ID]; ok {
			waiting <- m
			delete(b.waiting, m.ID)
		}
		b.mu.Unlock()
		if m.Method == "log.entryAdded" {
			b.log(m.Params)
		}
	}
}

// log tells a window's owner of errors.
func (b *bidi) log(params json.RawMessage) {
	var entry struct {
		Type, Level, Text string
		Source            struct{ Context string }
	}
	if json.Unmarshal(params, &entry) != nil || entry.Level != "error" {
		return
	}
	if strings.Contains(entry.Text, "CORS request did not succeed") {
		return // a connection that failed, which is no error of the page
	}
	b.mu.Lock()
	fault := b.faults[entry.Source.Context]
	b.mu.Unlock()
	if fault != nil {
		fault(entry.Type + ": " + entry.Text)
	}
}

// listen has errors of a window told, until forget.
func (b *bidi) listen(window string, fault func(string)) (forget func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults[window] = fault
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.faults, window)
	}
}

// call sends a command, and waits for its result.
func (b *bidi) call(ctx context.Context, method string, params object, result any) error {
	answer := make(chan message, 1)
	b.mu.Lock()
	if b.waiting == nil {
		b.mu.Unlock()
		return errors.New("firefox is gone")
	}
	b.last++
	id := b.last
	b.waiting[id] = answer
	b.mu.Unlock()
	text, err := json.Marshal(object{"id": id, "method": method, "params": params})
	if err != nil {
		return err
	}
	// A deadline would end the connection that all tests share.
	if err := b.conn.Write(context.WithoutCancel(ctx), websocket.MessageText, text); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case m := <-answer:
		if m.Type == "error" {
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	}
}

// remote is a value in the browser.
type remote struct {
	Type, SharedID string
	// Value is that of a string.
	Value text
}

// text is a string, or nothing if it is another value.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// script evaluates an expression, or the promise that it is.
func (b *bidi) script(ctx context.Context, window, expression string) (remote, error) {
	var got struct {
		Type             string
		Result           remote
		ExceptionDetails struct{ Text string }
	}
	err := b.call(ctx, "script.evaluate", object{
		"expression": expression, "target": object{"context": window}, "awaitPromise": true, "resultOwnership": "none", "userActivation": true,
	}, &got)
	if err == nil && got.Type == "exception" {
		err = errors.New(got.ExceptionDetails.Text)
	}
	return got.Result, err
}

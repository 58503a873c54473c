package browser

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// webkit is a WebKitGTK, by its MiniBrowser, on a display of its own. It is driven by
// WebDriver (https://www.w3.org/TR/webdriver2/).
type webkit struct {
	t       testing.TB
	fault   func(string)
	line    *line
	display *display
	// settings are of the desktop; the program that tells them reads them anew by SIGHUP.
	settings string
	desktop  *process
	driver   *process
	// session is its address.
	session string
}

// miniBrowsers are where distributions put it.
var miniBrowsers = []string{
	"/usr/lib/*/webkit2gtk-4.1/MiniBrowser", "/usr/libexec/webkit2gtk-4.1/MiniBrowser", "/usr/lib/webkit2gtk-4.1/MiniBrowser",
}

func miniBrowser() (string, error) {
	for _, pattern := range miniBrowsers {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0], nil
		}
	}
	return "", errors.New("there is no MiniBrowser of WebKitGTK: run scripts/webkit")
}

func startWebKit(t testing.TB, fault func(string)) engine {
	t.Helper()
	w := &webkit{t: t, fault: fault, line: startLine(t)}
	folder := t.TempDir()
	w.settings = filepath.Join(folder, "xsettings")
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	// The screen is so small that its middle is under every window.
	screen, err := startDisplay(200, 200)
	require.NoError(t, err)
	t.Cleanup(screen.server.Stop)
	w.display = screen
	require.NoError(t, w.scheme("light"))
	desktop, err := run("", w.display.environment(), executable(t, "webkit", "xsettingsd"), "-c", w.settings)
	require.NoError(t, err)
	t.Cleanup(desktop.Stop)
	w.desktop = desktop
	go func() { _, _ = io.Copy(io.Discard, desktop.Output) }()
	require.NoError(t, w.open(ctx))
	t.Cleanup(w.close)
	return w
}

// open starts the driver and the browser, and has a window without tools, which can be
// narrow.
func (w *webkit) open(ctx context.Context, arguments ...string) (err error) {
	binary, err := miniBrowser()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	w.driver, err = run("", append(w.display.environment(), "LC_ALL=C.UTF-8"),
		executable(w.t, "webkit", "WebKitWebDriver"), "--port="+strconv.Itoa(port))
	if err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, w.driver.Output) }()
	w.session = "http://127.0.0.1:" + strconv.Itoa(port)
	for w.call(ctx, http.MethodGet, "/status", nil, nil) != nil {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("WebKitWebDriver does not start: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	var made struct{ SessionID string }
	err = w.call(ctx, http.MethodPost, "/session", object{"capabilities": object{"alwaysMatch": object{
		"unhandledPromptBehavior": "accept",
		"timeouts":                object{"script": Patience.Milliseconds(), "pageLoad": Patience.Milliseconds()},
		"webkitgtk:browserOptions": object{
			"binary": binary,
			"args": append([]string{
				"--automation", "--javascript-can-open-windows-automatically=true",
				"--enable-page-cache=false",            // tests of going back want what is not kept alive
				"--proxy=socks5://" + w.line.address(), // WebDriver's socksProxy does nothing
			}, arguments...),
		},
	}}}, &made)
	if err != nil {
		return err
	}
	w.session += "/session/" + made.SessionID
	return w.popUp(ctx)
}

func (w *webkit) popUp(ctx context.Context) error {
	var first string
	var all []string
	if err := w.call(ctx, http.MethodGet, "/window", nil, &first); err != nil {
		return err
	}
	err := w.call(ctx, http.MethodPost, "/execute/sync", object{
		"script": `open("about:blank", "", "popup,width=1000,height=800")`, "args": []any{},
	}, nil)
	if err != nil {
		return err
	}
	if err := w.call(ctx, http.MethodGet, "/window/handles", nil, &all); err != nil {
		return err
	}
	for _, handle := range all {
		if handle == first {
			continue
		}
		if err := w.call(ctx, http.MethodDelete, "/window", nil, nil); err != nil {
			return err
		}
		if err := w.call(ctx, http.MethodPost, "/window", object{"handle": handle}, nil); err != nil {
			return err
		}
		return w.resize(ctx, 1000, 800)
	}
	return errors.New("no window has opened")
}

func (w *webkit) close() {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	_ = w.call(ctx, http.MethodDelete, "", nil, nil)
	w.driver.Stop()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// call sends a command, and reads its value.
func (w *webkit) call(ctx context.Context, method, path string, params object, value any) error {
	var body io.Reader
	if method == http.MethodPost {
		text, err := json.Marshal(params)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, w.session+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct{ Value json.RawMessage }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: %s: %w", method, path, response.Status, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, answer.Value)
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(answer.Value, value)
}

// hooks note what goes wrong on a page from the first evaluation on: WebDriver has no
// console. They return what has been noted since they were last asked.
const hooks = `(() => {
	const key = Symbol.for("faults");
	if (!window[key]) {
		const faults = (window[key] = []);
		addEventListener("error", (e) => e.message && faults.push(e.message));
		addEventListener("unhandledrejection", (e) => faults.push("unhandled: " + e.reason));
		addEventListener("securitypolicyviolation", (e) => faults.push(e.violatedDirective + " " + e.blockedURI));
		const { error } = console;
		console.error = (...args) => { faults.push(args.join(" ")); error.apply(console, args); };
	}
	return window[key].splice(0);
})()`

func (w *webkit) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	var got struct {
		Value, Error *string
		Faults       []string
	}
	err := w.call(ctx, http.MethodPost, "/execute/async", object{"script": `
		const done = arguments[arguments.length - 1];
		` + hooks + `;
		const end = (answer) => done({ ...answer, faults: ` + hooks + ` });
		try {
			Promise.resolve(` + asText(expression) + `).then((value) => end({ value }), (error) => end({ error: String(error) }));
		} catch (error) {
			end({ error: String(error) });
		}`, "args": []any{}}, &got)
	for _, fault := range got.Faults {
		w.fault(fault)
	}
	switch {
	case err != nil:
		return nil, err
	case got.Error != nil:
		return nil, errors.New(*got.Error)
	case got.Value == nil:
		return json.RawMessage("null"), nil
	}
	return json.RawMessage(*got.Value), nil
}

// node returns how WebDriver calls an element.
func (w *webkit) node(ctx context.Context, element string) (string, error) {
	var reference map[string]string
	err := w.call(ctx, http.MethodPost, "/execute/sync", object{"script": "return (" + element + "\n)", "args": []any{}}, &reference)
	for _, id := range reference {
		return id, nil
	}
	return "", errOr(err, errors.New("there is no such element"))
}

func (w *webkit) navigate(ctx context.Context, url string) error {
	return w.call(ctx, http.MethodPost, "/url", object{"url": url}, nil)
}

func (w *webkit) reload(ctx context.Context) error {
	return w.call(ctx, http.MethodPost, "/refresh", object{}, nil)
}

func (w *webkit) click(ctx context.Context, element string) error {
	node, err := w.node(ctx, element)
	if err != nil {
		return err
	}
	return w.call(ctx, http.MethodPost, "/element/"+node+"/click", object{}, nil)
}

func (w *webkit) choose(ctx context.Context, element string, paths []string) error {
	node, err := w.node(ctx, element)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for i, path := range paths {
		if i > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(path)
	}
	return w.call(ctx, http.MethodPost, "/element/"+node+"/value", object{"text": text.String()}, nil)
}

// carried is the input with the files that are being dragged: pages get them from
// there, since WebKitGTK, unlike Safari, gives them none. Its events stay in a shadow tree.
const carried = `window[Symbol.for("carried")]`

func (w *webkit) drag(ctx context.Context, x, y float64, paths []string) error {
	_, err := w.evaluate(ctx, `(() => {
		const input = Object.assign(document.createElement("input"), { type: "file", multiple: true });
		input.addEventListener("input", (event) => event.stopPropagation());
		const host = document.documentElement.appendChild(document.createElement("div"));
		host.hidden = true;
		host.attachShadow({ mode: "open" }).append(input);
		`+carried+` = input;
		return true;
	})()`)
	if err != nil {
		return err
	}
	if err := w.choose(ctx, carried, paths); err != nil {
		return err
	}
	return w.dispatch(ctx, x, y, `["dragenter", "dragover"]`)
}

func (w *webkit) drop(ctx context.Context, x, y float64, _ []string) error {
	if err := w.dispatch(ctx, x, y, `["drop"]`); err != nil {
		return err
	}
	_, err := w.evaluate(ctx, `(`+carried+`.getRootNode().host.remove(), delete `+carried+`)`)
	return err
}

func (w *webkit) dispatch(ctx context.Context, x, y float64, types string) error {
	_, err := w.evaluate(ctx, `((x, y) => {
		let at = document.elementFromPoint(x, y) ?? document.documentElement;
		for (let inner; (inner = at.shadowRoot?.elementFromPoint(x, y)) && inner !== at; ) at = inner;
		const dataTransfer = new DataTransfer();
		for (const file of `+carried+`.files) dataTransfer.items.add(file);
		for (const type of `+types+`) {
			at.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true, composed: true, clientX: x, clientY: y }));
		}
		return true;
	})(`+number(x)+`, `+number(y)+`)`)
	return err
}

func (w *webkit) dropAddresses(ctx context.Context, x, y float64, addresses []string) error {
	origin := `[screenX + outerWidth - innerWidth, screenY + outerHeight - innerHeight]`
	if err := w.display.dragOver(ctx, w, origin, x, y, addresses); err != nil {
		return err
	}
	return w.display.outside.drop(ctx)
}

func (w *webkit) press(ctx context.Context, key string) error {
	return w.call(ctx, http.MethodPost, "/actions", object{"actions": keyActions(key)}, nil)
}

func (w *webkit) resize(ctx context.Context, width, height int64) error {
	var rect struct{ Width, Height int64 }
	if err := w.call(ctx, http.MethodPost, "/window/rect", object{"width": width, "height": height}, &rect); err != nil {
		return err
	}
	return wait(ctx, w, fmt.Sprintf(`innerWidth === %d && innerHeight === %d`, rect.Width, rect.Height))
}

func (w *webkit) prefer(_ context.Context, feature, value string) error {
	if feature != "prefers-color-scheme" {
		return errLacking
	}
	if err := w.scheme(value); err != nil {
		return err
	}
	return syscall.Kill(-w.desktop.Process.Pid, syscall.SIGHUP)
}

// scheme writes the desktop's theme.
func (w *webkit) scheme(value string) error {
	theme := "Adwaita"
	if value == "dark" {
		theme += "-dark"
	}
	return os.WriteFile(w.settings, []byte("Net/ThemeName \""+theme+"\"\n"), 0o600)
}

// withoutScripts starts the browser anew, which is told so by an argument.
func (w *webkit) withoutScripts(ctx context.Context) error {
	var url string
	if err := w.call(ctx, http.MethodGet, "/url", nil, &url); err != nil {
		return err
	}
	w.close()
	if err := w.open(ctx, "--enable-javascript-markup=false"); err != nil {
		return err
	}
	return w.navigate(ctx, url)
}

func (w *webkit) throttle(_ context.Context, bytesPerSecond float64) error {
	w.line.setRate(bytesPerSecond)
	return nil
}

// offline tells the page itself.
func (w *webkit) offline(ctx context.Context, offline bool) error {
	w.line.setCut(offline)
	_, err := w.evaluate(ctx, fmt.Sprintf(`(Object.defineProperty(navigator, "onLine", { value: %t, configurable: true }),
		dispatchEvent(new Event(navigator.onLine ? "online" : "offline")))`, !offline))
	return err
}

func (w *webkit) saveTo(context.Context, string) error { return errLacking }

// accessible asks of each element, since WebDriver has no tree.
func (w *webkit) accessible(ctx context.Context, role string) (names []string, err error) {
	var elements []map[string]string
	err = w.call(ctx, http.MethodPost, "/execute/sync", object{"script": `
		const all = (root) => [...root.querySelectorAll("*")].flatMap((e) => [e, ...(e.shadowRoot ? all(e.shadowRoot) : [])]);
		return all(document.body).filter((e) => e.checkVisibility());`, "args": []any{}}, &elements)
	if err != nil {
		return nil, err
	}
	for _, element := range elements {
		for _, id := range element {
			var is, name string
			if err := w.call(ctx, http.MethodGet, "/element/"+id+"/computedrole", nil, &is); err != nil {
				return nil, err
			}
			if is != role {
				continue
			}
			if err := w.call(ctx, http.MethodGet, "/element/"+id+"/computedlabel", nil, &name); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func (w *webkit) picture(ctx context.Context) ([]byte, error) {
	var data string
	if err := w.call(ctx, http.MethodGet, "/screenshot", nil, &data); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(data)
}

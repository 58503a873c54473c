package browser

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// chromium is driven by the Chrome DevTools Protocol.
type chromium struct{ ctx context.Context }

func startChromium(t testing.TB, fault func(string), more ...chromedp.ExecAllocatorOption) engine {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(executable(t, "chromium", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")),
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
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closing, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		_ = chromedp.Cancel(closing)
	})
	require.NoError(t, chromedp.Do(ctx), "the browser does not start")
	c := chromium{ctx}
	c.watch(fault)
	c.sayYes()
	return c
}

// executable finds a browser by one of its names.
func executable(t testing.TB, script string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	require.FailNow(t, "there is no "+names[0], "run scripts/%s, or put it into the PATH", script)
	return ""
}

// watch tells what goes wrong in the page.
func (c chromium) watch(fault func(string)) {
	messages := chromedp.Console(c.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			// A refused request is an error of the source "network".
			if m.IsException() || m.Source == "security" || m.Source == "javascript" || m.Source == "" && m.Type == chromedp.ConsoleError {
				fault(m.String())
			}
		}
	}()
}

// sayYes answers what the page asks, such as whether it may be left.
func (c chromium) sayYes() {
	questions := chromedp.Events(c.ctx, page.JavascriptDialogOpening)
	go func() {
		for _, err := range questions {
			if err != nil {
				return
			}
			_, _ = chromedp.Call(c.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		}
	}()
}

// within is a browser's context that ends with another.
func (c chromium) within(ctx context.Context) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancel(c.ctx)
	stop := context.AfterFunc(ctx, cancel)
	return inner, func() { stop(); cancel() }
}

func (c chromium) do(ctx context.Context, step chromedp.Action[chromedp.Void]) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	return chromedp.Do(ctx, step)
}

func call[P, R any](ctx context.Context, c chromium, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

func (c chromium) evaluate(ctx context.Context, expression string) (json.RawMessage, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[json.RawMessage](expression, chromedp.EvalAwaitPromise))
}

func (c chromium) navigate(ctx context.Context, url string) error {
	return c.do(ctx, chromedp.Navigate(url))
}

func (c chromium) reload(ctx context.Context) error { return c.do(ctx, chromedp.Reload()) }

func (c chromium) click(ctx context.Context, element string) error {
	return c.do(ctx, chromedp.Click(chromedp.JSPath(element)))
}

func (c chromium) choose(ctx context.Context, element string, paths []string) error {
	return c.do(ctx, chromedp.SetUploadFiles(chromedp.JSPath(element), paths))
}

func (c chromium) drag(ctx context.Context, x, y float64, paths []string) error {
	return c.carry(ctx, x, y, &input.DragData{Items: []*input.DragDataItem{}, Files: paths},
		input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver)
}

func (c chromium) drop(ctx context.Context, x, y float64, paths []string) error {
	return c.carry(ctx, x, y, &input.DragData{Items: []*input.DragDataItem{}, Files: paths}, input.DispatchDragEventTypeDrop)
}

func (c chromium) dropAddresses(ctx context.Context, x, y float64, addresses []string) error {
	data := &input.DragData{Items: []*input.DragDataItem{}}
	for _, address := range addresses {
		if at, err := url.Parse(address); err == nil && at.Scheme == "file" {
			data.Files = append(data.Files, at.Path)
		} else {
			data.Items = append(data.Items, &input.DragDataItem{MimeType: "text/uri-list", Data: address})
		}
	}
	return c.carry(ctx, x, y, data, input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop)
}

func (c chromium) carry(ctx context.Context, x, y float64, data *input.DragData, steps ...input.DispatchDragEventType) error {
	data.DragOperationsMask = 1 // a copy
	for _, step := range steps {
		if _, err := call(ctx, c, input.DispatchDragEvent, input.DispatchDragEventParams{Type: step, X: x, Y: y, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

func (c chromium) press(ctx context.Context, key string) error {
	return c.do(ctx, chromedp.KeyEvent(key))
}

func (c chromium) resize(ctx context.Context, width, height int64) error {
	return c.do(ctx, chromedp.EmulateViewport(width, height))
}

func (c chromium) prefer(ctx context.Context, feature, value string) error {
	_, err := call(ctx, c, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
	return err
}

func (c chromium) withoutScripts(ctx context.Context) error {
	_, err := call(ctx, c, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return err
}

func (c chromium) throttle(ctx context.Context, bytesPerSecond float64) error {
	if bytesPerSecond == 0 {
		bytesPerSecond = -1
	}
	return c.network(ctx, network.Conditions{DownloadThroughput: -1, UploadThroughput: bytesPerSecond})
}

func (c chromium) offline(ctx context.Context, offline bool) error {
	err := c.network(ctx, network.Conditions{DownloadThroughput: -1, UploadThroughput: -1, Offline: offline})
	if err != nil {
		return err
	}
	_, err = call(ctx, c, network.OverrideNetworkState, network.OverrideNetworkStateParams{
		Offline: offline, DownloadThroughput: -1, UploadThroughput: -1,
	})
	return err
}

func (c chromium) network(ctx context.Context, conditions network.Conditions) error {
	if _, err := call(ctx, c, network.Enable, network.EnableParams{}); err != nil {
		return err
	}
	_, err := call(ctx, c, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{&conditions},
	})
	return err
}

func (c chromium) saveTo(ctx context.Context, folder string) error {
	_, err := call(ctx, c, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
	})
	return err
}

func (c chromium) accessible(ctx context.Context, role string) (names []string, err error) {
	tree, err := call(ctx, c, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		return nil, err
	}
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		var value string
		_ = json.Unmarshal(v.Value, &value) // numbers are not asked for
		return value
	}
	for _, n := range tree.Nodes {
		if !n.Ignored && text(n.Role) == role {
			names = append(names, text(n.Name))
		}
	}
	return names, nil
}

func (c chromium) picture(ctx context.Context) ([]byte, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

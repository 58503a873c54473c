package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/stretchr/testify/require"
)

// Dialogs are those of Chromium itself, such as the question whether a page may read a
// file: no page shows them, and neither a page's DevTools nor WebDriver reach them. They
// are answered by what Chromium's developers look at its own windows with.
type Dialogs struct {
	t    testing.TB
	conn *websocket.Conn
	last int
}

// uiDevTools has Chromium serve its own windows, and take clicks on them.
func uiDevTools(port int) []chromedp.ExecAllocatorOption {
	return []chromedp.ExecAllocatorOption{
		chromedp.Flag("enable-ui-devtools", fmt.Sprint(port)),
		chromedp.Flag("enable-features", "NetworkService,NetworkServiceInProcess,ui-debug-tools-enable-synthetic-events"),
	}
}

// OpenAsking is Open in a Chromium whose Dialogs the test answers.
func OpenAsking(t testing.TB, url string) (*Page, *Dialogs) {
	t.Helper()
	port, err := freePort()
	require.NoError(t, err)
	page := openWith(t, url, func(fault func(string)) engine { return startChromium(t, fault, uiDevTools(port)...) })
	d := &Dialogs{t: t}
	require.Eventually(t, func() bool {
		d.conn, _, err = websocket.Dial(t.Context(), fmt.Sprintf("ws://127.0.0.1:%d/0", port), nil)
		return err == nil
	}, Patience, 50*time.Millisecond, "%v", err)
	d.conn.SetReadLimit(-1)
	t.Cleanup(func() { _ = d.conn.CloseNow() })
	for _, domain := range []string{"DOM", "CSS"} {
		require.NoError(t, d.call(t.Context(), domain+".enable", object{}, nil))
	}
	return page, d
}

// Press waits for a dialog that has a button of this text, and presses it until the dialog
// is gone: at first Chromium takes no click for meant.
func (d *Dialogs) Press(button string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), Patience)
	defer cancel()
	for pressed := false; ; time.Sleep(50 * time.Millisecond) {
		id, err := d.find(ctx, button)
		require.NoError(d.t, ctx.Err(), "no dialog has the button %q, or it does not go away", button)
		require.NoError(d.t, err)
		if id == 0 && pressed {
			return
		}
		for _, step := range []string{"mousePressed", "mouseReleased"} {
			if id == 0 {
				break
			}
			event := object{"type": step, "x": 3, "y": 3, "button": "left", "wheelDirection": "none"}
			if d.call(ctx, "DOM.dispatchMouseEvent", object{"nodeId": id, "event": event}, nil) == nil {
				pressed = true // or it is gone meanwhile
			}
		}
	}
}

// view is a part of Chromium's windows.
type view struct {
	NodeID     int
	Attributes []string
	Children   []view
}

// find returns the button of this text, or 0.
func (d *Dialogs) find(ctx context.Context, button string) (int, error) {
	var document struct{ Root view }
	if err := d.call(ctx, "DOM.getDocument", object{}, &document); err != nil {
		return 0, err
	}
	for _, id := range buttonsOf(document.Root) {
		var rules json.RawMessage
		if err := d.call(ctx, "CSS.getMatchedStylesForNode", object{"nodeId": id}, &rules); err != nil {
			continue // it is gone
		}
		if textOf(rules) == button {
			return id, nil
		}
	}
	return 0, nil
}

func buttonsOf(v view) (ids []int) {
	if slices.Contains(v.Attributes, "MdTextButton") {
		ids = append(ids, v.NodeID)
	}
	for _, child := range v.Children {
		ids = append(ids, buttonsOf(child)...)
	}
	return ids
}

// textOf finds a view's text among its properties, which it has as styles.
func textOf(styles json.RawMessage) string {
	var matched struct {
		MatchedCSSRules []struct {
			Rule struct {
				Style struct {
					CSSProperties []struct{ Name, Value string }
				}
			}
		}
	}
	if json.Unmarshal(styles, &matched) != nil {
		return ""
	}
	for _, m := range matched.MatchedCSSRules {
		for _, property := range m.Rule.Style.CSSProperties {
			if property.Name == "Text" {
				return property.Value
			}
		}
	}
	return ""
}

func (d *Dialogs) call(ctx context.Context, method string, params object, result any) error {
	d.last++
	if err := wsjson.Write(ctx, d.conn, object{"id": d.last, "method": method, "params": params}); err != nil {
		return err
	}
	for {
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  struct{ Message string }
		}
		if err := wsjson.Read(ctx, d.conn, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != d.last: // an event
		case answer.Error.Message != "":
			return fmt.Errorf("%s: %s", method, answer.Error.Message)
		case result == nil:
			return nil
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

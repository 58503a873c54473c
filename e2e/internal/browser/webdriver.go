package browser

import (
	"context"
	"errors"
	"strconv"

	"github.com/chromedp/chromedp/kb"
)

// What the two browsers have in common that are driven by WebDriver.

// asText is JavaScript whose value, or that of its promise, is the JSON of an expression.
func asText(expression string) string {
	return `((v) => typeof v?.then === "function" ? v.then((v) => JSON.stringify(v)) : JSON.stringify(v))((` + expression + "\n))"
}

// webDriverKeys are those that WebDriver calls otherwise (https://w3c.github.io/webdriver/#keyboard-actions).
var webDriverKeys = map[string]string{
	kb.Tab: "\ue004", kb.Enter: "\ue007", kb.Escape: "\ue00c", kb.Backspace: "\ue003", kb.Delete: "\ue017",
	kb.End: "\ue010", kb.Home: "\ue011", kb.PageUp: "\ue00e", kb.PageDown: "\ue00f",
	kb.ArrowLeft: "\ue012", kb.ArrowUp: "\ue013", kb.ArrowRight: "\ue014", kb.ArrowDown: "\ue015",
}

func webDriverKey(key string) string {
	if known, ok := webDriverKeys[key]; ok {
		return known
	}
	return key
}

type object = map[string]any

// keyActions press a key and let it go.
func keyActions(key string) []object {
	return []object{{"type": "key", "id": "keyboard", "actions": []object{
		{"type": "keyDown", "value": webDriverKey(key)}, {"type": "keyUp", "value": webDriverKey(key)},
	}}}
}

// carried is the input with the files that are being dragged: pages get them from
// there, since WebDriver cannot drag from outside. Its events stay in a shadow tree.
const carried = `window[Symbol.for("carried")]`

func dragByScript(ctx context.Context, e engine, x, y float64, paths []string) error {
	_, err := e.evaluate(ctx, `(() => {
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
	if err := e.choose(ctx, carried, paths); err != nil {
		return err
	}
	return dispatch(ctx, e, x, y, `["dragenter", "dragover"]`)
}

func dropByScript(ctx context.Context, e engine, x, y float64) error {
	if err := dispatch(ctx, e, x, y, `["drop"]`); err != nil {
		return err
	}
	_, err := e.evaluate(ctx, `(`+carried+`.getRootNode().host.remove(), delete `+carried+`)`)
	return err
}

func dispatch(ctx context.Context, e engine, x, y float64, types string) error {
	_, err := e.evaluate(ctx, `((x, y) => {
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

var errLacking = errors.New("this browser cannot do it: see lacks in engine.go")

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

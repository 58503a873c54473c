package browser

import (
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

var errLacking = errors.New("this browser cannot do it: see lacks in engine.go")

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Package element drives <postern-upload> on a page, as a person does.
package element

import (
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// Element is a <postern-upload> on a page, by its CSS selector.
type Element struct {
	*browser.Page
	Selector string
}

// JS is the element, for JavaScript.
func (e *Element) JS() string { return `document.querySelector(` + browser.Quote(e.Selector) + `)` }

// Root is its shadow tree.
func (e *Element) Root() string { return e.JS() + `.shadowRoot` }

// Part is the first of its parts that has this name.
func (e *Element) Part(name string) string {
	return e.Root() + `.querySelector(` + browser.Quote(selector(name)) + `)`
}

// Row is a file's.
func (e *Element) Row(name string) string {
	return `[...` + e.Root() + `.querySelectorAll("[part~=file]")]` +
		`.find((row) => row.querySelector("[part=name]").textContent === ` + browser.Quote(name) + `)`
}

// In is a part of a file's row.
func (e *Element) In(name, part string) string {
	return e.Row(name) + `?.querySelector(` + browser.Quote(selector(part)) + `)`
}

func selector(part string) string { return `[part~="` + part + `"]` }

// Pick chooses files in the dialog.
func (e *Element) Pick(files ...fixture.File) {
	e.ChooseIn(e.Root()+`.querySelector("input")`, paths(files)...)
}

// Drop drags files over the element, and drops them.
func (e *Element) Drop(paths ...string) {
	x, y := e.zone()
	e.Page.Drag(x, y, paths...)
	e.Wait(e.JS() + `.matches(":state(over)")`)
	e.Page.Drop(x, y, paths...)
}

// DropAddresses drags what is at addresses over the element, and drops it.
func (e *Element) DropAddresses(addresses ...string) {
	x, y := e.zone()
	e.Page.DropAddresses(x, y, addresses...)
}

// zone is where things are dropped.
func (e *Element) zone() (x, y float64) {
	at := browser.Eval[[2]float64](e.Page, `(({ x, y, width }) => [x + width / 2, y + 20])(`+e.JS()+`.getBoundingClientRect())`)
	return at[0], at[1]
}

// Push clicks on a button of a file's row: pause, resume, retry, choose, cancel or
// remove.
func (e *Element) Push(name, button string) {
	e.ClickOn(e.In(name, button))
}

// WaitFor waits until a file's row is in a state.
func (e *Element) WaitFor(name, state string) {
	e.Wait(e.In(name, "name") + `?.closest("[part~=` + state + `]")`)
}

// Says is what a file's row tells people, now.
func (e *Element) Says(name string) string {
	return browser.Eval[string](e.Page, e.In(name, "message")+`.innerText`)
}

// Failure waits until a file has failed, and returns what people are told.
func (e *Element) Failure(name string) string {
	e.WaitFor(name, "failed")
	return e.Says(name)
}

// Percent is how much of a file the bar shows, for JavaScript.
func (e *Element) Percent(name string) string {
	return `Number(` + e.In(name, "bar") + `?.ariaValueNow)`
}

func paths(files []fixture.File) (paths []string) {
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

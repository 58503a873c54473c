package main

import "net/http"

// page is a client: a file of Go, and a folder in web that has page.html, which
// fills the layout, and what that names.
type page struct {
	// Name is the folder's, and the address: /name/.
	Name string
	// Title is what people call the client, NPM its folder in node_modules.
	Title, NPM string
	// About says in one line how the client uploads, Cannot what it can't do.
	About, Cannot string
	// Styles are style sheets in node_modules.
	Styles []string

	// imports are the packages that the page's scripts import by name, with the
	// folders in node_modules that stand for them.
	imports map[string]string
	// mount adds what the page needs of the server, if /uploads/ is not enough.
	mount func(s *site, mux *http.ServeMux) error
	// own means that mount serves the page itself, by site.render.
	own bool
}

// pages are in the order of the index.
var pages = []*page{
	formPage,
	fetchPage,
	modulePage,
	uppyPluginPage,
	uppyPage,
	uppy5Page,
	jQueryPage,
	filePondPage,
	dropzonePage,
}

package main

var modulePage = &page{
	Name:   "module",
	Title:  "postern.js",
	About:  "Postern’s own module: a form for a small file, parts for a large one. It goes on after a pause, a lost connection or a reload.",
	Cannot: "No user interface: this page is one, in forty lines.",
}

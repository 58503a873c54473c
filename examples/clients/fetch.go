package main

var fetchPage = &page{
	Name:   "fetch",
	Title:  "fetch",
	About:  "Twenty lines: ask for a grant, send the form, complete.",
	Cannot: "No progress: fetch does not tell how much of a form it has sent.",
}

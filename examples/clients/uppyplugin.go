package main

var uppyPluginPage = &page{
	Name:  "uppyplugin",
	Title: "Uppy with Postern’s plugin",
	NPM:   "@uppy/core",
	About: "Uppy’s own user interface around Postern’s module: forms, PUTs and parts, each with a receipt. It pauses, and goes on after a reload.",
	Cannot: "It uploads what is in the browser: not the files of cloud drives, which Uppy has Companion fetch. " +
		"After a reload it has files of up to 10\u00a0MB again by itself; larger ones must be chosen again.",
	Styles: []string{"@uppy/core/dist/style.min.css", "@uppy/dashboard/dist/style.min.css"},
	// Postern's plugin imports @uppy/core by this name, too.
	imports: map[string]string{
		"@uppy/core":             "@uppy/core",
		"@uppy/dashboard":        "@uppy/dashboard",
		"@uppy/golden-retriever": "@uppy/golden-retriever",
	},
}

package main

var filePondPage = &page{
	Name:    "filepond",
	Title:   "FilePond",
	NPM:     "filepond",
	About:   "Its server.process function hands the file to postern.js.",
	Cannot:  "No button for a pause. After a reload it goes on if it is given the same file again.",
	Styles:  []string{"filepond/dist/filepond.min.css"},
	imports: map[string]string{"filepond": "filepond"},
}

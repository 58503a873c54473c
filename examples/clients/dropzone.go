package main

import (
	"net/http"
	"time"

	"github.com/postern-go/postern"
)

var dropzonePage = &page{
	Name:    "dropzone",
	Title:   "Dropzone",
	NPM:     "dropzone",
	About:   "Its accept function asks for a grant, and Dropzone sends the form.",
	Cannot:  "No parts, so no pause and no going on: its chunks are of a protocol of its own.",
	Styles:  []string{"dropzone/dist/dropzone.css"},
	imports: map[string]string{"dropzone": "dropzone"},
	mount: func(s *site, mux *http.ServeMux) error {
		// Dropzone asks for the grants of all files at once, and sends two at a time:
		// those at the end of the queue wait.
		h, err := s.newHandler("dropzone", small,
			postern.WithGrantLifetime(time.Hour),
			postern.WithPromotion("staging/"),
			postern.WithSniffing(),
		)
		if err != nil {
			return err
		}
		mux.Handle("/dropzone/uploads/", h)
		return nil
	},
}

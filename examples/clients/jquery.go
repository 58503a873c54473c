package main

import (
	"net/http"

	"github.com/postern-go/postern/classic"
)

var jQueryPage = &page{
	Name:   "jquery",
	Title:  "jQuery File Upload",
	NPM:    "blueimp-file-upload",
	About:  "The code that many pages have had for years: a GET for the fields of a form, then the form.",
	Cannot: "It never calls back, so that its uploads have no receipt; it doesn’t tell the size; it can’t pause or resume.",
	mount: func(s *site, mux *http.ServeMux) error {
		h, err := s.newHandler("jquery", small)
		if err != nil {
			return err
		}
		c, err := classic.New(h)
		if err != nil {
			return err
		}
		mux.Handle("GET /jquery/credentials", c)
		return nil
	},
}

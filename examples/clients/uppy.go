package main

import (
	"net/http"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/companion"
)

var uppyPage = &page{
	Name:  "uppy",
	Title: "Uppy Dashboard",
	NPM:   "@uppy/aws-s3",
	About: "Uppy’s own user interface. It uploads in parts, can pause, and goes on after a reload with Golden Retriever.",
	Cannot: "By Companion’s protocol, single uploads never call back, so that they have no receipt, and of a refusal it shows the HTTP status only. " +
		"After a reload it has files of up to 10 MiB again by itself; larger ones must be chosen again.",
	Styles: []string{"@uppy/core/dist/style.min.css", "@uppy/dashboard/dist/style.min.css"},
	imports: map[string]string{
		"@uppy/core":             "@uppy/core",
		"@uppy/dashboard":        "@uppy/dashboard",
		"@uppy/aws-s3":           "@uppy/aws-s3",
		"@uppy/golden-retriever": "@uppy/golden-retriever",
	},
	mount: func(s *site, mux *http.ServeMux) error {
		// Parts, each upload completed.
		if err := s.mountCompanion(mux, "/uppy/parts/", large, postern.WithPromotion("staging/")); err != nil {
			return err
		}
		// Single forms, which Uppy cannot complete.
		if err := s.mountCompanion(mux, "/uppy/single/", small); err != nil {
			return err
		}
		// Without Companion the page completes: forms at /uploads/, and PUTs, for
		// buckets that take no forms.
		puts, err := s.newHandler("puts", small, postern.WithMode(postern.ModePut), postern.WithPromotion("staging/"), postern.WithSniffing())
		if err != nil {
			return err
		}
		mux.Handle("/uppy/puts/", puts)
		return nil
	},
}

// mountCompanion serves Uppy's protocol below an address.
func (s *site) mountCompanion(mux *http.ServeMux, at string, max int64, opts ...postern.HandlerOption) error {
	h, err := s.newHandler(at, max, opts...)
	if err != nil {
		return err
	}
	c, err := companion.New(h)
	if err != nil {
		return err
	}
	mux.Handle(at, c)
	return nil
}

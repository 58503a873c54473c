package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/postern-go/postern"
)

var uppy5Page = &page{
	Name:   "uppy5",
	Title:  "Uppy 5",
	NPM:    "uppy5-aws-s3",
	About:  "The version before, with an input of the page’s own. Files above 5 MiB are uploaded in parts, several at a time.",
	Cannot: "Its single uploads never call back, so that they have no receipt. An upload that could not be completed is given up.",
	imports: map[string]string{
		"@uppy/core":   "uppy5-core",
		"@uppy/aws-s3": "uppy5-aws-s3",
	},
	mount: func(s *site, mux *http.ServeMux) error {
		if err := s.mountCompanion(mux, "/uppy5/parts/", large, postern.WithPromotion("staging/"),
			postern.WithOnComplete(number)); err != nil {
			return err
		}
		return s.mountCompanion(mux, "/uppy5/single/", small)
	},
}

var numbered atomic.Int64

// number tells the page something of the application's own, in the answer to its
// completion.
func number(_ context.Context, r *postern.Receipt) error {
	r.Data = map[string]int64{"number": numbered.Add(1)}
	return nil
}

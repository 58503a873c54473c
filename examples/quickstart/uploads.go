package main

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern"
)

// staging is where uploads go before they are checked: the only place that the
// browsers' grants can write to.
const staging = "staging/"

// newUploads is what Postern is about: who may upload, what, and under which key,
// and what becomes of it.
func newUploads(opts *options, bucket postern.Bucket, ticketKey []byte, finished *records, logger zerolog.Logger) (*postern.Handler, error) {
	settings := []postern.HandlerOption{
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			tenant, ok := tenantOf(r)
			if !ok {
				return postern.ErrUnauthenticated
			}
			u.Subject, u.Tenant = "demo@"+tenant, tenant
			return nil
		}),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, 5<<30),
		postern.WithContentTypes("image/*", "video/*", "application/pdf", "text/plain", "application/zip"),
		// The page opens what was stored. These types are inert, and the bucket
		// has an origin of its own.
		postern.WithAttributes(postern.Attributes{Disposition: postern.Inline}),

		// Parts of 8 MiB can be paused and resumed; a smaller file is soon sent again.
		postern.WithMultipartThreshold(16 << 20),
		postern.WithPromotion(staging),
		postern.WithSniffing(),
		postern.WithOnComplete(finished.add),
		postern.WithTicketKeys(ticketKey),
		// Whoever closes the page after the last byte finds the file in the list.
		postern.WithReconciler(30 * time.Second),
		postern.WithLogger(logger),
	}
	if opts.put {
		settings = append(settings, postern.WithMode(postern.ModePut))
	}
	if opts.shared {
		settings = append(settings, postern.AllowSharedCredentials())
	}
	h, err := postern.New(bucket, settings...)
	var mistake *postern.ConfigError
	switch {
	case errors.As(err, &mistake) && mistake.Option == "Bucket.ServiceCredentials":
		return nil, errors.New("this S3 server may let browsers do more with an upload than was signed: " +
			"set POSTERN_SIGNING_ACCESS_KEY_ID and POSTERN_SIGNING_SECRET_ACCESS_KEY to credentials that may only put objects under " +
			staging + ", or, for development, give -allow-shared-credentials")
	case err != nil:
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return h, nil
}

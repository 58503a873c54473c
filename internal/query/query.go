// Package query reads what clients send in a query, for the dialects.
package query

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/postern-go/postern"
)

// Parse parses the query of a request, of at most limit bytes.
func Parse(r *http.Request, limit int64) (url.Values, error) {
	if int64(len(r.URL.RawQuery)) > limit {
		return nil, postern.ErrBodyTooLarge
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, postern.ErrMalformedRequest.WithDetail("The query of the request is malformed.").WithCause(err)
	}
	return values, nil
}

// Size reads the size of a file in bytes; with an error it is unknown.
func Size(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return postern.UnknownSize, postern.ErrSizeInvalid.WithCause(err)
	}
	return int64(n), nil
}

// Command nethttp mounts Postern in the ServeMux of net/http.
//
//	go -C examples run ./routers/nethttp
package main

import (
	"net/http"

	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(demo.HTTP(newRouter)) }

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// The group is a mux of its own. No prefix is stripped: patterns and Postern both
// look at the whole path. The uploads take all methods, so that Postern answers a
// wrong one too; write "POST /api/uploads/" and "GET /api/uploads/rules" where the mux
// should.
func newRouter(uploads http.Handler) http.Handler {
	api := http.NewServeMux()
	api.Handle("/api/uploads/", uploads)
	api.Handle("/api/albums/{album}/photos/", uploads)

	mux := http.NewServeMux()
	mux.Handle("/api/", demo.RequireUser(api))
	mux.Handle("/", demo.Page())
	return mux
}

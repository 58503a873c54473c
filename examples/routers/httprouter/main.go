// Command httprouter mounts Postern in a router of julienschmidt/httprouter.
//
//	go -C examples run ./routers/httprouter
package main

import (
	"net/http"

	"github.com/julienschmidt/httprouter"
	"github.com/justinas/alice"

	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(demo.HTTP(newRouter)) }

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// httprouter has neither groups nor middleware: here alice makes the group. It has
// no route for all methods either. Postern's own protocol needs POST, and GET for its
// rules (that of Uppy needs DELETE too), and httprouter answers other methods by itself.
// A wildcard excludes other routes at its place, so the page is NotFound.
func newRouter(uploads http.Handler) http.Handler {
	api := alice.New(demo.RequireUser)

	r := httprouter.New()
	for _, prefix := range []string{"/api/uploads/", "/api/albums/:album/photos/"} {
		r.Handler(http.MethodPost, prefix+"*action", api.Then(uploads))
		r.Handler(http.MethodGet, prefix+"rules", api.Then(uploads))
	}
	r.NotFound = demo.Page()
	return r
}

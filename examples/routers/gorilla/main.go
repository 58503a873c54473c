// Command gorilla mounts Postern in a router of gorilla/mux.
//
//	go -C examples run ./routers/gorilla
package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(demo.HTTP(newRouter)) }

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// The group is a subrouter; what it does not match goes on to the routes that
// follow, without its middleware. gorilla/mux answers a path with doubled slashes
// or dots by a redirect, before it asks anyone.
func newRouter(uploads http.Handler) http.Handler {
	r := mux.NewRouter()
	api := r.PathPrefix("/api").Subrouter()
	api.Use(demo.RequireUser)
	api.PathPrefix("/uploads/").Handler(uploads)
	api.PathPrefix("/albums/{album}/photos/").Handler(uploads)

	r.PathPrefix("/").Handler(demo.Page())
	return r
}

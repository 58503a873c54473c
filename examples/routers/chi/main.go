// Command chi mounts Postern in a router of go-chi/chi.
//
//	go -C examples run ./routers/chi
package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(demo.HTTP(newRouter)) }

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// Mount hands on every method and all that lies below its prefix, as it is. The
// middleware of chi are those of net/http, so the user is in the context of the
// request already.
func newRouter(uploads http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Route("/api", func(r chi.Router) {
		r.Use(demo.RequireUser)
		r.Mount("/uploads", uploads)
		r.Mount("/albums/{album}/photos", uploads)
	})
	r.Handle("/*", demo.Page())
	return r
}

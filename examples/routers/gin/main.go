// Command gin mounts Postern in an engine of gin-gonic/gin.
//
//	go -C examples run ./routers/gin
package main

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() {
	gin.SetMode(gin.ReleaseMode)
	demo.Main(demo.HTTP(newRouter))
}

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// A wildcard of gin excludes other routes at its place, so the page is NoRoute.
// The engine goes without gin.Recovery, which ends an answer that a handler breaks
// off as if it were whole; net/http survives panics by itself.
func newRouter(uploads http.Handler) http.Handler {
	r := gin.New()
	api := r.Group("/api", requireUser)
	api.Any("/uploads/*action", mount(uploads))
	api.Any("/albums/:album/photos/*action", mount(uploads))

	r.NoRoute(gin.WrapH(demo.Page()))
	return r
}

// mount carries the user from the context of gin, which Postern does not know,
// into that of the request.
func mount(uploads http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx := demo.WithUser(c.Request.Context(), c.GetString("user"))
		uploads.ServeHTTP(c.Writer, c.Request.WithContext(ctx))
	}
}

// requireUser is a middleware as one has it in gin: the user goes into the context
// of gin.
func requireUser(c *gin.Context) {
	user, ok := demo.Authenticate(c.GetHeader("Authorization"))
	if !ok {
		postern.Refuse(c.Writer, c.Request, postern.ErrUnauthenticated)
		c.Abort()
		return
	}
	c.Set("user", user)
}

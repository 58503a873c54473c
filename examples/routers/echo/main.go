// Command echo mounts Postern in labstack/echo, version 5.
//
//	go -C examples run ./routers/echo
package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(demo.HTTP(newRouter)) }

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// The same holds in version 4, where *echo.Context is echo.Context.
func newRouter(uploads http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover())
	api := e.Group("/api", requireUser)
	api.Any("/uploads/*", mount(uploads))
	api.Any("/albums/:album/photos/*", mount(uploads))

	e.Any("/*", echo.WrapHandler(demo.Page()))
	return e
}

// mount carries the user from the context of echo, which Postern does not know,
// into that of the request.
func mount(uploads http.Handler) echo.HandlerFunc {
	return func(c *echo.Context) error {
		user, _ := c.Get("user").(string)
		ctx := demo.WithUser(c.Request().Context(), user)
		uploads.ServeHTTP(c.Response(), c.Request().WithContext(ctx))
		return nil
	}
}

// requireUser is a middleware as one has it in echo: the user goes into the
// context of echo.
func requireUser(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		user, ok := demo.Authenticate(c.Request().Header.Get("Authorization"))
		if !ok {
			postern.Refuse(c.Response(), c.Request(), postern.ErrUnauthenticated)
			return nil
		}
		c.Set("user", user)
		return next(c)
	}
}

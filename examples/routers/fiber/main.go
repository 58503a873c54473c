// Command fiber mounts Postern in an app of gofiber/fiber, version 3, through its
// adaptor for net/http.
//
//	go -C examples run ./routers/fiber
package main

import (
	"errors"
	"net"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/examples/routers/internal/demo"
)

func main() { demo.Main(serve) }

func serve(ln net.Listener, uploads http.Handler) error {
	app := newRouter(uploads)
	err := app.Listener(ln, fiber.ListenConfig{DisableStartupMessage: true})
	return errors.Join(err, app.ShutdownWithTimeout(demo.Patience))
}

// newRouter mounts uploads at two prefixes of a group that has a middleware of its
// own, beside a page that answers everywhere else.
//
// Every action of Postern's own protocol works behind the adaptor. What is not as in
// net/http:
//
//   - A panic in a handler ends the whole program unless the app has fiber's
//     recover.
//   - The whole request is in memory before the handler runs, and one above
//     fiber's BodyLimit, 4 MiB by default, gets an answer of fiber's. The answer
//     too is gathered in memory, unless a handler flushes it: that of 10,000
//     parts has some 4 MB.
//   - Nobody is told that the browser has hung up: the context of the request is
//     not cancelled.
//   - Strings that fiber gives out, and those in the header of the request, are
//     overwritten when the handler has returned: clone what you keep.
func newRouter(uploads http.Handler) *fiber.App {
	app := fiber.New()
	app.Use(recover.New())
	api := app.Group("/api", requireUser)
	api.All("/uploads/*", mount(uploads))
	api.All("/albums/:album/photos/*", mount(uploads))

	app.Use(adaptor.HTTPHandler(demo.Page()))
	return app
}

// mount gives the request the context that fiber's middleware set. By itself the
// adaptor gives it fasthttp's, which serves another request afterwards: a
// completion that goes on in the background must not hold that one.
func mount(uploads http.Handler) fiber.Handler {
	return adaptor.HTTPHandlerWithContext(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, _ := adaptor.LocalContextFromHTTPRequest(r)
		uploads.ServeHTTP(w, r.WithContext(ctx))
	}))
}

// requireUser is a middleware as one has it in fiber: the user goes into the
// context of fiber.
func requireUser(c fiber.Ctx) error {
	user, ok := demo.Authenticate(c.Get("Authorization"))
	if !ok {
		return adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			postern.Refuse(w, r, postern.ErrUnauthenticated)
		})(c)
	}
	c.SetContext(demo.WithUser(c.Context(), user))
	return c.Next()
}

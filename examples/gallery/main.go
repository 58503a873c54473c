// Command gallery is a photo gallery for several organisations: copy it to start a
// product of your own.
//
//	go -C examples run ./gallery
//
// Postern's part is uploads.go. Around it are accounts.go (people and sessions),
// photos.go (the page, links to images, delete), storage.go (the database) and
// regions.go (the buckets: each organisation's photos stay in its region). Flags stand where they are used; -h lists them.
//
// What a product needs besides: a way to register, a limit on attempts to sign in,
// small copies of large images, pages for long lists, a lifecycle rule that expires
// staging/, and now and then a look for objects whose receipt could not be stored.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/cors"
	"github.com/rs/zerolog/log"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
)

var (
	addr     = flag.String("addr", "127.0.0.1:8080", "`address` of the gallery")
	frontEnd = flag.String("front-end", "", "`origins` of front ends elsewhere on the same site, such as \"https://app.example.com\"")
)

// app is what the handlers share.
type app struct {
	db       *sql.DB
	regions  map[string]*region
	sessions *scs.SessionManager
	uploads  *postern.Handler
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx); err != nil {
		log.Fatal().Err(err).Msg("gallery")
	}
}

// run serves the gallery until the context ends.
func run(ctx context.Context) error {
	a := &app{}
	for _, step := range []func(context.Context) error{a.openDatabase, a.openRegions, a.newUploads} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	origins, err := a.origins()
	if err != nil {
		return err
	}
	routes, err := a.routes(origins)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(patience), a.uploads.Shutdown(patience)) // requests, and then what goes on without one
	})
	fmt.Printf("Open http://%s\n", ln.Addr())
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// routes puts the parts together. Pages may talk to this server and to the
// buckets.
func (a *app) routes(buckets string) (http.Handler, error) {
	fromHere, err := sameOrigin()
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(
		middleware.SetHeader("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: "+buckets+
			"; connect-src 'self' "+buckets+"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
		middleware.SetHeader("Referrer-Policy", "same-origin"), // with no-referrer, forms would hide their origin
		middleware.SetHeader("X-Content-Type-Options", "nosniff"),
	)
	r.Handle("/client/*", client.Handler())
	r.Handle("/web/{file}", http.FileServerFS(web))

	reading := r.With(a.sessions.LoadAndSave, a.loadUser)
	reading.Get("/", try(a.home))
	reading.Get("/photos/{id}", a.own(a.showPhoto))
	reading.Handle("/uploads/*", a.uploads) // checks the origin itself

	writing := reading.With(middleware.RequestSize(4<<10), fromHere)
	writing.Post("/sign-in", try(a.signIn))
	writing.Post("/sign-out", try(a.signOut))
	writing.Post("/photos/{id}/delete", a.own(a.deletePhoto))

	// CORS stands outside the router: it must see the preflights.
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool { return slices.Contains(strings.Fields(*frontEnd), origin) },
		AllowedMethods:  []string{"GET", "POST"}, AllowedHeaders: []string{"Content-Type"}, ExposedHeaders: []string{"Retry-After"},
		AllowCredentials: true,
	}).Handler(r), nil
}

// sameOrigin refuses what pages elsewhere send with a user's cookies, but for front
// ends, as a.uploads does by itself.
func sameOrigin() (func(http.Handler) http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range strings.Fields(*frontEnd) {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		postern.Refuse(w, r, postern.ErrCrossOrigin)
	}))
	return protection.Handler, nil
}

// try makes a handler of a function that may fail.
func try(fn func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch err := fn(w, r); {
		case errors.Is(err, sql.ErrNoRows):
			http.NotFound(w, r)
		case err != nil:
			log.Error().Err(err).Str("path", r.URL.Path).Msg("request failed")
			http.Error(w, "Something went wrong. Try again in a moment.", http.StatusInternalServerError)
		}
	}
}

package main

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
)

//go:embed web
var web embed.FS

var page = template.Must(template.ParseFS(web, "web/page.html"))

// site is the application: a form for albums.
type site struct {
	visitors visitors
	uploads  uploads
	policy   string
}

// album is what a visitor has sent.
type album struct {
	Title  string
	Photos []postern.Receipt
}

// newSite returns the whole program's handler, and that of Postern in it.
func newSite(bucket postern.Bucket, logger zerolog.Logger) (http.Handler, *postern.Handler, error) {
	s := &site{}
	handler, err := postern.New(bucket,
		postern.WithAuthorizer(s.visitors.authorize),
		postern.WithKeyPolicy(postern.KeyTemplate("{subject}/{uuid}{ext}")),
		postern.WithSizeLimit(1, 100<<20),
		postern.WithMultipartThreshold(8<<20), // larger photos can be paused
		postern.WithContentTypes("image/*"),
		postern.WithPromotion("staging/"),
		postern.WithSniffing(),
		postern.WithOnComplete(s.uploads.add),
		postern.WithLogger(logger),
	)
	if err != nil {
		return nil, nil, err
	}
	s.policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self' " +
		handler.Issuer().Origin() + "; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	mux := http.NewServeMux()
	mux.Handle("/uploads/", handler)
	mux.Handle("/client/", client.Handler())
	for _, name := range []string{"style.css", "icon.svg", "themes.css", "themes.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, web, "web/"+name)
		})
	}
	mux.HandleFunc("GET /themes", s.showThemes)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, nil) })
	mux.HandleFunc("POST /{$}", s.save)
	// Nobody sends the form for another site.
	return http.NewCrossOriginProtection().Handler(mux), handler, nil
}

// save takes the form: photos are the keys of uploads, and anybody can write
// anything there. Only the visitor's own receipts count.
func (s *site) save(w http.ResponseWriter, r *http.Request) {
	visitor := s.visitors.of(r)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "That is no form.", http.StatusBadRequest)
		return
	}
	a := &album{Title: r.PostForm.Get("title")}
	for _, key := range r.PostForm["photo"] {
		receipt, ok := s.uploads.of(visitor, key)
		if !ok {
			http.Error(w, "You have no such photo.", http.StatusUnprocessableEntity)
			return
		}
		a.Photos = append(a.Photos, receipt)
	}
	if len(a.Photos) == 0 {
		http.Error(w, "An album needs a photo.", http.StatusUnprocessableEntity)
		return
	}
	s.show(w, r, a)
}

// showThemes shows the element in all its variants.
func (s *site) showThemes(w http.ResponseWriter, r *http.Request) {
	s.visitors.welcome(w, r)
	w.Header().Set("Content-Security-Policy", s.policy)
	http.ServeFileFS(w, r, web, "web/themes.html")
}

func (s *site) show(w http.ResponseWriter, r *http.Request, a *album) {
	s.visitors.welcome(w, r)
	w.Header().Set("Content-Security-Policy", s.policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, a)
}

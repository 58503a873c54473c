package main

import (
	"embed"
	"net/http"
	"strings"

	"github.com/postern-go/postern/examples/internal/command"
)

//go:embed web
var web embed.FS

// page serves the page and its parts. Its policy lets it talk to this server and
// to the bucket's origin, and to nothing else.
func page(bucketOrigin string) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self' blob:",
		"connect-src 'self' " + bucketOrigin,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	files := http.NewServeMux()
	files.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, web, "web/page.html")
	})
	files.Handle("GET /web/", http.FileServerFS(command.Files{FS: web}))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

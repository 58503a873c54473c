package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/examples/internal/command"
)

//go:embed web
var web embed.FS

// site is what the pages share.
type site struct {
	pages    []*page
	storage  *storage
	npm      *modules
	sessions sessions
	logger   zerolog.Logger
	tickets  []byte // the key that seals them
	layout   *template.Template

	importMaps map[*page][]byte

	// uploads takes single files of up to 10 MB, by forms, and completes them. It
	// is mounted at /uploads/.
	uploads *postern.Handler
	// large takes files of up to 1 GB, in parts above 5 MiB. It is mounted at
	// /large/.
	large *postern.Handler
	// handlers are these, and those of pages.
	handlers []*postern.Handler
}

// newSite returns the whole program's handler, and those of Postern in it.
func newSite(pages []*page, s3 *storage, npm *modules, logger zerolog.Logger) (h http.Handler, uploads []*postern.Handler, err error) {
	s := &site{pages: pages, storage: s3, npm: npm, sessions: newSessions(), logger: logger, tickets: make([]byte, 32), importMaps: map[*page][]byte{}}
	rand.Read(s.tickets)
	if s.layout, err = template.ParseFS(web, "web/layout.html"); err != nil {
		return nil, nil, err
	}
	if s.uploads, err = s.newHandler("uploads", small, postern.WithPromotion("staging/"), postern.WithSniffing()); err != nil {
		return nil, nil, err
	}
	if s.large, err = s.newHandler("large", large, postern.WithPromotion("staging/"),
		postern.WithMultipartThreshold(5<<20), postern.WithPartSize(5<<20)); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", s.uploads)
	mux.Handle("/large/", s.large)
	mux.Handle("/client/", client.Handler())
	mux.Handle("GET /npm/", npm)
	mux.HandleFunc("GET /files/{$}", s.listFiles)
	mux.HandleFunc("GET /files/{key...}", s.openFile)
	// Nobody is signed in by another site.
	signIn := http.NewCrossOriginProtection().Handler(http.HandlerFunc(s.sessions.signIn))
	mux.Handle("POST /sign-in", signIn)
	folder, err := fs.Sub(web, "web")
	if err != nil {
		return nil, nil, err
	}
	static := http.FileServerFS(command.Files{FS: folder})
	mux.Handle("GET /{file}", static)
	mux.Handle("GET /{$}", s.show(&page{Title: "Upload clients"}, "index.html"))
	for _, p := range s.pages {
		if s.importMaps[p], err = s.npm.importMap(p.imports); err != nil {
			return nil, nil, err
		}
		at := "/" + p.Name + "/"
		mux.Handle("POST "+at+"sign-in", signIn)
		if !p.own {
			mux.Handle("GET "+at+"{$}", s.show(p, "page.html"))
			mux.Handle("GET "+at+"{file}", static)
		}
		if p.mount != nil {
			if err := p.mount(s, mux); err != nil {
				return nil, nil, err
			}
		}
	}
	return mux, s.handlers, nil
}

// page finds a page by its name.
func (s *site) page(name string) *page {
	return s.pages[slices.IndexFunc(s.pages, func(p *page) bool { return p.Name == name })]
}

// The largest files, in bytes, as pages tell them.
const (
	small = 10e6
	large = 1e9
)

// newHandler is what Postern is about: who may upload, what, how much, and under which key.
// A page whose client needs something else adds options, and mounts a Handler of
// its own.
func (s *site) newHandler(name string, max int64, opts ...postern.HandlerOption) (*postern.Handler, error) {
	h, err := postern.New(s.storage.bucket, append([]postern.HandlerOption{
		postern.WithName(name),
		postern.WithTicketKeys(s.tickets),
		postern.WithAuthorizer(s.sessions.authorize),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithSizeLimit(1, max),
		postern.WithContentTypes("image/*", "application/pdf", "text/plain"),
		// What was stored is opened from the list. These types are inert, and the
		// bucket has an origin of its own.
		postern.WithAttributes(postern.Attributes{Disposition: postern.Inline}),
		postern.WithLogger(s.logger),
	}, opts...)...)
	if err != nil {
		return nil, err
	}
	s.handlers = append(s.handlers, h)
	return h, nil
}

// view is what the templates see.
type view struct {
	Page      *page
	Pages     []*page
	Tenant    string   // who is signed in
	Tenants   []string // who could be
	ImportMap template.HTML
	Data      any

	npm *modules
}

// Version names a package with the version that is installed.
func (v *view) Version(folder string) string { return v.npm.version(folder) }

// show serves a page that is the same for all.
func (s *site) show(p *page, file string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.render(w, r, http.StatusOK, p, file, nil) })
}

// render answers with a page: a file of its folder in the layout.
func (s *site) render(w http.ResponseWriter, r *http.Request, status int, p *page, file string, data any) {
	v := &view{Page: p, Pages: s.pages, Tenant: s.sessions.tenant(r), Tenants: tenants, Data: data, npm: s.npm}
	scripts := "'self'"
	if imports := s.importMaps[p]; imports != nil {
		// JSON made by Go has no "<".
		v.ImportMap = template.HTML(`<script type="importmap">` + string(imports) + `</script>`)
		sum := sha256.Sum256(imports)
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	t, err := template.Must(s.layout.Clone()).ParseFS(web, "web/"+strings.TrimPrefix(p.Name+"/", "/")+file)
	if err != nil {
		s.fail(w, err)
		return
	}
	var body bytes.Buffer
	if err := t.ExecuteTemplate(&body, "layout.html", v); err != nil {
		s.fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy(scripts))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// policy lets a page talk to this server and to the bucket's origin, and to
// nothing else.
func (s *site) policy(scripts string) string {
	bucket := s.storage.Endpoint
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + scripts,
		"style-src 'self'",
		"img-src 'self' blob: data:",
		"connect-src 'self' " + bucket,
		"form-action 'self' " + bucket,
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func (s *site) fail(w http.ResponseWriter, err error) {
	s.logger.Error().Err(err).Msg("a page could not be made")
	http.Error(w, "Something went wrong.", http.StatusInternalServerError)
}

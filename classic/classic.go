// Package classic answers the code around jQuery File Upload that many pages
// have had since browsers could upload to S3: it asks for the fields of a form
// with a GET, and sends the form.
//
//	c, err := classic.New(h)
//	mux.Handle("GET /s3_credentials", c)
//
// The request is GET …?filename=…&content_type=…, the answer
//
//	{"endpoint_url": "https://…/", "params": {"key": "…", "policy": "…", …}}
//
// where params are the fields of the form, without the file, and S3 answers the
// form with 201 and an XML document that has Location and Key.
//
// # What the client can't do
//
// It never calls back. So its uploads have no receipt and no promotion: New
// refuses a Handler with [postern.WithOnComplete] or [postern.WithPromotion]. Its
// only way is a form, which some providers don't take, such as Cloudflare R2.
//
// It doesn't send the size of a file: grants admit any within the limits. A page
// that adds size=… to its request, in bytes, gets a grant for that size alone.
//
// A refusal is a problem document, as in the native protocol. CORS headers are
// yours to send, outside the handler, for pages of other origins; they need
// [postern.WithTrustedOrigins] too.
package classic

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/internal/query"
)

var (
	errNoHandler = errors.New("the handler is nil")
	errCompletes = errors.New("the classic form never calls back, so that its uploads would never be completed")
)

// New returns a handler of GET requests for forms, at any address, with the same
// rules as h. The error is a [postern.ConfigError].
func New(h *postern.Handler) (http.Handler, error) {
	switch {
	case h == nil:
		return nil, &postern.ConfigError{Option: "classic.New", Err: errNoHandler}
	case h.Completes():
		return nil, &postern.ConfigError{Option: "classic.New", Err: errCompletes}
	}
	in, err := h.WithDialect(Dialect())
	if err != nil {
		return nil, err
	}
	return in.Route(postern.ActionSign), nil
}

// Dialect returns the dialect alone, for chains of your own.
func Dialect() postern.Dialect { return dialect{} }

type dialect struct{}

// maxQuery bounds the query in bytes.
const maxQuery = 16 << 10

func (dialect) ReadUpload(_ http.ResponseWriter, r *http.Request) (*postern.Declaration, error) {
	if r.Method != http.MethodGet {
		return nil, postern.ErrMethodNotAllowed.WithDetail("This address answers GET requests only.")
	}
	values, err := query.Parse(r, maxQuery)
	if err != nil {
		return nil, err
	}
	d := &postern.Declaration{
		Filename: values.Get("filename"), Type: values.Get("content_type"), Size: postern.UnknownSize, Mode: postern.ModePost,
	}
	if values.Has("size") {
		d.Size, err = query.Size(values.Get("size"))
	}
	return d, err
}

func (d dialect) WriteGrant(w http.ResponseWriter, r *http.Request, g *postern.Grant) {
	if g.Complete {
		d.WriteProblem(w, r, postern.ErrCompletionRequired)
		return
	}
	params := make(map[string]string, len(g.Fields))
	for _, f := range g.Fields {
		params[f.Name] = f.Value
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK) // a router may have set another status already
	_ = json.NewEncoder(w).Encode(struct {
		EndpointURL string            `json:"endpoint_url"`
		Params      map[string]string `json:"params"`
	}{g.URL, params})
}

func (dialect) WriteProblem(w http.ResponseWriter, r *http.Request, p *postern.Problem) {
	if p.Status() == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodGet)
	}
	postern.Native().WriteProblem(w, r, p)
}

package main

import (
	"crypto/rand"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-go/postern"
)

var formPage = &page{
	Name:   "form",
	Title:  "HTML form",
	About:  "No JavaScript: the server renders the grant as a form, and the bucket sends the browser back.",
	Cannot: "No progress. The kind of file is chosen first, the server names the file, and what the bucket refuses it says in XML.",
	mount:  mountForm,
	own:    true,
}

// kind is what a form takes: its grant is for one type.
type kind struct{ Name, Type, Filename string }

var kinds = []kind{
	{"PNG picture", "image/png", "picture.png"},
	{"JPEG picture", "image/jpeg", "picture.jpg"},
	{"PDF document", "application/pdf", "document.pdf"},
	{"Plain text", "text/plain", "text.txt"},
}

// ticketCookie keeps the ticket of a form's grant while the bucket has the
// browser. It is sent to the address of that upload alone.
const ticketCookie = "ticket"

func mountForm(s *site, mux *http.ServeMux) error {
	forms := formDialect{postern.Native(), s, s.page("form")}
	mux.HandleFunc("GET /form/{$}", forms.offer)
	mux.HandleFunc("GET /form/{id}/{$}", forms.arrive)
	uploads, err := s.uploads.WithDialect(forms)
	if err != nil {
		return err
	}
	mux.Handle("POST /form/{id}/complete", uploads.Route(postern.ActionComplete))
	return nil
}

// formDialect speaks to a browser that sends forms and shows pages.
type formDialect struct {
	postern.TicketDialect
	*site
	page *page
}

// offer renders a grant as a form.
func (d formDialect) offer(w http.ResponseWriter, r *http.Request) {
	if d.sessions.tenant(r) == "" {
		d.render(w, r, http.StatusOK, d.page, "page.html", nil)
		return
	}
	chosen := kinds[0]
	for _, k := range kinds {
		if k.Type == r.URL.Query().Get("type") {
			chosen = k
		}
	}
	// The browser says what this server is called. A false name would mislead
	// nobody else.
	path := "/form/" + rand.Text() + "/"
	u := &postern.Upload{
		Filename:        chosen.Filename,
		Type:            chosen.Type,
		Size:            postern.UnknownSize,
		Mode:            postern.ModePost,
		SuccessRedirect: "http://" + r.Host + path,
	}
	err := d.sessions.authorize(r, u)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	grant, err := d.uploads.Issuer().Issue(r.Context(), u)
	if err != nil {
		d.refuse(w, r, err)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: ticketCookie, Value: grant.Ticket, Path: path, MaxAge: 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	d.render(w, r, http.StatusOK, d.page, "page.html", map[string]any{
		"Kinds": kinds, "Chosen": chosen, "Grant": grant, "Minutes": int(grant.ExpiresIn / time.Minute),
	})
}

// arrive is where the bucket sends the browser. Nothing is done yet: any site
// could have sent it here.
func (d formDialect) arrive(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(ticketCookie)
	if err != nil {
		d.refuse(w, r, postern.ErrTicketInvalid)
		return
	}
	d.render(w, r, http.StatusOK, d.page, "arrived.html", cookie.Value)
}

// ReadTicket reads the form of arrived.html. A ticket has 8 KiB at most.
func (d formDialect) ReadTicket(w http.ResponseWriter, r *http.Request, _ postern.Action) (*postern.TicketRequest, error) {
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/x-www-form-urlencoded" {
		return nil, postern.ErrMalformedRequest.WithDetail("This is not the form that is expected here.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		return nil, postern.ErrMalformedRequest.WithDetail("The form did not arrive whole.").WithCause(err)
	}
	return &postern.TicketRequest{Ticket: r.PostForm.Get("ticket")}, nil
}

// WriteReceipt shows what was stored.
func (d formDialect) WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *postern.Receipt) {
	d.render(w, r, http.StatusOK, d.page, "stored.html", receipt)
}

// WritePending shows the button again.
func (d formDialect) WritePending(w http.ResponseWriter, r *http.Request, after time.Duration) postern.Pending {
	w.Header().Set("Retry-After", strconv.Itoa(int(after/time.Second)))
	d.render(w, r, http.StatusAccepted, d.page, "arrived.html", r.PostForm.Get("ticket"))
	return postern.Answered
}

// WriteProblem shows a refusal.
func (d formDialect) WriteProblem(w http.ResponseWriter, r *http.Request, p *postern.Problem) {
	d.render(w, r, p.Status(), d.page, "refused.html", p)
}

// refuse is [postern.Refuse] where there is no chain.
func (d formDialect) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := postern.ErrInternal
	_ = errors.As(err, &p)
	d.logger.Info().Err(err).Msg("no form")
	d.WriteProblem(w, r, p)
}

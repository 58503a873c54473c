package main

import (
	"html/template"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

func TestFormDialect(t *testing.T) {
	s := &site{
		layout:   template.Must(template.ParseFS(web, "web/layout.html")),
		storage:  &storage{Server: &s3test.Server{Endpoint: "http://127.0.0.1:9000"}},
		sessions: sessions{"cookie": "acme"},
		npm:      packages(nil),
	}
	d := formDialect{postern.Native(), s, formPage}
	r := httptest.NewRequest("POST", "/form/id/complete", strings.NewReader(url.Values{"ticket": {`"><script>`}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", sessionCookie+"=cookie")
	q, err := d.ReadTicket(httptest.NewRecorder(), r, postern.ActionComplete)
	require.NoError(t, err)
	require.Equal(t, `"><script>`, q.Ticket)

	t.Run("a completion that takes long leaves the button", func(t *testing.T) {
		w := httptest.NewRecorder()
		require.Equal(t, postern.Answered, d.WritePending(w, r, 2*time.Second))
		require.Equal(t, 202, w.Code)
		require.Equal(t, "2", w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), `name="ticket" value="&#34;&gt;&lt;script&gt;"`)
	})
	t.Run("a failure that may pass leads back to the button", func(t *testing.T) {
		w := httptest.NewRecorder()
		d.WriteProblem(w, r, postern.ErrBusy)
		require.Equal(t, 503, w.Code)
		require.Contains(t, w.Body.String(), postern.ErrBusy.Detail())
		require.Contains(t, w.Body.String(), `<a href="./">Try again</a>`)
	})
	t.Run("a refusal doesn't", func(t *testing.T) {
		w := httptest.NewRecorder()
		d.WriteProblem(w, r, postern.ErrContentMismatch)
		require.Equal(t, 422, w.Code)
		require.NotContains(t, w.Body.String(), "Try again")
	})
	t.Run("it reads forms only, of 16 KiB at most", func(t *testing.T) {
		for _, body := range []struct{ contentType, text string }{
			{"application/json", "ticket=x"}, {"", "ticket=x"},
			{"application/x-www-form-urlencoded", "ticket=%zz"},
			{"application/x-www-form-urlencoded", "ticket=" + strings.Repeat("x", 16<<10)},
		} {
			r := httptest.NewRequest("POST", "/form/id/complete", strings.NewReader(body.text))
			r.Header.Set("Content-Type", body.contentType)
			_, err := d.ReadTicket(httptest.NewRecorder(), r, postern.ActionComplete)
			require.ErrorIs(t, err, postern.ErrMalformedRequest, body.contentType)
		}
	})
	t.Run("a ticket in the address is none", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/form/id/complete?ticket=x", strings.NewReader(""))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q, err := d.ReadTicket(httptest.NewRecorder(), r, postern.ActionComplete)
		require.NoError(t, err)
		require.Empty(t, q.Ticket)
	})
}

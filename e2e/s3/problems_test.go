package s3_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// problem is what a client reads of one.
type problem struct {
	Code  string
	Ended bool
}

func completing(t testing.TB, h http.Handler, g grant) (p problem) {
	call(t, h, "complete", ticketOf(g)).into(t, &p)
	return p
}

func TestProblemTellsWhetherTheUploadHasEnded(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	large := big(5<<20 + 1)

	t.Run("nothing has arrived", func(t *testing.T) {
		s := newSite(t, srv, true)
		require.Equal(t, problem{"object_missing", false}, completing(t, s, ask(t, s, fileOf(content))))
	})
	t.Run("parts are missing", func(t *testing.T) {
		s := newSite(t, srv, false, inParts...)
		require.Equal(t, problem{"parts_missing", false}, completing(t, s, ask(t, s, fileOf(large))))
	})
	t.Run("the storage does not answer", func(t *testing.T) {
		s, g := uploaded(t, srv)
		s.proxy.with((*exchange).reset)
		require.Equal(t, problem{"storage_unavailable", false}, completing(t, s, g))
	})
	t.Run("the application fails", func(t *testing.T) {
		s, g := uploaded(t, srv)
		s.got.fail = errors.New("the database is down")
		require.Equal(t, problem{"completion_failed", false}, completing(t, s, g))
	})
	t.Run("the upload was given up", func(t *testing.T) {
		s := newSite(t, srv, false, inParts...)
		g := ask(t, s, fileOf(large))
		require.Equal(t, http.StatusNoContent, call(t, s, "abort", ticketOf(g)).Status)
		require.Equal(t, problem{"upload_gone", true}, completing(t, s, g))
	})
	t.Run("the content is of another type", func(t *testing.T) {
		s := newSite(t, srv, true, postern.WithSniffing())
		g := ask(t, s, picture())
		upload(t, s, g, htmlFile(len(pngFile())))
		require.Equal(t, problem{"content_mismatch", true}, completing(t, s, g))
	})
	t.Run("another file is in its place", func(t *testing.T) {
		s, g := uploaded(t, srv)
		s.putObject(t, g.Key, []byte("theirs"), nil)
		require.Equal(t, problem{"object_conflict", true}, completing(t, s, g))
	})
	t.Run("the ticket has expired", func(t *testing.T) {
		now := time.Now()
		s := newSite(t, srv, true, postern.WithClock(func() time.Time { return now }))
		g := ask(t, s, fileOf(content))
		now = now.Add(25 * time.Hour)
		require.Equal(t, problem{"ticket_expired", true}, completing(t, s, g))
	})
}

// The browser reads that something differs, and the server's log what.
func TestHeadersThatDifferAreForTheLogOnly(t *testing.T) {
	srv := foreign.Embedded(t)
	var seen error
	s := newSite(t, srv, false, postern.WithObserver(func(_ context.Context, d postern.Decision) { seen = d.Err }))
	g := ask(t, s, fileOf(content))
	sent := aim(g, content)
	sent.set("Cache-Control", "public")
	sent.set("Expires", "Thu, 01 Dec 2099 16:00:00 GMT")
	require.Equal(t, http.StatusOK, sent.fire(t).Status)

	a := call(t, s, "complete", ticketOf(g))
	require.Equal(t, "attributes_mismatch", a.code(t))
	require.NotContains(t, string(a.Body), "expires")
	require.ErrorContains(t, seen, "cache-control, expires")
}

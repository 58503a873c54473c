package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// ticketActions are the actions for which a ticket is presented.
var ticketActions = []string{"parts", "list", "complete", "abort"}

// presenting is a request with a ticket that suits every action.
func presenting(ticket string) map[string]any {
	return map[string]any{"ticket": ticket, "numbers": []int{1}}
}

// refusesTicket asserts that a ticket is good for no action.
func refusesTicket(t testing.TB, h http.Handler, ticket string, status int, code string, header ...string) {
	for _, action := range ticketActions {
		a := call(t, h, action, presenting(ticket), header...)
		require.Equal(t, code, a.code(t), "%s", action)
		require.Equal(t, status, a.Status, "%s", action)
		require.NotContains(t, string(a.Body), ticket)
	}
}

func TestTicketOpensNothingForAnyoneElse(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	got := &receipts{}
	opts := append([]postern.HandlerOption{postern.WithPromotion("staging/"), postern.WithOnComplete(got.hook)}, inParts...)
	h := newReplica(t, bucket, opts...)
	decidedBy := func(authorizer func(*http.Request, *postern.Upload) error) *postern.Handler {
		return mustNew(t, bucket, append([]postern.HandlerOption{
			postern.WithAuthorizer(authorizer), postern.WithTicketKeys(ticketKey)}, opts...)...)
	}
	large := big(5<<20 + 1)
	parts, form := ask(t, h, fileOf(large)), ask(t, h, fileOf(content))
	require.Equal(t, http.StatusOK, putPart(t, h, parts, 2, large).Status)
	upload(t, h, form, content)
	before := keys(t, srv)

	for _, ticket := range []string{parts.Ticket, form.Ticket} {
		for _, principal := range []string{
			"ada/other", "eve/acme", "eve/other", "ada/", "ADA/acme", "ada/ACME", "ada /acme", "acme/ada", "adaacme/acme", "a/da/acme",
		} {
			refusesTicket(t, h, ticket, http.StatusForbidden, "ticket_foreign", "X-Principal", principal)
		}
		refusesTicket(t, h, ticket, http.StatusInternalServerError, "subject_missing", "X-Principal", "/acme")

		// An authorizer that sets nothing, or sees only what the ticket restored,
		// vouches for nobody.
		for _, authorizer := range []func(*http.Request, *postern.Upload) error{
			func(*http.Request, *postern.Upload) error { return nil },
			func(_ *http.Request, u *postern.Upload) error {
				if u.Subject != "" || u.Tenant != "" {
					return postern.ErrForbidden // a ticket would have vouched for itself
				}
				return nil
			},
		} {
			lax := decidedBy(authorizer)
			refusesTicket(t, lax, ticket, http.StatusInternalServerError, "subject_missing")
		}
		tenantOnly := decidedBy(func(_ *http.Request, u *postern.Upload) error {
			u.Tenant = "acme"
			return nil
		})
		refusesTicket(t, tenantOnly, ticket, http.StatusInternalServerError, "subject_missing")
		subjectOnly := decidedBy(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "ada"
			return nil
		})
		refusesTicket(t, subjectOnly, ticket, http.StatusForbidden, "ticket_foreign")
		revoked := decidedBy(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "acme"
			if u.Action != postern.ActionSign {
				return postern.ErrUnauthenticated
			}
			return nil
		})
		refusesTicket(t, revoked, ticket, http.StatusUnauthorized, "unauthenticated")
	}
	require.Zero(t, got.count())
	require.Equal(t, before, keys(t, srv))
	require.Equal(t, 1, unfinished(t, srv), "nobody gave it up")
	require.Equal(t, http.StatusOK, call(t, h, "list", ticketOf(parts)).Status)
	complete(t, h, form.Ticket)
}

func TestTicketIsNothingToAnotherHandler(t *testing.T) {
	srv := foreign.Embedded(t)
	require.NoError(t, srv.CreateBucket(context.Background(), "another"))
	bucket := twoIdentities(t, srv, "")
	h := newReplica(t, bucket, inParts...)
	g := ask(t, h, fileOf(big(5<<20+1)))

	other := func(change func(b *postern.Bucket), opts ...postern.HandlerOption) *postern.Handler {
		b := bucket
		change(&b)
		opts = append(opts, postern.WithAuthorizer(principal))
		return mustNew(t, b, append(opts, inParts...)...)
	}
	nothing := func(*postern.Bucket) {}
	ours := postern.WithTicketKeys(ticketKey)
	for name, h := range map[string]http.Handler{
		"another name":                    other(nothing, ours, postern.WithName("avatars")),
		"another bucket":                  other(func(b *postern.Bucket) { b.Name = "another" }, ours),
		"another endpoint":                other(func(b *postern.Bucket) { b.Endpoint = "http://localhost:1" }, ours),
		"another public endpoint":         other(func(b *postern.Bucket) { b.PublicEndpoint = "http://localhost:1" }, ours),
		"another path at the same host":   other(func(b *postern.Bucket) { b.PublicEndpoint = srv.Endpoint + "/second" }, ours),
		"another key":                     other(nothing, postern.WithTicketKeys(bytes.Repeat([]byte{8}, 32))),
		"a key of its own":                other(nothing),
		"another key, though it has ours": other(nothing, postern.WithName("x"), postern.WithTicketKeys(bytes.Repeat([]byte{8}, 32), ticketKey)),
	} {
		t.Run(name, func(t *testing.T) { refusesTicket(t, h, g.Ticket, http.StatusBadRequest, "ticket_invalid") })
	}
	same := other(func(b *postern.Bucket) { b.Endpoint, b.PublicEndpoint = "http://localhost:1", srv.Endpoint }, ours)
	partURL(t, same, g, 1) // where the server finds S3 does not matter
}

func TestRotatedKeysOpenUntilTheyAreDropped(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	first, second, third := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{3}, 32)
	with := func(current []byte, previous ...[]byte) *postern.Handler {
		return mustNew(t, bucket, append([]postern.HandlerOption{
			postern.WithAuthorizer(principal), postern.WithTicketKeys(current, previous...)}, inParts...)...)
	}
	g := ask(t, with(first), fileOf(big(5<<20+1)))
	partURL(t, with(first, second), g, 1)
	partURL(t, with(second, first), g, 1)
	partURL(t, with(third, second, first), g, 1)
	refusesTicket(t, with(second), g.Ticket, http.StatusBadRequest, "ticket_invalid")
	refusesTicket(t, with(third, second), g.Ticket, http.StatusBadRequest, "ticket_invalid")
	newer := ask(t, with(second, first), fileOf(big(5<<20+1)))
	refusesTicket(t, with(first), newer.Ticket, http.StatusBadRequest, "ticket_invalid")
}

func TestExpiredTicketOpensNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	now := time.Now()
	h := newReplica(t, twoIdentities(t, srv, ""), append(inParts, postern.WithTicketLifetime(time.Hour),
		postern.WithClock(func() time.Time { return now }))...)
	g := ask(t, h, fileOf(big(5<<20+1)))
	now = now.Add(time.Hour - 2*time.Second)
	partURL(t, h, g, 1)
	now = now.Add(3 * time.Second)
	refusesTicket(t, h, g.Ticket, http.StatusGone, "ticket_expired")
	refusesTicket(t, h, g.Ticket, http.StatusGone, "ticket_expired", "X-Principal", "eve/other")
}

func TestTicketForTheWrongActionDoesNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""))
	g := ask(t, h, fileOf(content))
	for _, action := range []string{"parts", "list"} {
		require.Equal(t, "not_multipart", call(t, h, action, presenting(g.Ticket)).code(t))
	}
	// Without promotion and checksum a form can be used again.
	upload(t, h, g, content)
	require.Equal(t, "replayable", call(t, h, "complete", presenting(g.Ticket)).code(t))
	require.Equal(t, "filename_required", call(t, h, "sign", presenting(g.Ticket)).code(t))
	require.Equal(t, []string{g.Key}, keys(t, srv))
}

// chunks counts how an answer was written.
type chunks struct {
	http.ResponseWriter
	sizes []int
}

func (c *chunks) Write(b []byte) (int, error) {
	c.sizes = append(c.sizes, len(b))
	return c.ResponseWriter.Write(b)
}

func TestTenThousandPartsAreSignedInOneStream(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithSizeLimit(1, 5<<40), postern.WithPartSize(5<<20))
	g := ask(t, h, map[string]any{"filename": "movie.bin", "size": int64(10_000)*(5<<20) - 1})
	require.Equal(t, 10_000, g.Parts)
	numbers := make([]int, 10_000)
	for n := range numbers {
		numbers[n] = n + 1
	}
	seen := &chunks{}
	a := call(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.ResponseWriter = w
		h.ServeHTTP(seen, r)
	}), "parts", map[string]any{"ticket": g.Ticket, "numbers": numbers})
	require.Equal(t, http.StatusOK, a.Status)
	var parts struct{ URLs map[string]string }
	a.into(t, &parts)
	require.Len(t, parts.URLs, 10_000)
	for _, n := range []int{1, 5_000, 10_000} {
		require.Contains(t, parts.URLs[fmt.Sprint(n)], fmt.Sprintf("partNumber=%d&", n))
	}
	require.Greater(t, len(seen.sizes), 10)
	for _, size := range seen.sizes {
		require.Less(t, size, 64<<10, "it is not gathered in memory")
	}
	refused := do(t, "PUT", parts.URLs["10000"], strings.NewReader("x"), nil)
	require.Equal(t, "SignatureDoesNotMatch", refused.Code, "each is signed for its length")
}

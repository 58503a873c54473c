package postern_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// observing returns an option, and the decisions that it sees.
func observing() (postern.Option, *[]postern.Decision) {
	seen := new([]postern.Decision)
	return postern.WithObserver(func(_ context.Context, d postern.Decision) { *seen = append(*seen, d) }), seen
}

func TestObserverSeesAGrant(t *testing.T) {
	opt, seen := observing()
	g := granted(t, send(newHandler(t, opt), photo))
	require.Len(t, *seen, 1)
	d := (*seen)[0]
	d.Duration = 0
	require.Equal(t, postern.Decision{
		Action: postern.ActionSign, Outcome: postern.OutcomeGranted, Status: 201,
		Subject: "ada", Tenant: "acme", ID: g.id(t), Bucket: bucket.Name, Key: g.Key, Size: 1000, Type: "image/png", Mode: postern.ModePost,
	}, d)
}

func TestObserverSeesARefusal(t *testing.T) {
	opt, seen := observing()
	send(newHandler(t, opt, postern.WithContentTypes("application/pdf")), photo)
	require.Len(t, *seen, 1)
	d := (*seen)[0]
	require.ErrorIs(t, d.Err, postern.ErrTypeNotAllowed)
	d.Duration, d.Err = 0, nil
	require.Equal(t, postern.Decision{
		Action: postern.ActionSign, Outcome: postern.OutcomeRefused, Code: "type_not_allowed", Status: 415,
		Subject: "ada", Tenant: "acme", Size: 1000, Type: "image/png",
	}, d)
}

func TestObserverSeesWhyTheServerFailed(t *testing.T) {
	opt, seen := observing()
	send(newHandler(t, opt, postern.WithAuthorizer(refusing(http.ErrServerClosed))), photo)
	d := (*seen)[0]
	require.Equal(t, postern.OutcomeFailed, d.Outcome)
	require.Equal(t, "internal", d.Code)
	require.ErrorIs(t, d.Err, http.ErrServerClosed)
}

func TestObserverSeesARefusalBeforeTheUploadIsRead(t *testing.T) {
	opt, seen := observing()
	h := newHandler(t, opt)
	send(h, photo, at("/nowhere"))
	send(h, photo, func(r *http.Request) { r.Method = "GET" })
	send(h, photo, withHeader("Sec-Fetch-Site", "cross-site"))
	send(h, `{`)
	var codes []string
	for _, d := range *seen {
		codes = append(codes, d.Code)
		require.Equal(t, postern.UnknownSize, d.Size)
		require.Empty(t, d.Subject)
	}
	require.Equal(t, []string{"not_found", "method_not_allowed", "cross_origin", "malformed_request"}, codes)
}

func TestObserverOfAnIssuerSeesWhatItsChainsDecide(t *testing.T) {
	opt, seen := observing()
	issuer := newIssuer(t, opt)
	chain := alice.New(postern.Decode(issuer), postern.Authorize(asAda)).Then(postern.SignHandler(issuer))
	granted(t, send(chain, photo))
	send(chain, photo, withHeader("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, postern.OutcomeGranted, (*seen)[0].Outcome)
	require.Equal(t, "cross_origin", (*seen)[1].Code)
}

func TestObserverSeesWhatOtherMiddlewareRefuses(t *testing.T) {
	opt, seen := observing()
	own := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			postern.Refuse(w, r, postern.NewProblem(429, "slow_down", "Slow down."))
		})
	}
	send(newHandler(t, opt, postern.WithMiddleware(own)), photo)
	require.Len(t, *seen, 1)
	require.Equal(t, "slow_down", (*seen)[0].Code)
	require.Equal(t, "ada", (*seen)[0].Subject)
}

func TestObserverHasTheContextOfTheRequest(t *testing.T) {
	type id struct{}
	var got any
	h := newHandler(t, postern.WithObserver(func(ctx context.Context, _ postern.Decision) { got = ctx.Value(id{}) }))
	send(h, photo, func(r *http.Request) { *r = *r.WithContext(context.WithValue(r.Context(), id{}, "r-1")) })
	require.Equal(t, "r-1", got)
}

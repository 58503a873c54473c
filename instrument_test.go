package postern_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

type stepKey struct{}

// steps keeps what an Instrument sees: the path of each step, as it begins and ends.
type steps struct {
	mutex     sync.Mutex
	seen      []string
	decisions []postern.Decision
}

func (s *steps) note(format string, args ...any) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.seen = append(s.seen, fmt.Sprintf(format, args...))
}

func (s *steps) instrument() postern.Option {
	return postern.WithInstrument(postern.Instrument{
		Step: func(ctx context.Context, step postern.Step) (context.Context, func(postern.StepEnd)) {
			path, _ := ctx.Value(stepKey{}).(string)
			path = strings.TrimSpace(path + " " + string(step.Kind) + ":" + step.Name)
			s.note("begin %s", path)
			return context.WithValue(ctx, stepKey{}, path), func(e postern.StepEnd) { s.note("end %s%s", path, e.Code) }
		},
		Decision: func(ctx context.Context, d postern.Decision) {
			s.note("%s in %v", d.Outcome, ctx.Value(stepKey{}))
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.decisions = append(s.decisions, d)
		},
	})
}

func TestInstrumentSeesARequestAndItsDecision(t *testing.T) {
	s := &steps{}
	h := newHandler(t, s.instrument(), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		s.note("authorizer in %v", r.Context().Value(stepKey{}))
		return asAda(r, u)
	}))
	granted(t, send(h, photo))
	require.Equal(t, []string{
		"begin request:sign", "authorizer in request:sign", "granted in request:sign", "end request:sign",
	}, s.seen)
}

func TestInstrumentSeesEachFileOfABatch(t *testing.T) {
	s := &steps{}
	send(newHandler(t, s.instrument()), batchOf(photo, photo))
	require.Equal(t, []string{
		"begin request:sign",
		"begin request:sign file:sign", "granted in request:sign file:sign", "end request:sign file:sign",
		"begin request:sign file:sign", "granted in request:sign file:sign", "end request:sign file:sign",
		"end request:sign",
	}, s.seen)
}

func TestInstrumentSeesTheEndOfARequestThatPanics(t *testing.T) {
	s := &steps{}
	h := newHandler(t, s.instrument(), postern.WithMiddleware(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}))
	require.Panics(t, func() { send(h, photo) })
	require.Equal(t, []string{"begin request:sign", "end request:sign"}, s.seen)
}

func TestPanicOfAnInstrumentCostsNothing(t *testing.T) {
	var log strings.Builder
	boom := func() { panic("boom") }
	h := newHandler(t, postern.WithLogger(zerolog.New(&log)), postern.WithInstrument(postern.Instrument{
		Attach:   func(*postern.Issuer) { boom() },
		Decision: func(context.Context, postern.Decision) { boom() },
		Step:     func(context.Context, postern.Step) (context.Context, func(postern.StepEnd)) { boom(); return nil, nil },
		Trace:    func(context.Context) string { boom(); return "" },
	}), postern.WithInstrument(postern.Instrument{
		Step: func(context.Context, postern.Step) (context.Context, func(postern.StepEnd)) {
			return nil, func(postern.StepEnd) { boom() }
		},
	}))
	granted(t, send(h, photo))
	require.Equal(t, 5, strings.Count(log.String(), "panic: boom"), log.String())
}

func TestTicketRemembersATrace(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, of := range map[string]string{"one": trace, "none": "", "long": strings.Repeat("x", 129), "odd": "a\nb"} {
		t.Run(name, func(t *testing.T) {
			s := &steps{}
			h := newHandler(t, s.instrument(), postern.WithInstrument(postern.Instrument{Trace: func(context.Context) string { return of }}))
			g := granted(t, send(h, photo))
			send(h, fmt.Sprintf(`{"ticket":%q}`, g.Ticket), at("/uploads/abort"))
			require.Len(t, s.decisions, 2)
			require.Empty(t, s.decisions[0].Trace, "nothing was there before the ticket")
			require.Equal(t, postern.ActionAbort, s.decisions[1].Action)
			if name == "one" {
				require.Equal(t, trace, s.decisions[1].Trace)
				require.NotContains(t, g.Ticket, trace[3:35])
				return
			}
			require.Empty(t, s.decisions[1].Trace)
		})
	}
}

func TestStatsTellOfSlotsAndCredentials(t *testing.T) {
	expires := noon.Add(time.Hour)
	signing := provides(aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, CanExpire: true, Expires: expires}, nil)
	b := bucket
	b.Credentials, b.ServiceCredentials = signing, provides(aws.Credentials{}, errors.New("no role"))
	var issuer *postern.Issuer
	attached := 0
	h := newHandlerFor(t, b, postern.WithMaxCompletions(7), postern.WithInstrument(postern.Instrument{
		Attach: func(i *postern.Issuer) { issuer = i; attached++ },
	}))
	_, err := h.WithDialect(postern.Native())
	require.NoError(t, err)
	require.Equal(t, 1, attached)
	require.Equal(t, postern.Stats{Slots: 7}, issuer.Stats())
	granted(t, send(h, photo))
	require.Equal(t, postern.CredentialStats{Obtained: noon, Expires: expires}, issuer.Stats().Signing)
	_, err = issuer.PresignGet(t.Context(), "a", time.Minute)
	require.ErrorIs(t, err, postern.ErrCredentialsUnavailable)
	require.Equal(t, postern.CredentialStats{Failures: 1}, issuer.Stats().Service)
}

func TestStatsTellOfTheBucketWhoseCredentialsEndFirst(t *testing.T) {
	ends := func(after time.Duration) postern.Bucket {
		b := bucket
		b.Name += after.String()
		c := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, CanExpire: true, Expires: noon.Add(after)}
		b.Credentials = &fixed{c}
		return b
	}
	soon, later := ends(time.Hour), ends(2*time.Hour)
	issuer := newIssuer(t, postern.WithBuckets(postern.BucketsFunc(func(_ context.Context, u *postern.Upload) (postern.Bucket, error) {
		return map[string]postern.Bucket{"soon": soon, "later": later}[u.Tenant], nil
	})))
	for _, tenant := range []string{"home", "later", "soon", "later"} {
		_, err := issuer.Issue(t.Context(), &postern.Upload{Subject: "ada", Tenant: tenant, Filename: "a.png", Size: 1})
		require.NoError(t, err)
	}
	require.Equal(t, noon.Add(time.Hour), issuer.Stats().Signing.Expires)
}

type fixed struct{ c aws.Credentials }

func (f *fixed) Retrieve(context.Context) (aws.Credentials, error) { return f.c, nil }

// Metrics have no other codes as labels.
func TestCodesAreThoseOfAllProblems(t *testing.T) {
	codes := postern.Codes()
	require.Contains(t, codes, "resting")
	declarations(t, "problem.go", func(d ast.Node) {
		ast.Inspect(d, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "NewProblem" {
				code := strings.Trim(call.Args[1].(*ast.BasicLit).Value, `"`)
				require.Contains(t, codes, code, "codes.go lacks the problem")
			}
			return true
		})
	})
	require.IsIncreasing(t, codes)
}

// Whoever watches pays for it; nobody else does.
func TestStepsOfNobodyAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	cost := func(opts ...postern.HandlerOption) float64 {
		return testing.AllocsPerRun(1000, repeatable(t, newHandler(t, opts...)))
	}
	nobody := cost()
	require.Equal(t, nobody, cost(postern.WithInstrument(postern.Instrument{})))
	require.Greater(t, cost((&steps{}).instrument()), nobody)
}

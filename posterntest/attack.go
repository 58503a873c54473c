package posterntest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/s3test"
)

// Target is what is attacked, and by whom.
type Target struct {
	// S3 is the server of the handler's bucket, which nothing else writes to meanwhile.
	// It is needed.
	S3 *s3test.Server
	// Path is where the handler is mounted, such as "/uploads".
	Path string
	// User makes a request one of a user who may upload; nil leaves it as it is, for a
	// handler that lets everybody in.
	User func(*http.Request)
	// Stranger makes a request one of somebody else of another tenant, who may upload
	// too. Without it the cases that need two people are left out.
	Stranger func(*http.Request)
	// File is a file that the user may upload. Without it one is made of what GET …/rules
	// says.
	File File
	// Only limits the attack to some of the cases; nil is all.
	Only func(Case) bool
}

// File is a file that is uploaded.
type File struct {
	Name    string
	Type    string // as a browser declares it, such as "image/png"
	Content []byte
}

// Outcome is how a case ended.
type Outcome string

// The outcomes.
const (
	Held   Outcome = "held"   // the handler withstood
	Broken Outcome = "broken" // it did not
	// LeftOut: the case attacks something that the handler does not offer.
	LeftOut Outcome = "left out"
)

// Result is what became of a case.
type Result struct {
	Case
	Outcome Outcome
	// Detail says what happened, or why the case was left out.
	Detail string
	// Took is how long the case took, beside others.
	Took time.Duration
}

// Attack attacks a handler, each case in a subtest of its own. h is the whole application,
// as it is given to http.Server: what stands before the handler is attacked with it. What
// the application logs is not looked at.
func Attack(t *testing.T, h http.Handler, target Target) {
	t.Helper()
	results, err := Run(t.Context(), h, target)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Run(r.Name, func(t *testing.T) {
			switch r.Outcome {
			case Broken:
				t.Errorf("%s\nThe promise: %s.\nWhy it matters: %s", r.Detail, r.Promise, r.Why)
			case LeftOut:
				t.Skip(r.Detail)
			}
		})
	}
	t.Log("\n" + Table(results))
}

// Run attacks a handler, and returns a result for each of the [Cases]. The error says that
// there was nothing to attack: that the user may not upload the file, for instance.
func Run(ctx context.Context, h http.Handler, target Target) ([]Result, error) {
	if target.S3 == nil {
		return nil, errors.New("posterntest: Target.S3 is nil: it is the server of the handler's bucket")
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	a := &attack{Target: target, ctx: ctx, url: srv.URL + strings.TrimSuffix(target.Path, "/"), client: srv.Client(), host: strings.TrimPrefix(srv.URL, "http://")}
	// Nobody follows redirects, and no case waits for ever.
	a.client.Timeout = 30 * time.Second
	a.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if err := a.prepare(); err != nil {
		return nil, fmt.Errorf("posterntest: %w", err)
	}
	return a.run(), nil
}

// atOnce is how many cases run at the same time.
const atOnce = 8

func (a *attack) run() []Result {
	var chosen []Case
	for _, c := range cases {
		if a.Only == nil || a.Only(c) {
			chosen = append(chosen, c)
		}
	}
	results := make([]Result, len(chosen))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for n, c := range chosen {
		if c.last {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[n] = a.try(c)
		})
	}
	wg.Wait()
	for n, c := range chosen {
		if c.last {
			results[n] = a.try(c)
		}
	}
	return results
}

// leftOut says why a case does not apply.
type leftOut string

func (l leftOut) Error() string { return string(l) }

func (a *attack) try(c Case) Result {
	start := time.Now()
	err := c.run(a)
	r := Result{Case: c, Outcome: Held, Took: time.Since(start)}
	var why leftOut
	switch {
	case errors.As(err, &why):
		r.Outcome, r.Detail = LeftOut, string(why)
	case err != nil:
		r.Outcome, r.Detail = Broken, err.Error()
	}
	return r
}

// Table lays results out for a terminal: what is broken, what held, and what was left out,
// by the reason.
func Table(results []Result) string {
	var b strings.Builder
	width := 0
	by := map[Outcome][]Result{}
	for _, r := range results {
		by[r.Outcome] = append(by[r.Outcome], r)
		width = max(width, len(r.Name))
	}
	for _, outcome := range []Outcome{Broken, Held} {
		for _, r := range by[outcome] {
			fmt.Fprintf(&b, "%-6s  %-*s  %s", r.Outcome, width, r.Name, r.Promise)
			if r.Detail != "" {
				b.WriteString(": " + strings.ReplaceAll(r.Detail, "\n", " "))
			}
			b.WriteString("\n")
		}
	}
	var reasons []string
	times := map[string]int{}
	for _, r := range by[LeftOut] {
		if times[r.Detail]++; times[r.Detail] == 1 {
			reasons = append(reasons, r.Detail)
		}
	}
	for _, reason := range reasons {
		fmt.Fprintf(&b, "left out: %d, since %s\n", times[reason], reason)
	}
	fmt.Fprintf(&b, "%d held, %d broken, %d left out\n", len(by[Held]), len(by[Broken]), len(by[LeftOut]))
	return b.String()
}

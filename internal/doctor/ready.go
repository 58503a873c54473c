package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-go/postern/internal/store"
)

// The errors of Ready; a [store.Error] is one, too.
var (
	ErrClock = errors.New("the clock of this machine is wrong")
	ErrCORS  = errors.New("pages may not upload")
)

// Ready looks at what a handler needs before its first grant: keys to sign with, a
// bucket that answers, a clock that S3 agrees with, and the CORS rule. It reads a list of
// one key and asks one preflight, writes nothing, and takes no longer than ctx.
func Ready(ctx context.Context, c Config) error {
	var errs []error
	if _, _, err := c.Signing(ctx); err != nil {
		errs = append(errs, err)
	}
	s, denied := c.Final, false
	if c.Shared {
		s, denied = c.Signed, !c.Calls
	}
	if err := probe(ctx, s, c.Prefix); err != nil && !(denied && isAccessDenied(err)) {
		errs = append(errs, err)
	}
	client := newClient(5 * time.Second)
	defer client.CloseIdleConnections()
	e := &exam{Config: c, client: client}
	if c.Origin != "" {
		if seen := Preflight(ctx, client, e.address("preflight"), c.Origin, http.MethodPut, "content-type"); seen != "" {
			errs = append(errs, fmt.Errorf("%w: %s", ErrCORS, seen))
		}
	}
	// An answer to nobody in particular tells the time as well.
	if a := e.send(ctx, http.MethodOptions, e.address("preflight"), nil, ""); a.err != nil {
		errs = append(errs, &store.Error{Op: "OPTIONS", Kind: store.ErrUnavailable, Bucket: c.UploadBucket, Err: a.err})
	}
	for _, r := range e.dates {
		if f := clockFinding(r.own.Sub(r.server)); f.Verdict == Failed {
			errs = append(errs, fmt.Errorf("%w: %s", ErrClock, f.Seen))
		}
	}
	return errors.Join(errs...)
}

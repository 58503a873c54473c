package simulation_test

import (
	"context"
	"errors"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
)

// row is what the application has written down of a receipt.
type row struct {
	key, etag string
	size      int64
	duplicate bool
	content   []byte // that was there then
}

var errHook = errors.New("the database is away")

// accept is the application's hook.
func (p *process) accept(_ context.Context, c *claim.Claim, r *completion.Result) error {
	w := p.w
	d := w.draw(p, "hook", c.ID)
	time.Sleep(d.between(time.Millisecond, 300*time.Millisecond))
	if p.dead.Load() {
		return errHook
	}
	fails := w.faulty.Load() && d.in100(w.plan.hookFails)
	if w.plan.broken || fails && d.in100(50) {
		w.log(p, "the hook fails for %s", c.ID[len(c.ID)-2:])
		if d.in100(30) {
			panic("hook")
		}
		return errHook
	}
	w.accepted(p, c, r)
	if fails {
		w.log(p, "the hook has taken the receipt, and fails")
		if d.in100(30) {
			panic("hook")
		}
		return errHook
	}
	return nil
}

package posterntest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

func receiptCases() []Case {
	completes := func(a *attack) error {
		if !a.complete {
			return leftOut("the handler gives no receipts")
		}
		return nil
	}
	with := func(run func(a *attack, g *grant) error) func(a *attack) error {
		return func(a *attack) error {
			if err := completes(a); err != nil {
				return err
			}
			g, err := a.arrived()
			if err != nil {
				return err
			}
			return run(a, g)
		}
	}
	noReceipt := func(got *answer, err error) error {
		if err == nil && (got.Status == http.StatusOK || got.Status == http.StatusAccepted) {
			err = fmt.Errorf("there is a receipt: %s", got)
		}
		return err
	}
	receipts := family("receipt", TrueReceipt, "the application takes bytes for verified that are others, or not there",
		namedRun{"before anything was sent", func(a *attack) error {
			if err := completes(a); err != nil {
				return err
			}
			g, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			return noReceipt(a.call(a.user(), "complete", ticketOf(g)))
		}},
		namedRun{"of what it says", with(func(a *attack, g *grant) error {
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			return a.isRight(r, a.File.Content)
		})},
		namedRun{"asked for twice", with(func(a *attack, g *grant) error {
			return a.sameReceipt(g, 2)
		})},
		namedRun{"asked for by eight at once", with(func(a *attack, g *grant) error {
			return a.sameReceipt(g, 8)
		})},
		namedRun{"other bytes sent while it is made", with(func(a *attack, g *grant) error {
			if g.Mode == "multipart" {
				return leftOut("the file goes up in parts")
			}
			done := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						_, _ = a.fire(aim(g, other(a.File)))
					}
				}
			})
			got, err := a.call(a.user(), "complete", ticketOf(g))
			close(done)
			wg.Wait()
			if err != nil {
				return err
			}
			if got.Status != http.StatusOK && got.Status != http.StatusAccepted {
				return nil // it was seen
			}
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			return a.isRight(r, a.File.Content, other(a.File))
		})},
		namedRun{"other bytes under the sum of the file", func(a *attack) error {
			if err := completes(a); err != nil {
				return err
			}
			sum := sha256.Sum256(a.File.Content)
			d := declared(a.File)
			d["checksum"] = map[string]string{"sha256": base64.StdEncoding.EncodeToString(sum[:])}
			g, got, err := a.sign(a.user(), d)
			if err != nil || g == nil {
				return refused(got, err)
			}
			if r, err := a.fire(aimAnyway(g, other(a.File))); err != nil || r.Status >= 400 {
				return err
			}
			return noReceipt(a.call(a.user(), "complete", ticketOf(g)))
		}},
		namedRun{"given up, then completed", with(func(a *attack, g *grant) error {
			got, err := a.call(a.user(), "abort", ticketOf(g))
			if err != nil || got.Status >= 400 {
				return err // a PUT or a form may not be one that can be given up
			}
			got, err = a.call(a.user(), "complete", ticketOf(g))
			if err != nil || got.Status >= 400 {
				return err
			}
			r := new(receipt)
			if err := json.Unmarshal(got.Body, r); err != nil {
				return err
			}
			return a.isRight(r, a.File.Content) // it was there already
		})},
	)
	replays := family("replay", Overwriting, "what was checked and shown to others becomes something else",
		namedRun{"the grant, once there is a receipt", with(func(a *attack, g *grant) error {
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			if _, err := a.fire(aimAnyway(g, other(a.File))); err != nil && g.Mode != "multipart" {
				return err
			}
			if err := a.isRight(r, a.File.Content); err != nil {
				return err
			}
			return a.sameAs(g, r)
		})},
		namedRun{"giving up, once there is a receipt", with(func(a *attack, g *grant) error {
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			if _, err := a.call(a.user(), "abort", ticketOf(g)); err != nil {
				return err
			}
			return a.isRight(r, a.File.Content)
		})},
		namedRun{"a PUT, twice", func(a *attack) error {
			g, err := a.grantBy("put")
			if err != nil {
				return err
			}
			if g.Headers.get("If-None-Match") == "" {
				return leftOut("the provider knows no condition for a PUT")
			}
			if err := a.upload(a.user(), g, a.File.Content); err != nil {
				return err
			}
			r, err := a.fire(aim(g, other(a.File)))
			return stopped(r, err, []string{"PreconditionFailed"})
		}},
	)
	parts := family("parts", TrueReceipt, "a file is put together of other parts than were sent",
		namedRun{"a part is missing", func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			if _, err := a.sendPart(a.user(), g, 1, a.large.Content); err != nil {
				return err
			}
			return noReceipt(a.call(a.user(), "complete", ticketOf(g)))
		}},
		namedRun{"none has arrived, and all are claimed", func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			return noReceipt(a.call(a.user(), "complete", map[string]any{"ticket": g.Ticket, "parts": []any{
				map[string]any{"number": 1, "etag": `"a"`}, map[string]any{"number": 2, "etag": `"b"`},
			}}))
		}},
		namedRun{"claims that are not true", func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			if err := a.upload(a.user(), g, a.large.Content); err != nil {
				return err
			}
			part := func(n any, etag string) any { return map[string]any{"number": n, "etag": etag} }
			many := make([]any, 10_001)
			for n := range many {
				many[n] = part(1, "x")
			}
			for _, claim := range [][]any{{part(1, "x")}, {part(0, "x")}, {part(-1, "x")}, {part(g.Parts+1, "x")}, {part(1<<40, "x")}, {part(1, strings.Repeat("x", 2<<20))}, many} {
				if err := noReceipt(a.call(a.user(), "complete", map[string]any{"ticket": g.Ticket, "parts": claim})); err != nil {
					return err
				}
			}
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			return a.isRight(r, a.large.Content)
		}},
		namedRun{"a part once more, after the receipt", func(a *attack) error {
			g, err := a.grantOfParts()
			if err != nil {
				return err
			}
			if err := a.upload(a.user(), g, a.large.Content); err != nil {
				return err
			}
			address, err := a.partURL(a.user(), g, g.Parts)
			if err != nil {
				return err
			}
			r, err := a.receive(a.user(), g)
			if err != nil {
				return err
			}
			last := bytes.Clone(g.part(g.Parts, a.large.Content))
			last[0] ^= 1
			if _, err := a.fire(&shot{http.MethodPut, address, http.Header{}, bytes.NewReader(last)}); err != nil {
				return err
			}
			if err := a.sameAs(g, r); err != nil {
				return err
			}
			return a.isRight(r, a.large.Content)
		}},
	)
	return append(append(receipts, replays...), parts...)
}

// sameAs says what is wrong if asking again gives another receipt.
func (a *attack) sameAs(g *grant, r *receipt) error {
	again, err := a.receive(a.user(), g)
	if err == nil && *again != *r {
		err = fmt.Errorf("asking again gives another receipt: %+v, then %+v", r, again)
	}
	return err
}

// sameReceipt asks for a receipt several times at once.
func (a *attack) sameReceipt(g *grant, times int) error {
	all, errs := make([]*receipt, times), make([]error, times)
	var wg sync.WaitGroup
	for n := range times {
		wg.Go(func() { all[n], errs[n] = a.receive(a.user(), g) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, r := range all {
		if *r != *all[0] {
			return fmt.Errorf("there are several receipts: %+v and %+v", all[0], r)
		}
	}
	return a.isRight(all[0], a.File.Content)
}

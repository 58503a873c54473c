package posterntest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

func sizeCases() []Case {
	var runs []namedRun
	for name, size := range map[string]any{
		"negative": -1, "as small as can be": json.RawMessage("-9223372036854775808"), "as large as can be": json.RawMessage("9223372036854775807"),
		"beyond 64 bits": json.RawMessage("18446744073709551617"), "endless": json.RawMessage("1e400"), "a fraction": 1.5, "a text": "5", "none": nil,
		"five terabytes and one byte": int64(5<<40) + 1, "an object": map[string]int{"size": 1}, "true": true,
	} {
		runs = append(runs, namedRun{"declared: " + name, func(a *attack) error {
			return refused(a.call(a.user(), "sign", with(declared(a.File), "size", size)))
		}})
	}
	missing := func(a *attack) error {
		d := declared(a.File)
		delete(d, "size")
		return refused(a.call(a.user(), "sign", d))
	}
	beyond := func(n func(r *rules) int64) func(a *attack) error {
		return func(a *attack) error {
			if !a.rules.known {
				return leftOut("GET …/rules does not tell the limits")
			}
			size := n(&a.rules)
			if size < 0 {
				return leftOut("there is no smaller size")
			}
			return refused(a.call(a.user(), "sign", with(declared(a.File), "size", size)))
		}
	}
	runs = append(runs,
		namedRun{"declared: not at all", missing},
		namedRun{"declared: one byte too many", beyond(func(r *rules) int64 { return r.MaxSize + 1 })},
		namedRun{"declared: one byte too few", beyond(func(r *rules) int64 { return r.MinSize - 1 })},
		namedRun{"a batch of one file too many", func(a *attack) error {
			files := make([]any, 101)
			for n := range files {
				files[n] = declared(a.File)
			}
			return refused(a.call(a.user(), "sign", map[string]any{"files": files}))
		}},
	)
	for name, change := range map[string]func(b []byte) []byte{
		"one byte more": func(b []byte) []byte { return append(b, 'x') },
		"one byte less": func(b []byte) []byte { return b[:len(b)-1] },
		"a mebibyte":    func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) },
		"nothing":       func([]byte) []byte { return nil },
	} {
		runs = append(runs, namedRun{"sent: " + name, func(a *attack) error {
			g, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			if g.Mode == "multipart" {
				return leftOut("the file goes up in parts: see part/")
			}
			r, err := a.fire(aim(g, change(append([]byte(nil), a.File.Content...))))
			// S3 may hang up while it is sent.
			if err == nil && r.Status < 400 {
				return fmt.Errorf("it was stored: %s", r)
			}
			return a.nothingAt(g)
		}})
	}
	return family("size", BoundedSize, "the bucket is filled at your cost, or your program reads what is larger than it can hold", sorted(runs)...)
}

// nothingAt says what is wrong if something was stored, or has a receipt.
func (a *attack) nothingAt(g *grant) error {
	var errs []error
	for _, key := range []string{g.Key, g.writeKey(a.S3.Bucket)} {
		out, _, err := a.object(key)
		if out != nil {
			err = fmt.Errorf("something was stored at %s", key)
		}
		errs = append(errs, err)
	}
	if g.Complete {
		got, err := a.call(a.user(), "complete", ticketOf(g))
		if err == nil && (got.Status == http.StatusOK || got.Status == http.StatusAccepted) {
			err = fmt.Errorf("it was completed: %s", got)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

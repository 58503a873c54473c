package s3_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// witness sees every step of a completion, of the hook too, and kills the process
// at one of them.
type witness struct {
	mutex    sync.Mutex
	victim   *victim
	at       int  // the step, from 1; 0 kills nobody
	after    bool // S3 has acted, or the hook has taken note
	steps    []string
	open     int       // uploads at final keys that were begun and not finished
	receipts []receipt // that the application was given
}

func (w *witness) arm(v *victim, at int, after bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.victim, w.at, w.after, w.steps = v, at, after, nil
}

// saw tells the steps since arm, all receipts, and how many copies are open.
func (w *witness) saw() (steps []string, receipts []receipt, open int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.steps), slices.Clone(w.receipts), w.open
}

func (w *witness) watch(x *exchange) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	step := x.call
	if x.r.URL.Path == "/hook" {
		step = "hook"
	}
	w.steps = append(w.steps, step)
	if len(w.steps) == w.at && !w.after {
		w.victim.kill()
		return
	}
	// The process may be gone when the answer is there.
	x.r = x.r.WithContext(context.WithoutCancel(x.r.Context()))
	if step == "hook" {
		var r receipt
		_ = json.Unmarshal(x.body, &r)
		w.receipts = append(w.receipts, r)
		if len(w.steps) != w.at {
			x.w.WriteHeader(http.StatusNoContent)
			return
		}
		w.victim.kill()
		return
	}
	res, body, err := x.act()
	if err == nil && res.StatusCode == http.StatusOK {
		switch step {
		case "CreateMultipartUpload final":
			w.open++
		case "CompleteMultipartUpload final":
			w.open--
		}
	}
	if len(w.steps) == w.at {
		w.victim.kill()
		return
	}
	x.answer(res, body, err)
}

// A process is killed before and after each step of a completion. Whoever
// completes the upload then gets the receipt that the dead one would have given.
func TestCrashAtEveryStepEndsInTheSameReceipt(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	large := big(5<<20 + 1)
	all := newTogether(3)
	for _, tc := range []struct {
		name      string
		promotion bool
		mode      string
		opts      []postern.HandlerOption
		request   map[string]any
		content   []byte
		steps     string
	}{
		{"a form with promotion", true, "post", nil, picture(), pngFile(),
			"HeadObject final, HeadObject staging, CreateMultipartUpload final, UploadPartCopy final, CompleteMultipartUpload final, " +
				"HeadObject final, GetObject final, hook, DeleteObject staging"},
		{"a form with promotion and a checksum", true, "post", nil, withSum(picture(), pngFile()), pngFile(),
			"HeadObject final, HeadObject staging, CreateMultipartUpload final, UploadPartCopy final, CompleteMultipartUpload final, " +
				"HeadObject final, GetObject final, hook, DeleteObject staging"},
		{"parts with promotion", true, "multipart", inParts, fileOf(large), large,
			"HeadObject final, ListParts staging, CompleteMultipartUpload staging, HeadObject staging, CreateMultipartUpload final, " +
				"UploadPartCopy final, CompleteMultipartUpload final, HeadObject final, GetObject final, hook, DeleteObject staging, DeleteObject staging"},
		{"parts", false, "multipart", inParts, fileOf(large), large,
			"HeadObject final, ListParts final, CompleteMultipartUpload final, HeadObject final, GetObject final, hook"},
		{"a PUT", false, "put", nil, picture(), pngFile(), "HeadObject final, GetObject final, hook"},
	} {
		for _, after := range []bool{false, true} {
			name := tc.name + ", before acting"
			if after {
				name = tc.name + ", after acting"
			}
			all.run(t, name, false, func(t *testing.T) {
				s := newSite(t, srv, tc.promotion, append([]postern.HandlerOption{postern.WithSniffing()}, tc.opts...)...)
				w := &witness{}
				s.proxy.with(w.watch)
				v := startVictim(t, s.victimConfig(t))
				for step := 1; ; step++ {
					w.arm(v, 0, false)
					g := ask(t, s, tc.request)
					require.Equal(t, tc.mode, g.Mode)
					upload(t, s, g, tc.content)
					w.arm(v, step, after)
					_, earlier, _ := w.saw()
					r, alive := v.complete(t, g.Ticket)
					steps, _, _ := w.saw()
					if alive {
						s.isRight(t, r, tc.content)
						require.Equal(t, tc.steps, strings.Join(steps, ", "), "every step was tried")
						break
					}
					require.Len(t, steps, step, "the process died at this step")

					v = startVictim(t, s.victimConfig(t))
					w.arm(v, 0, false)
					r, alive = v.complete(t, g.Ticket)
					require.True(t, alive)
					s.isRight(t, r, tc.content)
					again, _ := v.complete(t, g.Ticket)
					again.same(t, r)
					_, all, open := w.saw()
					require.GreaterOrEqual(t, len(all), len(earlier)+2)
					for _, other := range all[len(earlier):] {
						other.same(t, r)
					}
					for _, key := range s.keys(t) {
						require.False(t, strings.HasPrefix(key, s.staging), "staging is empty")
					}
					require.Equal(t, open, s.unfinished(t), "only what the crash left is unfinished")
				}
			})
		}
	}
	all.wg.Wait()
}

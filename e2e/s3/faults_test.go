package s3_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// faults are what S3 and the network may do to a call.
var faults = []struct {
	name string
	make func(x *exchange)
}{
	{"500 InternalError", func(x *exchange) { x.say(http.StatusInternalServerError, "InternalError") }},
	{"503 SlowDown", func(x *exchange) { x.say(http.StatusServiceUnavailable, "SlowDown") }},
	{"no answer", (*exchange).hang},
	{"a reset before acting", (*exchange).reset},
	{"a reset after acting", (*exchange).lose},
	{"500 InternalError after acting", (*exchange).lie},
	{"an answer cut off", (*exchange).cut},
}

// errand is a request to the handler, with what must precede it and what must be
// true after it has succeeded.
type errand struct {
	name      string
	calls     []string // the calls to S3 in it that may fail
	promotion bool
	opts      []postern.HandlerOption
	request   map[string]any
	content   []byte
	action    string
	right     func(t *testing.T, s *site, e *errand, g grant, a answer)
}

var inParts = []postern.HandlerOption{
	postern.WithSizeLimit(0, 1<<30), postern.WithMultipartThreshold(5 << 20), postern.WithPartSize(5 << 20),
}

func errands() []errand {
	large := big(5<<20 + 1)
	receiptIsRight := func(t *testing.T, s *site, e *errand, _ grant, a answer) {
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		var r receipt
		a.into(t, &r)
		s.isRight(t, r, e.content)
		require.Equal(t, 1, s.got.count(), "the hook saw it")
		require.Equal(t, r.ID, s.got.all[0].ID)
	}
	refused := func(t *testing.T, s *site, _ *errand, _ grant, a answer) {
		require.Equal(t, "content_mismatch", a.code(t))
		require.Empty(t, s.keys(t), "what failed is deleted")
		require.Zero(t, s.got.count())
	}
	return []errand{
		{"completing a form with promotion", []string{
			"HeadObject final", "HeadObject staging", "CreateMultipartUpload final", "UploadPartCopy final",
			"CompleteMultipartUpload final", "GetObject final", "DeleteObject staging",
		}, true, []postern.HandlerOption{postern.WithSniffing()}, picture(), pngFile(), "complete", receiptIsRight},
		{"completing an empty file", []string{"PutObject final", "GetObject final"},
			true, []postern.HandlerOption{postern.WithSizeLimit(0, 10)}, withSum(fileOf(nil), nil), nil, "complete", receiptIsRight},
		{"completing a PUT", []string{"HeadObject final"},
			false, nil, fileOf(content), content, "complete", receiptIsRight},
		{"completing parts", []string{"ListParts final", "CompleteMultipartUpload final"},
			false, inParts, fileOf(large), large, "complete", receiptIsRight},
		{"completing parts with promotion", []string{"ListParts staging", "CompleteMultipartUpload staging"},
			true, inParts, fileOf(large), large, "complete", receiptIsRight},
		{"refusing a page that was declared a picture", []string{"GetObject final", "HeadObject staging", "DeleteObject final"},
			true, []postern.HandlerOption{postern.WithSniffing()}, picture(), htmlFile(len(pngFile())), "complete", refused},
		{"beginning an upload in parts", []string{"CreateMultipartUpload staging"},
			true, inParts, fileOf(large), nil, "sign", func(t *testing.T, s *site, _ *errand, _ grant, a answer) {
				require.Equal(t, http.StatusCreated, a.Status, "%s", a.Body)
				var g grant
				a.into(t, &g)
				require.Equal(t, http.StatusOK, putPart(t, s, g, 2, large).Status)
				require.Equal(t, http.StatusNoContent, call(t, s, "abort", map[string]any{"ticket": g.Ticket}).Status)
			}},
		{"listing parts", []string{"ListParts staging"},
			true, inParts, fileOf(large), nil, "list", func(t *testing.T, s *site, _ *errand, g grant, a answer) {
				require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
				require.Contains(t, string(a.Body), `{"parts":[{"number":2,"size":1,`)
				require.Equal(t, http.StatusNoContent, call(t, s, "abort", map[string]any{"ticket": g.Ticket}).Status)
			}},
		{"giving an upload up", []string{"AbortMultipartUpload staging", "ListParts staging", "DeleteObject staging"},
			true, inParts, fileOf(large), nil, "abort", func(t *testing.T, s *site, _ *errand, _ grant, a answer) {
				require.Equal(t, http.StatusNoContent, a.Status, "%s", a.Body)
				require.Empty(t, s.keys(t))
			}},
	}
}

// silent are the calls whose answers have no body to cut off.
var silent = []string{"HeadObject", "DeleteObject", "PutObject", "AbortMultipartUpload"}

// Every call that the handler makes meets every fault, once and until it is
// mended. Once, the SDK's retry hides it; else the answer is 503, and asking
// again after it ends where it would have.
func TestEveryFaultOfEveryCall(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	all := newTogether(16)
	for _, e := range errands() {
		for _, target := range e.calls {
			for _, fault := range faults {
				operation, _, _ := strings.Cut(target, " ")
				if fault.name == "an answer cut off" && slices.Contains(silent, operation) {
					continue
				}
				for _, once := range []bool{true, false} {
					name := e.name + "/" + target + "/" + fault.name
					if once {
						name += "/once"
					}
					all.run(t, name, fault.name == "no answer", func(t *testing.T) {
						e.meets(t, srv, target, fault.name, fault.make, once)
					})
				}
			}
		}
	}
	all.wg.Wait()
}

func (e *errand) meets(t *testing.T, srv *foreign.Server, target, name string, fault func(*exchange), once bool) {
	s := newSite(t, srv, e.promotion, e.opts...)
	var g grant
	request := e.request
	if e.action != "sign" {
		g = ask(t, s, e.request)
		if g.Mode == "multipart" && e.action != "complete" {
			require.Equal(t, http.StatusOK, putPart(t, s, g, 2, big(5<<20+1)).Status)
		} else {
			require.Less(t, upload(t, s, g, e.content).Status, 300)
		}
		request = map[string]any{"ticket": g.Ticket}
	}
	var met atomic.Int32
	s.proxy.on(target, func(x *exchange) {
		if met.Add(1) > 1 && once {
			x.pass()
		} else {
			fault(x)
		}
	})
	a := call(t, s, e.action, request)
	require.NotZero(t, met.Load(), "there was no such call")
	// What moves bytes may take minutes, so its first answer is waited for; and
	// nobody can ask again for the rest of a body.
	moves := name == "no answer" && (strings.HasPrefix(target, "UploadPartCopy") || strings.HasPrefix(target, "Complete"))
	// An abort is judged by what is there after it.
	aborted := strings.HasPrefix(target, "AbortMultipartUpload") && strings.HasSuffix(name, "after acting")
	hidden := aborted || once && !moves && !(name == "an answer cut off" && e.action == "complete" && strings.HasPrefix(target, "GetObject") && len(e.content) > 0)
	swept := target == "DeleteObject staging" && e.action == "complete" // nobody waits for that
	if !hidden && !swept {
		require.Equal(t, http.StatusServiceUnavailable, a.Status, "%s", a.Body)
		require.Equal(t, "storage_unavailable", a.code(t))
		require.NotEmpty(t, a.Header.Get("Retry-After"))
		require.Zero(t, s.got.count(), "nothing half done is reported as done")
		s.proxy.with(nil)
		a = call(t, s, e.action, request)
	}
	e.right(t, s, e, g, a)

	// In the end nothing is left, but what nobody can know about.
	if swept && !once {
		s.proxy.with(nil)
		complete(t, s, g.Ticket)
	}
	require.False(t, slices.ContainsFunc(s.keys(t), func(key string) bool { return strings.HasPrefix(key, s.staging) }), "staging is empty")
	// What is refused takes with it what an earlier try has left.
	require.LessOrEqual(t, s.unfinished(t), s.proxy.lostUploads(), "no multipart upload is left behind")
}

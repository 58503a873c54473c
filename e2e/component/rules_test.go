package component_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
)

const pause = 10 * time.Millisecond // between two looks

// asking notes the questions for rules, and what they were answered.
type asking struct {
	mu       sync.Mutex
	statuses []int
}

func (a *asking) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/rules") {
			next.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		a.mu.Lock()
		a.statuses = append(a.statuses, answer.Code)
		a.mu.Unlock()
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (a *asking) seen() []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.statuses)
}

// hint is what the drop zone says of limits, for JavaScript.
func (e *upload) hint() string { return e.Part("hint") + `.innerText` }

// put hands a file over.
func (e *upload) put(name, contentType string, size int) {
	browser.Eval[bool](e.Page, `((size) => (`+e.JS()+`.add([new File([new Uint8Array(size)], `+browser.Quote(name)+`, { type: `+
		browser.Quote(contentType)+` })]), true))(`+strconv.Itoa(size)+`)`)
}

func (s *site) limit(most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

func TestWhatIsAcceptedIsWrittenOnceAtTheServer(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	e.Wait(e.hint() + ` === "Only images, plain text, and PDF · Up to 21 MB each"`)
	require.Equal(t, "image/*,text/plain,application/pdf", browser.Eval[string](e.Page, e.Root()+`.querySelector("input").accept`))

	refused := map[string]string{}
	refuse := func() {
		e.put("a.html", "text/html", 10)
		e.put("b.svg", "image/svg+xml", 10)
		e.put("c.txt", "text/plain", 0)
		e.put("d.txt", "text/plain", 20<<20+1)
		for _, name := range []string{"a.html", "b.svg", "c.txt", "d.txt"} {
			said := e.Failure(name)
			if before, ok := refused[name]; ok {
				require.Equal(t, before, said, "the server has the same words")
			}
			refused[name] = said
		}
	}
	refuse()
	require.Equal(t, "Files of this kind are not accepted here, only images, plain text, and PDF.", refused["a.html"])
	require.Equal(t, "This file is empty.", refused["c.txt"])
	require.Zero(t, s.asked(postern.ActionSign), "nothing was asked")

	t.Run("attributes go before it", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { accept: "", maxSize: 0 }).clear(), true)`)
		require.Empty(t, browser.Eval[string](e.Page, e.hint()))
		refuse()
		require.NotZero(t, s.asked(postern.ActionSign))
		browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { accept: ".txt", maxSize: 1000 }), true)`)
		require.Equal(t, "Only .txt · Up to 1 kB each", browser.Eval[string](e.Page, e.hint()))
	})
	t.Run("and what is sent is sent as ever", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.removeAttribute("accept"), `+e.JS()+`.removeAttribute("max-size"), true)`)
		e.Wait(e.hint() + ` === "Only images, plain text, and PDF · Up to 21 MB each"`)
		e.put("e.txt", "text/plain", 10)
		e.WaitFor("e.txt", "done")
	})
}

func TestTheRulesAreThoseOfWhoeverAsks(t *testing.T) {
	t.Parallel()
	a := &asking{}
	s := serve(t, `<postern-upload multiple accept=".txt"></postern-upload><postern-upload multiple accept=".txt"></postern-upload>`, a.around)
	e := s.open()
	e.Wait(e.hint() + ` === "Only .txt · Up to 21 MB each"`)
	s.limit(1000)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.headers = { "X-User": "bob" }, true)`)
	e.Wait(e.hint() + ` === "Only .txt · Up to 1 kB each"`)
	e.put("a.txt", "text/plain", 1001)
	require.Equal(t, "Too large: just above the limit of 1 kB.", e.Failure("a.txt"))
	require.Zero(t, s.asked(postern.ActionSign))

	t.Run("and are asked again when they turn out to be others", func(t *testing.T) {
		s.limit(100)
		e.put("b.txt", "text/plain", 500)
		e.Failure("b.txt")
		require.Equal(t, 1, s.asked(postern.ActionSign))
		e.Wait(e.hint() + ` === "Only .txt · Up to 100 bytes each"`)
	})
	t.Run("and are not sent twice", func(t *testing.T) {
		before := len(a.seen())
		browser.Eval[bool](e.Page, `(document.querySelectorAll("postern-upload").forEach((e) => (e.headers = { "X-User": "bob" })), true)`)
		e.Wait(`[...document.querySelectorAll("postern-upload")].every((e) => e.shadowRoot.querySelector("[part=hint]").innerText === "Only .txt · Up to 100 bytes each")`)
		want := http.StatusNotModified
		if !browser.Has(browser.HTTPCache) {
			want = http.StatusOK
		}
		require.Equal(t, []int{want}, a.seen()[before:], "two elements ask once, and the browser has the answer")
	})
	t.Run("and are none of somebody's who is not signed in", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.headers = {}, true)`)
		e.Wait(e.hint() + ` === "Only .txt"`)
	})
}

func TestNobodyIsJudgedByTheRulesOfAnother(t *testing.T) {
	t.Parallel()
	var cut atomic.Int32 // questions for rules that were not answered, once it is not 0
	s := serve(t, `<postern-upload multiple></postern-upload>`, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/rules") && cut.Load() > 0 {
				cut.Add(1)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	s.limit(1000)
	e := s.open()
	e.AllowErrors()
	e.Wait(e.hint() + `.includes("1 kB")`)
	s.limit(0)
	cut.Store(1)
	browser.Eval[bool](e.Page, `(Object.assign(`+e.JS()+`, { headers: { "X-User": "bob" } }), true)`)
	require.Eventually(t, func() bool { return cut.Load() > 1 }, browser.Patience, pause)
	for range 2 { // who asks later hears later that there is no answer
		browser.Eval[bool](e.Page, `import("/client/postern.js").then(({ rules }) => rules({ endpoint: "/uploads", headers: { "X-User": "bob" } }).catch(() => true))`)
	}
	e.put("a.txt", "text/plain", 5000)
	e.WaitFor("a.txt", "done")
}

func TestAServerNeedsNoRules(t *testing.T) {
	t.Parallel()
	for name, get := range map[string]http.HandlerFunc{
		"that routes POST alone":          func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusMethodNotAllowed) },
		"that knows no such address":      http.NotFound,
		"that answers all with a page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!doctype html>") },
		"that answers all with something": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"types":"any"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &asking{}
			s := serve(t, `<postern-upload multiple></postern-upload>`, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet {
						get(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			}, a.around)
			e := s.open()
			e.AllowErrors()
			require.Eventually(t, func() bool { return len(a.seen()) > 0 }, browser.Patience, pause)
			e.put("a.txt", "text/plain", 10)
			e.put("b.html", "text/html", 10)
			e.WaitFor("a.txt", "done")
			require.Equal(t, "Files of this kind are not accepted here, only images, plain text, and PDF.", e.Failure("b.html"))
			require.Empty(t, browser.Eval[string](e.Page, e.hint()))
		})
	}
}

func TestAPageThatSaysItAllAsksForNoRules(t *testing.T) {
	t.Parallel()
	a := &asking{}
	s := serve(t, `<postern-upload id="one" accept=".txt" max-size="1000"></postern-upload>
		<div hidden><postern-upload></postern-upload></div>`, a.around)
	e := s.open()
	e.put("a.txt", "text/plain", 10)
	e.WaitFor("a.txt", "done")
	require.Empty(t, a.seen(), "nor does an element that nobody sees")
	browser.Eval[bool](e.Page, `(document.querySelector("div").hidden = false, true)`)
	require.Eventually(t, func() bool { return len(a.seen()) > 0 }, browser.Patience, pause)
}

func TestAConnectionIsOpenedBeforeThereAreGrants(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	e.Wait(e.hint() + ` !== ""`)
	const link = `document.head.querySelector("link[rel=preconnect]")`
	require.True(t, browser.Eval[bool](e.Page, link+` === null`), "not of whoever only looks")
	browser.Eval[bool](e.Page, `(window.asked = fetch, window.fetch = () => new Promise(() => {}), true)`) // nobody answers
	e.put("a.txt", "text/plain", 10)
	require.Equal(t, s.s3.Endpoint+"/", browser.Eval[string](e.Page, link+`.href`))
	require.Equal(t, "anonymous", browser.Eval[string](e.Page, link+`.crossOrigin`), "as files are sent: others have connections of their own")
	e.put("b.txt", "text/plain", 10)
	require.Equal(t, 1, browser.Eval[int](e.Page, `document.head.querySelectorAll("link[rel=preconnect]").length`))
}

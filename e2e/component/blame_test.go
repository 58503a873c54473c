package component_test

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

// TestWhatCannotPassIsSaidAtOnce is about what only the people can mend who run a site:
// nothing is tried again, and nothing looks as if it went on.
func TestWhatCannotPassIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	fault := func(status int, code, message string) func(*http.Request) *tap.Fault {
		return func(*http.Request) *tap.Fault { return &tap.Fault{Status: status, Code: code, Message: message} }
	}
	for _, c := range []struct {
		name  string
		o     setup
		fault func(*http.Request) *tap.Fault
		said  string
		again bool
	}{
		{
			name: "the page's policy forbids the bucket",
			o:    setup{strict: true},
			said: "This page’s security policy forbids the upload. Only the people who run this site can mend that.",
		},
		{
			name:  "the bucket has no CORS rules for the page",
			o:     setup{s3: []s3test.Option{s3test.WithCORSOrigins("https://app.example")}},
			said:  "The storage can’t be reached, or doesn’t accept uploads from this page.",
			again: true, // it may be that it is down
		},
		{
			name:  "there is no bucket",
			fault: fault(404, "NoSuchBucket", "The specified bucket does not exist"),
			said:  "The storage of this site is not set up right (NoSuchBucket). Only the people who run it can mend that.",
		},
		{
			name:  "the keys are wrong",
			fault: fault(403, "SignatureDoesNotMatch", "The request signature we calculated does not match"),
			said:  "The storage of this site is not set up right (SignatureDoesNotMatch). Only the people who run it can mend that.",
		},
		{
			name: "the server's clock is wrong",
			o:    setup{more: []postern.HandlerOption{postern.WithClock(func() time.Time { return time.Now().Add(-time.Hour) })}},
			said: "The clock of the server or of the storage is wrong (clock_wrong). Only the people who run this site can mend that.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.o.tapped = true
			s := serveWith(t, `<postern-upload></postern-upload>`, c.o)
			e := s.open()
			e.AllowErrors()
			if c.fault != nil {
				s.tap.Disturb(c.fault)
			}
			browser.Eval[bool](e.Page, `(Math.random = () => 0.01, true)`)
			e.Pick(fixture.Text(t, "a.txt", 100))
			require.Equal(t, c.said, e.Failure("a.txt"))
			require.Equal(t, c.again, browser.Eval[bool](e.Page, `!!`+e.In("a.txt", "retry")), "where trying again can help")
			require.Zero(t, browser.Eval[int](e.Page, e.Percent("a.txt")), "it looks like no progress")
			require.False(t, browser.Eval[bool](e.Page, e.JS()+`.matches(":state(uploading)")`))
		})
	}
}

func TestItSaysWhyItIsTryingAgain(t *testing.T) {
	t.Parallel()
	s := serveWith(t, `<postern-upload></postern-upload>`, setup{tapped: true})
	var busy atomic.Bool
	busy.Store(true)
	s.tap.Disturb(func(*http.Request) *tap.Fault {
		if busy.Load() {
			return &tap.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		}
		return nil
	})
	e := s.open()
	browser.Eval[bool](e.Page, `(Math.random = () => 0.9, true)`)
	e.Pick(fixture.Text(t, "a.txt", 100))
	e.Wait(e.In("a.txt", "message") + `?.innerText === "Trying again: the storage is busy"`)
	busy.Store(false)
	e.WaitFor("a.txt", "done")
	require.Len(t, s.keys(), 1)
}

func TestASecondTabLeavesTheFirstAlone(t *testing.T) {
	t.Parallel()
	s := serveWith(t, `<postern-upload multiple></postern-upload>`, setup{tapped: true})
	s.tap.Hold(func(r *http.Request) bool { return tap.PartOf(r) == 2 })
	e := s.open()
	add := `.add([new File([new Uint8Array(11 << 20)], "large.txt", { type: "text/plain", lastModified: 1 })]), true)`
	browser.Eval[bool](e.Page, `(`+e.JS()+add)
	e.Wait(`JSON.parse(Object.values(localStorage)[0] ?? "{}").done?.length === 2`)

	browser.Eval[bool](e.Page, `new Promise((done) => {
		window.frame = document.body.appendChild(document.createElement("iframe"));
		frame.onload = () => done(true);
		frame.src = "/";
	})`)
	second := `frame.contentDocument.querySelector("postern-upload")`
	row := second + `.shadowRoot.querySelector("[part~=file]")`
	e.Wait(`frame.contentWindow.customElements.get("postern-upload")`)
	browser.Eval[bool](e.Page, `(Object.assign(`+second+`, { headers: { "X-User": "ada" }, unfinished: true }), true)`)
	browser.Eval[bool](e.Page, `import("/client/postern.js").then(({ unfinished }) => unfinished({ endpoint: "/uploads" })).then(() => true)`)
	require.True(t, browser.Eval[bool](e.Page, row+` === null`), "what another tab is sending is not unfinished")

	browser.Eval[bool](e.Page, `(`+second+add)
	e.Wait(row + `?.querySelector("[part=message]").innerText === "Another tab is uploading this file"`)
	s.tap.Release()
	e.WaitFor("large.txt", "done")
	e.Wait(row + `?.matches("[part~=done]")`)
	require.True(t, browser.Eval[bool](e.Page, e.JS()+`.value[0] === `+second+`.value[0]`))
	require.Equal(t, s.keys(), e.value())
	require.Equal(t, 1, s.asked(postern.ActionSign), "it went up once")
}

func TestAFileThatIsGoneIsToBeChosenAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, attributes string
		size             int
	}{
		{"a form", "", 1000},
		{"a form with its sum", "checksum", 1000},
		{"parts", "", 11 << 20},
		{"parts with their sums", "checksum", 11 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, `<postern-upload `+c.attributes+`></postern-upload>`)
			e := s.open()
			e.AllowErrors()
			browser.Eval[bool](e.Page, `(`+e.JS()+`.metadata = () => new Promise((go) => (window.go = () => go({}))), true)`)
			f := fixture.Text(t, "gone.txt", c.size)
			e.Pick(f)
			e.Wait(`window.go`)
			require.NoError(t, os.Remove(f.Path))
			browser.Eval[bool](e.Page, `(go(), true)`)
			require.Equal(t, "The file is gone, or has changed. Choose it again.", e.Failure(f.Name))
		})
	}
}

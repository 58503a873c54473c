package component_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/quota"
)

func TestRefusalsAreSaidInWords(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple accept="image/*,.txt,.html" max-size="1048576"></postern-upload>`)
	e := s.open()

	t.Run("without asking the server", func(t *testing.T) {
		e.Pick(fixture.Text(t, "huge.txt", 12<<20), fixture.Write(t, "over.txt", make([]byte, 1<<20+1)))
		e.Drop(fixture.PDF(t, "a.pdf", "A", 10).Path)
		require.Equal(t, "Too large: this file has 12.6 MB, and the limit is 1 MB.", e.Failure("huge.txt"))
		require.Equal(t, "Too large: just above the limit of 1 MB.", e.Failure("over.txt"))
		require.Equal(t, "Files of this kind are not accepted here, only images, .txt, and .html.", e.Failure("a.pdf"))
		require.False(t, browser.Eval[bool](e.Page, `[...`+e.JS()+`.shadowRoot.querySelectorAll("[part~=retry]")].some((b) => b.checkVisibility())`), "trying again cannot help")
		require.Zero(t, s.asked(postern.ActionSign))
	})
	t.Run("by the server", func(t *testing.T) {
		e.Pick(fixture.Write(t, "empty.txt", nil), fixture.Write(t, "page.html", []byte("<p>")), fixture.Text(t, "secret.txt", 10))
		require.Equal(t, "This file is empty.", e.Failure("empty.txt"))
		require.Equal(t, "Files of this kind are not accepted here, only images, plain text, and PDF.", e.Failure("page.html"))
		require.Equal(t, "Your plan has no room for more files.", e.Failure("secret.txt"), "a code without a text has the server's words")
		e.Wait(e.JS() + `.shadowRoot.querySelector("[role=status]").textContent === "0 of 6 uploaded, 6 failed"`)
	})
	t.Run("by the bucket", func(t *testing.T) {
		browser.Eval[bool](e.Page, `FormData.prototype.append = ((append) => function (name, value) {
			return append.call(this, name, name === "key" ? "staging/other" : value);
		})(FormData.prototype.append), true`)
		e.Pick(fixture.Text(t, "a.txt", 10))
		require.Equal(t, "The storage refused the file (AccessDenied). Only the people who run this site can mend that.", e.Failure("a.txt"))
		require.False(t, browser.Eval[bool](e.Page, `!!`+e.In("a.txt", "retry")), "trying again cannot help")
	})
	t.Run("for want of a session", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.headers = async () => ({}), true)`)
		e.Pick(fixture.Text(t, "b.txt", 10))
		require.Equal(t, "You aren’t signed in any more. Sign in, and try again.", e.Failure("b.txt"))
	})
	t.Run("by code of the page", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.headers = () => { throw new Error("no token") }, true)`)
		e.Pick(fixture.Text(t, "c.txt", 10))
		require.Equal(t, "Something went wrong. Try again in a moment.", e.Failure("c.txt"))
		require.Equal(t, "no token", browser.Eval[string](e.Page, `events.findLast(({ type }) => type === "postern-error").detail.error.message`))
	})
	t.Run("of folders, where one file is asked for", func(t *testing.T) {
		browser.Needs(t, browser.DropOfFolders)
		folder := filepath.Join(t.TempDir(), "folder")
		require.NoError(t, os.Mkdir(folder, 0o700))
		browser.Eval[bool](e.Page, `(`+e.JS()+`.multiple = false, true)`)
		e.Drop(folder)
		require.Equal(t, "Folders can’t be uploaded. Drop the files inside instead.", browser.Eval[string](e.Page, e.Part("notice")+`.innerText`))
	})
	e.Picture("component-refused")
	require.Empty(t, s.keys())
}

func TestAFullQuotaIsSaidInNumbers(t *testing.T) {
	t.Parallel()
	s := serveWith(t, `<postern-upload multiple></postern-upload>`, setup{more: []postern.HandlerOption{
		postern.WithQuota(quota.NewMemory(nil), func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{Subject: quota.Bytes(1000)}
		}),
	}})
	e := s.open()
	e.Pick(fixture.Write(t, "first.txt", bytes.Repeat([]byte("a"), 600)))
	e.WaitFor("first.txt", "done")
	e.Pick(fixture.Write(t, "second.txt", bytes.Repeat([]byte("a"), 600)))
	require.Equal(t, "There is no room for this file: 600 bytes of 1 kB are used.", e.Failure("second.txt"))
	e.Pick(fixture.Write(t, "third.txt", bytes.Repeat([]byte("a"), 400)))
	e.WaitFor("third.txt", "done")
	require.Len(t, s.keys(), 2)
	require.JSONEq(t, `{"subject":{"bytes":{"used":1000,"limit":1000}}}`, browser.Eval[string](e.Page,
		`import("/client/postern.js").then(({ rules }) => rules({ endpoint: "/uploads", headers: { "X-User": "ada" } })).then(({ quota }) => JSON.stringify(quota))`))
	e.Picture("component-quota")
}

func TestEveryTextCanBeTranslated(t *testing.T) {
	t.Parallel()
	s := serve(t, `<section lang="de-AT"><postern-upload multiple accept="image/*" max-size="1500000" max-files="3"></postern-upload></section>`)
	e := s.open()
	browser.Eval[bool](e.Page, `import("/client/postern-upload.js").then(({ texts }) => {
		texts.de = {
			drop_many: "Dateien hier ablegen oder auswählen", hint_types: "Nur {types}", hint_size: "Je höchstens {max}",
			hint_count: "Höchstens {count} Dateien", "image/*": "Bilder", done: "Hochgeladen", remove: "{name} entfernen",
			size_too_large: "Zu groß: {size}, erlaubt sind {max}.", plan_full: "Kein Platz mehr.", cancelled: "",
		};
		`+e.JS()+`.lang = "de-AT";
		return true;
	})`)
	require.Equal(t, "Dateien hier ablegen oder auswählen", browser.Eval[string](e.Page, e.Part("prompt")+`.innerText`))
	require.Equal(t, "Nur Bilder · Je höchstens 1,5 MB · Höchstens 3 Dateien", browser.Eval[string](e.Page, e.Part("hint")+`.innerText`))
	png := fixture.PNG(t, "a.png", 20, 20)
	e.Pick(png, fixture.Write(t, "b.png", make([]byte, 2_250_000)))
	require.Equal(t, "Zu groß: 2,3 MB, erlaubt sind 1,5 MB.", e.Failure("b.png"))
	e.WaitFor("a.png", "done")
	require.Equal(t, "a.png entfernen", browser.Eval[string](e.Page, e.In("a.png", "remove")+`.title`))

	t.Run("of one element alone", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.texts = { done: "Fertig" }, true)`)
		require.Equal(t, "Fertig", browser.Eval[string](e.Page, e.In("a.png", "message")+`.innerText`))
	})
	t.Run("a language that is not there is English", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.texts = null, `+e.JS()+`.lang = "x_y", true)`)
		require.Equal(t, "Uploaded", browser.Eval[string](e.Page, e.In("a.png", "message")+`.innerText`))
		require.Equal(t, "Only images · Up to 1.5 MB each · At most 3 files", browser.Eval[string](e.Page, e.Part("hint")+`.innerText`))
	})
	t.Run("and slots have the page's own words", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.append(Object.assign(document.createElement("b"), { slot: "prompt", textContent: "Your holiday" })), true)`)
		require.Equal(t, "Your holiday Only images · Up to 1.5 MB each · At most 3 files", e.Accessible("button")[0])
	})
}

func TestTextsAreForWhatTheyName(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple max-files="1" required></postern-upload>`).open()
	t.Run("not for files of that name", func(t *testing.T) {
		e.Pick(fixture.Text(t, "a.txt", 10), fixture.Write(t, "done", []byte("%PDF-1.7")), fixture.Write(t, "list", []byte("%PDF-1.7")))
		e.WaitFor("a.txt", "done")
		require.Equal(t, "Too many files: the limit is 1. Left out: done and list.", browser.Eval[string](e.Page, e.Part("notice")+`.innerText`))
	})
	t.Run("and without one the form still waits", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.texts = { value_missing: "" }, `+e.JS()+`.clear(), true)`)
		require.Equal(t, "value_missing", e.invalid())
	})
	t.Run("in the language around a shadow tree", func(t *testing.T) {
		browser.Eval[bool](e.Page, `import("/client/postern-upload.js").then(({ texts }) => {
			texts.de = { drop_one: "Datei ablegen" };
			const host = document.body.appendChild(document.createElement("div"));
			host.lang = "de";
			window.inner = host.attachShadow({ mode: "open" }).appendChild(document.createElement("postern-upload"));
			return true;
		})`)
		require.Equal(t, "Datei ablegen", browser.Eval[string](e.Page, `inner.shadowRoot.querySelector("[part=prompt]").innerText`))
	})
	t.Run("whatever the page throws", func(t *testing.T) {
		browser.Eval[bool](e.Page, `(`+e.JS()+`.metadata = () => { throw null; }, true)`)
		e.Pick(fixture.Text(t, "b.txt", 10))
		require.Equal(t, "Something went wrong. Try again in a moment.", e.Failure("b.txt"))
	})
}

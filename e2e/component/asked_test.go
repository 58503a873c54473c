package component_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/tap"
)

// permission resolves to whether the page may read the file that is kept.
const permission = `new Promise((done) => {
	const opening = indexedDB.open("postern", 1);
	opening.onsuccess = () => {
		const asked = opening.result.transaction("files").objectStore("files").getAll();
		asked.onsuccess = () => (opening.result.close(), asked.result[0].handle.queryPermission({ mode: "read" }).then(done));
	};
})`

// dropAndComeBack drops a file, and reloads the page in the middle of its upload, in a
// Chromium that asks before the page may read the file again.
func dropAndComeBack(t *testing.T) (*site, *upload, *browser.Dialogs, fixture.File) {
	t.Helper()
	browser.Needs(t, browser.FilePermissions)
	s := serveHalfway(t, `<postern-upload></postern-upload>`)
	page, dialogs := browser.OpenAsking(t, s.URL)
	e := s.on(page)
	e.list()
	f := fixture.Text(t, "dropped.txt", 11<<20)
	e.Drop(f.Path)
	e.comeBack(s, 1)
	e.WaitFor(f.Name, "paused")
	require.Equal(t, "prompt", browser.Eval[string](e.Page, permission))
	require.Regexp(t, `^Paused at \d+ %$`, e.Says(f.Name))
	return s, e, dialogs, f
}

func TestADroppedFileGoesOnOnceThePersonAllowsIt(t *testing.T) {
	t.Parallel()
	s, e, dialogs, f := dropAndComeBack(t)
	e.Push(f.Name, "resume")
	dialogs.Press("Allow this time")
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	e.waitForKept(0)
}

func TestADroppedFileGoesOnWithoutAnotherQuestion(t *testing.T) {
	t.Parallel()
	s, e, dialogs, f := dropAndComeBack(t)
	s.tap.Hold(func(r *http.Request) bool { return tap.PartOf(r) > 0 })
	e.Push(f.Name, "resume")
	dialogs.Press("Allow on every visit")
	e.WaitFor(f.Name, "uploading")
	e.comeBack(s, 1)
	e.WaitFor(f.Name, "paused")
	require.Equal(t, "granted", browser.Eval[string](e.Page, permission))
	e.Push(f.Name, "resume")
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	e.waitForKept(0)
}

func TestADroppedFileIsAskedForAgainUnlessThePersonAllowsIt(t *testing.T) {
	t.Parallel()
	s, e, dialogs, f := dropAndComeBack(t)
	e.Push(f.Name, "resume")
	dialogs.Press("Don't allow")
	e.WaitFor(f.Name, "unfinished")
	require.Equal(t, "Choose the file again to continue", e.Says(f.Name))
	require.True(t, browser.Eval[bool](e.Page, `!!`+e.In(f.Name, "choose")))
	e.Pick(f)
	e.WaitFor(f.Name, "done")
	require.Equal(t, 1, s.asked(postern.ActionSign), "it was not begun again")
	e.waitForKept(0)
}

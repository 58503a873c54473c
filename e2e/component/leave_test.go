package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
)

func TestALeaveWarningIsForWhatIsPausedAndNotKept(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple leave-warning></postern-upload>`).open()
	e.Throttle(100 << 10)
	e.add(1, 2, 1<<20)
	e.WaitFor("1.txt", "uploading")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.pause(), true)`)
	e.WaitFor("1.txt", "paused")
	require.True(t, e.warned(), "people would have to choose them again")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), true)`)
	require.False(t, e.warned())

	e.Throttle(1 << 20)
	e.add(3, 3, 11<<20)
	e.Wait(e.In("3.txt", "pause") + `?.checkVisibility()`)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.pause(), true)`)
	e.WaitFor("3.txt", "paused")
	require.False(t, e.warned(), "it goes on where it was")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), true)`)
	e.Throttle(0)
}

func TestALeaveWarningIsForAFolderThatIsRead(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	e := serve(t, `<postern-upload multiple leave-warning></postern-upload>`).open()
	browser.Eval[bool](e.Page, slowDisk)
	e.Drop(folderOf(t, 1))
	e.Wait(`reading`)
	require.True(t, e.warned(), "it is about to go up")
	browser.Eval[bool](e.Page, `release()`)
	e.WaitFor("000.txt", "done")
	require.False(t, e.warned())
}

package component_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// folderOf makes a folder of small files.
func folderOf(t *testing.T, files int) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "holiday")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	for i := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("%03d.txt", i)), []byte("hello"), 0o600))
	}
	return folder
}

// disk has read give what is in dropped folders. Its first argument gives what is there.
const disk = `((read) => {
	const { webkitGetAsEntry } = DataTransferItem.prototype;
	DataTransferItem.prototype.webkitGetAsEntry = function () {
		const folder = webkitGetAsEntry.call(this);
		const { isDirectory, name, fullPath } = folder;
		const reader = folder.createReader();
		return { isDirectory, name, fullPath, createReader: () => ({ readEntries: (...told) => read(reader, ...told) }) };
	};
	return true;
})`

// slowDisk is one that waits for release().
const slowDisk = `(window.reading = false, window.released = new Promise((free) => (window.release = () => (free(), true))), ` +
	disk + `((reader, ...told) => {
		reading = true;
		released.then(() => reader.readEntries(...told));
	}))`

// A browser gives a hundred entries of a folder at a time.
func TestAFolderOfManyFilesGoesUpWhole(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	folder := folderOf(t, 250)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "empty.txt"), nil, 0o600))
	e.Drop(folder)
	e.Wait(e.Part("count") + `?.innerText === "250 of 251 uploaded, 1 failed"`)
	require.Equal(t, "This file is empty.", e.Failure("empty.txt"))
	require.Len(t, e.value(), 250)
}

func TestTheFormWaitsWhileAFolderIsRead(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, slowDisk)
	e.Drop(folderOf(t, 3))
	e.Wait(`reading`)
	require.Equal(t, "Not all files are uploaded yet.", e.invalid())
	browser.Eval[bool](e.Page, `release()`)
	e.Wait(e.JS() + `.value.length === 3`)
	require.Empty(t, e.invalid())
}

func TestAFolderThatIsReadWhenTheListIsClearedIsNotAdded(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, slowDisk)
	e.Drop(folderOf(t, 3))
	e.Wait(`reading`)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), `+e.JS()+`.headers = { "X-User": "bob" }, release())`)
	e.Wait(e.JS() + `.checkValidity()`)
	later := folderOf(t, 0)
	require.NoError(t, os.WriteFile(filepath.Join(later, "later.txt"), []byte("hello"), 0o600))
	e.Drop(later)
	e.WaitFor("later.txt", "done")
	require.Equal(t, 1, e.rows(), "they are of whoever was there before")
	require.Equal(t, 1, s.asked(postern.ActionSign))
}

func TestAFolderWithoutFilesIsSaid(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	e.Drop(folderOf(t, 0))
	e.Wait(e.Part("notice") + `.innerText === "No files were found in this folder."`)
}

func TestWhatIsTooMuchOfAFolderIsSaid(t *testing.T) {
	browser.Needs(t, browser.DropOfFolders)
	t.Parallel()
	s := serve(t, `<postern-upload multiple accept=".html"></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, disk+`((reader, resolve) => {
		const name = (i) => String(i).padStart(5, "0") + ".txt";
		const entry = (_, i) => ({ name: name(i), fullPath: "/holiday/" + name(i), file: (give) => give(new File(["x"], name(i))) });
		resolve(reader.given ? [] : Array.from({ length: 10_002 }, entry));
		reader.given = true;
	})`)
	e.Drop(folderOf(t, 0))
	e.Wait(e.Part("notice") + `.innerText === "Too many files: the limit is 10,000. Left out: 10000.txt and 10001.txt."`)
	e.Wait(e.Part("count") + `.innerText === "0 of 10,000 uploaded, 10,000 failed"`)
	require.Zero(t, s.asked(postern.ActionSign))
}

// A link has no file, and WebKitGTK hands over none of what a file manager drags.
func TestADropWithoutFilesIsSaidAndLeavesThePageAsItIs(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload>`).open()
	f := fixture.Text(t, "before.txt", 10)
	e.Pick(f)
	e.WaitFor(f.Name, "done")
	says := func(dropped string) {
		t.Helper()
		browser.Eval[bool](e.Page, `(`+e.Part("notice")+`.textContent = "", true)`)
		e.DropAddresses(dropped)
		e.Wait(e.Part("notice") + `.innerText === "The browser passed on no files. Choose them instead of dropping them."`)
		require.Len(t, e.value(), 1)
		require.False(t, browser.Eval[bool](e.Page, e.JS()+`.matches(":state(over)")`))
	}
	says("https://example.org/")
	if !browser.Has(browser.DropOfFolders) {
		says("file://" + folderOf(t, 1))
	}
	e.Picture("component-no-files")
}

package browser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/s3test"
)

func TestAnUploadCanBeCancelledOnItsWay(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	page.Throttle(400 << 10)
	f := fixture.PDF(t, "slow.pdf", "Slow", 6<<20)
	choose(page, f)
	page.Wait(part(f.Name, "progress") + `?.ariaValueNow > 2`)
	require.Equal(t, "uploading", browser.Eval[string](page, file(f.Name)+`.dataset.state`))
	require.Less(t, browser.Eval[int](page, `Number(`+part(f.Name, "progress")+`.ariaValueNow)`), 100)

	page.Click("[data-file='slow.pdf'] [data-cancel]")
	waitFor(page, f.Name, "cancelled")
	settles(t, srv, 0)

	page.Throttle(0)
	page.Click("[data-file='slow.pdf'] [data-retry]")
	waitFor(page, f.Name, "done")
	stored := objects(t, srv)
	require.Len(t, stored, 1)
	require.Equal(t, f.Bytes, stored[0].bytes)
}

func TestAFileThatWaitsCanBeCancelled(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	page.Throttle(200 << 10)
	names := []string{"1.pdf", "2.pdf", "3.pdf", "4.pdf"}
	var files []fixture.File
	for _, name := range names {
		files = append(files, fixture.PDF(t, name, name, 1<<20))
	}
	choose(page, files...)
	for _, name := range names[:3] {
		waitFor(page, name, "uploading")
	}
	waitFor(page, "4.pdf", "waiting")
	page.Click("[data-file='4.pdf'] [data-cancel]")
	waitFor(page, "4.pdf", "cancelled")

	page.Throttle(0)
	for _, name := range names[:3] {
		waitFor(page, name, "done")
	}
	waitFor(page, "4.pdf", "cancelled")
	settles(t, srv, 3)
}

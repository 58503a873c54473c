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
	page := open(t, quickstart.StartWith(t, srv).URL)
	page.Throttle(400 << 10)
	f := fixture.PDF(t, "slow.pdf", "Slow", 6<<20)
	page.Pick(f)
	page.Wait(page.Percent(f.Name) + ` > 2`)
	page.WaitFor(f.Name, "uploading")
	require.Less(t, browser.Eval[int](page.Page, page.Percent(f.Name)), 100)

	page.Push("slow.pdf", "cancel")
	page.WaitFor(f.Name, "cancelled")
	settles(t, srv, 0)

	page.Throttle(0)
	page.Push("slow.pdf", "retry")
	uploaded(page, f.Name)
	stored := objects(t, srv)
	require.Len(t, stored, 1)
	require.Equal(t, f.Bytes, stored[0].bytes)
}

func TestAFileThatWaitsCanBeCancelled(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	page.Throttle(200 << 10)
	names := []string{"1.pdf", "2.pdf", "3.pdf", "4.pdf"}
	var files []fixture.File
	for _, name := range names {
		files = append(files, fixture.PDF(t, name, name, 6<<20))
	}
	page.Pick(files...)
	for _, name := range names[:3] {
		page.WaitFor(name, "uploading")
	}
	page.WaitFor("4.pdf", "waiting")
	page.Push("4.pdf", "cancel")
	page.WaitFor("4.pdf", "cancelled")

	page.Throttle(0)
	for _, name := range names[:3] {
		uploaded(page, name)
	}
	page.WaitFor("4.pdf", "cancelled")
	settles(t, srv, 3)
}

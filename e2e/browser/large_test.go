package browser_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

const mib = 1 << 20

// partSize is that of the quickstart.
const partSize = 8 * mib

func TestALargeFileGoesUpInParts(t *testing.T) {
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	f, sum := fixture.Video(t, "holiday.mp4", 300*mib+1)
	steps := steps(page)
	page.Pick(f)
	uploaded(page, f.Name)
	require.IsNonDecreasing(t, steps(f.Name))
	require.Greater(t, len(steps(f.Name)), 30, "the bar moves with each part")
	require.Equal(t, sum, hashOf(t, srv), "byte for byte")
	require.Zero(t, begun(t, srv))
	require.Zero(t, remembered(page))
}

// large is an upload of eight parts that is on its way: the first parts have
// arrived, and others have not.
type large struct {
	srv     *s3test.Server
	tap     *tap.Tap
	dir     string
	program *quickstart.Program
	page    *element.Element
	file    fixture.File
	sum     [32]byte
}

func startLarge(t *testing.T, args ...string) *large {
	t.Helper()
	l := &large{srv: s3test.Start(t), dir: t.TempDir()}
	l.tap = tap.Start(t, l.srv.Endpoint)
	l.program = quickstart.StartWith(t, l.srv, append(args, "-endpoint", l.tap.URL, "-dir", l.dir)...)
	l.page = open(t, l.program.URL)
	l.file, l.sum = fixture.Video(t, "holiday.mp4", 8*partSize-5)
	l.tap.Hold(func(r *http.Request) bool { return tap.PartOf(r) > 4 })
	l.page.Pick(l.file)
	l.page.Wait(`JSON.parse(Object.values(localStorage)[0] ?? "{}").done?.length === 4`)
	l.page.Wait(l.page.Percent(l.file.Name) + ` > 50`)
	require.Equal(t, firstHalf, l.tap.Arrivals())
	return l
}

var firstHalf = map[int]int{1: 1, 2: 1, 3: 1, 4: 1}

// givenUp waits until the browser has cut the parts that were on their way, and
// lets those pass that come now.
func (l *large) givenUp(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(l.tap.Passed(), func(r tap.Request) bool { return r.Part > 4 && r.Status == 0 })
	}, browser.Patience, 10*time.Millisecond)
	require.Equal(t, firstHalf, l.tap.Arrivals())
	l.tap.Release()
}

// ends waits until all has arrived, and checks that no part was sent twice.
func (l *large) ends(t *testing.T) {
	t.Helper()
	uploaded(l.page, l.file.Name)
	require.Equal(t, l.sum, hashOf(t, l.srv))
	require.Equal(t, map[int]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}, l.tap.Arrivals())
	require.Zero(t, begun(t, l.srv))
	require.Zero(t, remembered(l.page))
}

func TestALostConnectionIsResumed(t *testing.T) {
	t.Parallel()
	l := startLarge(t)
	l.page.Offline(true)
	l.tap.Cut()
	l.page.Wait(l.page.In(l.file.Name, "message") + `.innerText === "Offline, goes on when you are connected"`)
	l.givenUp(t)
	browser.Eval[bool](l.page.Page, `((ask) => {
		window.vain = 0;
		window.fetch = (...all) => ask(...all).catch((error) => { vain++; throw error; });
		return true;
	})(fetch)`)
	l.page.Wait(`dispatchEvent(new Event("online")), vain > 10`) // as where a browser is wrong about it
	l.page.WaitFor(l.file.Name, "uploading")

	l.page.Offline(false)
	l.ends(t)
}

func TestAnUploadGoesOnAfterAReloadAndARestart(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"-put=false", "-put"} {
		t.Run(mode, func(t *testing.T) {
			l := startLarge(t, mode)
			l.program.Stop()
			address := strings.TrimPrefix(l.program.URL, "http://")
			l.program = quickstart.StartWith(t, l.srv, mode, "-endpoint", l.tap.URL, "-dir", l.dir, "-addr", address)
			l.page.Reload()
			l.givenUp(t)

			l.page.WaitFor(l.file.Name, "unfinished")
			require.Equal(t, "Choose the file again to continue", l.page.Says(l.file.Name))
			require.Equal(t, 50, browser.Eval[int](l.page.Page, l.page.Percent(l.file.Name)))
			require.True(t, browser.Eval[bool](l.page.Page, l.page.In(l.file.Name, "choose")+`.checkVisibility()`))

			l.page.Pick(l.file)
			l.ends(t)
			require.Equal(t, 1, browser.Eval[int](l.page.Page, `document.querySelectorAll("[data-stored]").length`))
		})
	}
}

func TestAnUploadWhoseTicketIsWorthNothingBeginsAgain(t *testing.T) {
	t.Parallel()
	l := startLarge(t)
	l.page.Reload()
	l.givenUp(t)
	l.page.WaitFor(l.file.Name, "unfinished")
	browser.Eval[bool](l.page.Page, `(() => {
		const [slot, saved] = Object.entries(localStorage)[0];
		localStorage[slot] = saved.replace(/"ticket":"[^"]*/, '"ticket":"AQ');
		return true;
	})()`)
	l.page.Pick(l.file)
	uploaded(l.page, l.file.Name)
	require.Equal(t, l.sum, hashOf(t, l.srv))
	require.Equal(t, 1, begun(t, l.srv), "the first is left to the lifecycle rules")
}

func TestAnUploadIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	l := startLarge(t)
	l.page.Push(l.file.Name, "pause")
	l.page.WaitFor(l.file.Name, "paused")
	l.page.Wait(l.page.In(l.file.Name, "message") + `.innerText === "Paused at 50 %"`)
	l.givenUp(t)
	hurry(l.page)
	other := fixture.PNG(t, "other.png", 60, 40)
	l.page.Pick(other)
	uploaded(l.page, other.Name)
	require.Equal(t, firstHalf, l.tap.Arrivals(), "nothing else is sent")
	require.Equal(t, 1, begun(t, l.srv))

	l.page.Push(l.file.Name, "resume")
	l.ends(t)
}

func TestACancelledUploadLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		stop func(l *large)
	}{
		{"on its way", func(l *large) {
			l.page.Push(l.file.Name, "cancel")
			l.page.WaitFor(l.file.Name, "cancelled")
		}},
		{"while it is paused", func(l *large) {
			l.page.Push(l.file.Name, "pause")
			l.page.WaitFor(l.file.Name, "paused")
			l.page.Push(l.file.Name, "cancel")
		}},
		{"after a reload", func(l *large) {
			l.page.Reload()
			l.page.WaitFor(l.file.Name, "unfinished")
			l.page.Push(l.file.Name, "cancel")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := startLarge(t)
			c.stop(l)
			require.EventuallyWithT(t, func(t *assert.CollectT) { assert.Zero(t, begun(t, l.srv)) }, browser.Patience, 20*time.Millisecond)
			settles(t, l.srv, 0)
			require.Zero(t, remembered(l.page))
		})
	}
}

func TestPartsThatFailAreSentAgain(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	var expired, slow, lost atomic.Int32
	s3.Disturb(func(r *http.Request) *tap.Fault {
		switch n := tap.PartOf(r); {
		case n == 1 && expired.Add(1) == 1:
			return &tap.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
		case n == 2 && slow.Add(1) <= 2:
			return &tap.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case n == 3 && lost.Add(1) == 1:
			return &tap.Fault{After: true, Status: http.StatusInternalServerError, Code: "InternalError"}
		}
		return nil
	})
	page := open(t, quickstart.StartWith(t, srv, "-endpoint", s3.URL).URL)
	f, sum := fixture.Video(t, "holiday.mp4", 3*partSize)
	page.Pick(f)
	uploaded(page, f.Name)
	require.Equal(t, sum, hashOf(t, srv))
	require.EqualValues(t, []int32{2, 3, 2}, []int32{expired.Load(), slow.Load(), lost.Load()})
}

func TestAPartThatFailsForGoodEndsTheUpload(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	s3.Disturb(func(r *http.Request) *tap.Fault {
		if tap.PartOf(r) == 2 {
			return &tap.Fault{Status: http.StatusBadRequest, Code: "EntityTooSmall"}
		}
		return nil
	})
	page := open(t, quickstart.StartWith(t, srv, "-endpoint", s3.URL).URL)
	f, sum := fixture.Video(t, "holiday.mp4", 5*partSize)
	page.Pick(f)
	require.Equal(t, "The file is smaller than announced. Choose it again.", page.Failure(f.Name))

	require.False(t, browser.Eval[bool](page.Page, page.In(f.Name, "retry")+`?.checkVisibility() ?? false`), "trying again cannot help")

	s3.Disturb(func(*http.Request) *tap.Fault { return nil })
	page.Pick(f)
	page.Wait(stored(f.Name) + `?.checkVisibility()`)
	require.Equal(t, sum, hashOf(t, srv))
	require.Zero(t, begun(t, srv), "the same upload went on")
}

package component_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/axe"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
)

// add hands files of some bytes over, called 1.txt and so on.
func (e *upload) add(from, to, size int) {
	browser.Eval[bool](e.Page, fmt.Sprintf(`(%s.add(Array.from({ length: %d }, (_, i) =>
		new File(["x".repeat(%d)], %d + i + ".txt", { type: "text/plain" }))), true)`, e.JS(), to-from+1, size, from))
}

func (e *upload) rows() int {
	return browser.Eval[int](e.Page, e.Part("list")+`.children.length`)
}

// said is all that the region for screen readers has told.
const said = `(window.told = [], (region) => {
	new MutationObserver((records) => {
		for (const { addedNodes } of records) for (const node of addedNodes) told.push(node.textContent);
	}).observe(region, { childList: true });
	return true;
})`

func TestManyFilesAreOneLine(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple accept=".txt,.html"></postern-upload>`)
	e := s.open()
	count := e.Part("count") + `.innerText`
	browser.Eval[bool](e.Page, said+`(`+e.Root()+`.querySelector("[role=status]"))`)
	e.add(1, 3, 10)
	for _, name := range []string{"1.txt", "2.txt", "3.txt"} {
		e.WaitFor(name, "done")
	}
	require.False(t, browser.Eval[bool](e.Page, e.Part("summary")+`.checkVisibility()`), "few files speak for themselves")
	require.ElementsMatch(t, []string{"1.txt: Uploaded ", "2.txt: Uploaded ", "3.txt: Uploaded "}, browser.Eval[[]string](e.Page, `told.splice(0)`))

	browser.Eval[bool](e.Page, `(`+e.JS()+`.add(["a.html", "b.html"].map((name) => new File(["<p>"], name, { type: "text/html" }))), true)`)
	e.add(4, 48, 10)
	e.Wait(count + ` === "48 of 50 uploaded, 2 failed"`)
	require.False(t, browser.Eval[bool](e.Page, e.Part("summary")+`.querySelector("[part=bar]").checkVisibility()`), "there is nothing to wait for")
	e.Wait(`told.at(-1) === "48 of 50 uploaded, 2 failed"`)
	require.LessOrEqual(t, browser.Eval[int](e.Page, `told.filter((text) => text.includes(":")).length`), 3, "no line for each file")

	t.Run("and a short list, in which what failed is to be seen", func(t *testing.T) {
		e.Wait(e.Part("more") + `.innerText === "and 42 more"`)
		require.Equal(t, 8, e.rows())
		require.Equal(t, "type_not_allowed", browser.Eval[string](e.Page, `events.find(({ type }) => type === "postern-error").detail.error.code`))
		e.Failure("a.html")
		e.Failure("b.html")
	})
	t.Run("that a person unfolds", func(t *testing.T) {
		e.push("more")
		require.Equal(t, 50, e.rows())
		require.Equal(t, "fewer", browser.Eval[string](e.Page, e.Root()+`.activeElement.part.value`), "the focus goes on to what is there")
		require.Equal(t, []string{"1.txt", "2.txt", "3.txt", "a.html", "b.html", "4.txt"}, browser.Eval[[]string](e.Page,
			`[...`+e.Root()+`.querySelectorAll("[part=name]")].slice(0, 6).map(({ textContent }) => textContent)`), "in the order in which they came")
		e.push("fewer")
		require.Equal(t, 8, e.rows())
	})
}

// push clicks on a button by its part.
func (e *upload) push(part string) {
	browser.Eval[bool](e.Page, `(({ button }) => (button.focus(), button.click(), true))({ button: `+e.Part(part)+` })`)
}

func TestAllFilesArePausedResumedAndCancelled(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	in := func(part string) string { return e.Part("summary") + `.querySelector("[part~=` + part + `]")` }
	focused := func() string { return browser.Eval[string](e.Page, e.Root()+`.activeElement.title`) }
	press := func(part string) {
		browser.Eval[bool](e.Page, `((button) => (button.focus(), button.click(), true))(`+in(part)+`)`)
	}
	e.Throttle(300 << 10)
	e.add(1, 20, 1<<20)
	e.Wait(in("rate") + `.innerText.includes("/s · ")`)
	require.Regexp(t, `^[\d.]+ [kM]B/s · \d+ (sec|min) left$`, browser.Eval[string](e.Page, in("rate")+`.innerText`))
	e.Wait(in("bar") + `.ariaValueNow > 0`)

	press("pause")
	e.Wait(in("resume"))
	require.Equal(t, "Resume all", focused())
	require.Zero(t, browser.Eval[int](e.Page, e.Root()+`.querySelectorAll("[part~=uploading], [part~=waiting]").length`))
	press("resume")
	e.Wait(in("pause"))
	require.Equal(t, "Pause all", focused())

	press("cancel")
	e.Wait(in("retry"))
	require.Equal(t, "Cancel all", focused())
	require.Empty(t, e.invalid())
	press("cancel")
	require.Equal(t, 8, e.rows(), "it does nothing more")
	require.Empty(t, s.keys())
	e.Throttle(0)
	press("retry")
	e.Wait(e.Part("count") + `.innerText === "20 of 20 uploaded"`)
	require.Len(t, e.value(), 20)
}

func TestTheFocusStaysInTheListWhileItMoves(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple concurrency="1"></postern-upload>`)
	e := s.open()
	e.Throttle(200 << 10)
	e.add(1, 30, 20<<10)
	e.WaitFor("1.txt", "uploading")
	browser.Eval[bool](e.Page, `(`+e.In("1.txt", "cancel")+`.focus(), true)`)
	e.Throttle(0)
	e.Wait(e.Part("count") + `.innerText === "30 of 30 uploaded"`)
	require.Equal(t, "Remove 1.txt", browser.Eval[string](e.Page, e.Root()+`.activeElement.title`))
}

// TestManyFilesCostNoMoreThanAFew logs how long the page was not to be used.
func TestManyFilesCostNoMoreThanAFew(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple></postern-upload>`)
	e := s.open()
	browser.Eval[bool](e.Page, `(window.tasks = [], new PerformanceObserver((list) => {
		for (const { duration } of list.getEntries()) tasks.push(Math.round(duration));
	}).observe({ type: "longtask" }), window.most = 0, new MutationObserver(([{ target }]) => {
		most = Math.max(most, target.children.length);
	}).observe(`+e.Part("list")+`, { childList: true }), true)`)
	e.add(1, 200, 10)
	e.Wait(`Number.parseInt(` + e.Part("count") + `.innerText) > 100`)
	e.Wait(e.Part("count") + `.innerText === "200 of 200 uploaded"`)
	require.Equal(t, 8, browser.Eval[int](e.Page, `most`), "there are no rows for files that are not to be seen")
	require.Len(t, e.value(), 200)
	t.Logf("tasks above 50 ms: %v", browser.Eval[[]int](e.Page, `tasks`))
}

func TestNothingMovesAWhileAfterFilesHaveCome(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple></postern-upload><button id="send">Send</button>`).open()
	e.Wait(e.hint() + ` !== ""`)
	e.Throttle(64 << 10)
	places := browser.Eval[[][3]int](e.Page, `(async (element) => {
		const place = () => Math.round(send.getBoundingClientRect().top);
		const files = Array.from({ length: 30 }, (_, i) => new File(["x".repeat(1e6)], i + ".txt", { type: "text/plain" }));
		const places = [];
		for (const count of [3, 1, 4, 1, 21]) {
			element.add(files.splice(0, count));
			const at = place();
			await new Promise((later) => setTimeout(later, 400)); // the list is looked at every 250 ms
			places.push([30 - files.length, at, place()]);
		}
		return places;
	})(`+e.JS()+`)`)
	for _, place := range places {
		require.Equal(t, place[1], place[2], "with %d files", place[0])
	}
	require.Len(t, places, 5)
}

func TestManyFilesAreAddedSomeAtATime(t *testing.T) {
	t.Parallel()
	s := serve(t, `<postern-upload multiple accept=".txt"></postern-upload>`)
	e := s.open()
	require.Equal(t, []any{8.0, false, 0.0, true, 64.0}, browser.Eval[[]any](e.Page, `(async (element) => {
		window.asked = new Set();
		window.make = (ending) => Array.from({ length: 100 }, (_, i) => {
			const file = new File(["x"], i + ending, { type: "text/plain" });
			return Object.defineProperty(file, "size", { get: () => (asked.add(i), 1) });
		});
		const soon = () => new Promise((done) => setTimeout(done));
		element.add(make(".html"));
		const [first, valid] = [asked.size, element.checkValidity()];
		while (asked.size < 64) await soon();
		element.clear();
		for (let i = 0; i < 20; i++) await soon();
		return [first, valid, `+e.Part("list")+`.children.length, element.checkValidity(), asked.size];
	})(`+e.JS()+`)`), "what is left to be added when the list is cleared is not")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add(make(".txt")), true)`)
	e.Wait(e.Part("count") + `.innerText === "100 of 100 uploaded"`)
	require.Len(t, e.value(), 100)
}

func TestAxeFindsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, `<main><h1>Test</h1><label for="photos">Photos</label>
		<postern-upload id="photos" multiple required accept=".txt" max-size="1000000"></postern-upload></main>`)
	e := s.open()
	axe.Check(t, e.Page, "empty")
	browser.Eval[bool](e.Page, `(`+e.JS()+`.add([new File(["<p>"], "a.html", { type: "text/html" })]), true)`)
	e.Failure("a.html")
	axe.Check(t, e.Page, "with a failure")
	e.Throttle(100 << 10)
	e.add(1, 40, 100<<10)
	e.Wait(e.Part("more") + `.checkVisibility()`)
	axe.Check(t, e.Page, "with many files")
}

func TestRowsOfManyFilesShowTheirPicturesOnceTheyStay(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple concurrency="1"></postern-upload>`).open()
	browser.Eval[bool](e.Page, `(window.fetch = () => new Promise(() => {}), true)`) // nobody answers
	var files []fixture.File
	for i := range 30 {
		files = append(files, fixture.PNG(t, fmt.Sprintf("%d.png", i), 90, 60))
	}
	e.Pick(files...)
	e.Wait(e.Part("more") + `.innerText === "and 22 more"`)
	e.Wait(e.Root() + `.querySelectorAll("li img").length === 8`)
	browser.Eval[bool](e.Page, `(`+e.Part("more")+`.click(), true)`)
	require.Equal(t, 30, e.rows())
	e.Wait(e.Root() + `.querySelectorAll("li img").length === 30`)
	browser.Eval[bool](e.Page, `(`+e.JS()+`.clear(), true)`)
	require.Zero(t, browser.Eval[int](e.Page, `blobs.size`))
}

func TestALargeFileIsAskedForWithTheRateOfTheLine(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	rates := []int64{}
	s := serve(t, `<postern-upload multiple></postern-upload>`, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/sign") {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				var asked struct{ Rate int64 }
				_ = json.Unmarshal(body, &asked)
				mu.Lock()
				rates = append(rates, asked.Rate)
				mu.Unlock()
			}
			next.ServeHTTP(w, r)
		})
	})
	e := s.open()
	e.Throttle(2 << 20)
	e.put("first.txt", "text/plain", 6<<20)
	e.WaitFor("first.txt", "done")
	e.put("second.txt", "text/plain", 6<<20)
	e.WaitFor("second.txt", "done")
	e.put("small.txt", "text/plain", 10)
	e.WaitFor("small.txt", "done")
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, rates, 3)
	require.Zero(t, rates[0], "nothing is known")
	require.InEpsilon(t, 2<<20, rates[1], 0.9)
	require.Zero(t, rates[2], "it has no parts")
}

func TestARowThatHasTheFocusStaysWhenTheListIsFoldedAtOnce(t *testing.T) {
	t.Parallel()
	e := serve(t, `<postern-upload multiple concurrency="1"></postern-upload>`).open()
	browser.Eval[bool](e.Page, `(window.fetch = () => new Promise(() => {}), true)`) // nobody answers
	e.add(1, 40, 10)
	e.Wait(e.Part("more") + `.innerText === "and 32 more"`)
	require.Equal(t, 8, browser.Eval[int](e.Page, `(() => {
		`+e.Part("more")+`.click(); // all rows are new
		`+e.In("30.txt", "cancel")+`.focus();
		`+e.Part("fewer")+`.click();
		return `+e.Part("list")+`.children.length;
	})()`))
	require.Equal(t, "Cancel 30.txt", browser.Eval[string](e.Page, e.Root()+`.activeElement.title`))
}

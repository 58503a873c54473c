package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

// site is an empty page for programs that use the module, beside a handler and a bucket
// that a tap watches.
type site struct {
	*browser.Page
	srv *s3test.Server
	s3  *tap.Tap

	mu      sync.Mutex
	asked   []string // the actions that the server was asked for
	reports []postern.Report
}

// policy is a Content-Security-Policy that a page may have.
const policy = "default-src 'none'; script-src 'self' 'unsafe-eval'; img-src data:; connect-src 'self'"

type siteOptions struct {
	s3     []s3test.Option
	policy string
	deaf   bool // takes no reports
	more   []postern.HandlerOption
}

func openSite(t *testing.T, o siteOptions) *site {
	t.Helper()
	s := &site{srv: s3test.Start(t, o.s3...)}
	s.s3 = tap.Start(t, s.srv.Endpoint)
	uploads, err := postern.New(postern.Bucket{
		Name: s.srv.Bucket, Region: s.srv.Region, Endpoint: s.srv.Endpoint, PublicEndpoint: s.s3.URL,
		Provider: postern.VersityGW, Credentials: s.srv.Credentials(),
	}, append([]postern.HandlerOption{
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "me"
			return nil
		}),
		postern.WithSizeLimit(1, 1<<30),
		postern.WithContentTypes("text/plain"),
		postern.WithMultipartThreshold(10 * mib),
		postern.WithPartSize(partSize), // and not what the machine's rate makes of it
		postern.WithPromotion("staging/"),
		postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }),
		postern.WithObserver(func(_ context.Context, d postern.Decision) {
			if d.Report != nil {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.reports = append(s.reports, *d.Report)
			}
		}),
	}, o.more...)...)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimPrefix(r.URL.Path, "/uploads/"))
		s.mu.Unlock()
		if o.deaf && r.URL.Path == "/uploads/report" {
			http.NotFound(w, r)
			return
		}
		uploads.ServeHTTP(w, r)
	}))
	mux.Handle("GET /client/", client.Handler())
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if o.policy != "" {
			w.Header().Set("Content-Security-Policy", o.policy)
		}
		_, _ = w.Write([]byte("<!doctype html><link rel=icon href=data:,>"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.Page = browser.Open(t, server.URL)
	return s
}

// count returns how often the server was asked for something.
func (s *site) count(action string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, asked := range s.asked {
		if asked == action {
			n++
		}
	}
	return n
}

// sent returns the methods of what the browser has asked of the bucket.
func (s *site) sent() (methods map[string]int) {
	methods = map[string]int{}
	for _, r := range s.s3.Passed() {
		if r.Browser || r.Method == http.MethodOptions {
			methods[r.Method]++
		}
	}
	return methods
}

// reported waits for a report of the browser's.
func (s *site) reported(t *testing.T) (report postern.Report) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if assert.NotEmpty(t, s.reports) {
			report = s.reports[0]
		}
	}, browser.Patience, 10*time.Millisecond)
	return report
}

// tabs is a program before programs for run: tab() is the module in another page of the
// browser, and close() closes that.
const tabs = `
	const frames = [];
	const tab = async () => {
		const frame = document.body.appendChild(document.createElement("iframe"));
		frame.src = "/";
		await new Promise((loaded) => (frame.onload = loaded));
		frames.push(frame);
		return frame.contentWindow.eval('import("/client/postern.js")');
	};
	const close = (n) => frames[n].remove();
	const held = () => wait(async () => (await navigator.locks.query()).held.length > 0);
	const wait = async (what) => { while (!(await what())) await new Promise((soon) => setTimeout(soon, 10)); };
`

func TestManySmallFilesTakeFewRequests(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	got := run[[]any](s.Page, `
		const names = Array.from({ length: 60 }, (_, i) => "photo " + i + ".txt");
		const progress = {};
		const receipts = await Promise.all(names.map((name, i) =>
			upload(file(name, 1000 + i), { ...options, onProgress: ({ loaded, total }) => (progress[name] = [loaded, total]) })));
		return [
			receipts.every(({ filename, size }, i) => filename === names[i] && size === 1000 + i),
			new Set(receipts.map(({ key }) => key)).size,
			names.every((name, i) => String(progress[name]) === [1000 + i, 1000 + i].join()),
			localStorage.length,
		];`)
	require.Equal(t, []any{true, 60.0, true, 0.0}, got)
	require.LessOrEqual(t, s.count("sign"), 4)
	require.LessOrEqual(t, s.count("complete"), 20)
	require.Equal(t, map[string]int{http.MethodPost: 60}, s.sent(), "no preflight, and nothing twice")
	settles(t, s.srv, 60)
}

func TestFilesThatAreRefusedDoNotHarmThoseBesideThem(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	require.Equal(t, "a.txt size_too_small c.txt type_not_allowed e.txt", run[string](s.Page, `
		const files = [file("a.txt", 10), file("b.txt", 0), file("c.txt", 10), new File(["a"], "d.pdf", { type: "application/pdf" }), file("e.txt", 10)];
		const results = await Promise.allSettled(files.map((one) => upload(one, options)));
		return results.map(({ value, reason }) => value?.filename ?? reason.code).join(" ");`))
	require.Less(t, s.count("sign"), 5, "they share requests")
	settles(t, s.srv, 3)
}

// connections are those that a browser has to a server that speaks HTTP/1.1.
const connections = 6

func TestALargeFileAndSmallOnesShareTheConnections(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	var at, most atomic.Int32
	together := make(chan struct{})
	all := sync.OnceFunc(func() { close(together) })
	t.Cleanup(all)
	s.s3.Disturb(func(*http.Request) *tap.Fault {
		n := at.Add(1)
		defer at.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == connections {
			all()
		}
		<-together
		return nil
	})
	require.Equal(t, "holiday.txt", run[string](s.Page, `
		const ended = [];
		const one = (name, size) => upload(file(name, size), options).then(({ filename }) => ended.push(filename));
		const large = ["holiday.txt"].map((name) => one(name, 48 << 20));
		await Promise.all([...large, ...Array.from({ length: 30 }, (_, i) => one(i + ".txt", 100))]);
		return ended.at(-1);`), "small ones do not wait for it")
	require.EqualValues(t, connections, most.Load())
	settles(t, s.srv, 31)
}

func TestTheFirstPartsOfAFileAreNotAskedFor(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	require.Equal(t, "few.txt", run[string](s.Page, `return (await upload(file("few.txt", 48 << 20), options)).filename;`))
	require.Zero(t, s.count("parts"), "the grant has the URLs of six")
	require.Equal(t, "more.txt", run[string](s.Page, `return (await upload(file("more.txt", 72 << 20), options)).filename;`))
	require.NotZero(t, s.count("parts"), "the others are asked for")
	settles(t, s.srv, 2)
}

func TestGrantsThatExpireInTheQueueAreAskedForAgain(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	var held atomic.Int32
	s.s3.Hold(func(*http.Request) bool { return held.Add(1) <= connections })
	run[bool](s.Page, `
		window.uploads = Promise.all(Array.from({ length: 10 }, (_, i) => upload(file(i + ".txt", 100 + i), options)));
		return true;`)
	require.Eventually(t, func() bool { return held.Load() == connections }, browser.Patience, 10*time.Millisecond)
	asked := s.count("sign")
	run[bool](s.Page, `
		const { now } = Date;
		Date.now = () => now() + 3_600_000;
		return true;`)
	s.s3.Release()
	require.Equal(t, 10, browser.Eval[int](s.Page, `uploads.then((receipts) => new Set(receipts.map(({ key }) => key)).size)`))
	require.Greater(t, s.count("sign"), asked)
	settles(t, s.srv, 10)
}

func TestAnotherTabsUploadIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	s.s3.Hold(func(r *http.Request) bool { return tap.PartOf(r) == 2 })
	require.Equal(t, "0 uploading_elsewhere 1 aborted 0", run[string](s.Page, tabs+`
		const other = await tab();
		const stop = new AbortController();
		const large = file("large.txt", 17 << 20);
		const going = failure(other.upload(large, { ...options, signal: stop.signal }));
		await wait(() => JSON.parse(Object.values(localStorage)[0] ?? "{}").done?.length === 2);
		const listed = await unfinished(options);
		const error = await failure(discard(large, options));
		const seen = [listed.length, error?.code, localStorage.length];
		stop.abort();
		return [...seen, (await going).code, (await unfinished(options)).length].join(" ");`))
	s.s3.Release()
	require.Eventually(t, func() bool { return begun(t, s.srv) == 0 }, browser.Patience, 10*time.Millisecond)
}

func TestTheSameFileInTwoTabsGoesUpOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, program, want string
		objects             int
	}{
		{"the second takes over the receipt", `
			const [first, second] = [other.upload(one, options), held().then(() => upload(one, { ...options, onState }))];
			await wait(() => states.includes(true));
			release();
			return [(await first).key === (await second).key, states].join();`,
			"true,true", 1},
		{"unless it has asked for something else", `
			const [first, second] = [other.upload(one, options), held().then(() => upload(one, { ...options, onState, metadata: {} }))];
			await wait(() => states.includes(true));
			release();
			return [(await first).key === (await second).key, states].join();`,
			"false,true,false", 2},
		{"the second goes on where the first has died", `
			other.upload(one, options).catch(() => {});
			await held();
			const second = upload(one, { ...options, onState });
			await wait(() => states.includes(true));
			close(0);
			release();
			return [(await second).filename, states].join();`,
			"a.txt,true,false", 1},
		{"the second goes on where the first has failed", `
			const first = failure(other.upload(one, { ...options, headers: () => released.then(() => { throw new Error("no token"); }) }));
			await held();
			const second = upload(one, { ...options, onState });
			await wait(() => states.includes(true));
			release();
			return [(await first).message, (await second).filename].join();`,
			"no token,a.txt", 1},
		{"the second can stop waiting", `
			const stop = new AbortController();
			const [first, second] = [other.upload(one, options), held().then(() => failure(upload(one, { ...options, onState, signal: stop.signal })))];
			await wait(() => states.includes(true));
			stop.abort();
			const { code } = await second;
			release();
			return [code, (await first).filename].join();`,
			"aborted,a.txt", 1},
		{"where there are no locks, both go up", `
			Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
			Object.defineProperty(frames[0].contentWindow.Navigator.prototype, "locks", { value: undefined });
			release();
			const [first, second] = await Promise.all([other.upload(one, options), upload(one, { ...options, onState })]);
			return [first.key === second.key, states].join();`,
			"false,", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, siteOptions{})
			require.Equal(t, c.want, run[string](s.Page, tabs+`
				const other = await tab();
				const one = file("a.txt", 100), states = [];
				const onState = ({ elsewhere }) => states.push(elsewhere);
				let release;
				const released = new Promise((free) => (release = free));
				const real = frames[0].contentWindow.fetch;
				frames[0].contentWindow.fetch = async (url, init) => {
					if (String(url).endsWith("/sign")) await released;
					return real(url, init);
				};
			`+c.program))
			settles(t, s.srv, c.objects)
		})
	}
}

func TestAPauseWaitsForAPartThatIsNearlyThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		share float64
		done  int
	}{{"at 80 % of it", 0.8, 2}, {"but not at a third", 0.34, 1}} {
		t.Run(c.name, func(t *testing.T) {
			s := openSite(t, siteOptions{})
			s.Throttle(2 * mib)
			got := run[[]any](s.Page, fmt.Sprintf(`
				const PART = 8 << 20, large = file("large.txt", 4 * PART), stop = new AbortController();
				let sent = 0;
				const { send } = XMLHttpRequest.prototype;
				XMLHttpRequest.prototype.send = function (body) { sent++; send.call(this, body); };
				const parallel = 1;
				const error = await failure(upload(large, { ...options, parallel, signal: stop.signal, onProgress: ({ loaded }) => {
					if (loaded >= PART + %v * PART) stop.abort(PAUSE);
				} }));
				const [kept] = await unfinished(options);
				return [error.code, kept.loaded / PART, sent];`, c.share))
			require.Equal(t, []any{"paused", float64(c.done), 2.0}, got)
			s.Throttle(0)
			require.Equal(t, 33554432.0, run[map[string]any](s.Page, `return upload(file("large.txt", 32 << 20), options);`)["size"])
			for part, times := range s.s3.Arrivals() {
				require.Equal(t, 1, times, part)
			}
		})
	}
}

// failed is an error as a program tells it.
type failed struct {
	Code, From, Mend, Detail string
	Status                   int
}

const failing = `
	const { code, from, mend, detail, status } = await failure(upload(file("a.txt", 100), options));
	return { code, from, mend, detail, status };`

func TestWhatCannotPassIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	behind := func() time.Time { return time.Now().Add(-time.Hour) }
	for _, c := range []struct {
		name  string
		o     siteOptions
		fault *tap.Fault
		want  failed
		sent  int
	}{
		{
			name: "the page's policy forbids it",
			o:    siteOptions{policy: policy},
			want: failed{Code: "blocked_by_policy", From: "browser", Mend: "operator"},
		},
		{
			name: "the bucket has no CORS rules for the page",
			o:    siteOptions{s3: []s3test.Option{s3test.WithCORSOrigins("https://app.example")}},
			want: failed{Code: "bucket_unreachable", From: "bucket", Mend: "operator"},
			sent: 2,
		},
		{
			name:  "there is no bucket",
			fault: &tap.Fault{Status: http.StatusNotFound, Code: "NoSuchBucket"},
			want:  failed{Code: "NoSuchBucket", From: "bucket", Mend: "operator", Status: 404},
			sent:  1,
		},
		{
			name:  "the signature is another's",
			fault: &tap.Fault{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch"},
			want:  failed{Code: "SignatureDoesNotMatch", From: "bucket", Mend: "operator", Status: 403},
			sent:  1,
		},
		{
			name:  "the signer may do less than it signs",
			fault: &tap.Fault{Status: http.StatusForbidden, Code: "AccessDenied"},
			want:  failed{Code: "AccessDenied", From: "bucket", Mend: "operator", Status: 403},
			sent:  1,
		},
		{
			name:  "the clock of the bucket is wrong",
			fault: &tap.Fault{Status: http.StatusForbidden, Code: "RequestTimeTooSkewed"},
			want:  failed{Code: "clock_wrong", From: "bucket", Mend: "operator", Status: 403},
			sent:  1,
		},
		{
			name:  "the file is larger than it was",
			fault: &tap.Fault{Status: http.StatusBadRequest, Code: "EntityTooLarge"},
			want:  failed{Code: "EntityTooLarge", From: "bucket", Mend: "person", Status: 400},
			sent:  1,
		},
		{
			name: "the server's clock is wrong",
			o:    siteOptions{more: []postern.HandlerOption{postern.WithClock(behind)}},
			want: failed{Code: "clock_wrong", From: "bucket", Mend: "operator", Status: 403},
			sent: 1,
		},
		{
			name:  "a signature is too old that was made just now",
			fault: &tap.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Request has expired"},
			want:  failed{Code: "clock_wrong", From: "bucket", Mend: "operator", Status: 403},
			sent:  1,
		},
	} {
		for _, size := range []string{"100", "17 << 20"} {
			t.Run(c.name+", "+size, func(t *testing.T) {
				t.Parallel()
				s := openSite(t, c.o)
				s.AllowErrors()
				if c.fault != nil {
					s.s3.Disturb(func(*http.Request) *tap.Fault { return c.fault })
				}
				got := run[failed](s.Page, `Math.random = () => 0.01;`+strings.Replace(failing, "100", size, 1))
				require.NotEmpty(t, got.Detail)
				got.Detail = ""
				require.Equal(t, c.want, got)
				if size == "100" {
					require.Equal(t, c.sent, s.sent()[http.MethodPost])
				}
				report := s.reported(t)
				require.Equal(t, []any{"upload", c.want.Code, c.want.Status}, []any{report.Stage, report.Code, report.Status})
				require.NotEmpty(t, report.Detail)
				require.Equal(t, 1, s.count("report"))
			})
		}
	}
}

func TestNothingIsReportedThatIsNotToBe(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	s.AllowErrors()
	s.s3.Disturb(func(*http.Request) *tap.Fault { return &tap.Fault{Status: http.StatusNotFound, Code: "NoSuchBucket"} })
	require.Equal(t, "NoSuchBucket size_too_small 200", run[string](s.Page, `
		const one = await failure(upload(file("a.txt", 100), { ...options, report: false }));
		const two = await failure(upload(file("b.txt", 0), options));
		const { status } = await fetch("/uploads/rules");
		return [one.code, two.code, status].join(" ");`))
	require.Zero(t, s.count("report"))
}

func TestAServerThatTakesNoReportsIsSentOne(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{deaf: true})
	s.AllowErrors()
	s.s3.Disturb(func(*http.Request) *tap.Fault { return &tap.Fault{Status: http.StatusNotFound, Code: "NoSuchBucket"} })
	require.Equal(t, "NoSuchBucket NoSuchBucket", run[string](s.Page, `
		const reported = new Promise((resolve) => new PerformanceObserver((list) => {
			if (list.getEntries().some(({ name }) => name.endsWith("/report"))) resolve();
		}).observe({ type: "resource" }));
		const one = await failure(upload(file("a.txt", 100), options));
		await reported;
		await fetch("/uploads/rules"); // by then it knows the answer
		const two = await failure(upload(file("b.txt", 100), options));
		await fetch("/uploads/rules"); // comes after a report, if there is one
		return [one.code, two.code].join(" ");`))
	require.Equal(t, 1, s.count("report"))
}

func TestThePageIsToldWhatIsTriedAgainAndWhy(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"100", "17 << 20"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, siteOptions{})
			var tries atomic.Int32
			s.s3.Disturb(func(r *http.Request) *tap.Fault {
				if tap.PartOf(r) <= 1 && tries.Add(1) <= 2 {
					return &tap.Fault{Status: http.StatusServiceUnavailable, Code: "SlowDown"}
				}
				return nil
			})
			seen := run[[]string](s.Page, fmt.Sprintf(`
				Math.random = () => 0.01;
				const seen = [], begun = Date.now();
				const onState = ({ retrying, elsewhere }) => seen.push(retrying
					? [retrying.code, retrying.from, retrying.tries, retrying.at >= begun, elsewhere].join()
					: "none");
				await upload(file("a.txt", %s), { ...options, onState });
				return seen;`, size))
			require.Equal(t, []string{"SlowDown,bucket,1,true,false", "SlowDown,bucket,2,true,false", "none"}, slices.Compact(seen))
		})
	}
}

func TestTheModuleAsksForTheRules(t *testing.T) {
	t.Parallel()
	s := openSite(t, siteOptions{})
	require.Equal(t, "text/plain 1 1073741824 true", run[string](s.Page, `
		const { rules } = await import("/client/postern.js");
		const { types, min_size, max_size, complete } = await rules(options);
		return [types, min_size, max_size, complete].join(" ");`))
	require.Equal(t, "server 404", run[string](s.Page, `
		const { rules } = await import("/client/postern.js");
		const error = await failure(rules({ ...options, endpoint: "/elsewhere" }));
		return [error.from, error.status].join(" ");`))
}

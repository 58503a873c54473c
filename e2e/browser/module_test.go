package browser_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

// run is a program of someone who uses the module without the page. It has the
// module's exports, options that work, and file(name, size), a file full of "a".
func run[T any](page *browser.Page, program string) T {
	return browser.Eval[T](page, `(async () => {
		const { upload, unfinished, discard, PAUSE, UploadError } = await import("/client/postern.js");
		const options = { endpoint: "/uploads", headers: { Authorization: "Bearer acme-demo" } };
		const file = (name, size) => new File(["a".repeat(size)], name, { type: "text/plain", lastModified: 1 });
		const failure = (promise) => promise.then(() => null, (error) => error);
		`+program+`
	})()`)
}

func TestTheModuleSealsGrantsToTheBytes(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	sum := sha256.Sum256([]byte(strings.Repeat("a", 1000)))
	receipt := run[map[string]any](page, `return upload(file("small.txt", 1000), { ...options, checksum: true });`)
	require.Equal(t, fmt.Sprintf("%x", sum), receipt["sha256"])
	require.Equal(t, "small.txt", receipt["filename"])
	require.EqualValues(t, 1000, receipt["size"])

	head, err := srv.Client().HeadObject(context.Background(), &s3.HeadObjectInput{
		Bucket: &srv.Bucket, Key: ptr(receipt["key"].(string)), ChecksumMode: types.ChecksumModeEnabled,
	})
	require.NoError(t, err)
	require.NotNil(t, head.ChecksumSHA256)
	ofSum := sha256.Sum256(sum[:])
	require.Equal(t, base64.StdEncoding.EncodeToString(ofSum[:])+"-1", *head.ChecksumSHA256, "the copy's is that of its only part")

	t.Run("other bytes are refused", func(t *testing.T) {
		code := run[string](page, `
			const digest = crypto.subtle.digest;
			crypto.subtle.digest = () => new ArrayBuffer(32);
			const error = await failure(upload(file("forged.txt", 1000), { ...options, checksum: true }));
			crypto.subtle.digest = digest;
			return error.from + " " + error.code;`)
		require.Regexp(t, "^bucket (BadDigest|InvalidDigest|XAmzContentChecksumMismatch)$", code)
	})
}

func TestTheModuleSendsChecksumsOfParts(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	page := browser.Open(t, quickstart.StartWith(t, srv, "-endpoint", s3.URL).URL)
	size := run[int64](page, fmt.Sprintf(`return (await upload(file("large.txt", %d), { ...options, checksum: true })).size;`, 3*partSize))
	require.EqualValues(t, 3*partSize, size)
	require.Equal(t, map[int]int{1: 1, 2: 1, 3: 1}, s3.Arrivals())
	require.Equal(t, sha256.Sum256([]byte(strings.Repeat("a", 3*partSize))), hashOf(t, srv))

	s3.Disturb(func(r *http.Request) *tap.Fault {
		if r.Header.Get("X-Amz-Checksum-Sha256") == "" {
			return nil
		}
		return &tap.Fault{Status: http.StatusBadRequest, Code: "BadDigest"}
	})
	require.Equal(t, "BadDigest", run[string](page,
		fmt.Sprintf(`return (await failure(upload(file("other.txt", %d), { ...options, checksum: true }))).code;`, 3*partSize)))
}

func TestTheModulesErrorsTellWhy(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	for _, c := range []struct{ name, program, want string }{
		{"a problem of the server", `
			const error = await failure(upload(file("a.txt", 0), options));
			return [error instanceof UploadError, error.name, error.from, error.code, error.status, error.detail, error.limits.min_size].join();`,
			"true,UploadError,server,size_too_small,400,The file is empty.,1"},
		{"what is no problem document", `
			const error = await failure(upload(file("a.txt", 1), { ...options, endpoint: "/web/app.css?" }));
			return [error.from, error.code, error.status].join();`,
			"server,unexpected,405"},
		{"an abort", `
			const error = await failure(upload(file("a.txt", 1), { ...options, signal: AbortSignal.abort("enough") }));
			return [error.from, error.code, error.cause].join();`,
			"browser,aborted,enough"},
		{"a pause", `
			const error = await failure(upload(file("a.txt", 1), { ...options, signal: AbortSignal.abort(PAUSE) }));
			return [error.from, error.code].join();`,
			"browser,paused"},
		{"an upload without its file", `
			const { name, size, type, lastModified } = file("a.txt", 1);
			const error = await failure(upload({ name, size, type, lastModified }, options));
			return [error.from, error.code].join();`,
			"browser,file_needed"},
		{"headers from a function, fresh for each request", `
			let calls = 0;
			const headers = async () => (calls++, options.headers);
			await upload(file("a.txt", 1), { ...options, headers });
			return String(calls);`,
			"2"},
		{"progress", `
			const seen = [];
			await upload(file("a.txt", 5000), { ...options, onProgress: (p) => seen.push(p) });
			const { loaded, total, resumable } = seen.at(-1);
			return [loaded, total, resumable, seen.every((p, i) => !i || p.loaded > seen[i - 1].loaded)].join();`,
			"5000,5000,false,true"},
		{"unfinished uploads by scope, and discarding them", `
			const stop = new AbortController();
			const mine = { ...options, scope: "me", signal: stop.signal, onProgress: () => stop.abort(PAUSE) };
			const error = await failure(upload(file("large.txt", 17 << 20), mine));
			const [found] = await unfinished(mine);
			const others = (await unfinished(options)).length + (await unfinished({ ...mine, endpoint: "/other" })).length;
			await discard(found, mine);
			return [error.code, found.name, found.size, found.expires > Date.now(), others, (await unfinished(mine)).length].join();`,
			"paused,large.txt,17825792,true,0,0"},
		{"nothing is kept without a store", `
			const stop = new AbortController();
			await failure(upload(file("large.txt", 17 << 20), { ...options, store: null, signal: stop.signal, onProgress: () => stop.abort(PAUSE) }));
			return String(localStorage.length + (await unfinished({ ...options, store: null })).length);`,
			"0"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, run[string](page, c.program)) })
	}
}

func TestTheModuleForgetsWhatTheServerSaysHasEnded(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	// The answers are put into the server's mouth.
	got := run[[]string](page, `
		const stop = new AbortController();
		await failure(upload(file("large.txt", 17 << 20), { ...options, signal: stop.signal, onProgress: () => stop.abort(PAUSE) }));
		const seen = [];
		for (const member of [{}, { ended: false }, { ended: true }]) {
			window.fetch = async () => new Response(JSON.stringify({ code: "refused", ...member }), { status: 422 });
			const error = await failure(upload(file("large.txt", 17 << 20), options));
			seen.push([error.code, error.ended, (await unfinished(options)).length].join());
		}
		return seen;`)
	require.Equal(t, []string{"refused,false,1", "refused,false,1", "refused,true,0"}, got)
}

func TestTheModuleComesBackWhenTheServerSays(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	// The first answers are put into the server's mouth.
	got := run[[]any](page, `
		const answers = [[202, "1"], [503, "1"]], asked = [];
		const real = window.fetch;
		window.fetch = (url, init) => {
			if (!url.endsWith("/complete")) return real(url, init);
			asked.push(performance.now());
			const [status, after] = answers.shift() ?? [];
			if (!status) return real(url, init);
			return Promise.resolve(new Response('{"state":"completing","code":"busy"}', { status, headers: { "Retry-After": after } }));
		};
		const receipt = await upload(file("a.txt", 100), options);
		return [asked.length, asked[1] - asked[0] >= 990, asked[2] - asked[1] >= 990, receipt.size];`)
	require.Equal(t, []any{3.0, true, true, 100.0}, got)
}

// TestAPartWaitsForItsConnection has more parts to send than browsers open
// connections: those that wait are not taken for lost.
func TestAPartWaitsForItsConnection(t *testing.T) {
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	page.Throttle(16 * mib)
	cut := run[int](page, `
		let cut = 0;
		const { abort } = XMLHttpRequest.prototype;
		XMLHttpRequest.prototype.abort = function () { cut++; abort.call(this); };
		const real = window.setTimeout;
		window.setTimeout = (call, ms, ...args) => real(call, ms === 60_000 ? 1500 : ms, ...args);
		await Promise.all(["a.txt", "b.txt"].map((name) => upload(file(name, 32 << 20), options)));
		return cut;`)
	require.Zero(t, cut)
}

func ptr[T any](v T) *T { return &v }

func TestTheSameFileInAnotherFolderIsAnotherUpload(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	keys := run[[]string](page, fmt.Sprintf(`
		const same = file("large.txt", %d);
		const key = () => Object.entries(localStorage).filter(([name]) => name.startsWith("postern[")).map(([, saved]) => JSON.parse(saved).key)[0];
		const paused = async (path) => {
			const stop = new AbortController();
			await failure(upload(same, { ...options, path, signal: stop.signal, onProgress: ({ loaded }) => loaded > 0 && stop.abort(PAUSE) }));
			return key();
		};
		const first = await paused("a");
		const again = await paused("a");
		const { key: other } = await upload(same, { ...options, path: "b" });
		return [first, again, other];`, 3*partSize))
	require.NotEmpty(t, keys[0])
	require.Equal(t, keys[0], keys[1], "one that was paused goes on")
	require.NotEqual(t, keys[0], keys[2])
}

func TestAMistakeInAListenerOfThePageEndsNoUpload(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	page.AllowErrors() // which are told
	type seen struct {
		Key  string
		Told []string
	}
	got := run[seen](page, `
		const told = [];
		addEventListener("error", ({ error }) => told.push(error.message));
		const broken = () => { throw new Error("oops"); };
		const { key } = await upload(file("a.txt", 10), { ...options, onProgress: broken, onState: broken });
		return { key, told };`)
	require.NotEmpty(t, got.Key)
	require.Contains(t, got.Told, "oops")
}

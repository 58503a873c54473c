package browser_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/e2e/internal/tap"
	"github.com/postern-go/postern/s3test"
)

const noiseSize = 3*partSize - 5

// noiseSum is the CRC64NVME of what noise() of noisy makes in the page, as S3 writes it.
func noiseSum() string {
	content := make([]byte, noiseSize)
	for i := range content {
		content[i] = 'a' + byte(uint32(i)*2654435761>>28)
	}
	crc := crc64.Checksum(content, crc64.MakeTable(0x9a6c9329ac4bc9b5))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

// noisy is a program before programs for run: noise() is a file in three parts, and
// seen notes what of it the module asked of the browser and of the server.
var noisy = fmt.Sprintf(`
	const noise = () => {
		const content = new Uint8Array(%d);
		for (let i = 0; i < content.length; i++) content[i] = 97 + (Math.imul(i, 2654435761) >>> 28);
		return new File([content], "noise.txt", { type: "text/plain", lastModified: 1 });
	};
	const seen = { workers: 0, sent: 0, sums: [] };
	window.Worker = class extends Worker {
		constructor(...args) { seen.workers++; super(...args); }
	};
	const { send } = XMLHttpRequest.prototype;
	XMLHttpRequest.prototype.send = function (body) { seen.sent++; send.call(this, body); };
	const real = window.fetch;
	window.fetch = (url, init) => {
		if (url.endsWith("/complete")) seen.sums.push(JSON.parse(init.body).checksum?.crc64nvme ?? "");
		return real(url, init);
	};
	const policy = (text) => document.head.append(
		Object.assign(document.createElement("meta"), { httpEquiv: "Content-Security-Policy", content: text }));
	const pausedAfter = async (parts) => {
		const stop = new AbortController(), { setItem } = Storage.prototype;
		Storage.prototype.setItem = function (slot, saved) {
			setItem.call(this, slot, saved);
			if (JSON.parse(saved).done.length === parts) stop.abort(PAUSE);
		};
		const error = await failure(upload(noise(), { ...options, parallel: 1, signal: stop.signal }));
		Storage.prototype.setItem = setItem;
		if (error?.code !== "paused") throw error;
		seen.sent = 0;
		return Object.keys(localStorage)[0];
	};
`, noiseSize)

type seen struct {
	Workers, Sent int
	Sums          []string
}

func TestWhatIsSentInPartsIsSummed(t *testing.T) {
	t.Parallel()
	sum := noiseSum()
	for _, c := range []struct {
		name, program string
		want          seen
	}{
		{"by a worker", `
			const receipt = await upload(noise(), options);
			seen.sums.push(receipt.crc64nvme);`,
			seen{1, 3, []string{sum, sum}}},
		{"by a worker that Trusted Types let through, again and again", `
			policy("require-trusted-types-for 'script'; trusted-types postern");
			await upload(noise(), options);
			const { sent } = seen;
			await upload(noise(), options);
			// The second may have other parts: they follow the rate.
			seen.sent = sent;`,
			seen{2, 3, []string{sum, sum}}},
		{"in the page, where Trusted Types let no worker through", `
			policy("require-trusted-types-for 'script'; trusted-types 'none'");
			await upload(noise(), options);`,
			seen{0, 3, []string{sum}}},
		{"besides the parts' own checksums", `
			await upload(noise(), { ...options, checksum: true });`,
			seen{1, 3, []string{sum}}},
		{"in the page, where there can be no worker", `
			window.Worker = undefined;
			await upload(noise(), options);`,
			seen{0, 3, []string{sum}}},
		{"in the page, where its policy forbids workers", `
			policy("worker-src 'none'");
			await upload(noise(), options);`,
			seen{1, 3, []string{sum}}},
		{"unless the file with the code cannot be loaded", `
			policy("script-src 'none'");
			await upload(noise(), options);`,
			seen{1, 3, []string{""}}},
		{"unless no checksum is wanted", `
			await upload(noise(), { ...options, checksum: false });`,
			seen{0, 3, []string{""}}},
		{"whatever of it was sent before a pause", `
			await pausedAfter(1);
			await upload(noise(), options);`,
			seen{2, 2, []string{sum}}},
		{"with parts that have arrived before they were summed, which are read again", `
			const slot = await pausedAfter(2);
			const { crc64, ...saved } = JSON.parse(localStorage[slot]);
			localStorage[slot] = JSON.stringify(saved);
			await upload(noise(), options);`,
			seen{2, 1, []string{sum}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
			if strings.Contains(c.program, "'none'") {
				page.AllowErrors() // of the policy
			}
			require.Equal(t, c.want, run[seen](page, noisy+c.program+`return seen;`))
		})
	}
}

func TestAPartThatIsSentAgainIsSummedOnce(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s3 := tap.Start(t, srv.Endpoint)
	var lost atomic.Int32
	s3.Disturb(func(r *http.Request) *tap.Fault {
		if tap.PartOf(r) == 2 && lost.Add(1) == 1 {
			return &tap.Fault{After: true, Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		}
		return nil
	})
	page := browser.Open(t, quickstart.StartWith(t, srv, "-endpoint", s3.URL).URL)
	sum := noiseSum()
	got := run[seen](page, noisy+`await upload(noise(), options); return seen;`)
	require.Equal(t, []string{sum}, got.Sums)
	require.Equal(t, 4, got.Sent)
}

func TestTheSumIsKeptForAnUploadThatOnlyNeedsCompletion(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.StartWith(t, s3test.Start(t)).URL)
	sum := noiseSum()
	got := run[seen](page, noisy+`
		const stop = new AbortController();
		const { fetch } = window;
		window.fetch = (url, init) => url.endsWith("/complete") ? (stop.abort(PAUSE), Promise.reject(new TypeError())) : fetch(url, init);
		await failure(upload(noise(), { ...options, signal: stop.signal }));
		window.fetch = fetch;
		await upload((await unfinished(options))[0], options);
		return seen;`)
	require.Equal(t, []string{sum}, got.Sums)
}

func TestChecksumsThatABucketDoesNotKeepAreLeftOut(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t, s3test.Like(postern.SeaweedFS))
	page := browser.Open(t, quickstart.StartWith(t, srv, "-provider", string(postern.SeaweedFS)).URL)
	page.AllowErrors() // the first request is refused
	got := run[seen](page, noisy+`await upload(noise(), { ...options, checksum: true }); return seen;`)
	require.Equal(t, []string{noiseSum()}, got.Sums)
	require.Equal(t, 3, got.Sent)
}

func TestAFileThatWasStoredOtherwiseIsRefused(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	require.Equal(t, "server checksum_mismatch 422 true 0", run[string](page, noisy+`
		const slot = await pausedAfter(2);
		const saved = JSON.parse(localStorage[slot]);
		saved.crc64.sum = String(BigInt(saved.crc64.sum) ^ 1n);
		localStorage[slot] = JSON.stringify(saved);
		const { from, code, status, ended } = await failure(upload(noise(), options));
		return [from, code, status, ended, (await unfinished(options)).length].join(" ");`))
	settles(t, srv, 0)
}

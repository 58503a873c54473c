package s3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

func big(size int) []byte {
	const period = 3 * 256 // of the bytes below
	b := make([]byte, size)
	for i := range min(period, size) {
		b[i] = byte(i * 7 / 3)
	}
	for n := period; n < size; n *= 2 { // byte by byte is slow under the race detector
		copy(b[n:], b[:n])
	}
	return b
}

func fileOf(content []byte) map[string]any {
	return map[string]any{"filename": "hello.bin", "size": len(content)}
}

func withSum(request map[string]any, content []byte) map[string]any {
	sum := sha256.Sum256(content)
	request["checksum"] = map[string]string{"sha256": base64.StdEncoding.EncodeToString(sum[:])}
	return request
}

// Every mode, with promotion and without, ends in the same kind of receipt.
func TestCompletionOfEveryMode(t *testing.T) {
	t.Parallel()
	large := big(12 << 20)
	for _, tc := range []struct {
		name    string
		mode    string
		content []byte
		sum     bool
		opts    []postern.HandlerOption
	}{
		{"a form with promotion", "post", content, false, []postern.HandlerOption{postern.WithPromotion("staging/")}},
		{"a form with promotion and a checksum", "post", content, true, []postern.HandlerOption{postern.WithPromotion("staging/")}},
		{"a form with a checksum", "post", content, true, []postern.HandlerOption{postern.WithMode(postern.ModePost)}},
		{"a PUT", "put", content, false, nil},
		{"a PUT with a checksum", "put", content, true, nil},
		{"a PUT with promotion", "put", content, false, []postern.HandlerOption{postern.WithPromotion("staging/"), postern.WithMode(postern.ModePut)}},
		{"an empty file with promotion", "post", nil, false, []postern.HandlerOption{postern.WithPromotion("staging/"), postern.WithSizeLimit(0, 1<<20)}},
		{"an empty file by PUT", "put", nil, false, []postern.HandlerOption{postern.WithSizeLimit(0, 1<<20)}},
		{"parts", "multipart", large, false, []postern.HandlerOption{postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6 << 20)}},
		{"parts with promotion", "multipart", large, false, []postern.HandlerOption{postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6 << 20), postern.WithPromotion("staging/")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := foreign.Embedded(t)
			got := &receipts{}
			h := newReplica(t, twoIdentities(t, srv, ""), append([]postern.HandlerOption{
				postern.WithOnComplete(got.hook),
				postern.WithSniffing(),
				postern.WithClientMetadata("caption"),
				postern.WithAttributes(postern.Attributes{
					CacheControl: "max-age=60", Tags: map[string]string{"by": "a b+c"}, Metadata: map[string]string{"origin": "web"}}),
			}, tc.opts...)...)
			request := fileOf(tc.content)
			request["metadata"] = map[string]string{"caption": "a picture", "other": "x"}
			if tc.sum {
				request = withSum(request, tc.content)
			}
			g := ask(t, h, request)
			require.Equal(t, tc.mode, g.Mode)
			require.True(t, g.Complete)
			require.Less(t, len(g.Ticket), 1000)

			missing := "object_missing"
			if tc.mode == "multipart" {
				missing = "parts_missing"
			}
			require.Equal(t, missing, call(t, h, "complete", ticketOf(g)).code(t))
			require.Zero(t, got.count())

			a := upload(t, h, g, tc.content)
			require.Less(t, a.Status, 300, a.Body)
			first := complete(t, h, g.Ticket)
			require.Equal(t, g.Key, first.Key)
			require.Equal(t, g.Location, first.Location)
			require.Equal(t, "hello.bin", first.Filename)
			require.EqualValues(t, len(tc.content), first.Size)
			require.Equal(t, map[string]string{"caption": "a picture"}, first.Metadata)
			require.Equal(t, "ada", first.Subject)
			require.Equal(t, "acme", first.Tenant)
			if tc.sum {
				sum := sha256.Sum256(tc.content)
				require.Equal(t, hex.EncodeToString(sum[:]), first.SHA256)
			}

			out, stored := object(t, srv, first.Key)
			require.True(t, bytes.Equal(tc.content, stored))
			require.Equal(t, "application/octet-stream", aws.ToString(out.ContentType))
			require.Equal(t, `attachment; filename="hello.bin"`, aws.ToString(out.ContentDisposition))
			require.Equal(t, "max-age=60", aws.ToString(out.CacheControl))
			require.Equal(t, "web", out.Metadata["origin"])
			require.Equal(t, first.ID, out.Metadata["postern-id"])
			require.EqualValues(t, 1, aws.ToInt32(out.TagCount))
			require.Equal(t, []string{first.Key}, keys(t, srv), "nothing is left in staging")
			require.Zero(t, unfinished(t, srv))

			complete(t, h, g.Ticket).same(t, first)
			require.Equal(t, 2, got.count(), "the hook is called at least once")
			require.Equal(t, got.all[0].ID, got.all[1].ID)
		})
	}
}

func TestThreeReplicasShareOnlyTheKeys(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	replica := func() *postern.Handler {
		return newReplica(t, bucket, postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6<<20), postern.WithPartSize(5<<20))
	}
	content := big(11 << 20)
	g := ask(t, replica(), fileOf(content))
	require.Equal(t, 3, g.Parts)
	upload(t, replica(), g, content)

	var list struct {
		Parts []struct {
			Number, Size int
			ETag         string
		}
	}
	call(t, replica(), "list", map[string]any{"ticket": g.Ticket}).into(t, &list)
	require.Len(t, list.Parts, 3)
	require.Equal(t, 1<<20, list.Parts[2].Size)
	a := call(t, replica(), "complete", map[string]any{"ticket": g.Ticket, "parts": list.Parts})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	_, stored := object(t, srv, g.Key)
	require.True(t, bytes.Equal(content, stored))
}

func TestPartsAreAsLargeAsTheLineIsFast(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	following := newReplica(t, bucket, postern.WithSizeLimit(1, 5<<40))
	fixed := newReplica(t, bucket, postern.WithSizeLimit(1, 5<<40), postern.WithPartSize(6<<20))
	size := func(h *postern.Handler, file int64, rate any) int64 {
		request := map[string]any{"filename": "a.bin", "size": file}
		if rate != nil {
			request["rate"] = rate
		}
		g := ask(t, h, request)
		require.EqualValues(t, (file+g.PartSize-1)/g.PartSize, g.Parts)
		return g.PartSize
	}
	const large = 1 << 30
	require.EqualValues(t, 8<<20, size(following, large, nil), "while nothing is known")
	for rate, want := range map[int64]int64{
		-1: 8 << 20, 0: 8 << 20, 1: 5 << 20, 125_000: 5 << 20, 12_500_000: 7 << 20, 25_000_000: 15 << 20, 125_000_000: 32 << 20, math.MaxInt64: 32 << 20,
	} {
		require.Equal(t, want, size(following, large, rate), rate)
		require.EqualValues(t, 6<<20, size(fixed, large, rate), "it was chosen")
		require.EqualValues(t, 525<<20, size(following, 5<<40, rate), "S3 has no more than 10,000 parts")
	}
	a := call(t, following, "sign", map[string]any{"filename": "a.bin", "size": large, "rate": "fast"})
	require.Equal(t, http.StatusBadRequest, a.Status)
}

func TestAGrantHasTheURLsOfTheFirstParts(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithSizeLimit(1, 1<<30), postern.WithPartSize(5<<20), postern.WithMultipartThreshold(5<<20))
	type first struct {
		Parts *struct {
			URLs      map[int]string
			ExpiresIn int `json:"expires_in"`
		} `json:"first_parts"`
	}
	of := func(request map[string]any) (g grant, f first) {
		a := call(t, h, "sign", request)
		require.Equal(t, http.StatusCreated, a.Status, "%s", a.Body)
		a.into(t, &g)
		a.into(t, &f)
		return g, f
	}
	content := big(11 << 20)
	g, f := of(fileOf(content))
	require.Len(t, f.Parts.URLs, 3)
	require.Equal(t, 300, f.Parts.ExpiresIn, "they live as those of parts that are asked for")
	for n, url := range f.Parts.URLs {
		from := (n - 1) * 5 << 20
		part := content[from:min(from+5<<20, len(content))]
		require.Equal(t, http.StatusForbidden, do(t, "PUT", url, bytes.NewReader(part[:1]), nil).Status, "the size is exact")
		require.Equal(t, http.StatusOK, do(t, "PUT", url, bytes.NewReader(part), nil).Status)
	}
	complete(t, h, g.Ticket)
	_, stored := object(t, srv, g.Key)
	require.True(t, bytes.Equal(content, stored))

	_, f = of(fileOf(big(40 << 20)))
	require.Len(t, f.Parts.URLs, 6)
	summed := fileOf(content)
	summed["checksum"] = map[string]string{"parts": "sha256"}
	_, f = of(summed)
	require.Nil(t, f.Parts, "nobody knows their checksums yet")
	_, f = of(fileOf([]byte("small")))
	require.Nil(t, f.Parts)
}

func TestPartChecksumsAreEnforced(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6<<20))
	content := big(9 << 20)
	request := fileOf(content)
	require.Equal(t, "checksum_unsupported", call(t, h, "sign", withSum(fileOf(content), content)).code(t))
	request["checksum"] = map[string]string{"parts": "sha256"}
	g := ask(t, h, request)
	require.Equal(t, "checksum_invalid", call(t, h, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{1}}).code(t))

	send := func(n int, declared, sent []byte) s3Answer {
		sum := sha256.Sum256(declared)
		text := base64.StdEncoding.EncodeToString(sum[:])
		name := string(rune('0' + n))
		a := call(t, h, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{n}, "checksums": map[string]string{name: text}})
		var parts struct{ URLs map[string]string }
		a.into(t, &parts)
		return do(t, "PUT", parts.URLs[name], bytes.NewReader(sent), http.Header{"X-Amz-Checksum-Sha256": {text}})
	}
	first, second := content[:8<<20], content[8<<20:]
	require.Equal(t, "BadDigest", send(1, first, append([]byte{^first[0]}, first[1:]...)).Code)
	require.Equal(t, http.StatusOK, send(1, first, first).Status)
	require.Equal(t, http.StatusOK, send(2, second, second).Status)
	complete(t, h, g.Ticket)
	_, stored := object(t, srv, g.Key)
	require.True(t, bytes.Equal(content, stored))
}

func TestAbortLeavesNothing(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6<<20), postern.WithPromotion("staging/"))
	content := big(9 << 20)
	g := ask(t, h, fileOf(content))
	require.Equal(t, http.StatusOK, putPart(t, h, g, 1, content).Status)
	require.Equal(t, 1, unfinished(t, srv))
	for range 2 {
		a := call(t, h, "abort", map[string]any{"ticket": g.Ticket})
		require.Equal(t, http.StatusNoContent, a.Status, "%s", a.Body)
		require.Empty(t, a.Body)
	}
	require.Zero(t, unfinished(t, srv))
	require.Equal(t, "upload_gone", call(t, h, "list", map[string]any{"ticket": g.Ticket}).code(t))
	require.Equal(t, "object_missing", call(t, h, "complete", map[string]any{"ticket": g.Ticket}).code(t))

	small := ask(t, h, fileOf(content[:5]))
	require.Equal(t, http.StatusCreated, upload(t, h, small, content[:5]).Status)
	require.Equal(t, http.StatusNoContent, call(t, h, "abort", map[string]any{"ticket": small.Ticket}).Status)
	require.Empty(t, keys(t, srv))
}

func TestAbortDoesNotTouchACompletedUpload(t *testing.T) {
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithPromotion("staging/"))
	g := ask(t, h, fileOf(content))
	upload(t, h, g, content)
	r := complete(t, h, g.Ticket)
	require.Equal(t, http.StatusNoContent, call(t, h, "abort", map[string]any{"ticket": g.Ticket}).Status)
	require.Equal(t, []string{r.Key}, keys(t, srv))
}

func TestHookThatFailsMayBeTriedAgain(t *testing.T) {
	srv := foreign.Embedded(t)
	got := &receipts{fail: errors.New("database is down: password=hunter2")}
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithPromotion("staging/"), postern.WithOnComplete(got.hook))
	g := ask(t, h, fileOf(content))
	upload(t, h, g, content)
	a := call(t, h, "complete", map[string]any{"ticket": g.Ticket})
	require.Equal(t, http.StatusServiceUnavailable, a.Status)
	require.Equal(t, "completion_failed", a.code(t))
	require.NotEmpty(t, a.Header.Get("Retry-After"))
	require.NotContains(t, string(a.Body), "hunter2")
	got.fail = nil
	r := complete(t, h, g.Ticket)
	require.True(t, r.Replayed)
	require.Equal(t, []string{r.Key}, keys(t, srv))
}

func TestCompletionsInParallelGiveOneReceipt(t *testing.T) {
	srv := foreign.Embedded(t)
	got := &receipts{}
	bucket := twoIdentities(t, srv, "")
	var replicas [3]*postern.Handler
	for n := range replicas {
		replicas[n] = newReplica(t, bucket, postern.WithPromotion("staging/"), postern.WithOnComplete(got.hook))
	}
	g := ask(t, replicas[0], fileOf(content))
	upload(t, replicas[0], g, content)
	var wg sync.WaitGroup
	all := make([]receipt, 12)
	for n := range all {
		wg.Go(func() {
			if n%4 == 0 { // a replay of the grant, in between
				upload(t, replicas[0], g, content)
			}
			all[n] = complete(t, replicas[n%3], g.Ticket)
		})
	}
	wg.Wait()
	for _, r := range all {
		r.same(t, all[0])
	}
	require.Zero(t, unfinished(t, srv))
	var final []string
	for _, key := range keys(t, srv) {
		if !strings.HasPrefix(key, "staging/") { // a late replay stays there for the lifecycle rule
			final = append(final, key)
		}
	}
	require.Equal(t, []string{all[0].Key}, final)
}

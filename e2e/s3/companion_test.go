package s3_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/companion"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

const chunk = 5 << 20

// newCompanion speaks Uppy's protocol for a bucket of two identities, and files of up
// to 100 MiB.
func newCompanion(t testing.TB, srv *foreign.Server, opts ...postern.HandlerOption) (http.Handler, *postern.Handler) {
	return newCompanionUpTo(t, srv, 100<<20, opts...)
}

func newCompanionUpTo(t testing.TB, srv *foreign.Server, maxSize int64, opts ...postern.HandlerOption) (http.Handler, *postern.Handler) {
	h := newReplica(t, twoIdentities(t, srv, ""), append([]postern.HandlerOption{postern.WithSizeLimit(1, maxSize)}, opts...)...)
	c, err := companion.New(h)
	require.NoError(t, err)
	return c, h
}

// uppy asks as Uppy does, below /uppy/s3.
func uppy(t testing.TB, h http.Handler, method, path string, request any, header ...string) answer {
	return serve(t, h, method, "http://app.example.com/uppy/s3"+path, request, header...)
}

// upload is what Uppy knows of a multipart upload.
type uppyUpload struct{ Key, UploadID, Bucket string }

func create(t testing.TB, h http.Handler, metadata map[string]any, header ...string) uppyUpload {
	a := uppy(t, h, "POST", "/multipart", map[string]any{"filename": "film.bin", "type": "application/octet-stream", "metadata": metadata}, header...)
	require.Equal(t, http.StatusCreated, a.Status, "%s", a.Body)
	var u uppyUpload
	a.into(t, &u)
	return u
}

// at is the address of a call about the upload.
func (u uppyUpload) at(end string, query ...string) string {
	values := url.Values{"key": {u.Key}}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	return "/multipart/" + url.PathEscape(u.UploadID) + end + "?" + values.Encode()
}

type uppyPart struct {
	PartNumber int
	Size       int64 `json:",omitempty"`
	ETag       string
}

// put uploads a part of the content.
func (u uppyUpload) put(t testing.TB, h http.Handler, n int, content []byte) uppyPart {
	a := uppy(t, h, "GET", u.at(fmt.Sprint("/", n)), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var signed struct {
		URL     string
		Expires int
	}
	a.into(t, &signed)
	require.Equal(t, 300, signed.Expires)
	first := (n - 1) * chunk
	stored := do(t, "PUT", signed.URL, bytes.NewReader(content[first:min(first+chunk, len(content))]), nil)
	require.Equal(t, http.StatusOK, stored.Status, stored.Body)
	return uppyPart{PartNumber: n, ETag: strings.Trim(stored.Header.Get("ETag"), `"`)} // as 6.x sends it
}

func (u uppyUpload) putAll(t testing.TB, h http.Handler, content []byte) (parts []uppyPart) {
	for n := 1; (n-1)*chunk < len(content); n++ {
		parts = append(parts, u.put(t, h, n, content))
	}
	return parts
}

func (u uppyUpload) list(t testing.TB, h http.Handler) (parts []uppyPart) {
	a := uppy(t, h, "GET", u.at(""), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	a.into(t, &parts)
	return parts
}

func (u uppyUpload) complete(t testing.TB, h http.Handler, parts []uppyPart) answer {
	return uppy(t, h, "POST", u.at("/complete"), map[string]any{"parts": parts})
}

func film(size int) []byte {
	return bytes.Repeat([]byte("0123456789abcdef"), (size+15)/16)[:size]
}

func TestUppyUploadsInParts(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]postern.HandlerOption{
		"without completion": postern.WithSniffing(),
		"with promotion":     postern.WithPromotion("staging/"),
		"with receipts":      postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }),
	} {
		for _, size := range []any{2*chunk + 17, fmt.Sprint(2*chunk + 17)} { // 6.x sends a number, 5.x text
			t.Run(fmt.Sprintf("%s %T", name, size), func(t *testing.T) {
				srv := foreign.Embedded(t)
				h, _ := newCompanion(t, srv, option)
				content := film(2*chunk + 17)

				u := create(t, h, map[string]any{"name": "film.bin", "size": size, "relativePath": nil})
				require.Equal(t, srv.Bucket, u.Bucket)
				require.Empty(t, u.list(t, h))
				parts := []uppyPart{u.put(t, h, 1, content), u.put(t, h, 2, content)}

				listed := u.list(t, h)
				require.Len(t, listed, 2)
				require.Equal(t, 2, listed[1].PartNumber)
				require.Equal(t, int64(chunk), listed[1].Size)
				require.Equal(t, parts[1].ETag, strings.Trim(listed[1].ETag, `"`))

				// Not all is there.
				early := u.complete(t, h, parts)
				require.Equal(t, 409, early.Status)
				require.Equal(t, "parts_missing", early.code(t))

				parts = append(parts, u.put(t, h, 3, content))
				done := u.complete(t, h, parts)
				require.Equal(t, 200, done.Status, "%s", done.Body)
				var r struct{ Location, Bucket, Key string }
				done.into(t, &r)
				require.Equal(t, u.Key, r.Key)
				require.Equal(t, srv.Bucket, r.Bucket)
				require.True(t, strings.HasSuffix(r.Location, "/"+r.Key), r.Location)

				_, stored := object(t, srv, u.Key)
				require.Equal(t, content, stored)
				require.Equal(t, []string{u.Key}, keys(t, srv), "nothing else is left")
				require.Zero(t, unfinished(t, srv))

				// An answer that was lost is given again.
				again := u.complete(t, h, parts)
				require.Equal(t, done.Body, again.Body)
			})
		}
	}
}

func TestUppyAsksForManyPartsAtOnce(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	h, _ := newCompanion(t, srv)
	content := film(3 * chunk)
	u := create(t, h, map[string]any{"size": len(content)})
	a := uppy(t, h, "GET", u.at("/batch", "partNumbers", "3,1,2,2"), nil)
	require.Equal(t, 200, a.Status, "%s", a.Body)
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	var batch struct{ PresignedURLs map[string]string }
	a.into(t, &batch)
	require.Len(t, batch.PresignedURLs, 3)
	for n, part := range []string{"1", "2", "3"} {
		stored := do(t, "PUT", batch.PresignedURLs[part], bytes.NewReader(content[n*chunk:(n+1)*chunk]), nil)
		require.Equal(t, 200, stored.Status, stored.Body)
	}
	require.Equal(t, 200, u.complete(t, h, nil).Status)
	_, stored := object(t, srv, u.Key)
	require.Equal(t, content, stored)
}

func TestUppyUploadsAForm(t *testing.T) {
	srv := foreign.Embedded(t)
	h, _ := newCompanion(t, srv)
	a := uppy(t, h, "GET", "/params?filename=note.txt&type=text/plain&metadata[size]=5", nil)
	require.Equal(t, 200, a.Status, "%s", a.Body)
	var form struct {
		URL    string
		Fields fields
	}
	a.into(t, &form)
	require.Equal(t, 400, postForm(t, form.URL, form.Fields, []byte("hello!")).Status, "a byte more than was said")
	require.Equal(t, 201, postForm(t, form.URL, form.Fields, []byte("hello")).Status)
	_, stored := object(t, srv, form.Fields.get("key"))
	require.Equal(t, "hello", string(stored))
}

func TestUppysTicketsReachNothingButTheirOwnUpload(t *testing.T) {
	srv := foreign.Embedded(t)
	h, native := newCompanion(t, srv, postern.WithPromotion("staging/"))
	content := film(chunk + 100)
	meta := map[string]any{"size": len(content)}
	mine, other := create(t, h, meta), create(t, h, meta)
	theirs := create(t, h, meta, "X-Principal", "eve/globex")
	colleagues := create(t, h, meta, "X-Principal", "bob/acme")
	parts := mine.putAll(t, h, content)

	calls := func(u uppyUpload) map[string]func(header ...string) answer {
		return map[string]func(header ...string) answer{
			"list": func(header ...string) answer { return uppy(t, h, "GET", u.at(""), nil, header...) },
			"part": func(header ...string) answer { return uppy(t, h, "GET", u.at("/1"), nil, header...) },
			"batch": func(header ...string) answer {
				return uppy(t, h, "GET", u.at("/batch", "partNumbers", "1"), nil, header...)
			},
			"complete": func(header ...string) answer {
				return uppy(t, h, "POST", u.at("/complete"), map[string]any{"parts": parts}, header...)
			},
			"abort": func(header ...string) answer { return uppy(t, h, "DELETE", u.at(""), nil, header...) },
		}
	}
	refused := func(status int, code string, a answer, what string) {
		require.Equal(t, status, a.Status, "%s: %s", what, a.Body)
		require.Equal(t, code, a.code(t), what)
		require.NotContains(t, string(a.Body), "X-Amz-Signature", what)
	}
	tampered := mine
	tampered.UploadID = mine.UploadID[:len(mine.UploadID)-1] + map[bool]string{true: "B", false: "A"}[strings.HasSuffix(mine.UploadID, "A")]
	for name, call := range calls(theirs) {
		refused(403, "ticket_foreign", call(), "the ticket of another tenant: "+name)
	}
	for name, call := range calls(colleagues) {
		refused(403, "ticket_foreign", call(), "the ticket of another user: "+name)
	}
	for name, call := range calls(uppyUpload{Key: other.Key, UploadID: mine.UploadID}) {
		refused(403, "ticket_foreign", call(), "the key of another upload: "+name)
	}
	for name, call := range calls(uppyUpload{Key: theirs.Key, UploadID: mine.UploadID}) {
		refused(403, "ticket_foreign", call(), "the key of another tenant: "+name)
	}
	for name, call := range calls(tampered) {
		refused(400, "ticket_invalid", call(), "a ticket that was changed: "+name)
	}
	for name, call := range calls(mine) {
		refused(403, "cross_origin", call("Sec-Fetch-Site", "cross-site"), "a page of another site: "+name)
		refused(403, "cross_origin", call("Origin", "https://evil.example"), "an old browser: "+name)
	}
	for _, n := range []string{"0", "3", "10000", "10001", "2147483647"} {
		refused(400, "parts_invalid", uppy(t, h, "GET", mine.at("/"+n), nil), "part "+n)
		refused(400, "parts_invalid", uppy(t, h, "GET", mine.at("/batch", "partNumbers", "1,"+n), nil), "part "+n)
	}
	// A part is as long as it is.
	var signed struct{ URL string }
	uppy(t, h, "GET", mine.at("/2"), nil).into(t, &signed)
	require.Equal(t, 403, do(t, "PUT", signed.URL, bytes.NewReader(content[:101]), nil).Status)
	// What Uppy says of the parts must be so.
	lie := []uppyPart{parts[0], {PartNumber: 2, ETag: parts[0].ETag}}
	refused(400, "parts_invalid", mine.complete(t, h, lie), "an ETag of another part")

	// The upload is as it was, and the native protocol opens it too.
	require.Equal(t, 200, call(t, native, "list", map[string]any{"ticket": mine.UploadID}).Status)
	require.Equal(t, 200, mine.complete(t, h, parts).Status)
	require.Equal(t, []string{mine.Key}, slices.DeleteFunc(keys(t, srv), func(key string) bool { return strings.HasPrefix(key, "staging/tickets/") }))
}

func TestUppyLeavesNothingWhenItCancels(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []postern.HandlerOption
		gone string
	}{
		{"without promotion", nil, "upload_gone"},
		{"with promotion", []postern.HandlerOption{postern.WithPromotion("staging/")}, "object_missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := foreign.Embedded(t)
			h, _ := newCompanion(t, srv, tc.opts...)
			content := film(2 * chunk)
			u := create(t, h, map[string]any{"size": len(content)})
			u.put(t, h, 1, content)
			a := uppy(t, h, "DELETE", u.at(""), nil)
			require.Equal(t, 200, a.Status, "%s", a.Body)
			require.JSONEq(t, `{}`, string(a.Body))
			require.Zero(t, unfinished(t, srv))
			require.Empty(t, keys(t, srv))
			require.Equal(t, 200, uppy(t, h, "DELETE", u.at(""), nil).Status, "again")
			done := u.complete(t, h, nil)
			require.Equal(t, 404, done.Status)
			require.Equal(t, tc.gone, done.code(t))
		})
	}
}

func TestUppyNeedsTheSizeUnlessPartsMayBeUnbounded(t *testing.T) {
	srv := foreign.Embedded(t)
	h, _ := newCompanionUpTo(t, srv, 2*chunk, postern.AllowUnboundedParts())

	u := create(t, h, nil)
	content := film(chunk + 1)
	parts := u.putAll(t, h, content)
	beyond := uppy(t, h, "GET", u.at("/3"), nil)
	require.Equal(t, "parts_invalid", beyond.code(t), "the number of parts is bounded all the same")
	require.Equal(t, 200, u.complete(t, h, parts).Status)
	_, stored := object(t, srv, u.Key)
	require.Equal(t, content, stored)

	large := create(t, h, nil)
	var signed struct{ URL string }
	for n := 1; n <= 2; n++ {
		uppy(t, h, "GET", large.at(fmt.Sprint("/", n)), nil).into(t, &signed)
		require.Equal(t, 200, do(t, "PUT", signed.URL, bytes.NewReader(film(chunk+1)), nil).Status)
	}
	done := large.complete(t, h, nil)
	require.Equal(t, 413, done.Status, "%s", done.Body)
	require.Equal(t, []string{u.Key}, keys(t, srv))
	require.Zero(t, unfinished(t, srv), "it is given up")
}

func TestUppysPartsGrowWithTheFile(t *testing.T) {
	srv := foreign.Embedded(t)
	h, _ := newCompanionUpTo(t, srv, 5<<40)
	const size = 60<<30 + 1 // above 10,000 parts of 5 MiB
	u := create(t, h, map[string]any{"size": size})
	for n, status := range map[int]int{1: 200, 10_000: 200, 10_001: 400} {
		require.Equal(t, status, uppy(t, h, "GET", u.at(fmt.Sprint("/", n)), nil).Status, n)
	}
	all := strings.TrimSuffix(strings.Repeat("1,2,3,4,5,6,7,8,9,10,", 1000), ",")
	require.Equal(t, 200, uppy(t, h, "GET", u.at("/batch", "partNumbers", all), nil).Status)
	require.Equal(t, 400, uppy(t, h, "GET", u.at("/batch", "partNumbers", all+",1"), nil).Status)
	require.Equal(t, 200, uppy(t, h, "DELETE", u.at(""), nil).Status)
}

// Uppy lists the parts before it tries again. They are gone by then if the upload
// was put together before something failed.
func TestUppyRetriesACompletionThatFailed(t *testing.T) {
	for name, opts := range map[string][]postern.HandlerOption{"": nil, "with promotion": {postern.WithPromotion("staging/")}} {
		t.Run(name, func(t *testing.T) {
			srv := foreign.Embedded(t)
			got := &receipts{fail: errors.New("the database is down")}
			h, _ := newCompanion(t, srv, append(opts, postern.WithOnComplete(got.hook))...)
			content := film(chunk + 17)
			u := create(t, h, map[string]any{"size": len(content)})
			parts := u.putAll(t, h, content)
			failed := u.complete(t, h, parts)
			require.Equal(t, 503, failed.Status)
			require.Equal(t, "completion_failed", failed.code(t))

			got.fail = nil
			again := u.list(t, h)
			require.Equal(t, []uppyPart{{1, chunk, `"assembled"`}, {2, 17, `"assembled"`}}, again)
			done := u.complete(t, h, again)
			require.Equal(t, 200, done.Status, "%s", done.Body)
			_, stored := object(t, srv, u.Key)
			require.Equal(t, content, stored)
			require.Equal(t, 2, got.count())
		})
	}
}

func TestUppyWaitsForALongCompletion(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{"succeeds": nil, "fails": errors.New("the database is down")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t)
			h, _ := newCompanion(t, srv, postern.WithOnComplete(func(context.Context, *postern.Receipt) error {
				time.Sleep(21 * time.Second) // a request waits for 20 s in silence
				return result
			}))
			front := httptest.NewServer(h)
			t.Cleanup(front.Close)
			u := create(t, h, map[string]any{"size": 100})
			u.putAll(t, h, film(100))

			res, err := http.Post(front.URL+"/s3"+u.at("/complete"), "application/json", strings.NewReader(`{"parts":[]}`))
			require.NoError(t, err)
			defer res.Body.Close()
			body := bufio.NewReader(res.Body)
			first, err := body.ReadByte()
			require.NoError(t, err)
			require.Equal(t, byte('\n'), first, "the answer begins before there is one")
			rest, err := io.ReadAll(body)
			if result != nil {
				require.Error(t, err, "Uppy must not take it for a success")
				require.Empty(t, rest)
				return
			}
			require.NoError(t, err)
			var r struct{ Key string }
			require.NoError(t, json.Unmarshal(rest, &r))
			require.Equal(t, u.Key, r.Key)
		})
	}
}

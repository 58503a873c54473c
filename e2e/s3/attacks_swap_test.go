package s3_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// twins are two files of the same MD5, and so of the same ETag (Wang, Yu: "How to
// Break MD5 and Other Hash Functions", 2005).
func twins(t testing.TB) (a, b []byte) {
	a, err := hex.DecodeString("d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89" +
		"55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b" +
		"d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0" +
		"e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70")
	require.NoError(t, err)
	b = bytes.Clone(a)
	for _, i := range []int{19, 45, 59, 83, 109, 123} {
		b[i] ^= 0x80
	}
	return a, b
}

// putObject writes an object with rights that no browser has, with the attributes
// that it has now, changed.
func (s *site) putObject(t testing.TB, key string, body []byte, change func(in *s3.PutObjectInput)) {
	client := s.srv.Client()
	in := &s3.PutObjectInput{Bucket: &s.srv.Bucket, Key: &key, Body: bytes.NewReader(body)}
	if out, err := client.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &s.srv.Bucket, Key: &key}); err == nil {
		in.Metadata, in.ContentType, in.ContentDisposition = out.Metadata, out.ContentType, out.ContentDisposition
	}
	if change != nil {
		change(in)
	}
	// The test server's objects inherit the attributes of what they replace.
	_, err := client.DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &s.srv.Bucket, Key: &key})
	require.NoError(t, err)
	_, err = client.PutObject(context.Background(), in)
	require.NoError(t, err)
}

func TestSwapUnderAnEqualETagIsSeenInTheReceipt(t *testing.T) {
	first, second := twins(t)
	require.NotEqual(t, first, second)
	require.Equal(t, md5.Sum(first), md5.Sum(second))

	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	g := ask(t, s, fileOf(first))
	upload(t, s, g, first)
	s.proxy.before("UploadPartCopy final", func() { upload(t, s, g, second) })
	r := complete(t, s, g.Ticket)
	s.isRight(t, r, second) // what was frozen, and nothing that was there before
	require.Equal(t, 1, s.proxy.count("UploadPartCopy final"), "S3 did not notice")
	upload(t, s, g, first)
	complete(t, s, g.Ticket).same(t, r)
	s.isRight(t, r, second)
}

func TestSwapUnderAnEqualETagAgainstASignedChecksum(t *testing.T) {
	first, second := twins(t)
	srv := foreign.Embedded(t)
	for _, swapped := range []bool{false, true} {
		s := newSite(t, srv, true)
		g := ask(t, s, withSum(fileOf(first), first))
		require.Equal(t, http.StatusCreated, upload(t, s, g, first).Status)
		a := upload(t, s, g, second)
		require.Equal(t, "BadDigest", a.Code, a.Body)
		if !swapped {
			s.isRight(t, complete(t, s, g.Ticket), first)
			continue
		}
		// As if S3 did not check sums.
		s.proxy.before("UploadPartCopy final", func() { s.putObject(t, s.stagingKey(t), second, nil) })
		require.Equal(t, "checksum_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
		require.Empty(t, s.keys(t))
		require.Zero(t, s.got.count())
	}
}

// The moments at which a replayed grant may swap a picture for a page of the same
// length. A receipt is of a picture that is there, or there is none.
func TestSwapAtAnyMomentNeverEarnsAReceipt(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	page := htmlFile(len(pngFile()))
	for _, moment := range []string{
		"HeadObject final", "HeadObject staging", "CreateMultipartUpload final", "UploadPartCopy final",
		"CompleteMultipartUpload final", "GetObject final", "DeleteObject staging",
	} {
		for _, backwards := range []bool{false, true} {
			name := moment
			good, bad := pngFile(), page
			if backwards {
				name, good, bad = moment+", backwards", page, pngFile()
			}
			t.Run(name, func(t *testing.T) {
				s := newSite(t, srv, true, postern.WithSniffing())
				g := ask(t, s, picture())
				upload(t, s, g, good)
				s.proxy.before(moment, func() { upload(t, s, g, bad) })
				a := call(t, s, "complete", ticketOf(g))
				if a.Status == http.StatusOK {
					var r receipt
					a.into(t, &r)
					s.isRight(t, r, pngFile())
					upload(t, s, g, page)
					s.isRight(t, complete(t, s, g.Ticket), pngFile())
					return
				}
				require.Equal(t, "content_mismatch", a.code(t))
				require.Contains(t, string(a.Body), "text/html")
				require.Empty(t, s.keys(t), "nothing is stored")
				require.Zero(t, s.got.count())
				require.Zero(t, s.unfinished(t))
			})
		}
	}
}

func TestSwapBetweenLookAndCopyIsRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, postern.WithSniffing())
	g := ask(t, s, picture())
	upload(t, s, g, pngFile())
	s.proxy.before("UploadPartCopy final", func() { upload(t, s, g, htmlFile(len(pngFile()))) })
	require.Equal(t, "content_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
	require.Equal(t, 2, s.proxy.count("UploadPartCopy final"), "the first was refused by its condition")
	require.Empty(t, s.keys(t))
	require.Zero(t, s.got.count())
}

func TestObjectThatChangesAllTheTimeIsNotFrozen(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true)
	g := ask(t, s, fileOf(content))
	upload(t, s, g, content)
	n := byte(0)
	s.proxy.on("UploadPartCopy final", func(x *exchange) {
		n++
		upload(t, s, g, append(content[:len(content)-1:len(content)-1], n))
		x.pass()
	})
	comesBack(t, call(t, s, "complete", ticketOf(g)), http.StatusConflict, "object_changed")
	require.Equal(t, 3, s.proxy.count("UploadPartCopy final"))
	require.Zero(t, s.unfinished(t))
	require.Zero(t, s.got.count())
}

// Giving an upload up while it is frozen takes the staging object away; what was
// frozen and refused must not stay for that.
func TestAbortDuringVerificationDoesNotKeepWhatWasRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, postern.WithSniffing())
	g := ask(t, s, picture())
	upload(t, s, g, htmlFile(len(pngFile())))
	s.proxy.before("GetObject final", func() {
		require.Equal(t, http.StatusNoContent, call(t, s, "abort", ticketOf(g)).Status)
	})
	require.Equal(t, "content_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
	require.Empty(t, s.keys(t), "the page is deleted")
	require.Zero(t, s.got.count())
}

// A replica that is slow to refuse a page must not delete the picture that took its
// place and has a receipt.
func TestLateRefusalDoesNotDeleteWhatHasAReceipt(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, late := range []string{"GetObject final", "DeleteObject final"} {
		t.Run(late, func(t *testing.T) {
			s := newSite(t, srv, true, postern.WithSniffing())
			other := s.replica(t, postern.WithSniffing())
			g := ask(t, s, picture())
			upload(t, s, g, htmlFile(len(pngFile())))
			var r receipt
			s.proxy.before(late, func() {
				require.Equal(t, "content_mismatch", call(t, other, "complete", ticketOf(g)).code(t))
				upload(t, s, g, pngFile())
				r = complete(t, other, g.Ticket)
			})
			comesBack(t, call(t, s, "complete", ticketOf(g)), http.StatusConflict, "object_changed")
			s.isRight(t, r, pngFile())
			complete(t, s, g.Ticket).same(t, r)
		})
	}
}

// Replicas complete one upload at the same time, while its grant is replayed with
// pictures and pages. There is one picture in the end, or nothing.
func TestParallelCompletionsAmongSwapsAgree(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for range 6 {
		s := newSite(t, srv, true, postern.WithSniffing())
		replicas := []http.Handler{s, s.replica(t, postern.WithSniffing()), s.replica(t, postern.WithSniffing())}
		g := ask(t, s, picture())
		upload(t, s, g, pngFile())
		var wg sync.WaitGroup
		answers := make([]answer, 9)
		for n := range answers {
			wg.Go(func() {
				if n%3 == 1 {
					upload(t, s, g, htmlFile(len(pngFile())))
				} else if n%3 == 2 {
					upload(t, s, g, pngFile())
				}
				answers[n] = call(t, replicas[n%len(replicas)], "complete", ticketOf(g))
			})
		}
		wg.Wait()
		var first *receipt
		for _, a := range answers {
			if a.Status != http.StatusOK {
				// The test server stores the metadata of an object beside it, so that for
				// a moment an object that is replaced has none: a conflict.
				require.Contains(t, []string{"content_mismatch", "object_changed", "object_missing", "object_conflict"}, a.code(t))
				continue
			}
			var r receipt
			a.into(t, &r)
			if first == nil {
				first = &r
			}
			r.same(t, *first)
		}
		for _, key := range s.keys(t) {
			if strings.HasPrefix(key, s.final) {
				_, stored := object(t, srv, key)
				require.Equal(t, pngFile(), stored, "no page is at a final key")
			}
		}
		if first != nil {
			s.isRight(t, *first, pngFile())
		}
		require.Zero(t, s.unfinished(t))
	}
}

// What the handler is granted by its own rights does not count as an upload
// unless it is what was granted.
func TestObjectOfAnotherMakingIsRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	t.Run("a staging object without the id", func(t *testing.T) {
		for _, id := range []string{"", strings.Repeat("0", 32)} {
			s := newSite(t, srv, true)
			g := ask(t, s, fileOf(content))
			upload(t, s, g, content)
			key := s.stagingKey(t)
			s.putObject(t, key, content, func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"postern-id": id} })
			require.Equal(t, "object_conflict", call(t, s, "complete", ticketOf(g)).code(t))
			require.Equal(t, []string{key}, s.keys(t))
			require.Zero(t, s.got.count())
		}
	})
	for _, tc := range []struct {
		name   string
		body   []byte
		change func(in *s3.PutObjectInput)
		code   string
		stays  bool
	}{
		{"another id", content, func(in *s3.PutObjectInput) { in.Metadata["postern-id"] = strings.Repeat("0", 32) }, "object_conflict", true},
		{"no id", content, func(in *s3.PutObjectInput) { in.Metadata = nil }, "object_conflict", true},
		{"another size", content[1:], nil, "size_mismatch", false},
		{"another type", content, func(in *s3.PutObjectInput) { in.ContentType = aws.String("text/html") }, "type_mismatch", false},
		{"a type that browsers read otherwise", content, func(in *s3.PutObjectInput) {
			in.ContentType = aws.String("application/octet-stream; foo=bar, text/html")
		}, "type_mismatch", false},
		{"another disposition", content, func(in *s3.PutObjectInput) { in.ContentDisposition = aws.String("inline") }, "attributes_mismatch", false},
		{"more metadata", content, func(in *s3.PutObjectInput) { in.Metadata["role"] = "admin" }, "attributes_mismatch", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, srv, false)
			g := ask(t, s, fileOf(content))
			require.Equal(t, http.StatusOK, upload(t, s, g, content).Status)
			s.putObject(t, g.Key, tc.body, tc.change)
			require.Equal(t, tc.code, call(t, s, "complete", ticketOf(g)).code(t))
			require.Equal(t, tc.stays, len(s.keys(t)) == 1)
			require.Zero(t, s.got.count())
		})
	}
}

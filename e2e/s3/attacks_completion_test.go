package s3_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

func TestReplayAfterTheReceiptChangesNothing(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	other := bytes.ToUpper(content)
	for name, s := range map[string]*site{
		"a form with promotion": newSite(t, srv, true),
		"a PUT with promotion":  newSite(t, srv, true, postern.WithMode(postern.ModePut)),
		"a PUT":                 newSite(t, srv, false),
	} {
		t.Run(name, func(t *testing.T) {
			g := ask(t, s, fileOf(content))
			upload(t, s, g, content)
			r := complete(t, s, g.Ticket)
			upload(t, s, g, other)
			s.isRight(t, r, content)
			complete(t, s, g.Ticket).same(t, r)
			s.isRight(t, r, content)
		})
	}
	t.Run("parts", func(t *testing.T) {
		for _, promotion := range []bool{false, true} {
			s := newSite(t, srv, promotion, inParts...)
			large := big(5<<20 + 1)
			g := ask(t, s, fileOf(large))
			upload(t, s, g, large)
			last := partURL(t, s, g, 2)
			r := complete(t, s, g.Ticket)
			a := do(t, "PUT", last, bytes.NewReader([]byte{^large[5<<20]}), nil)
			require.Equal(t, "NoSuchUpload", a.Code, a.Body)
			complete(t, s, g.Ticket).same(t, r)
			s.isRight(t, r, large)
		}
	})
}

// uploadID is the id that a part's URL carries.
func uploadID(t testing.TB, h http.Handler, g grant) (key, id string) {
	u, err := url.Parse(partURL(t, h, g, 1))
	require.NoError(t, err)
	_, key, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return key, u.Query().Get("uploadId")
}

func TestOnlyTheWholeUploadIsCompleted(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, inParts...)
	large := big(5<<20 + 7)
	claim := func(t *testing.T, g grant, parts ...map[string]any) answer {
		return call(t, s, "complete", map[string]any{"ticket": g.Ticket, "parts": parts})
	}
	part := func(n int, etag string) map[string]any { return map[string]any{"number": n, "etag": etag} }

	t.Run("parts that were never uploaded", func(t *testing.T) {
		g := ask(t, s, fileOf(large))
		require.Equal(t, "parts_missing", claim(t, g, part(1, `"a"`), part(2, `"b"`)).code(t))
	})
	t.Run("a part is missing", func(t *testing.T) {
		for n := 1; n <= 2; n++ {
			g := ask(t, s, fileOf(large))
			a := putPart(t, s, g, n, large)
			require.Equal(t, "parts_missing", claim(t, g, part(n, a.Header.Get("ETag"))).code(t))
			require.Equal(t, "parts_missing", claim(t, g).code(t))
		}
	})
	t.Run("claims that are not true", func(t *testing.T) {
		g := ask(t, s, fileOf(large))
		one, two := putPart(t, s, g, 1, large).Header.Get("ETag"), putPart(t, s, g, 2, large).Header.Get("ETag")
		for _, parts := range [][]map[string]any{
			{part(1, two), part(2, one)}, {part(1, one), part(2, "")}, {part(1, one), part(2, `"0"`)},
			{part(0, one)}, {part(-1, one)}, {part(3, one)}, {part(1, one), part(2, two), part(3, two)},
		} {
			require.Equal(t, "parts_invalid", claim(t, g, parts...).code(t), "%v", parts)
		}
		many := make([]map[string]any, 10_001)
		for n := range many {
			many[n] = part(1, one)
		}
		require.Equal(t, "parts_invalid", claim(t, g, many...).code(t))
		require.Equal(t, "body_too_large", claim(t, g, part(1, strings.Repeat("x", 1<<20))).code(t))
		require.Equal(t, "malformed_request", claim(t, g, map[string]any{"number": 1 << 40, "etag": one}).code(t))
		require.Zero(t, s.got.count())
		require.Equal(t, http.StatusOK, claim(t, g, part(1, strings.Trim(one, `"`)), part(2, two)).Status, "quotes or not")
	})
	t.Run("a part of another size", func(t *testing.T) {
		g := ask(t, s, fileOf(large))
		putPart(t, s, g, 1, large)
		key, id := uploadID(t, s, g)
		_, err := srv.Client().UploadPart(context.Background(), &s3.UploadPartInput{
			Bucket: &srv.Bucket, Key: &key, UploadId: &id, PartNumber: aws.Int32(2), Body: bytes.NewReader(large[:6]),
		})
		require.NoError(t, err)
		require.Equal(t, "parts_invalid", claim(t, g).code(t))
	})
	t.Run("a part too many", func(t *testing.T) {
		g := ask(t, s, fileOf(large))
		upload(t, s, g, large)
		key, id := uploadID(t, s, g)
		_, err := srv.Client().UploadPart(context.Background(), &s3.UploadPartInput{
			Bucket: &srv.Bucket, Key: &key, UploadId: &id, PartNumber: aws.Int32(3), Body: bytes.NewReader(large[:6]),
		})
		require.NoError(t, err)
		require.Equal(t, "parts_invalid", claim(t, g).code(t))
	})
	t.Run("a part replaced while it is completed", func(t *testing.T) {
		g := ask(t, s, fileOf(large))
		upload(t, s, g, large)
		changed := bytes.Clone(large)
		changed[len(changed)-1] ^= 1
		s.proxy.before("CompleteMultipartUpload staging", func() { putPart(t, s, g, 2, changed) })
		require.Equal(t, "parts_invalid", claim(t, g).code(t))
		s.isRight(t, complete(t, s, g.Ticket), changed)
	})
}

func TestKeyThatSomeoneElseTookIsAConflict(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for _, tc := range []struct {
		name      string
		promotion bool
		opts      []postern.HandlerOption
		file      []byte
	}{
		{"a form with promotion", true, nil, content},
		{"a PUT with promotion", true, []postern.HandlerOption{postern.WithMode(postern.ModePut)}, content},
		{"a PUT", false, nil, content},
		{"parts", false, inParts, big(5<<20 + 1)},
		{"parts with promotion", true, inParts, big(5<<20 + 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSiteOfKeys(t, srv, tc.promotion, "{slug}", tc.opts...)
			sign := func(principal string) grant {
				var g grant
				call(t, s, "sign", fileOf(tc.file), "X-Principal", principal).into(t, &g)
				return g
			}
			eve, ada := sign("eve/evil"), sign("ada/acme")
			require.Equal(t, eve.Key, ada.Key)
			theirs := bytes.Clone(tc.file)
			theirs[0] ^= 1
			uploadAs := func(g grant, file []byte, principal string) {
				if g.Mode != "multipart" {
					upload(t, s, g, file)
					return
				}
				for n := 1; n <= g.Parts; n++ {
					var parts struct{ URLs map[string]string }
					call(t, s, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{n}}, "X-Principal", principal).into(t, &parts)
					first := int64(n-1) * g.PartSize
					for _, u := range parts.URLs {
						do(t, "PUT", u, bytes.NewReader(file[first:min(first+g.PartSize, int64(len(file)))]), nil)
					}
				}
			}
			uploadAs(eve, theirs, "eve/evil")
			a := call(t, s, "complete", ticketOf(eve), "X-Principal", "eve/evil")
			require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
			var r receipt
			a.into(t, &r)
			uploadAs(ada, tc.file, "ada/acme")
			for range 2 {
				comesBack(t, call(t, s, "complete", ticketOf(ada)), http.StatusConflict, "object_conflict")
			}
			require.Equal(t, 1, s.got.count(), "one receipt, and not for the same bytes at the same key")
			s.isRight(t, r, theirs)
			call(t, s, "abort", ticketOf(ada))
			s.isRight(t, r, theirs)
		})
	}
}

// Nobody was there when it was looked for, and somebody is when the object is made.
func TestKeyTakenAtTheLastMomentIsAConflict(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, tc := range []struct {
		name, moment string
		promotion    bool
		opts         []postern.HandlerOption
		file         []byte
	}{
		{"a form with promotion", "CompleteMultipartUpload final", true, nil, content},
		{"an empty file with promotion", "PutObject final", true, []postern.HandlerOption{postern.WithSizeLimit(0, 10)}, nil},
		{"parts", "CompleteMultipartUpload final", false, inParts, big(5<<20 + 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, srv, tc.promotion, tc.opts...)
			g := ask(t, s, fileOf(tc.file))
			require.Less(t, upload(t, s, g, tc.file).Status, 300)
			s.proxy.before(tc.moment, func() { s.putObject(t, g.Key, []byte("theirs"), nil) })
			comesBack(t, call(t, s, "complete", ticketOf(g)), http.StatusConflict, "object_conflict")
			require.Equal(t, 1, s.proxy.count(tc.moment))
			_, stored := object(t, srv, g.Key)
			require.Equal(t, "theirs", string(stored))
			require.Zero(t, s.got.count())
		})
	}
}

func TestSameBytesTwice(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, promotion := range []bool{false, true} {
		s := newSiteOfKeys(t, srv, promotion, "{sha256}")
		sign := func(principal string) grant {
			var g grant
			call(t, s, "sign", withSum(fileOf(content), content), "X-Principal", principal).into(t, &g)
			return g
		}
		done := func(g grant, principal string) answer {
			upload(t, s, g, content)
			return call(t, s, "complete", ticketOf(g), "X-Principal", principal)
		}
		var first, second receipt
		done(sign("ada/acme"), "ada/acme").into(t, &first)
		s.isRight(t, first, content)
		require.False(t, first.Duplicate)

		// A colleague's is a duplicate, with a receipt of its own, if the same bytes
		// were sent again. Without promotion nobody can tell, so that it must be the
		// same person.
		who := "bob/acme"
		if !promotion {
			who = "ada/acme"
		}
		g := sign(who)
		require.Equal(t, first.Key, g.Key)
		if promotion {
			comesBack(t, call(t, s, "complete", ticketOf(g), "X-Principal", who), http.StatusNotFound, "object_missing")
		} else {
			other := sign("bob/acme")
			comesBack(t, done(other, "bob/acme"), http.StatusConflict, "object_conflict")
		}
		done(g, who).into(t, &second)
		require.True(t, second.Duplicate)
		require.NotEqual(t, first.ID, second.ID)
		require.Equal(t, first.ETag, second.ETag)
		require.Equal(t, who[:3], second.Subject)
		s.isRight(t, first, content)

		// Asking again gives the same receipt.
		var again receipt
		call(t, s, "complete", ticketOf(g), "X-Principal", who).into(t, &again)
		require.Equal(t, second, again)

		// A stranger's is not: it would tell that the file is there, and take it over.
		a := done(sign("eve/evil"), "eve/evil")
		comesBack(t, a, http.StatusConflict, "object_conflict")
		s.isRight(t, first, content)
		require.Equal(t, 3, s.got.count())
	}
}

func TestFinalKeyUnderTheStagingPrefixIsRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, key := range []string{"staging/x", "staging/" + strings.Repeat("0", 32)} {
		h := newReplica(t, twoIdentities(t, srv, ""), postern.WithPromotion("staging/"), postern.WithKeyPolicy(
			postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return key, nil })))
		require.Equal(t, "key_invalid", call(t, h, "sign", fileOf(content)).code(t))
	}
	h := newReplica(t, twoIdentities(t, srv, ""), postern.WithPromotion("staging/"), postern.WithKeyPolicy(postern.KeyTemplate("{subject}/x")))
	require.Equal(t, "key_invalid", call(t, h, "sign", fileOf(content), "X-Principal", "staging/acme").code(t))
}

func TestBytesOfAnotherTypeAreRefused(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
	zip := []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	for _, tc := range []struct {
		name, typ string
		file      []byte
		code      string
	}{
		{"a picture", "image/png", pngFile(), ""},
		{"text", "text/plain", []byte("hello, world\n"), ""},
		{"bytes that are nothing", "application/octet-stream", []byte{0, 1, 2, 3}, ""},
		{"a page as a picture", "image/png", htmlFile(100), "content_mismatch"},
		{"a page as text", "text/plain", htmlFile(100), "content_mismatch"},
		{"a page behind white space", "image/png", append([]byte("\n\t  "), htmlFile(100)...), "content_mismatch"},
		{"a vector graphic as text", "text/plain", svg, "content_mismatch"},
		{"a vector graphic as a picture", "image/png", svg, "content_mismatch"},
		{"an archive as a picture", "image/png", zip, "content_mismatch"},
		{"a picture as another", "image/jpeg", pngFile(), "content_mismatch"},
		{"text as a picture", "image/png", []byte("hello, world\n"), "content_mismatch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, promotion := range []bool{false, true} {
				s := newSite(t, srv, promotion, postern.WithSniffing())
				g := ask(t, s, map[string]any{"filename": "a", "type": tc.typ, "size": len(tc.file)})
				upload(t, s, g, tc.file)
				if tc.code == "" {
					s.isRight(t, complete(t, s, g.Ticket), tc.file)
					continue
				}
				comesBack(t, call(t, s, "complete", ticketOf(g)), http.StatusUnprocessableEntity, tc.code)
				require.Empty(t, s.keys(t))
				require.Zero(t, s.got.count())
			}
		})
	}
}

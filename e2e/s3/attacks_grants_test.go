package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// shot is a request to S3 that an attacker makes of a grant.
type shot struct {
	method, url string
	header      http.Header
	body        io.Reader
}

func (s *shot) fire(t testing.TB) s3Answer { return do(t, s.method, s.url, s.body, s.header) }

func (s *shot) set(name, value string) { s.header.Set(name, value) }

// aim makes the request that a PUT grant allows.
func aim(g grant, content []byte) *shot {
	s := &shot{g.Method, g.URL, http.Header{}, bytes.NewReader(content)}
	for _, f := range g.Headers {
		s.header.Set(f.Name, f.Value)
	}
	return s
}

func TestExpiredPUTAndPartURLsAreRefused(t *testing.T) {
	srv := foreign.Embedded(t)
	past := time.Now().Add(-6 * time.Minute)
	s := newSite(t, srv, false, append(inParts, postern.WithClock(func() time.Time { return past }))...)
	a := putFile(t, ask(t, s, fileOf(content)), content)
	require.Equal(t, "AccessDenied", a.Code, a.Body)
	a = putPart(t, s, ask(t, s, fileOf(big(5<<20+1))), 2, big(5<<20+1))
	require.Equal(t, "AccessDenied", a.Code, a.Body)
	require.Empty(t, s.keys(t))
}

// S3 stores some headers of a PUT that were not signed. Completion then refuses
// the object and deletes it.
func TestUnsignedHeadersOfAPUTAreFoundAtCompletion(t *testing.T) {
	srv := foreign.Embedded(t)
	for name, value := range map[string]string{
		"Cache-Control":       "public, max-age=31536000, immutable",
		"Content-Encoding":    "gzip",
		"Content-Disposition": "inline",
		"Content-Language":    "tlh",
		"Expires":             "Thu, 01 Dec 2099 16:00:00 GMT",
	} {
		t.Run(name, func(t *testing.T) {
			for _, promotion := range []bool{false, true} {
				s := newSite(t, srv, promotion, postern.WithMode(postern.ModePut),
					postern.WithAttributes(postern.Attributes{Disposition: postern.NoDisposition}))
				g := ask(t, s, fileOf(content))
				x := aim(g, content)
				x.set(name, value)
				require.Equal(t, http.StatusOK, x.fire(t).Status)
				if promotion {
					// What is frozen has the ticket's attributes, not the source's.
					r := complete(t, s, g.Ticket)
					out, _ := object(t, srv, r.Key)
					require.Empty(t, aws.ToString(out.CacheControl)+aws.ToString(out.ContentEncoding)+
						aws.ToString(out.ContentDisposition)+aws.ToString(out.ContentLanguage)+aws.ToString(out.ExpiresString))
					continue
				}
				require.Equal(t, "attributes_mismatch", call(t, s, "complete", ticketOf(g)).code(t))
				require.Empty(t, s.keys(t), "the object is deleted")
				require.Zero(t, s.got.count())
			}
		})
	}
}

// The credentials that sign cannot reach what was frozen, whatever is asked.
func TestSigningCredentialsCannotTouchFinalKeys(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "staging/")
	h := newReplica(t, bucket, postern.WithPromotion("staging/"))
	g := ask(t, h, fileOf(content))
	require.Equal(t, http.StatusCreated, upload(t, h, g, content).Status)
	r := complete(t, h, g.Ticket)

	// A handler without promotion signs grants for final keys, which S3 refuses.
	for _, mode := range []postern.Mode{postern.ModePost, postern.ModePut} {
		direct := newReplica(t, bucket, postern.WithMode(mode), postern.WithKeyPolicy(
			postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return r.Key, nil })))
		g := ask(t, direct, fileOf(content))
		require.Equal(t, r.Key, g.Key)
		a := upload(t, direct, g, bytes.ToUpper(content))
		require.Equal(t, "AccessDenied", a.Code, a.Body)
	}
	_, stored := object(t, srv, r.Key)
	require.Equal(t, content, stored)
}

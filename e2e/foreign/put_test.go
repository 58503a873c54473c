package foreign_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// putWith sends a PUT by the signer, and looks at what is there.
func putWith(change func(r request) request) func(t *testing.T, s *site, key string) string {
	return func(t *testing.T, s *site, key string) string {
		return s.send(t, change(s.presignedPut(key, content))).String() + ", " + s.stored(t, key)
	}
}

func TestPut(t *testing.T) {
	once := func(r request) request { return r.sign("if-none-match", "*") }
	check(t, []fact{{
		name: "a longer body than was signed",
		try: putWith(func(r request) request {
			r.body += "!"
			return r.sign("content-length", "12")
		}),
		want: everywhere("403 SignatureDoesNotMatch, nothing"),
	}, {
		name: "a shorter body than was signed",
		try: putWith(func(r request) request {
			r.body = "hello"
			return r.sign("content-length", "12")
		}),
		want: everywhere("403 SignatureDoesNotMatch, nothing"),
	}, {
		name: "a URL that has expired",
		try: putWith(func(r request) request {
			r.at = time.Now().Add(-2 * time.Minute)
			return r
		}),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "If-None-Match where nothing is",
		try:  putWith(once),
		want: everywhere("200, " + content),
	}, {
		name: "If-None-Match where something is",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key, "already there")
			return putWith(once)(t, s, key)
		},
		want: everywhere("412 PreconditionFailed, already there"),
	}, {
		name: "If-None-Match, signed and left out",
		try: func(t *testing.T, s *site, key string) string {
			r, err := http.NewRequest(http.MethodPut, s.url(t, once(s.presignedPut(key, content))), readerOf(content))
			require.NoError(t, err)
			return do(t, r).String() + ", " + s.stored(t, key)
		},
		want: results{versitygw: "403 SignatureDoesNotMatch, nothing", minio: "400 AccessDenied, nothing"},
	}, {
		name: "If-None-Match, 16 at once: one of them is stored",
		try: func(t *testing.T, s *site, key string) string {
			answers, errs := make([]answer, 16), make([]error, 16)
			var all sync.WaitGroup
			for i := range answers {
				r := s.presign(t, once(s.presignedPut(key, fmt.Sprint("number ", i))))
				all.Go(func() { answers[i], errs[i] = roundTrip(r) })
			}
			all.Wait()
			require.NoError(t, errors.Join(errs...))
			var won []string
			for i, a := range answers {
				if a.status == http.StatusOK {
					won = append(won, fmt.Sprint("number ", i))
				}
			}
			return fmt.Sprintf("%d, the winner's: %v", len(won), len(won) == 1 && won[0] == s.stored(t, key))
		},
		want: everywhere("1, the winner's: true"),
	}, {
		name: "a SHA-256 of other bytes, signed",
		try:  putWith(func(r request) request { return r.sign("x-amz-checksum-sha256", sha256Of("other")) }),
		want: results{versitygw: "400 BadDigest, nothing", minio: "400 XAmzContentChecksumMismatch, nothing", ceph: "200, " + content},
	}, {
		name: "a Content-MD5 of other bytes, signed",
		try:  putWith(func(r request) request { return r.sign("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==") }),
		want: everywhere("400 BadDigest, nothing"),
	}, {
		name: "metadata above 2 KiB",
		try:  putWith(func(r request) request { return r.sign("x-amz-meta-a", strings.Repeat("a", 2100)) }),
		want: results{versitygw: "400 MetadataTooLarge, nothing", ceph: "200, " + content, seaweedfs: "200, " + content},
	}, {
		name: "a connection that is cut",
		try: func(t *testing.T, s *site, key string) string {
			body, w := io.Pipe()
			r, err := http.NewRequest(http.MethodPut, s.url(t, s.presignedPut(key, "")), body)
			require.NoError(t, err)
			r.ContentLength = 1 << 20
			go func() {
				_, _ = w.Write(make([]byte, 512<<10))
				_ = w.CloseWithError(io.ErrUnexpectedEOF)
			}()
			_, err = http.DefaultClient.Do(r)
			require.Error(t, err)
			s.put(t, key+"-later", content) // the server has had a turn
			return s.stored(t, key)
		},
		want: everywhere("nothing"),
	}})
}

// TestHeadersThatNobodySigned is what the holder of a presigned PUT may add to it.
func TestHeadersThatNobodySigned(t *testing.T) {
	const etag, public = "0123456789abcdef0123456789abcdef", "http://acs.amazonaws.com/groups/global/AllUsers"
	tagged := func(t *testing.T, s *site, key string) string {
		return fmt.Sprint(aws.ToInt32(s.head(t, key).TagCount), " tags")
	}
	check(t, []fact{{
		name: "x-amz-copy-source, by a signer who may only put",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, "secret", "secret")
			return putWith(func(r request) request { return r.add("x-amz-copy-source", "/"+s.Bucket+"/secret") })(t, s, key)
		},
		want: results{versitygw: "403 AccessDenied, nothing", seaweedfs: "403 SignatureDoesNotMatch, nothing"},
	}, {
		name: "x-amz-copy-source, by a signer who may do everything",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, "secret", "secret")
			return putWith(func(r request) request {
				r.by = s.shared
				return r.add("x-amz-copy-source", "/"+s.Bucket+"/secret")
			})(t, s, key)
		},
		want: results{versitygw: "403 AccessDenied, nothing", minio: "200, secret", ceph: "200, secret", seaweedfs: "403 SignatureDoesNotMatch, nothing"},
	}, {
		name: "x-amz-meta-*",
		try:  putWith(func(r request) request { return r.add("x-amz-meta-extra", "v") }),
		want: results{versitygw: "403 AccessDenied, nothing", minio: "400 AccessDenied, nothing", ceph: "200, " + content, seaweedfs: "403 SignatureDoesNotMatch, nothing"},
	}, {
		name: "x-amz-tagging",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("x-amz-tagging", "a=b"))
			if a.status != http.StatusOK {
				return a.String()
			}
			return a.String() + ", " + tagged(t, s, key)
		},
		want: results{versitygw: "403 AccessDenied", minio: "200, 1 tags", ceph: "200, 1 tags", seaweedfs: "403 SignatureDoesNotMatch"},
	}, {
		name: "x-amz-acl: public-read",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("x-amz-acl", "public-read"))
			r, err := http.NewRequest(http.MethodGet, s.Endpoint+"/"+s.Bucket+"/"+key, nil)
			require.NoError(t, err)
			return a.String() + ", read by anyone: " + do(t, r).String()
		},
		want: results{
			versitygw: "403 AccessDenied, read by anyone: 403 AccessDenied",
			minio:     "200, read by anyone: 403 AccessDenied",
			ceph:      "200, read by anyone: 200",
			seaweedfs: "403 SignatureDoesNotMatch, read by anyone: 403 AccessDenied",
		},
	}, {
		name: "x-amz-grant-read: everyone",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("x-amz-grant-read", `uri="`+public+`"`))
			r, err := http.NewRequest(http.MethodGet, s.Endpoint+"/"+s.Bucket+"/"+key, nil)
			require.NoError(t, err)
			return a.String() + ", read by anyone: " + do(t, r).String()
		},
		want: results{
			versitygw: "403 AccessDenied, read by anyone: 403 AccessDenied",
			minio:     "200, read by anyone: 403 AccessDenied",
			ceph:      "200, read by anyone: 200",
			seaweedfs: "403 SignatureDoesNotMatch, read by anyone: 403 AccessDenied",
		},
	}, {
		name: "x-amz-storage-class",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("x-amz-storage-class", "REDUCED_REDUNDANCY"))
			if a.status != http.StatusOK {
				return a.String()
			}
			return a.String() + ", " + string(s.head(t, key).StorageClass)
		},
		want: results{versitygw: "403 AccessDenied", minio: "200, REDUCED_REDUNDANCY", ceph: "400 InvalidArgument", seaweedfs: "403 SignatureDoesNotMatch"},
	}, {
		name: "x-amz-website-redirect-location",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("x-amz-website-redirect-location", "/elsewhere"))
			if a.status != http.StatusOK {
				return a.String()
			}
			return a.String() + ", " + aws.ToString(s.head(t, key).WebsiteRedirectLocation)
		},
		want: results{versitygw: "403 AccessDenied", minio: "200, ", ceph: "200, /elsewhere", seaweedfs: "403 SignatureDoesNotMatch"},
	}, {
		name: "Content-Type",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("Content-Type", "text/html"))
			return a.String() + ", " + aws.ToString(s.head(t, key).ContentType)
		},
		want: everywhere("200, text/html"),
	}, {
		name: "Content-Disposition",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("Content-Disposition", "inline"))
			return a.String() + ", " + aws.ToString(s.head(t, key).ContentDisposition)
		},
		want: everywhere("200, inline"),
	}, {
		name: "X-Minio-Source-Etag",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("X-Minio-Source-Etag", etag))
			return fmt.Sprintf("%s, chosen: %v", a, aws.ToString(s.head(t, key).ETag) == `"`+etag+`"`)
		},
		want: results{versitygw: "200, chosen: false", minio: "200, chosen: true"},
	}, {
		name: "X-Minio-Source-Mtime",
		try: func(t *testing.T, s *site, key string) string {
			a := s.send(t, s.presignedPut(key, content).add("X-Minio-Source-Mtime", "2001-02-03T04:05:06Z"))
			return a.String() + modified(s.head(t, key).LastModified)
		},
		want: results{versitygw: "200, stored now", minio: "200, stored in 2001"},
	}})
}

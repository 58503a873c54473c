package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

// The tests of this file are failures that users of other projects have reported,
// tried here: the project and the number of its issue stand beside each.

// modes are the ways a file goes up, with the options and the bytes that choose them.
// Some providers take a PUT for a form.
var modes = []struct {
	mode    string
	content []byte
	opts    []postern.HandlerOption
}{
	{"post", content, nil},
	{"put", content, []postern.HandlerOption{postern.WithMode(postern.ModePut)}},
	{"multipart", big(5<<20 + 1), inParts},
}

// Names that made signatures wrong elsewhere: they are in the Content-Disposition,
// which is a signed header of a PUT, of the beginning of an upload in parts, and of
// the call that freezes.
func TestNamesThatBrokeSignaturesAtEveryProvider(t *testing.T) {
	t.Parallel()
	for _, p := range these([]postern.Provider{postern.VersityGW}) {
		srv := at(t, p)
		for _, tc := range []struct{ source, name string }{
			{"rails/rails issue 55158", "my  file.txt"},
			{"shrinerb/shrine issue 355", "19 Room Far  - .wav"},
			{"shrinerb/shrine issue 93", "été.pdf"},
			{"shrinerb/shrine issue 249", "a+b & c's.txt"},
			{"aws/aws-sdk-js issue 1648", "1 ©.jpg"},
			{"aws/aws-sdk-ruby issue 1230", "😬.pdf"},
			{"aws/aws-sdk-ruby issue 3039", "נ"},
		} {
			for _, m := range modes {
				t.Run(fmt.Sprintf("%s/%s by %s", p, tc.source, m.mode), func(t *testing.T) {
					s := siteLike(t, srv, p, m.opts...)
					request := fileOf(m.content)
					request["filename"] = tc.name
					g := ask(t, s, request)
					a := upload(t, s, g, m.content)
					require.Less(t, a.Status, 300, a.Body)
					r := complete(t, s, g.Ticket)
					require.Equal(t, tc.name, r.Filename)
					s.isRight(t, r, m.content)
					out, _ := object(t, srv, r.Key)
					_, params, err := mime.ParseMediaType(aws.ToString(out.ContentDisposition))
					require.NoError(t, err)
					require.Equal(t, tc.name, params["filename"])
				})
			}
		}
	}
}

// Metadata whose spaces were signed otherwise than they were sent.
func TestMetadataThatBrokeSignaturesAtEveryProvider(t *testing.T) {
	t.Parallel()
	for _, p := range these([]postern.Provider{postern.VersityGW}) {
		srv := at(t, p)
		for _, tc := range []struct{ source, value string }{
			{"boto/botocore issue 1169", "Double  Space"},
			{"aws/aws-sdk-ruby issue 2758", `"value  1"`},
		} {
			for _, m := range modes {
				t.Run(fmt.Sprintf("%s/%s by %s", p, tc.source, m.mode), func(t *testing.T) {
					s := siteLike(t, srv, p, append([]postern.HandlerOption{postern.WithClientMetadata("caption")}, m.opts...)...)
					request := fileOf(m.content)
					request["metadata"] = map[string]string{"caption": tc.value}
					g := ask(t, s, request)
					a := upload(t, s, g, m.content)
					require.Less(t, a.Status, 300, a.Body)
					r := complete(t, s, g.Ticket)
					require.Equal(t, tc.value, r.Metadata["caption"])
					out, _ := object(t, srv, r.Key)
					require.Equal(t, tc.value, out.Metadata["caption"])
				})
			}
		}
	}
}

// Keys that were escaped once too often or not at all: in the path of a PUT, and with
// promotion in the source of a copy and its destination.
func TestKeysThatBrokeCopiesAreCompleted(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, tc := range []struct{ source, key string }{
		{"awslabs/aws-sdk-rust issue 1357", "etc/alternatives/c++"},
		{"aws/aws-sdk-js issue 1302", "a%2Fb"},
		{"aws/aws-sdk-js issue 1821", "2017-11-21_22:24:03+0000.jpg"},
		{"aws/aws-sdk-js-v3 issue 5475", "Ö.txt"},
		{"rusoto/rusoto issue 630", "Aliénor/upload.pdf"},
		{"boto/boto3 issue 3584", "Pizza Is+AmazeBalls.txt"},
	} {
		for _, promotion := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, promotion %t", tc.source, promotion), func(t *testing.T) {
				s := newSite(t, srv, promotion)
				key := s.final + tc.key
				s.staging += tc.key + "/"
				h := newReplica(t, s.bucket, append(s.ways(), postern.WithMode(postern.ModePut),
					postern.WithKeyPolicy(postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return key, nil })))...)
				g := ask(t, h, fileOf(content))
				a := upload(t, h, g, content)
				require.Equal(t, http.StatusOK, a.Status, a.Body)
				r := complete(t, h, g.Ticket)
				require.Equal(t, key, r.Key)
				s.isRight(t, r, content)
				at, err := url.Parse(r.Location)
				require.NoError(t, err)
				require.Equal(t, "/"+srv.Bucket+"/"+key, at.Path)
			})
		}
	}
}

// ways are the options of the site's hook and staging alone.
func (s *site) ways() []postern.HandlerOption {
	opts := []postern.HandlerOption{postern.WithOnComplete(s.got.hook)}
	if s.promotes {
		opts = append(opts, postern.WithPromotion(s.staging))
	}
	return opts
}

// A plus in the id of a key is not a space in a presigned URL (noobaa/noobaa-core
// issue 7931), and a plus or a slash in its secret changes nothing (aws/aws-cli
// issue 6751).
func TestCredentialsWithSpecialCharactersSign(t *testing.T) {
	srv := foreign.Embedded(t)
	id, secret := "abc+abc=", "j02S+KvwRp/jtqcbv8B1+HNj="
	require.NoError(t, srv.AddUser(context.Background(), id, secret, s3test.Permission{Action: "s3:PutObject", Keys: "*"}))
	bucket := twoIdentities(t, srv, "")
	bucket.Credentials = credentials.NewStaticCredentialsProvider(id, secret, "")
	for _, m := range modes {
		t.Run(m.mode, func(t *testing.T) {
			h := newReplica(t, bucket, m.opts...)
			g := ask(t, h, fileOf(m.content))
			require.Equal(t, m.mode, g.Mode)
			a := upload(t, h, g, m.content)
			require.Less(t, a.Status, 300, a.Body)
		})
	}
}

// Types that a browser does not know, or that have a plus, are signed as they are
// sent and stored.
func TestTypesThatBrokeSignaturesAreStored(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for _, tc := range []struct{ source, name, declared, want string }{
		{"transloadit/uppy issue 1233", "scene.blend", "", "application/octet-stream"},
		{"rails/rails issue 38123", "report.xls", "", "application/octet-stream"},
		{"waynehoover/s3_direct_upload pull request 208", "layout.idml", "", "application/octet-stream"},
		{"aws/aws-sdk-js issue 1134", "circle.svg", "image/svg+xml", "image/svg+xml"},
	} {
		for _, m := range modes {
			t.Run(tc.source+" by "+m.mode, func(t *testing.T) {
				s := newSite(t, srv, true, append([]postern.HandlerOption{postern.WithContentTypes("*/*", "image/svg+xml")}, m.opts...)...)
				g := ask(t, s, map[string]any{"filename": tc.name, "type": tc.declared, "size": len(m.content)})
				a := upload(t, s, g, m.content)
				require.Less(t, a.Status, 300, a.Body)
				r := complete(t, s, g.Ticket)
				require.Equal(t, tc.want, r.Type)
				s.isRight(t, r, m.content)
			})
		}
	}
}

// Tags of a presigned PUT were lost where they went into its query (aws/aws-sdk issue
// 782), and refused where they were not ASCII (minio/minio issue 15804).
func TestTagsOfAPUTAreStored(t *testing.T) {
	srv := foreign.Embedded(t)
	tags := map[string]string{"stav": "žluťoučký kůň", "subject": "a+b = c"}
	bucket := twoIdentities(t, srv, "")
	for _, m := range modes {
		t.Run(m.mode, func(t *testing.T) {
			h := newReplica(t, bucket, append([]postern.HandlerOption{postern.WithAttributes(postern.Attributes{Tags: tags})}, m.opts...)...)
			g := ask(t, h, fileOf(m.content))
			a := upload(t, h, g, m.content)
			require.Less(t, a.Status, 300, a.Body)
			if m.mode == "multipart" {
				complete(t, h, g.Ticket)
			}
			out, err := srv.Client().GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: &srv.Bucket, Key: &g.Key})
			require.NoError(t, err)
			stored := map[string]string{}
			for _, tag := range out.TagSet {
				stored[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
			require.Equal(t, tags, stored)
		})
	}
}

// partsOf uploads all parts of a file and returns them as the bucket answered.
func partsOf(t testing.TB, h http.Handler, g grant, content []byte) (parts []map[string]any) {
	for n := 1; n <= g.Parts; n++ {
		a := putPart(t, h, g, n, content)
		require.Equal(t, http.StatusOK, a.Status, a.Body)
		parts = append(parts, map[string]any{"number": n, "etag": a.Header.Get("ETag")})
	}
	return parts
}

// Lists of parts that S3 or a server refused, though all parts were there.
func TestListsOfPartsThatWereRefusedElsewhereComplete(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	content := big(10<<20 + 1)
	for _, tc := range []struct {
		source string
		change func(parts []map[string]any) []map[string]any
	}{
		{"Nic13Gamer/better-upload issue 10: not in order", func(parts []map[string]any) []map[string]any {
			return []map[string]any{parts[2], parts[0], parts[1]}
		}},
		{"transloadit/uppy issue 2351: some twice", func(parts []map[string]any) []map[string]any {
			return append(parts, parts[1], parts[2])
		}},
		{"jamhall/s3rver issue 629: ETags without quotes", func(parts []map[string]any) []map[string]any {
			for _, p := range parts {
				p["etag"] = strings.Trim(p["etag"].(string), `"`)
			}
			return parts
		}},
		{"transloadit/uppy issue 5352: with members of their own", func(parts []map[string]any) []map[string]any {
			for _, p := range parts {
				p["content-type"], p["x-amz-id-2"] = "text/html", "abc"
			}
			return parts
		}},
	} {
		t.Run(tc.source, func(t *testing.T) {
			s := newSite(t, srv, true, inParts...)
			g := ask(t, s, fileOf(content))
			a := call(t, s, "complete", map[string]any{"ticket": g.Ticket, "parts": tc.change(partsOf(t, s, g, content))})
			require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
			var r receipt
			a.into(t, &r)
			s.isRight(t, r, content)
		})
	}
}

// A file whose size is a multiple of the parts' size has no empty part behind them
// (transloadit/uppy pull request 2451, tus/tus-java-client issue 69).
func TestFilesOfWholePartsHaveNoEmptyPart(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	for _, parts := range []int{2, 3} {
		t.Run(fmt.Sprint(parts), func(t *testing.T) {
			s := newSite(t, srv, true, inParts...)
			content := big(parts * 5 << 20)
			g := ask(t, s, fileOf(content))
			require.Equal(t, "multipart", g.Mode)
			require.Equal(t, parts, g.Parts)
			upload(t, s, g, content)
			s.isRight(t, complete(t, s, g.Ticket), content)
		})
	}
}

// A browser that adds a Content-Type to a part, as it does for a Blob that has one,
// is not refused for it (boto/boto3 issue 3708, aws/aws-sdk issue 548).
func TestPartsMayComeWithAContentType(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, inParts...)
	content := big(5<<20 + 1)
	g := ask(t, s, fileOf(content))
	for n, part := range [][]byte{content[:5<<20], content[5<<20:]} {
		a := do(t, "PUT", partURL(t, s, g, n+1), bytes.NewReader(part), http.Header{"Content-Type": {"text/html"}})
		require.Equal(t, http.StatusOK, a.Status, a.Body)
	}
	r := complete(t, s, g.Ticket)
	require.Equal(t, "application/octet-stream", r.Type, "the part's type is not the object's")
	s.isRight(t, r, content)
}

// An upload of more parts than S3 lists at once is resumed where it was, not at part
// 1,001 (s3tools/s3cmd issue 346).
func TestMoreThanAThousandPartsAreListed(t *testing.T) {
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, postern.WithSizeLimit(1, 10<<30), postern.WithPartSize(5<<20))
	const arrived = 1001
	g := ask(t, s, map[string]any{"filename": "film.mp4", "size": 1100 * 5 << 20})
	prefix := s.staging
	uploads, err := srv.Client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket, Prefix: &prefix})
	require.NoError(t, err)
	require.Len(t, uploads.Uploads, 1)
	for n := int32(arrived); n > 0; n-- { // of one byte each, which no grant permits
		_, err := srv.Client().UploadPart(context.Background(), &s3.UploadPartInput{
			Bucket: &srv.Bucket, Key: uploads.Uploads[0].Key, UploadId: uploads.Uploads[0].UploadId, PartNumber: &n, Body: strings.NewReader("x"),
		})
		require.NoError(t, err)
	}
	var list struct{ Parts []struct{ Number int } }
	call(t, s, "list", map[string]any{"ticket": g.Ticket}).into(t, &list)
	require.Len(t, list.Parts, arrived)
	for i, p := range list.Parts {
		require.Equal(t, i+1, p.Number)
	}
	require.Equal(t, http.StatusNoContent, call(t, s, "abort", map[string]any{"ticket": g.Ticket}).Status)
}

// An error of S3 under the status 200 is an error: of CompleteMultipartUpload
// (apache/arrow-rs issue 4965) and of a copy (aws/aws-sdk-cpp pull request 2057).
func TestAnErrorUnderStatus200IsAnError(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	large := big(5<<20 + 1)
	for _, target := range []string{"CompleteMultipartUpload staging", "UploadPartCopy final", "CompleteMultipartUpload final"} {
		t.Run(target, func(t *testing.T) {
			s := newSite(t, srv, true, inParts...)
			g := ask(t, s, fileOf(large))
			upload(t, s, g, large)
			var met atomic.Int32
			s.proxy.on(target, func(x *exchange) {
				met.Add(1)
				x.say(http.StatusOK, "InternalError")
			})
			a := call(t, s, "complete", map[string]any{"ticket": g.Ticket})
			require.NotZero(t, met.Load())
			require.Equal(t, http.StatusServiceUnavailable, a.Status, "%s", a.Body)
			require.Zero(t, s.got.count())
			s.proxy.with(nil)
			s.isRight(t, complete(t, s, g.Ticket), large)
		})
	}
}

// A clock that is a little ahead of the bucket's makes grants that S3 takes
// (minio/minio-java issue 487).
func TestGrantsOfAClockThatIsAheadAreTaken(t *testing.T) {
	srv := foreign.Embedded(t)
	bucket := twoIdentities(t, srv, "")
	for _, m := range modes {
		t.Run(m.mode, func(t *testing.T) {
			ahead := postern.WithClock(func() time.Time { return time.Now().Add(2 * time.Minute) })
			h := newReplica(t, bucket, append([]postern.HandlerOption{ahead}, m.opts...)...)
			g := ask(t, h, fileOf(m.content))
			a := upload(t, h, g, m.content)
			require.Less(t, a.Status, 300, a.Body)
		})
	}
}

// Honest files whose first bytes were taken for something else, or whose type was not
// recognized as one that is allowed.
func TestFilesThatWereMistakenElsewhereAreVerified(t *testing.T) {
	srv := foreign.Embedded(t)
	for _, tc := range []struct{ source, name, declared, allowed, content, want string }{
		{"rails/rails issue 32632", "test.csv", "text/csv", "text/csv",
			"Article dates analysis for Dataset\n\"\"\nYear,Number of Documents\n1895,1\n1896,0.0\n", "text/csv"},
		{"mimemagicrb/mimemagic issue 67", "parts.csv", "text/csv", "text/csv", "MZABC\n", "text/csv"},
		{"rails/marcel issue 111", "test.csv", "text/csv", "text/csv", "title,width,height,body\nTest,100,100,\"<svg></svg>\"\n", "text/csv"},
		{"rails/marcel issue 77", "A-453.zip", "application/zip", "application/zip",
			"PK\x03\x04\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00a.txtwmv2", "application/zip"},
		{"rails/marcel issue 128", "a.bz2", "application/x-bzip2", "application/x-bzip2", "BZh91AY&SY\x01\x02\x03\x04", "application/x-bzip2"},
		{"rails/marcel issue 14", "data.json", "application/json", "application/json", "{\"data\": \"test\"}\n", "application/json"},
		{"rails/rails issue 39944", "sample.ts", "video/vnd.dlna.mpeg-tts", "video/*", strings.Repeat("G@\x00\x10"+strings.Repeat("\xff", 184), 4), "video/mp2t"},
		{"transloadit/uppy issue 1988", "webcam.webm", `video/webm; codecs="vp8, opus"`, "video/webm", "\x1a\x45\xdf\xa3\x01\x00", "video/webm"},
		{"HelloCSV/HelloCSV issue 256", "data.csv", "application/vnd.ms-excel", "text/csv application/vnd.ms-excel", "a;b\n1;2\n", "application/vnd.ms-excel"},
	} {
		t.Run(tc.source, func(t *testing.T) {
			s := newSite(t, srv, true, postern.WithContentTypes(strings.Fields(tc.allowed)...), postern.WithSniffing())
			g := ask(t, s, map[string]any{"filename": tc.name, "type": tc.declared, "size": len(tc.content)})
			a := upload(t, s, g, []byte(tc.content))
			require.Less(t, a.Status, 300, a.Body)
			r := complete(t, s, g.Ticket)
			require.Equal(t, tc.want, r.Type)
			require.Equal(t, tc.name, r.Filename)
			s.isRight(t, r, []byte(tc.content))
		})
	}
}

// Credentials that are replaced while a file goes up do not end the upload: others may
// sign its parts (TTLabs/EvaporateJS issue 76), and others complete it (boto/botocore
// issue 228).
func TestCredentialsMayChangeBetweenTheParts(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	s := newSite(t, srv, true, inParts...)
	content := big(10<<20 + 1)
	g := ask(t, s, fileOf(content))
	require.Equal(t, http.StatusOK, putPart(t, s, g, 1, content).Status)

	bucket := twoIdentities(t, srv, "")
	require.NoError(t, srv.AddUser(context.Background(), "next", "secret", s3test.Permission{Action: "s3:*", Keys: "*"}))
	bucket.ServiceCredentials = credentials.NewStaticCredentialsProvider("next", "secret", "")
	next := newReplica(t, bucket, append(s.ways(), inParts...)...)
	for n := 2; n <= g.Parts; n++ {
		require.Equal(t, http.StatusOK, putPart(t, next, g, n, content).Status)
	}
	s.isRight(t, complete(t, next, g.Ticket), content)
}

// A plus and a percent sign in Uppy's query are what the file has, and not a space
// (aws/aws-sdk-js issue 1134, aws/aws-sdk-ruby issue 562).
func TestUppysQueryKeepsPlusSigns(t *testing.T) {
	srv := foreign.Embedded(t)
	h, _ := newCompanion(t, srv, postern.WithContentTypes("image/svg+xml"))
	query := url.Values{"filename": {"a+b 100%25.svg"}, "type": {"image/svg+xml"}, "metadata[size]": {fmt.Sprint(len(content))}}
	a := uppy(t, h, "GET", "/params?"+query.Encode(), nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var form struct {
		URL    string
		Fields fields
	}
	a.into(t, &form)
	require.Equal(t, http.StatusCreated, postForm(t, form.URL, form.Fields, content).Status)
	out, _ := object(t, srv, form.Fields.get("key"))
	require.Equal(t, "image/svg+xml", aws.ToString(out.ContentType))
	_, params, err := mime.ParseMediaType(aws.ToString(out.ContentDisposition))
	require.NoError(t, err)
	require.Equal(t, "a+b 100%25.svg", params["filename"])
}

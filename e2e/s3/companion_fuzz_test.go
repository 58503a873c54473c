package s3_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
)

// FuzzUppysCalls sends any request. TICKET in the path and KEY in the query stand for
// those of an upload of three parts that was granted, OTHER for another upload's.
func FuzzUppysCalls(f *testing.F) {
	const film = `{"filename":"film.bin","type":"application/octet-stream","metadata":{"size":10485761}}`
	for _, seed := range [][4]string{
		{"GET", "/s3/params", "filename=a.png&type=image/png&metadata[size]=7", ""},
		{"GET", "/s3/params", "filename=a&metadata[size]=1&metadata[size]=2&metadata[]=&metadata[", ""},
		{"GET", "/s3/params", "filename=a;b&type=%zz", ""},
		{"GET", "/s3/params", "filename=%2e%2e%2f%00%ff&type=a/b", ""},
		{"POST", "/s3/multipart", "", film},
		{"POST", "/s3/multipart", "", `{"filename":"a","metadata":{"size":1,"x":null,"y":true,"z":"é","size":"2"},"Metadata":null}`},
		{"POST", "/s3/multipart", "", `{"filename":"a","metadata":{"size":9223372036854775807}}`},
		{"POST", "/s3/multipart", "", `null`},
		{"GET", "/s3/multipart/TICKET", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET", "key=OTHER", ""},
		{"GET", "/s3/multipart/TICKET", "key=KEY&key=OTHER", ""},
		{"GET", "/s3/multipart/TICKET", "key=OTHER&key=KEY", ""},
		{"GET", "/s3/multipart/TICKET", "key=KEY%00", ""},
		{"GET", "/s3/multipart/TICKET", "", ""},
		{"GET", "/s3/multipart/TICKETA/1", "key=KEY", ""},
		{"GET", "/s3/multipart/%20TICKET/1", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/1", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/3", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/4", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/0", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/2147483648", "key=KEY", ""},
		{"GET", "/s3/multipart/TICKET/2", "key=OTHER", ""},
		{"GET", "/s3/multipart/TICKET/batch", "key=KEY&partNumbers=3,1,2,2,%2B1,003", ""},
		{"GET", "/s3/multipart/TICKET/batch", "key=KEY&partNumbers=1,,2", ""},
		{"GET", "/s3/multipart/TICKET/batch", "key=KEY&partNumbers=-1,4", ""},
		{"POST", "/s3/multipart/TICKET/complete", "key=KEY", `{"parts":[{"PartNumber":1,"ETag":"a"},null,{}]}`},
		{"POST", "/s3/multipart/TICKET/complete", "key=OTHER", `{"parts":null}`},
		{"POST", "/s3/multipart/TICKET/complete", "key=KEY", `[]`},
		{"DELETE", "/s3/multipart/TICKET", "key=KEY", ""},
		{"DELETE", "/s3/multipart/TICKET", "key=OTHER", ""},
		{"HEAD", "/s3/multipart/TICKET", "key=KEY", ""},
		{"OPTIONS", "/s3/params", "", ""},
		{"", "*", "", "\xff"},
		{"POST", "/complete", "", `{"ticket":"TICKET"}`},
	} {
		f.Add(seed[0], seed[1], seed[2], []byte(seed[3]))
	}

	srv := foreign.Embedded(f)
	h, _ := newCompanion(f, srv)
	size := map[string]any{"size": 2*chunk + 1}
	mine, other := create(f, h, size), create(f, h, size)
	begun, err := srv.Client().ListMultipartUploads(f.Context(), &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket, Prefix: &mine.Key})
	require.NoError(f, err)
	require.Len(f, begun.Uploads, 1)

	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		path = strings.ReplaceAll(path, "TICKET", mine.UploadID)
		query = strings.NewReplacer("KEY", url.QueryEscape(mine.Key), "OTHER", url.QueryEscape(other.Key)).Replace(query)
		r := httptest.NewRequest("POST", "http://app.example.com/", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		if decoded, err := url.PathUnescape(path); err == nil {
			r.URL.Path, r.URL.RawPath = decoded, path
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)

		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		if w.Code >= 300 {
			require.Contains(t, []int{400, 403, 404, 405, 409, 413, 415, 422}, w.Code, w.Body)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.NotContains(t, w.Body.String(), "X-Amz-")
			return
		}
		var answer struct {
			Key, UploadID, URL string
			Fields             map[string]string
			PresignedURLs      map[string]string
		}
		segments := strings.Split("/"+r.URL.Path, "/")
		last := segments[len(segments)-1]
		if last != "params" && last != "multipart" {
			require.Contains(t, segments, mine.UploadID, "only the ticket itself opens anything")
			values, err := url.ParseQuery(query)
			require.NoError(t, err)
			require.Contains(t, []string{"", mine.Key}, values.Get("key"))
		}
		var list []any
		if json.Unmarshal(w.Body.Bytes(), &list) == nil {
			require.LessOrEqual(t, len(list), 3, "no more parts than the upload has")
			return
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer), w.Body)
		switch {
		case w.Code == http.StatusCreated:
			require.Regexp(t, `^acme/[^/]+$`, answer.Key)
			require.NotEmpty(t, answer.UploadID)
		case answer.Fields != nil:
			require.Regexp(t, `^acme/[^/]+$`, answer.Fields["key"])
		case answer.URL != "":
			n, err := strconv.Atoi(last)
			require.NoError(t, err)
			answer.PresignedURLs = map[string]string{strconv.Itoa(n): answer.URL}
		}
		for number, address := range answer.PresignedURLs {
			require.Contains(t, []string{"1", "2", "3"}, number)
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.Equal(t, "/"+srv.Bucket+"/"+mine.Key, u.Path)
			require.Equal(t, number, u.Query().Get("partNumber"))
			require.Equal(t, *begun.Uploads[0].UploadId, u.Query().Get("uploadId"))
			require.Contains(t, u.Query().Get("X-Amz-SignedHeaders"), "content-length")
		}
	})
}

package companion_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// beginning is all that these tests need of S3: it begins multipart uploads, and
// knows none of them later.
func beginning(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Query().Has("uploads") {
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>`)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		fmt.Fprint(w, `<Error><Code>NoSuchUpload</Code></Error>`)
	}
}

// FuzzCalls sends any request. TICKET in the path and KEY in the query stand for
// those of an upload of three parts that was granted, OTHER for another upload's.
func FuzzCalls(f *testing.F) {
	const create = `{"filename":"film.bin","type":"application/octet-stream","metadata":{"size":10485761}}`
	for _, seed := range [][4]string{
		{"GET", "/s3/params", "filename=a.png&type=image/png&metadata[size]=7", ""},
		{"GET", "/s3/params", "filename=a&metadata[size]=1&metadata[size]=2&metadata[]=&metadata[", ""},
		{"GET", "/s3/params", "filename=a;b&type=%zz", ""},
		{"GET", "/s3/params", "filename=%2e%2e%2f%00%ff&type=a/b", ""},
		{"POST", "/s3/multipart", "", create},
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

	s3 := httptest.NewServer(http.HandlerFunc(beginning))
	f.Cleanup(s3.Close)
	local := bucket
	local.Endpoint, local.PathStyle, local.Provider, local.ServiceCredentials = s3.URL, true, postern.VersityGW, bucket.Credentials
	h := newHandlerFor(f, local, postern.WithSizeLimit(1, 100<<20))
	begun := func() (u struct{ Key, UploadID string }) {
		w := send(h, "POST", "/s3/multipart", create)
		require.Equal(f, http.StatusCreated, w.Code, w.Body.String())
		require.NoError(f, json.Unmarshal(w.Body.Bytes(), &u))
		return u
	}
	mine, other := begun(), begun()

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
		if w.Code >= 300 {
			require.Contains(t, []int{400, 403, 404, 405, 413, 415}, w.Code, w.Body)
			require.NotContains(t, w.Body.String(), "X-Amz-")
			refused(t, w)
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
			require.Len(t, list, 3, "as many parts as the upload has")
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
			require.Equal(t, "/acme-uploads/"+mine.Key, u.Path)
			require.Equal(t, number, u.Query().Get("partNumber"))
			require.Equal(t, "upload", u.Query().Get("uploadId"))
			require.Contains(t, u.Query().Get("X-Amz-SignedHeaders"), "content-length")
		}
	})
}

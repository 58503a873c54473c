package companion

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// address is the documentation of [New] as an expression.
var address = regexp.MustCompile(`/s3/(?:(params)|multipart(?:/([^/]+)(?:/(batch|complete|[0-9]+))?)?)$`)

func FuzzAddress(f *testing.F) {
	for _, path := range []string{
		"/uppy/s3/params", "s3/params", "/s3/multipart", "/s3/multipart/t", "/s3/multipart/t/7", "/s3/multipart/t/batch",
		"/s3/multipart/t/complete", "/s3/multipart/t%2Fu/1", "/s3/multipart/%00", "/s3/multipart/t/007", "/s3/multipart/t/-1",
		"/s3/multipart/s3/multipart", "/s3/multipart/multipart/batch", "/s3/multipart/s3/params", "/s3//multipart", "//", "*", "",
		"/s3/multipart//1", "/s3/multipart/t/", "/s3%2Fparams", "/%73%33/params", "/s3/multipart/%zz", "/S3/params", "/s3/params/",
	} {
		f.Add(path, false)
		f.Add(path, true)
	}
	f.Fuzz(func(t *testing.T, path string, remove bool) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}
		if remove {
			r.Method = http.MethodDelete
		}
		if decoded, err := url.PathUnescape(path); err == nil {
			r.URL.Path, r.URL.RawPath = decoded, path
		}
		got, want := parse(r), address.FindStringSubmatch("/"+r.URL.EscapedPath())
		if want == nil {
			require.Nil(t, got)
			return
		}
		require.NotNil(t, got)
		ticket, err := url.PathUnescape(want[2])
		require.NoError(t, err)
		require.Equal(t, ticket, got.ticket)
		require.Contains(t, got.allow, got.method)
		require.False(t, got.begun)
		type address struct {
			action postern.Action
			method string
			mode   postern.Mode
			part   string
		}
		var expected address
		switch {
		case want[1] != "":
			expected = address{postern.ActionSign, "GET", postern.ModePost, ""}
		case want[2] == "":
			expected = address{postern.ActionSign, "POST", postern.ModeMultipart, ""}
		case want[3] == "" && remove:
			expected = address{postern.ActionAbort, "DELETE", "", ""}
		case want[3] == "":
			expected = address{postern.ActionList, "GET", "", ""}
		case want[3] == "complete":
			expected = address{postern.ActionComplete, "POST", "", ""}
		default:
			expected = address{postern.ActionParts, "GET", "", want[3]}
		}
		require.Equal(t, expected, address{got.action, got.method, got.mode, got.part})
	})
}

package companion

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// completing is a request for a completion, as the handler has it.
func completing() *http.Request { return asked("POST", "/s3/multipart/ticket/complete") }

func asked(method, target string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	return r.WithContext(context.WithValue(r.Context(), callKey{}, parse(r)))
}

var receipt = &postern.Receipt{Bucket: "acme-uploads", Key: "acme/a.png", Location: "https://acme-uploads.example/acme/a.png"}

const received = `{"location":"https://acme-uploads.example/acme/a.png","bucket":"acme-uploads","key":"acme/a.png"}`

func TestLongCompletionIsPrecededByBlanks(t *testing.T) {
	w, r := httptest.NewRecorder(), completing()
	require.Equal(t, postern.KeptOpen, dialect{}.WritePending(w, r, 0))
	require.True(t, w.Flushed, "a proxy sees nothing")
	require.Equal(t, postern.KeptOpen, dialect{}.WritePending(w, r, 0))
	dialect{}.WriteReceipt(w, r, receipt)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "\n\n"+received+"\n", w.Body.String())
}

func TestS3sOwnDocuments(t *testing.T) {
	const upload = "/s3/multipart/ticket"
	for name, tc := range map[string]struct {
		method, target string
		write          func(w http.ResponseWriter, r *http.Request)
		want           string
	}{
		"of a beginning": {"POST", "/s3/multipart?format=xml", func(w http.ResponseWriter, r *http.Request) {
			dialect{}.WriteGrant(w, r, &postern.Grant{Mode: postern.ModeMultipart, Bucket: "acme", Key: "a&b", Ticket: "t"})
		}, "<InitiateMultipartUploadResult><Bucket>acme</Bucket><Key>a&amp;b</Key><UploadId>t</UploadId></InitiateMultipartUploadResult>"},
		"of a list": {"GET", upload + "?format=xml", func(w http.ResponseWriter, r *http.Request) {
			dialect{}.WriteList(w, r, []postern.Part{{Number: 1, Size: 5, ETag: `"e"`}})
		}, "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>5</Size><ETag>&#34;e&#34;</ETag></Part></ListPartsResult>"},
		"of an empty list": {"GET", upload + "?format=xml", func(w http.ResponseWriter, r *http.Request) {
			dialect{}.WriteList(w, r, nil)
		}, "<ListPartsResult></ListPartsResult>"},
		"of a long completion": {"POST", upload + "/complete?format=xml", func(w http.ResponseWriter, r *http.Request) {
			dialect{}.WritePending(w, r, 0)
			dialect{}.WriteReceipt(w, r, receipt)
		}, "\n<CompleteMultipartUploadResult><Location>https://acme-uploads.example/acme/a.png</Location><Bucket>acme-uploads</Bucket><Key>acme/a.png</Key></CompleteMultipartUploadResult>"},
		"of an end": {"DELETE", upload + "?format=xml", func(w http.ResponseWriter, r *http.Request) { dialect{}.WriteAborted(w, r) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			tc.write(w, asked(tc.method, tc.target))
			require.Equal(t, "application/xml", w.Header().Get("Content-Type"))
			require.Equal(t, tc.want, w.Body.String())
		})
	}
}

// gone is where a browser was.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, net.ErrClosed }

func TestNobodyWaitsForALongCompletionWhenTheBrowserIsGone(t *testing.T) {
	require.Equal(t, postern.Answered, dialect{}.WritePending(gone{httptest.NewRecorder()}, completing(), 0))
}

func TestShortCompletionIsNot(t *testing.T) {
	w := httptest.NewRecorder()
	dialect{}.WriteReceipt(w, completing(), receipt)
	require.Equal(t, received+"\n", w.Body.String())
}

func TestLongCompletionThatFailsEndsTheConnection(t *testing.T) {
	w, r := httptest.NewRecorder(), completing()
	require.Equal(t, postern.KeptOpen, dialect{}.WritePending(w, r, 0))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { dialect{}.WriteProblem(w, r, postern.ErrCompletionFailed) })
	require.Equal(t, "\n", w.Body.String(), "Uppy would take it for a success")
}

func TestChunksAreOfUppysOwnSize(t *testing.T) {
	const mib = 1 << 20
	for size, chunk := range map[int64]int64{
		0: 5 * mib, 1: 5 * mib, 5 * mib: 5 * mib, 50_000 * mib: 5 * mib,
		50_000*mib + 1: 5*mib + 1, 50_000*mib + 10_000: 5*mib + 1, 50_000*mib + 10_001: 5*mib + 2,
		1<<63 - 1: (1<<63-1)/10_000 + 1,
	} {
		require.Equal(t, chunk, chunkSize(size), size)
	}
}

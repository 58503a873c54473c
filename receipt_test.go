package postern_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

const bare = `{"id":"1","key":"k","filename":"f","size":3,"type":"t","etag":"","location":"","subject":"","tenant":"",` +
	`"metadata":{},"replayed":false,"duplicate":false`

func TestReceiptIsTheSameInJSONWhoeverWritesIt(t *testing.T) {
	for name, tc := range map[string]struct {
		data any
		end  string
	}{
		"without data": {nil, `}`},
		"with data":    {map[string]any{"row": 7, "tags": []string{"a", "<b>"}}, `,"data":{"row":7,"tags":["a","\u003cb\u003e"]}}`},
		"with JSON":    {json.RawMessage(`[1, 2]`), `,"data":[1,2]}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := postern.Receipt{ID: "1", Key: "k", Filename: "f", Type: "t", Size: 3, Data: tc.data}
			b, err := json.Marshal(r)
			require.NoError(t, err)
			require.Equal(t, bare+tc.end, string(b))
			w := httptest.NewRecorder()
			postern.Native().WriteReceipt(w, nil, &r)
			require.Equal(t, bare+tc.end, w.Body.String())
		})
	}
}

func TestReceiptWithoutJSONIsNotWritten(t *testing.T) {
	r := &postern.Receipt{Data: make(chan int)}
	_, err := json.Marshal(r)
	require.ErrorContains(t, err, "unsupported type")
	w := httptest.NewRecorder()
	postern.Native().WriteReceipt(w, httptest.NewRequest("POST", "/uploads/complete", nil), r)
	require.Equal(t, "internal", refused(t, w).Code)
}

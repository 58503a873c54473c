package s3_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// says is a site whose hook tells its page something, each time it is asked.
func says(t testing.TB, hook func(r *postern.Receipt) error, opts ...postern.HandlerOption) (h *postern.Handler, g grant) {
	s := newSite(t, foreign.Embedded(t), true)
	h = newReplica(t, s.bucket, append([]postern.HandlerOption{
		postern.WithPromotion(s.staging), postern.WithKeyPolicy(postern.KeyTemplate(s.final + "{uuid}")),
		postern.WithClientMetadata("caption"),
		postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error { return hook(r) }),
	}, opts...)...)
	request := fileOf(content)
	request["metadata"] = map[string]string{"caption": "a picture"}
	g = ask(t, h, request)
	require.Less(t, upload(t, h, g, content).Status, 300)
	return h, g
}

// dataOf is the member of a receipt, "" without.
func dataOf(t testing.TB, a answer) string {
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var r struct{ Data json.RawMessage }
	a.into(t, &r)
	return string(r.Data)
}

func TestReceiptCarriesWhatTheHookTellsThePage(t *testing.T) {
	for name, tc := range map[string]struct {
		data any
		want string
	}{
		"nothing":                 {nil, ""},
		"a structure":             {struct{ Row int }{7}, `{"Row":7}`},
		"text that is markup":     {"</script>\u2028", `"\u003c/script\u003e\u2028"`},
		"JSON of its own":         {json.RawMessage(`{ "a" : [ 1 ] }`), `{"a":[1]}`},
		"null":                    {(*int)(nil), "null"},
		"as much as there may be": {strings.Repeat("x", 64<<10-2), `"` + strings.Repeat("x", 64<<10-2) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			h, g := says(t, func(r *postern.Receipt) error {
				r.Data = tc.data
				return nil
			})
			a := call(t, h, "complete", ticketOf(g))
			require.Equal(t, tc.want, dataOf(t, a))
			require.Equal(t, tc.data != nil, strings.Contains(string(a.Body), `"data"`))
		})
	}
}

func TestReplayAsksTheHookAgainForItsData(t *testing.T) {
	calls := 0
	h, g := says(t, func(r *postern.Receipt) error {
		if r.Data != nil {
			return errors.New("it has the data of another call")
		}
		calls++
		r.Data = calls
		return nil
	})
	for n := 1; n <= 2; n++ {
		require.Equal(t, fmt.Sprint(n), dataOf(t, call(t, h, "complete", ticketOf(g))))
	}
}

func TestAllWhoWaitForACompletionGetTheSameData(t *testing.T) {
	reached, gate := make(chan struct{}, 16), make(chan struct{})
	var mutex sync.Mutex
	calls := 0
	h, g := says(t, func(r *postern.Receipt) error {
		reached <- struct{}{}
		<-gate
		mutex.Lock()
		defer mutex.Unlock()
		calls++
		r.Data = []int{calls}
		return nil
	})
	leave(t, h, g, reached)
	var all [3]answer
	var wg sync.WaitGroup
	for n := range all {
		wg.Go(func() { all[n] = call(t, h, "complete", ticketOf(g)) })
	}
	time.AfterFunc(100*time.Millisecond, func() { close(gate) }) // by now they wait, if they do
	wg.Wait()
	for _, a := range all {
		var r struct {
			Replayed bool
			Data     []int
		}
		a.into(t, &r)
		require.True(t, r.Replayed || r.Data[0] == 1, "%s", a.Body)
	}
}

func TestHookCannotChangeWhatTheBrowserIsTold(t *testing.T) {
	h, g := says(t, func(r *postern.Receipt) error {
		r.Metadata["caption"], r.Metadata["role"] = "another", "admin"
		*r = postern.Receipt{ID: "x", Key: "y", Size: 1, Subject: "eve", Metadata: r.Metadata, Data: "kept"}
		return nil
	})
	a := call(t, h, "complete", ticketOf(g))
	require.Equal(t, `"kept"`, dataOf(t, a))
	var r receipt
	a.into(t, &r)
	require.Equal(t, g.Key, r.Key)
	require.Len(t, r.ID, 32)
	require.EqualValues(t, len(content), r.Size)
	require.Equal(t, "ada", r.Subject)
	require.Equal(t, map[string]string{"caption": "a picture"}, r.Metadata)
}

type badly func() ([]byte, error)

func (b badly) MarshalJSON() ([]byte, error) { return b() }

func TestDataThatIsNoJSONFailsTheCompletion(t *testing.T) {
	cycle := map[string]any{}
	cycle["cycle"] = cycle
	for name, tc := range map[string]struct {
		data any
		says string
	}{
		"a channel":              {make(chan int), "unsupported type"},
		"a cycle":                {cycle, "cycle"},
		"JSON that is none":      {json.RawMessage(`{"password":"hunter2"`), "JSON"},
		"an encoder that fails":  {badly(func() ([]byte, error) { return nil, errors.New("no words") }), "no words"},
		"an encoder that panics": {badly(func() ([]byte, error) { panic("at the disco") }), "panic: at the disco"},
		"more than there may be": {strings.Repeat("x", 64<<10-1), "65537 bytes of JSON, and may have 65536"},
		"more, and data besides": {[]string{strings.Repeat("x", 1<<20)}, "bytes of JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			data := tc.data
			h, g := says(t, func(r *postern.Receipt) error {
				r.Data = data
				return nil
			}, postern.WithLogger(zerolog.New(j)))
			a := call(t, h, "complete", ticketOf(g))
			comesBack(t, a, 503, "completion_failed")
			require.NotContains(t, string(a.Body), tc.says)
			line := j.lines(t, "completion")[0]
			require.Equal(t, "error", line["level"])
			require.Equal(t, "completion_failed", line["code"])
			require.Contains(t, line["error"], tc.says)
			require.Equal(t, tc.says == "panic: at the disco", line["stack"] != nil)

			data = "fine"
			require.Equal(t, `"fine"`, dataOf(t, call(t, h, "complete", ticketOf(g))))
		})
	}
}

// Uppy 5 passes the whole answer on to the page, and Uppy 6 drops what it does not know.
func TestUppyIsToldTheDataToo(t *testing.T) {
	for want, data := range map[string]any{`{"row":7}`: map[string]int{"row": 7}, "": nil} {
		srv := foreign.Embedded(t)
		h, _ := newCompanion(t, srv, postern.WithOnComplete(func(_ context.Context, r *postern.Receipt) error {
			r.Data = data
			return nil
		}))
		u := create(t, h, map[string]any{"size": 100})
		u.putAll(t, h, film(100))
		a := u.complete(t, h, nil)
		require.Equal(t, want, dataOf(t, a))
		require.Equal(t, data != nil, strings.Contains(string(a.Body), `"data"`))
	}
}

// A dialect of the application's finds JSON, whatever the hook has set.
func TestDialectFindsTheDataAsJSON(t *testing.T) {
	var found any
	h, g := says(t, func(r *postern.Receipt) error {
		r.Data = map[string]int{"row": 7}
		return nil
	})
	other, err := h.WithDialect(telling{postern.Native(), &found})
	require.NoError(t, err)
	require.Equal(t, `{"row":7}`, dataOf(t, call(t, other, "complete", ticketOf(g))))
	require.Equal(t, json.RawMessage(`{"row":7}`), found)
}

type telling struct {
	postern.TicketDialect
	data *any
}

func (d telling) WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *postern.Receipt) {
	*d.data = receipt.Data
	d.TicketDialect.WriteReceipt(w, r, receipt)
}

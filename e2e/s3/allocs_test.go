//go:build !race

// The race detector allocates on its own account.

package s3_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/companion"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// Many connections send the largest body that a completion may have, without a
// ticket of their own. What it lists is not decoded.
func TestLongListsOfStrangersAllocateLittle(t *testing.T) {
	const (
		connections = 64
		bodySize    = 1 << 20
		limit       = bodySize * 5 / 2 // bytes that one request allocates in all
		perFile     = 8 << 10          // and for each of several files, beside its own
	)
	srv := foreign.Embedded(t)
	h := newReplica(t, twoIdentities(t, srv, ""))
	uppys, err := companion.New(h)
	require.NoError(t, err)
	ticket := ask(t, h, fileOf(content)).Ticket

	for _, tc := range []struct {
		name         string
		handler      http.Handler
		path, before string
		status       int
		files        int // where there are several, of which the last has the list
	}{
		{"native, no ticket", h, "/complete", `"ticket":"x",`, http.StatusBadRequest, 0},
		{"native, the ticket of another", h, "/complete", `"ticket":"` + ticket + `",`, http.StatusForbidden, 0},
		{"Uppy's, no ticket", uppys, "/s3/multipart/x/complete", "", http.StatusBadRequest, 0},
		{"Uppy's, the ticket of another", uppys, "/s3/multipart/" + ticket + "/complete", "", http.StatusForbidden, 0},
		{"several, the ticket of another", h, "/complete", `"uploads":[` + strings.Repeat(`{"ticket":"`+ticket+`"},`, 99) + `{"ticket":"` + ticket + `",`, http.StatusOK, 100},
		{"many in one", h, "/complete", `"uploads":[{"ticket":"x","parts":[{}]},` + strings.Repeat(`{},`, 98) + `{"ticket":"` + ticket + `",`, http.StatusOK, 100},
		{"too many", h, "/complete", `"uploads":[` + strings.Repeat(`{},`, 300_000) + `{"ticket":"x",`, http.StatusBadRequest, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			body := "{" + tc.before + `"parts":[`
			end := "{}]}"
			if tc.files > 0 {
				end += "]}"
			}
			body += strings.Repeat("{},", (bodySize-len(body)-len(end))/len("{},")) + end
			request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: uploads.example\r\nX-Principal: eve/acme\r\n"+
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", tc.path, len(body), body)
			sendAll := func() (statuses [connections]int) {
				var wg sync.WaitGroup
				for n := range statuses {
					wg.Go(func() { statuses[n] = sendRaw(server.Listener.Addr().String(), request) })
				}
				wg.Wait()
				return statuses
			}
			sendAll() // what is kept for later is allocated now

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			statuses := sendAll()
			runtime.ReadMemStats(&after)
			for _, status := range statuses {
				require.Equal(t, tc.status, status)
			}
			require.LessOrEqual(t, (after.TotalAlloc-before.TotalAlloc)/connections, uint64(limit+perFile*tc.files))
		})
	}
}

// sendRaw sends a request over a connection of its own, at next to no cost in memory,
// and returns the status of the answer, or 0.
func sendRaw(address string, request []byte) (status int) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0
	}
	defer conn.Close()
	go func() { _, _ = conn.Write(request) }() // the answer may come before the end
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

package s3_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// A page gives up before calls that hang have all had their time: the request ends
// first, and says when to come again.
func TestRequestEndsBeforeCallsThatHang(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	all := newTogether(16)
	for action, calls := range map[string]map[string]int{
		"sign": {"CreateMultipartUpload staging": 3},
		"list": {"ListParts staging": 3},
		// The look whether it is too late uses its time up.
		"abort": {"HeadObject final": 3},
	} {
		all.run(t, action, true, func(t *testing.T) {
			s := newSite(t, srv, true, inParts...)
			var request any = fileOf(big(6 << 20))
			if action != "sign" {
				request = ticketOf(ask(t, s, fileOf(big(6<<20))))
			}
			before := map[string]int{}
			for name := range calls {
				before[name] = s.proxy.count(name)
			}
			s.proxy.with((*exchange).hang)
			comesBack(t, call(t, s, action, request), 503, "storage_unavailable")
			for name, most := range calls {
				n := s.proxy.count(name) - before[name]
				require.Positive(t, n, name)
				require.LessOrEqual(t, n, most, name)
			}
		})
	}
	all.run(t, "parts, of buckets that hang", true, func(t *testing.T) {
		hangs := false
		s := newSite(t, srv, true, append(inParts, postern.WithBuckets(postern.BucketsFunc(
			func(ctx context.Context, _ *postern.Upload) (postern.Bucket, error) {
				if hangs {
					<-ctx.Done()
				}
				return postern.Bucket{}, ctx.Err()
			})))...)
		g := ask(t, s, fileOf(big(6<<20)))
		hangs = true
		comesBack(t, call(t, s, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{1}}), 503, "storage_unavailable")
	})
	all.wg.Wait()
}

package s3_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/quota"
)

// counted is a site whose tenant may have some 20 MB.
type counted struct {
	*postern.Handler
	store *quota.Memory
	opts  []postern.HandlerOption
	s3    *foreign.Server
	got   *receipts
}

const room = 20 << 20

func newCounted(t *testing.T, opts ...postern.HandlerOption) *counted {
	c := &counted{store: quota.NewMemory(nil), s3: foreign.Embedded(t), got: &receipts{}}
	c.opts = append([]postern.HandlerOption{
		postern.WithPromotion("staging/"), postern.WithOnComplete(c.got.hook),
		postern.WithSizeLimit(1, 1<<30), postern.WithMultipartThreshold(6 << 20),
		postern.WithQuota(c.store, func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{Subject: quota.Bytes(room)}
		}),
	}, opts...)
	c.Handler = newReplica(t, twoIdentities(t, c.s3, ""), c.opts...)
	return c
}

// uses asserts what is used of the account that receipts name.
func (c *counted) uses(t *testing.T, bytes, files, reserved, uploads int64) {
	t.Helper()
	all, err := c.store.Usage(t.Context(), c.account())
	require.NoError(t, err)
	require.Equal(t, quota.Usage{Bytes: bytes, Files: files, Reserved: reserved, Uploads: uploads}, all[0])
}

func (c *counted) account() string { return postern.SubjectAccount("acme", "ada") }

func TestReceiptsSettleWhatGrantsReserved(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{"a form": content, "parts": big(9 << 20)} {
		t.Run(name, func(t *testing.T) {
			c := newCounted(t)
			size := int64(len(file))
			g := ask(t, c, fileOf(file))
			c.uses(t, 0, 0, size, 1)
			require.Less(t, upload(t, c, g, file).Status, 300)
			for range 2 {
				complete(t, c, g.Ticket)
				c.uses(t, size, 1, 0, 0)
			}
			r := c.got.seen()[0]
			require.Equal(t, []string{c.account()}, r.Accounts)
			require.NoError(t, c.store.Release(t.Context(), quota.Upload{ID: r.ID, Bytes: r.Size, Accounts: r.Accounts}))
			c.uses(t, 0, 0, 0, 0)
		})
	}
}

func TestAHookThatFailsDoesNotCountTwice(t *testing.T) {
	c := newCounted(t)
	g := ask(t, c, fileOf(content))
	upload(t, c, g, content)
	c.got.fail = errors.New("down")
	require.Equal(t, "completion_failed", call(t, c, "complete", ticketOf(g)).code(t))
	c.got.fail = nil
	complete(t, c, g.Ticket)
	c.uses(t, int64(len(content)), 1, 0, 0)
}

// Whoever gives an upload up, and sends it nevertheless, has nothing: else one quota would
// be as many as one likes.
func TestWhatWasGivenUpIsFreeAndCannotBeCompleted(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{"a form": content, "parts": big(9 << 20)} {
		t.Run(name, func(t *testing.T) {
			c := newCounted(t)
			g := ask(t, c, fileOf(file))
			for range 2 {
				require.Equal(t, http.StatusNoContent, call(t, c, "abort", ticketOf(g)).Status)
				c.uses(t, 0, 0, 0, 0)
			}
			if g.Mode == "multipart" {
				return
			}
			require.Equal(t, http.StatusCreated, upload(t, c, g, file).Status)
			require.Equal(t, "upload_gone", call(t, c, "complete", ticketOf(g)).code(t))
			c.uses(t, 0, 0, 0, 0)
			require.Empty(t, keys(t, c.s3))
			require.Zero(t, c.got.count())

			require.Equal(t, http.StatusCreated, upload(t, c, g, file).Status)
			reconcile(t, c.Handler)
			c.uses(t, 0, 0, 0, 0)
			require.Empty(t, keys(t, c.s3))
			require.Zero(t, c.got.count())
		})
	}
}

func TestAbortingACompletedUploadGivesNothingBack(t *testing.T) {
	c := newCounted(t)
	g := ask(t, c, fileOf(content))
	upload(t, c, g, content)
	complete(t, c, g.Ticket)
	require.Equal(t, http.StatusNoContent, call(t, c, "abort", ticketOf(g)).Status)
	c.uses(t, int64(len(content)), 1, 0, 0)
}

func TestWhatVerificationRefusesIsGivenBack(t *testing.T) {
	c := newCounted(t, postern.WithSniffing())
	g := ask(t, c, map[string]any{"filename": "a.png", "type": "image/png", "size": len(content)})
	upload(t, c, g, content)
	require.Equal(t, "content_mismatch", call(t, c, "complete", ticketOf(g)).code(t))
	c.uses(t, 0, 0, 0, 0)
}

func TestDuplicatesCountOnce(t *testing.T) {
	c := newCounted(t, postern.WithKeyPolicy(postern.KeyTemplate("{sha256}{ext}")))
	for range 2 {
		g := ask(t, c, withSum(fileOf(content), content))
		upload(t, c, g, content)
		complete(t, c, g.Ticket)
	}
	require.Equal(t, 2, c.got.count())
	c.uses(t, int64(len(content)), 1, 0, 0)
}

func TestTheReconcilerSettlesAndGivesBack(t *testing.T) {
	t.Parallel()
	c := newCounted(t)
	g := ask(t, c, fileOf(content))
	upload(t, c, g, content)
	never := ask(t, c, fileOf(big(9<<20)))
	require.Equal(t, "multipart", never.Mode)
	require.Equal(t, 1, reconcile(t, c.Handler).Completed)
	c.uses(t, int64(len(content)), 1, 9<<20, 1)
	later := newReplica(t, twoIdentities(t, c.s3, ""), append(c.opts, postern.WithClock(func() time.Time { return time.Now().Add(25 * time.Hour) }))...)
	require.Equal(t, 1, reconcile(t, later).Aborted)
	c.uses(t, int64(len(content)), 1, 0, 0)
}

package storetest_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/internal/storetest"
)

var _ completion.Bucket = (*storetest.Bucket)(nil)

// Of this no test at a server can be sure when it happens.
func TestAPartThatIsOnItsWaySurvivesAnAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := storetest.New(storetest.Profile{}).Bucket("b")
		id, err := b.CreateMultipart(ctx, "k", object.Header{}, false)
		require.NoError(t, err)
		arrive, err := b.SendPart(ctx, "k", id, 1, []byte("part"))
		require.NoError(t, err)
		require.NoError(t, b.Abort(ctx, "k", id))
		_, err = b.Parts(ctx, "k", id)
		require.ErrorIs(t, err, store.ErrNoUpload)

		require.NotEmpty(t, arrive())
		parts, err := b.Parts(ctx, "k", id)
		require.NoError(t, err)
		require.Len(t, parts, 1)
		_, err = b.SendPart(ctx, "k", id, 2, []byte("part"))
		require.ErrorIs(t, err, store.ErrNoUpload, "no other joins it")
		require.ErrorIs(t, b.CompleteMultipart(ctx, "k", id, parts, store.CompleteOptions{}), store.ErrNoUpload)
		require.NoError(t, b.Abort(ctx, "k", id))
		all, _, err := b.Uploads(ctx, "", store.Marker{})
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestListingsHavePages(t *testing.T) {
	ctx := context.Background()
	b := storetest.New(storetest.Profile{PageSize: 2}).Bucket("b")
	for _, key := range []string{"c", "a", "b"} {
		require.NoError(t, b.Put(ctx, key, nil))
		_, err := b.CreateMultipart(ctx, "same", object.Header{}, false)
		require.NoError(t, err)
	}
	page, more, err := b.List(ctx, "", "")
	require.NoError(t, err)
	require.True(t, more)
	rest, more, err := b.List(ctx, "", page[1].Key)
	require.NoError(t, err)
	require.False(t, more)
	require.Equal(t, []string{"a", "b", "c"}, []string{page[0].Key, page[1].Key, rest[0].Key})

	begun, next, err := b.Uploads(ctx, "", store.Marker{})
	require.NoError(t, err)
	require.Len(t, begun, 2)
	last, next, err := b.Uploads(ctx, "", next)
	require.NoError(t, err)
	require.Zero(t, next)
	require.Len(t, last, 1)
}

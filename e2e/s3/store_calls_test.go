package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
	header "github.com/postern-go/postern/internal/object"
	"github.com/postern-go/postern/internal/store"
)

// storeAt is the bucket of a server as the root account sees it, at an endpoint.
func storeAt(srv *foreign.Server, endpoint string) *store.Store {
	return store.New(store.Config{
		Bucket: srv.Bucket, Region: srv.Region, Endpoint: endpoint, PathStyle: true, Credentials: srv.Credentials(),
	})
}

func storeOf(srv *foreign.Server) *store.Store { return storeAt(srv, srv.Endpoint) }

// atOnce calls f with the numbers below n, eight at a time.
func atOnce(n int, f func(k int)) {
	var next atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				f(k)
			}
		})
	}
	wg.Wait()
}

func TestPutReplacesWhatIsThere(t *testing.T) {
	s, ctx := storeOf(foreign.Start(t)), t.Context()
	for _, content := range []string{"first", "second"} {
		require.NoError(t, s.Put(ctx, "note", []byte(content)))
		got, err := s.Read(ctx, "note", 100)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	}
}

func TestHeadTellsWhenTheObjectWasWritten(t *testing.T) {
	s, ctx := storeOf(foreign.Start(t)), t.Context()
	before := time.Now().Truncate(time.Second)
	require.NoError(t, s.Put(ctx, "note", nil))
	o, err := s.Head(ctx, "note")
	require.NoError(t, err)
	require.WithinRange(t, o.Modified, before, time.Now().Add(time.Second))
}

func TestRangeOfAnObject(t *testing.T) {
	s, ctx := storeOf(foreign.Start(t)), t.Context()
	require.NoError(t, s.Put(ctx, "digits", []byte("0123456789")))
	o, err := s.Head(ctx, "digits")
	require.NoError(t, err)
	for _, tc := range []struct {
		offset, n int64
		want      string
	}{{0, 3, "012"}, {4, 3, "456"}, {8, 100, "89"}, {9, 1, "9"}} {
		body, err := s.GetRange(ctx, "digits", o.ETag, tc.offset, tc.n)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, tc.want, string(got))
	}
	_, err = s.GetRange(ctx, "digits", o.ETag, 10, 1)
	require.ErrorIs(t, err, store.ErrRange)
	_, err = s.GetRange(ctx, "digits", `"other"`, 0, 1)
	require.ErrorIs(t, err, store.ErrChanged)
	_, err = s.GetRange(ctx, "none", o.ETag, 0, 1)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestTagsOfAnObject(t *testing.T) {
	srv := foreign.Start(t)
	s, ctx := storeOf(srv), t.Context()
	require.NoError(t, s.Put(ctx, "note", nil))
	tags, err := s.Tags(ctx, "note")
	require.NoError(t, err)
	require.Empty(t, tags)
	_, err = srv.Client().PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: &srv.Bucket, Key: aws.String("note"), Tagging: &types.Tagging{TagSet: []types.Tag{
			{Key: aws.String("GuardDutyMalwareScanStatus"), Value: aws.String("NO_THREATS_FOUND")},
			{Key: aws.String("b"), Value: aws.String("")},
		}},
	})
	require.NoError(t, err)
	tags, err = s.Tags(ctx, "note")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"GuardDutyMalwareScanStatus": "NO_THREATS_FOUND", "b": ""}, tags)
	_, err = s.Tags(ctx, "none")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestListingGoesOnAfterAKey(t *testing.T) {
	const n = 1003
	s, ctx := storeOf(foreign.Start(t)), t.Context()
	atOnce(n, func(k int) { _ = s.Put(ctx, fmt.Sprintf("staging/%04d", k), []byte("four")) })
	require.NoError(t, s.Put(ctx, "other", nil))

	first, more, err := s.List(ctx, "staging/", "")
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, first, 1000)
	rest, more, err := s.List(ctx, "staging/", first[len(first)-1].Key)
	require.NoError(t, err)
	require.False(t, more)
	all := append(first, rest...)
	require.Len(t, all, n)
	for k, e := range all {
		require.Equal(t, fmt.Sprintf("staging/%04d", k), e.Key)
		require.EqualValues(t, 4, e.Size)
		require.WithinRange(t, e.Modified, time.Now().Add(-time.Minute), time.Now().Add(time.Minute))
	}
	o, err := s.Head(ctx, all[7].Key)
	require.NoError(t, err)
	require.Equal(t, o.ETag, all[7].ETag)

	none, more, err := s.List(ctx, "staging/", all[n-1].Key)
	require.NoError(t, err)
	require.False(t, more)
	require.Empty(t, none)
}

func TestListingKeepsOddKeys(t *testing.T) {
	s, ctx := storeOf(foreign.Start(t)), t.Context()
	var want []string
	for k, key := range oddKeys() {
		key = fmt.Sprintf("odd/%02d/%s", k, key)
		if err := s.Put(ctx, key, nil); err == nil { // not every server takes every key
			want = append(want, key)
		}
	}
	require.Greater(t, len(want), 25)
	page, more, err := s.List(ctx, "odd/", "")
	require.NoError(t, err)
	require.False(t, more)
	var got []string
	for _, e := range page {
		got = append(got, e.Key)
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)
	for _, after := range want {
		page, _, err := s.List(ctx, after[:len("odd/00/")], after)
		require.NoError(t, err, after)
		require.Empty(t, page, after)
	}
}

func TestListingOfUploadsThatWereBegun(t *testing.T) {
	const n = 1003
	srv := foreign.Start(t)
	s, ctx := storeOf(srv), t.Context()
	ids := make([]string, n)
	key := func(k int) string { return fmt.Sprintf("staging/%04d ü", k) }
	if srv.Name == foreign.MinIO { // lists the uploads of one key
		key = func(int) string { return "staging/ü" }
	}
	atOnce(n, func(k int) { ids[k], _ = s.CreateMultipart(ctx, key(k), header.Header{}, false) })
	_, err := s.CreateMultipart(ctx, "other", header.Header{}, false)
	require.NoError(t, err)

	prefix := "staging/"
	if srv.Name == foreign.MinIO {
		prefix = key(0)
	}
	first, next, err := s.Uploads(ctx, prefix, store.Marker{})
	require.NoError(t, err)
	require.NotZero(t, next)
	require.Len(t, first, 1000)
	rest, next, err := s.Uploads(ctx, prefix, next)
	require.NoError(t, err)
	require.Zero(t, next)
	all := append(first, rest...)
	var got []string
	for _, b := range all {
		got = append(got, b.UploadID)
		require.True(t, strings.HasPrefix(b.Key, prefix))
		if srv.Name != foreign.SeaweedFS {
			require.WithinRange(t, b.Initiated, time.Now().Add(-time.Minute), time.Now().Add(time.Minute))
		}
	}
	require.ElementsMatch(t, ids, got)
	require.NoError(t, s.Abort(ctx, all[n-1].Key, all[n-1].UploadID))
}

func TestCallsUnderAPaceWaitFirst(t *testing.T) {
	srv := foreign.Embedded(t)
	p := newProxy(t, srv, "staging/")
	s := storeAt(srv, p.URL)
	var waits atomic.Int32
	ctx := store.Paced(t.Context(), func(context.Context) error {
		waits.Add(1)
		return nil
	})
	require.NoError(t, s.Put(ctx, "note", []byte("note")))
	o, err := s.Head(ctx, "note")
	require.NoError(t, err)
	_, err = s.Read(ctx, "note", 9)
	require.NoError(t, err)
	body, err := s.Get(ctx, "note", o.ETag, 0)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	_, err = s.Tags(ctx, "note")
	require.NoError(t, err)
	_, _, err = s.List(ctx, "", "")
	require.NoError(t, err)
	_, _, err = s.Uploads(ctx, "", store.Marker{})
	require.NoError(t, err)
	require.NoError(t, s.Copy(ctx, srv.Bucket, "note", o.ETag, "copy", header.Header{}))
	id, err := s.CreateMultipart(ctx, "parts", header.Header{}, false)
	require.NoError(t, err)
	_, err = s.CopyPart(ctx, srv.Bucket, "note", o.ETag, "parts", id, 1, 0, 3)
	require.NoError(t, err)
	_, err = s.Parts(ctx, "parts", id)
	require.NoError(t, err)
	require.NoError(t, s.Abort(ctx, "parts", id)) // two calls
	require.NoError(t, s.Delete(ctx, "note", ""))
	require.EqualValues(t, 14, waits.Load())
	require.Equal(t, 14, p.total())

	none := errors.New("no more calls")
	_, err = s.Head(store.Paced(t.Context(), func(context.Context) error { return none }), "note")
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Equal(t, 14, p.total(), "a call whose wait fails is not made")
}

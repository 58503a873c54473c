package s3_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// replacing are providers that can replace an object.
var replacing = []postern.Provider{postern.AmazonS3, postern.MinIO, postern.SeaweedFS}

// only are those of the providers at which the tests run.
func only(t testing.TB, all []postern.Provider) []postern.Provider {
	name, ok := foreign.Asked()
	if !ok {
		return all
	}
	for _, p := range all {
		if string(p) == name {
			return []postern.Provider{p}
		}
	}
	t.Logf("%s cannot do this", name)
	return nil
}

// avatars is a handler of one key, whose uploads replace the object of an ETag.
func (s *site) avatars(t testing.TB, etag string, opts ...postern.HandlerOption) *postern.Handler {
	return mustNew(t, s.bucket, append([]postern.HandlerOption{
		postern.WithTicketKeys(ticketKey), postern.WithOnComplete(s.got.hook), postern.WithPromotion(s.staging),
		postern.WithKeyPolicy(postern.KeyTemplate(s.final + "{subject}/avatar")),
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			u.Replace = etag
			return principal(r, u)
		}),
	}, opts...)...)
}

// replace uploads an avatar, and completes it.
func (s *site) replace(t testing.TB, h *postern.Handler, content []byte) (grant, answer) {
	g := ask(t, h, map[string]any{"filename": "cat.png", "type": "image/png", "size": len(content)})
	require.Less(t, upload(t, h, g, content).Status, 300)
	return g, call(t, h, "complete", ticketOf(g))
}

func receiptOf(t testing.TB, a answer) (r receipt) {
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	a.into(t, &r)
	return r
}

// other is a file with another end.
func other(content []byte, n byte) []byte { return append(append([]byte{}, content...), n) }

func TestUploadsReplaceTheObjectThatTheyNameAtEveryProviderThatCan(t *testing.T) {
	t.Parallel()
	for _, p := range only(t, replacing) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			s := siteLike(t, srv, p)
			old, answered := s.replace(t, s.avatars(t, ""), pngFile())
			first := receiptOf(t, answered)

			h := s.avatars(t, first.ETag)
			g, answered := s.replace(t, h, other(pngFile(), 1))
			second := receiptOf(t, answered)
			require.Equal(t, first.Key, second.Key)
			s.isRight(t, second, other(pngFile(), 1))
			again := complete(t, s.avatars(t, first.ETag), g.Ticket)
			require.True(t, again.Replayed)
			require.Equal(t, second.ETag, again.ETag)

			require.Equal(t, "object_conflict", call(t, h, "complete", ticketOf(old)).code(t), "the replaced one")
			_, answered = s.replace(t, h, other(pngFile(), 2))
			require.Equal(t, "object_conflict", answered.code(t), "another has replaced it")
			_, answered = s.replace(t, s.avatars(t, ""), other(pngFile(), 3))
			require.Equal(t, "object_conflict", answered.code(t), "it does not replace")
			h = s.avatars(t, second.ETag, postern.WithSniffing())
			_, answered = s.replace(t, h, htmlFile(500))
			require.Equal(t, "content_mismatch", answered.code(t))
			s.isRight(t, second, other(pngFile(), 1))

			_, err := srv.Client().DeleteObject(context.Background(), &s3.DeleteObjectInput{Bucket: &srv.Bucket, Key: &second.Key})
			require.NoError(t, err)
			_, answered = s.replace(t, h, pngFile())
			require.Equal(t, "object_conflict", answered.code(t), "it is gone")
			require.Zero(t, s.unfinished(t))
		})
	}
}

func TestOneOfManyReplacesAnObjectAtEveryProviderThatCan(t *testing.T) {
	t.Parallel()
	for _, p := range only(t, replacing) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			s := siteLike(t, at(t, p), p)
			_, answered := s.replace(t, s.avatars(t, ""), pngFile())
			first := receiptOf(t, answered)
			answers := make([]answer, 6)
			var all sync.WaitGroup
			for k := range answers {
				all.Go(func() { _, answers[k] = s.replace(t, s.avatars(t, first.ETag), other(pngFile(), byte(k))) })
			}
			all.Wait()
			won := 0
			for k, a := range answers {
				if a.Status == http.StatusOK {
					won++
					s.isRight(t, receiptOf(t, a), other(pngFile(), byte(k)))
					continue
				}
				require.Equal(t, "object_conflict", a.code(t))
			}
			require.Equal(t, 1, won)
		})
	}
}

// What is replaced stays until the new one is there, whenever the process dies.
func TestReplacingSurvivesACrashAtEveryProviderThatCan(t *testing.T) {
	t.Parallel()
	for _, p := range only(t, replacing) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			for n := 1; ; n++ {
				s := siteLike(t, srv, p)
				_, answered := s.replace(t, s.avatars(t, ""), pngFile())
				first := receiptOf(t, answered)
				h := s.avatars(t, first.ETag)
				g := ask(t, h, picture())
				require.Less(t, upload(t, h, g, pngFile()).Status, 300)
				died := s.proxy.diesAt(n, true)
				call(t, h, "complete", ticketOf(g))
				s.proxy.with(nil)
				r := complete(t, s.avatars(t, first.ETag), g.Ticket)
				s.isRight(t, r, pngFile())
				require.NotEqual(t, first.ID, r.ID)
				if !died() {
					require.Greater(t, n, 5)
					return
				}
			}
		})
	}
}

// A bucket with Object Lock, where the server has it.
func TestPromotionSetsLocksAndTheLanguageAtEveryProviderThatCan(t *testing.T) {
	t.Parallel()
	until := time.Now().AddDate(0, 0, 3).UTC().Truncate(time.Second)
	attributes := postern.Attributes{
		ContentLanguage: "de, en",
		ObjectLock:      postern.ObjectLock{Mode: "GOVERNANCE", RetainUntil: until, LegalHold: true},
	}
	for _, p := range only(t, []postern.Provider{postern.AmazonS3, postern.MinIO, postern.Garage}) {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			srv := at(t, p)
			locked := srv.Bucket + "-locked"
			_, err := srv.Client().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &locked, ObjectLockEnabledForBucket: aws.Bool(true)})
			require.NoError(t, err)
			s := siteLike(t, srv, p)
			s.bucket.Name, s.bucket.StagingName, s.bucket.Credentials = locked, srv.Bucket, s.bucket.ServiceCredentials
			h := newReplica(t, s.bucket, s.options(postern.AllowSharedCredentials(), postern.WithAttributes(attributes), postern.WithSniffing())...)

			_, answered := s.replace(t, h, htmlFile(500))
			require.Equal(t, "content_mismatch", answered.code(t))
			_, answered = s.replace(t, h, pngFile())
			r := receiptOf(t, answered)
			head, err := srv.Client().HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &locked, Key: &r.Key})
			require.NoError(t, err)
			require.Equal(t, "de, en", aws.ToString(head.ContentLanguage))
			require.EqualValues(t, "GOVERNANCE", head.ObjectLockMode)
			require.EqualValues(t, "ON", head.ObjectLockLegalHoldStatus)
			require.True(t, until.Equal(aws.ToTime(head.ObjectLockRetainUntilDate)), "%s, not %s", head.ObjectLockRetainUntilDate, until)
			require.Empty(t, s.left(t))
		})
	}
}

package browser_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/s3test"
)

func TestRefusalsAreShown(t *testing.T) {
	t.Parallel()
	const types = "Files of this kind are not accepted here, only images, videos, PDF, plain text, and zip files."
	for _, c := range []struct{ name, program string }{
		{"the element's", `true`},
		{"the server's", `Object.assign(document.querySelector("postern-upload"), { accept: "", maxSize: "" }), true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := s3test.Start(t)
			page := open(t, quickstart.StartWith(t, srv).URL)
			browser.Eval[bool](page.Page, c.program)
			page.Pick(
				fixture.Sparse(t, "huge.txt", 6<<30),
				fixture.Write(t, "empty.txt", nil),
				fixture.Write(t, "page.html", []byte("<!doctype html><script>alert(1)</script>")),
				fixture.Write(t, "LICENSE", []byte("MIT")),
				fixture.Sparse(t, "over.txt", 5<<30+1))

			require.Equal(t, "Too large: this file has 6.4 GB, and the limit is 5.4 GB.", page.Failure("huge.txt"))
			require.Equal(t, "Too large: just above the limit of 5.4 GB.", page.Failure("over.txt"))
			require.Equal(t, "This file is empty.", page.Failure("empty.txt"))
			require.Equal(t, types, page.Failure("page.html"))
			require.Equal(t, types, page.Failure("LICENSE"))
			require.False(t, browser.Eval[bool](page.Page, page.In("huge.txt", "retry")+`?.checkVisibility() ?? false`), "trying again cannot help")
			page.Picture("refused")
			require.Empty(t, objects(t, srv))
		})
	}
}

func TestAWrongTokenIsShownAndCanBeRetried(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	browser.Eval[string](page.Page, `document.querySelector("[value=acme]").dataset.token = "acme-guess"`)
	page.Pick(fixture.Text(t, "a.txt", 10))
	require.Equal(t, "You aren’t signed in any more. Sign in, and try again.", page.Failure("a.txt"))
	require.Empty(t, objects(t, srv))

	browser.Eval[string](page.Page, `document.querySelector("[value=acme]").dataset.token = "acme-demo"`)
	page.Push("a.txt", "retry")
	uploaded(page, "a.txt")
	require.Len(t, objects(t, srv), 1)
}

// Code that makes the page lie: to the server about the file, so that the grant
// is real but not for what the page uploads, or to the bucket about the grant.
const (
	sayingSize = `window.fetch = ((fetch) => (url, options) => {
		if (typeof options.body !== "string") return fetch(url, options);
		const body = JSON.parse(options.body);
		body.size += %d;
		return fetch(url, { ...options, body: JSON.stringify(body) });
	})(window.fetch), true`
	changingField = `FormData.prototype.append = ((append) => function (name, value) {
		return append.call(this, name, name === %q ? %q : value);
	})(FormData.prototype.append), true`
)

func TestTheBucketsRefusalsAreShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, lie, want string }{
		{"a file larger than granted", fmt.Sprintf(sayingSize, -1),
			"The file is larger than announced. Choose it again."},
		{"a file smaller than granted", fmt.Sprintf(sayingSize, +1),
			"The file is smaller than announced. Choose it again."},
		{"a key that was changed", fmt.Sprintf(changingField, "key", "globex/stolen.txt"),
			"The storage refused the file (AccessDenied). Only the people who run this site can mend that."},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := s3test.Start(t)
			page := open(t, quickstart.StartWith(t, srv).URL)
			browser.Eval[bool](page.Page, c.lie)
			page.Pick(fixture.Text(t, "a.txt", 5000))
			require.Equal(t, c.want, page.Failure("a.txt"))
			require.False(t, browser.Eval[bool](page.Page, `!!`+page.In("a.txt", "retry")), "trying again cannot help")
			require.Empty(t, objects(t, srv))
		})
	}
}

func TestABucketThatIsGoneIsShown(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := open(t, quickstart.StartWith(t, srv).URL)
	page.AllowErrors()
	_, err := srv.Client().DeleteBucket(context.Background(), &s3.DeleteBucketInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	hurry(page)
	page.Pick(fixture.Text(t, "a.txt", 10))
	require.Equal(t, "The storage of this site is not set up right (NoSuchBucket). Only the people who run it can mend that.", page.Failure("a.txt"))
}

func TestAServerThatIsGoneIsShown(t *testing.T) {
	t.Parallel()
	program := quickstart.Start(t, nil, nil)
	page := open(t, program.URL)
	program.Stop()
	hurry(page)
	page.Pick(fixture.Text(t, "a.txt", 10))
	require.Equal(t, "The server can’t be reached. Check your connection and try again.", page.Failure("a.txt"))
}

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

func TestTheServersRefusalsAreShown(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	choose(page,
		fixture.Sparse(t, "huge.txt", 6<<30),
		fixture.Write(t, "empty.txt", nil),
		fixture.Write(t, "page.html", []byte("<!doctype html><script>alert(1)</script>")),
		fixture.Write(t, "LICENSE", []byte("MIT")),
		fixture.Sparse(t, "over.txt", 5<<30+1))

	require.Equal(t, "Too large: this file has 6 GB, and the limit is 5 GB.", message(t, page, "huge.txt"))
	require.Equal(t, "Too large: just above the limit of 5 GB.", message(t, page, "over.txt"))
	require.Equal(t, "This file is empty.", message(t, page, "empty.txt"))
	require.Equal(t, "“text/html” files are not accepted here, only images, videos, PDF, plain text, and zip files.", message(t, page, "page.html"))
	require.Equal(t, "Files of this kind are not accepted here, only images, videos, PDF, plain text, and zip files.", message(t, page, "LICENSE"))
	require.False(t, browser.Eval[bool](page, part("huge.txt", "retry")+`.checkVisibility()`), "trying again cannot help")
	require.Equal(t, "0 of 5 uploaded, 5 failed", browser.Eval[string](page, `document.querySelector("[data-summary]").innerText`))
	require.Contains(t, browser.Eval[string](page, `document.querySelector("[role=status]").textContent`), "empty.txt failed. This file is empty.")
	page.Picture("refused")
	require.Empty(t, objects(t, srv))
}

func TestAWrongTokenIsShownAndCanBeRetried(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	browser.Eval[string](page, `document.querySelector("[value=acme]").dataset.token = "acme-guess"`)
	choose(page, fixture.Text(t, "a.txt", 10))
	require.Equal(t, "You aren’t signed in, or your session has ended. Sign in and try again.", message(t, page, "a.txt"))
	require.Empty(t, objects(t, srv))

	browser.Eval[string](page, `document.querySelector("[value=acme]").dataset.token = "acme-demo"`)
	page.Click("[data-file='a.txt'] [data-retry]")
	waitFor(page, "a.txt", "done")
	require.Len(t, objects(t, srv), 1)
}

// Code that makes the page lie: to the server about the file, so that the grant
// is real but not for what the page uploads, or to the bucket about the grant.
const (
	sayingSize = `window.fetch = ((fetch) => (url, options) => {
		if (!options.body) return fetch(url, options);
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
			"The storage refused the file: it is larger than announced. Has it changed since?"},
		{"a file smaller than granted", fmt.Sprintf(sayingSize, +1),
			"The storage refused the file: it is smaller than announced. Has it changed since?"},
		{"a key that was changed", fmt.Sprintf(changingField, "key", "globex/stolen.txt"),
			"The storage refused the file: this upload is not permitted."},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := s3test.Start(t)
			page := browser.Open(t, quickstart.StartWith(t, srv).URL)
			browser.Eval[bool](page, c.lie)
			choose(page, fixture.Text(t, "a.txt", 5000))
			require.Equal(t, c.want, message(t, page, "a.txt"))
			require.True(t, browser.Eval[bool](page, part("a.txt", "retry")+`.checkVisibility()`))
			require.Empty(t, objects(t, srv))
		})
	}
}

func TestEachRefusalHasWords(t *testing.T) {
	t.Parallel()
	page := browser.Open(t, quickstart.Start(t, nil, nil).URL)
	for _, c := range []struct{ name, refusal, want string }{
		{"the policy has expired",
			`{from: "bucket", code: "AccessDenied", detail: "Invalid according to Policy: Policy expired."}`,
			"The permission for this upload has expired. Try again."},
		{"the signature is wrong",
			`{from: "bucket", code: "SignatureDoesNotMatch"}`,
			"The storage doesn’t accept the permission that the server gave. Try again in a moment."},
		{"the bucket is gone",
			`{from: "bucket", code: "NoSuchBucket"}`,
			"The storage for these files doesn’t exist."},
		{"S3 has a code that the page does not know",
			`{from: "bucket", code: "TeaPot"}`,
			"The storage refused the file (TeaPot). Try again."},
		{"the server has a code that the page does not know",
			`{from: "server", code: "quota", status: 429, detail: "Your plan is used up.", limits: {}}`,
			"Your plan is used up."},
		{"the server has no credentials",
			`{from: "server", code: "credentials_unavailable", status: 503, detail: "Uploads are not possible right now.", limits: {}}`,
			"Uploads are not possible right now."},
		{"something else than Postern answers",
			`{from: "server", code: "unexpected", status: 502, detail: "", limits: {}}`,
			"The server’s answer makes no sense. Try again in a moment."},
		{"the page has a bug",
			`new TypeError("x is not a function")`,
			"Something went wrong on this page. Reload it and try again."},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := browser.Eval[string](page, `import("/web/words.js").then(({ explain }) => explain(`+c.refusal+`, new File([], "a.txt")).text)`)
			require.Equal(t, c.want, text)
		})
	}
}

func TestABucketThatIsGoneIsShown(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	page := browser.Open(t, quickstart.StartWith(t, srv).URL)
	page.AllowErrors() // without a bucket there are no CORS rules
	_, err := srv.Client().DeleteBucket(context.Background(), &s3.DeleteBucketInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	hurry(page)
	choose(page, fixture.Text(t, "a.txt", 10))
	require.Equal(t, "The upload was interrupted: the storage can’t be reached, or doesn’t accept uploads from this page.", message(t, page, "a.txt"))
}

func TestAServerThatIsGoneIsShown(t *testing.T) {
	t.Parallel()
	program := quickstart.Start(t, nil, nil)
	page := browser.Open(t, program.URL)
	program.Stop()
	hurry(page)
	choose(page, fixture.Text(t, "a.txt", 10))
	require.Equal(t, "The server can’t be reached. Check your connection and try again.", message(t, page, "a.txt"))
}

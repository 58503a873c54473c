// Package browser_test uploads with a real Chromium, by the page of the
// quickstart, into a real S3 server.
package browser_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/quickstart"
	"github.com/postern-go/postern/s3test"
)

func TestMain(m *testing.M) {
	remove, err := quickstart.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	remove()
	os.Exit(code)
}

const picker = "#picker"

// file is the row of a file, for JavaScript.
func file(name string) string {
	return `document.querySelector('[data-file=` + browser.Quote(name) + `]')`
}

func part(name, hook string) string {
	return file(name) + `.querySelector('[data-` + hook + `]')`
}

func choose(page *browser.Page, files ...fixture.File) {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	page.Choose(picker, paths...)
}

func waitFor(page *browser.Page, name, state string) {
	page.Wait(file(name) + `?.dataset.state === ` + browser.Quote(state))
}

// message waits until a file has failed, and returns what the page says.
func message(t *testing.T, page *browser.Page, name string) string {
	t.Helper()
	waitFor(page, name, "failed")
	return browser.Eval[string](page, part(name, "message")+`.innerText`)
}

type object struct {
	key, contentType, disposition string
	bytes                         []byte
}

// percent is how much of a file the page says has been sent.
func percent(name string) string { return `Number(` + part(name, "progress") + `?.ariaValueNow)` }

// steps notes each step of each bar, as a screen reader would get it, and returns
// those of a file.
func steps(page *browser.Page) (of func(name string) []int) {
	browser.Eval[bool](page, `window.steps = {}, new MutationObserver((changes) => {
		for (const { target } of changes) {
			(window.steps[target.ariaLabel] ??= []).push(Number(target.ariaValueNow));
		}
	}).observe(document.body, { subtree: true, attributeFilter: ["aria-valuenow"] }), true`)
	return func(name string) []int {
		return browser.Eval[[]int](page, `steps[`+browser.Quote("Upload of "+name)+`]`)
	}
}

// hashOf reads the only object of the bucket, and returns its SHA-256.
func hashOf(t *testing.T, srv *s3test.Server) [32]byte {
	t.Helper()
	ctx, client := context.Background(), srv.Client()
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	require.Len(t, list.Contents, 1)
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: list.Contents[0].Key})
	require.NoError(t, err)
	defer got.Body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, got.Body)
	require.NoError(t, err)
	return [32]byte(sum.Sum(nil))
}

// begun returns how many uploads in parts the server knows that were not ended.
func begun(t assert.TestingT, srv *s3test.Server) int {
	list, err := srv.Client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &srv.Bucket})
	if !assert.NoError(t, err) {
		return -1
	}
	return len(list.Uploads)
}

// settles waits until the bucket has a number of objects.
func settles(t *testing.T, srv *s3test.Server, objects int) {
	t.Helper()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		list, err := srv.Client().ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
		if assert.NoError(t, err) {
			var keys []string
			for _, object := range list.Contents {
				keys = append(keys, fmt.Sprint(*object.Key, " ", *object.Size))
			}
			assert.Len(t, keys, objects)
		}
	}, browser.Patience, 20*time.Millisecond)
}

// hurry leaves little of the time between tries, which is random.
func hurry(page *browser.Page) { browser.Eval[bool](page, `Math.random = () => 0.01, true`) }

// remembered is what the browser keeps of unfinished uploads.
func remembered(page *browser.Page) int { return browser.Eval[int](page, `localStorage.length`) }

// objects reads the whole bucket.
func objects(t *testing.T, srv *s3test.Server) []object {
	t.Helper()
	ctx, client := context.Background(), srv.Client()
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	var found []object
	for _, entry := range list.Contents {
		got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: entry.Key})
		require.NoError(t, err)
		content, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		found = append(found, object{*entry.Key, *got.ContentType, *got.ContentDisposition, content})
	}
	return found
}

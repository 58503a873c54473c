// Package browser_test uploads with a real browser, by the page of the
// quickstart, into a real S3 server.
package browser_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
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

// open opens the page, where people upload as the tenant acme.
func open(t testing.TB, url string) *element.Element {
	t.Helper()
	page := browser.Open(t, url)
	page.Wait(`document.querySelector("postern-upload")`)
	return &element.Element{Page: page, Selector: "section:not([hidden]) postern-upload"}
}

// stored is a file in the list of those that are uploaded, for JavaScript.
func stored(name string) string {
	return `document.querySelector('[data-stored=` + browser.Quote(name) + `]')`
}

// uploaded waits until files are there: they leave the element for the list.
func uploaded(page *element.Element, names ...string) {
	for _, name := range names {
		page.Wait(stored(name) + `?.checkVisibility() && !` + page.Row(name))
	}
}

// link opens an uploaded file.
func link(page *element.Element, name string) string {
	return browser.Eval[string](page.Page, stored(name)+`.querySelector("a").href`)
}

// tickets are those of uploads in parts that are not done.
const tickets = "staging/tickets/"

type object struct {
	key, contentType, disposition string
	bytes                         []byte
}

// steps notes each step of each bar, as a screen reader would get it, and returns
// those of a file.
func steps(page *element.Element) (of func(name string) []int) {
	browser.Eval[bool](page.Page, `window.steps = {}, new MutationObserver((changes) => {
		for (const { target } of changes) {
			(window.steps[target.ariaLabel] ??= []).push(Number(target.ariaValueNow));
		}
	}).observe(`+page.Root()+`, { subtree: true, attributeFilter: ["aria-valuenow"] }), true`)
	return func(name string) []int {
		return browser.Eval[[]int](page.Page, `steps[`+browser.Quote("Upload of "+name)+`]`)
	}
}

// hashOf reads the only object of the bucket but pictures and the tickets that the server
// keeps, and returns its SHA-256.
func hashOf(t *testing.T, srv *s3test.Server) [32]byte {
	t.Helper()
	ctx, client := context.Background(), srv.Client()
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	files := slices.DeleteFunc(list.Contents, func(o types.Object) bool {
		return strings.HasPrefix(*o.Key, tickets) || strings.HasSuffix(*o.Key, ".png")
	})
	require.Len(t, files, 1)
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: files[0].Key})
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
				if !strings.HasPrefix(*object.Key, tickets) {
					keys = append(keys, fmt.Sprint(*object.Key, " ", *object.Size))
				}
			}
			assert.Len(t, keys, objects)
		}
	}, browser.Patience, 20*time.Millisecond)
}

// hurry leaves little of the time between tries, which is random.
func hurry(page *element.Element) { browser.Eval[bool](page.Page, `Math.random = () => 0.01, true`) }

// remembered is what the browser keeps of unfinished uploads.
func remembered(page *element.Element) int {
	return browser.Eval[int](page.Page, `localStorage.length`)
}

// objects reads the whole bucket.
func objects(t *testing.T, srv *s3test.Server) []object {
	t.Helper()
	ctx, client := context.Background(), srv.Client()
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &srv.Bucket})
	require.NoError(t, err)
	var found []object
	for _, entry := range list.Contents {
		if strings.HasPrefix(*entry.Key, tickets) {
			continue
		}
		got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &srv.Bucket, Key: entry.Key})
		if gone := (*types.NoSuchKey)(nil); errors.As(err, &gone) {
			continue // it was moved meanwhile
		}
		require.NoError(t, err)
		content, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		found = append(found, object{*entry.Key, *got.ContentType, *got.ContentDisposition, content})
	}
	return found
}

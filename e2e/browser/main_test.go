// Package browser_test uploads with a real Chromium, by the page of the
// quickstart, into a real S3 server.
package browser_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
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

// Package gallery_test uses the gallery of the examples as people do: with a real
// browser, a real S3 server, on SQLite and on a real PostgreSQL.
package gallery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/element"
	"github.com/postern-go/postern/e2e/internal/fixture"
	"github.com/postern-go/postern/e2e/internal/program"
	"github.com/postern-go/postern/s3test"
)

// The demo's people.
const (
	ada      = "ada@acme.example" // Acme has the Free plan
	alan     = "alan@acme.example"
	grace    = "grace@globex.example" // Globex has the Studio plan
	password = "open-sesame"
)

func TestMain(m *testing.M) {
	remove, err := program.Build("gallery")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if started {
		s, _ := postgres()
		s.Remove()
	}
	remove()
	os.Exit(code)
}

// onEach runs a test on both databases. The arguments make the program use one.
func onEach(t *testing.T, test func(t *testing.T, database []string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, []string{"-dir", t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, []string{"-dir", t.TempDir(), "-db", database(t)}) })
}

// start runs the gallery with the S3 server that it brings along.
func start(t *testing.T, args ...string) *program.Program {
	t.Helper()
	return program.Start(t, "gallery", append([]string{"-addr", "127.0.0.1:0", "-eu-s3-addr", "127.0.0.1:0", "-us-s3-addr", "127.0.0.1:0"}, args...), nil)
}

// american is the bucket of the organisations of the United States; that of Europe's is
// the server's first.
const american = "gallery-us"

// startWith runs the gallery on two buckets of an S3 server, which makes the second.
func startWith(t *testing.T, srv *s3test.Server, args ...string) *program.Program {
	t.Helper()
	signing, err := srv.PutOnlyUser(t.Context(), "staging/")
	require.NoError(t, err)
	keys, err := signing.Retrieve(t.Context())
	require.NoError(t, err)
	makeAmerican(t, srv)
	return program.Start(t, "gallery", append([]string{"-addr", "127.0.0.1:0", "-eu-bucket", srv.Bucket, "-eu-region", srv.Region,
		"-us-bucket", american, "-us-region", srv.Region}, args...), []string{
		"AWS_ENDPOINT_URL=" + srv.Endpoint,
		"AWS_ACCESS_KEY_ID=" + srv.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + srv.SecretAccessKey,
		"POSTERN_SIGNING_ACCESS_KEY_ID=" + keys.AccessKeyID, "POSTERN_SIGNING_SECRET_ACCESS_KEY=" + keys.SecretAccessKey,
	})
}

// makeAmerican makes the second bucket, in which the accounts of the first may do the same.
func makeAmerican(t *testing.T, srv *s3test.Server) {
	t.Helper()
	ctx, client := t.Context(), srv.Client()
	err := srv.CreateBucket(ctx, american)
	var exists *types.BucketAlreadyOwnedByYou
	if !errors.As(err, &exists) {
		require.NoError(t, err)
	}
	first, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &srv.Bucket})
	require.NoError(t, err)
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{
		Bucket: aws.String(american), Policy: aws.String(strings.ReplaceAll(*first.Policy, ":::"+srv.Bucket, ":::"+american)),
	})
	require.NoError(t, err)
}

// signIn signs somebody in by the form.
func signIn(page *browser.Page, email string) {
	page.Wait(`document.querySelector("[name=email]")`)
	browser.Eval[bool](page, `(() => {
		document.querySelector("[name=email]").value = `+browser.Quote(email)+`;
		document.querySelector("[name=password]").value = `+browser.Quote(password)+`;
		return true;
	})()`)
	page.Click(".card .primary")
	page.Wait(`customElements.get("postern-upload") && document.readyState === "complete"`)
}

func signOut(page *browser.Page) {
	page.Click(".account button")
	page.Wait(`document.querySelector("[name=email]")`)
}

// uploads is the component on the page.
func uploads(page *browser.Page) *element.Element {
	return &element.Element{Page: page, Selector: "postern-upload"}
}

// upload chooses files and waits until each is a photo that one can see.
func upload(page *browser.Page, files ...fixture.File) {
	e := uploads(page)
	e.Pick(files...)
	for _, f := range files {
		page.Wait(thumb(f.Name) + `?.naturalWidth > 0`)
	}
	page.Wait(e.Root() + `.querySelectorAll("[part~=file]").length === 0`)
}

func thumb(name string) string {
	return `document.querySelector('.thumb[aria-label=` + browser.Quote("Show "+name) + `] img')`
}

// photos returns the names of the photos on the page, and their IDs.
func photos(page *browser.Page) (names, ids []string) {
	names = browser.Eval[[]string](page, `[...document.querySelectorAll(".photo > .name")].map((e) => e.innerText)`)
	ids = browser.Eval[[]string](page, `[...document.querySelectorAll("[data-photo]")].map((e) => e.dataset.photo)`)
	return names, ids
}

// objects reads a whole bucket.
func objects(t *testing.T, srv *s3test.Server, bucket string) map[string][]byte {
	t.Helper()
	ctx, client := context.Background(), srv.Client()
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	found := map[string][]byte{}
	for _, entry := range list.Contents {
		got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: entry.Key})
		require.NoError(t, err)
		content, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		found[*entry.Key] = content
	}
	return found
}

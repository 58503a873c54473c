package s3test_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/s3test"
)

var (
	kills = flag.Int("kills", 60, "how often TestAKilledServerLeavesWholeObjectsOrNone kills a server")
	seed  = flag.Uint64("seed", 0, "what it does; 0 for something new")
)

// victimDir asks the test binary to be a server on a folder, instead of tests.
const victimDir = "S3TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		srv, err := s3test.New(dir, "")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(srv.Endpoint)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the tests end
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim is a server that is a process.
type victim struct {
	endpoint string
	process  *exec.Cmd
	client   *s3.Client
}

func startVictim(t *testing.T, dir string) *victim {
	t.Helper()
	v := &victim{process: exec.Command(os.Args[0])}
	v.process.Env = append(os.Environ(), victimDir+"="+dir)
	v.process.Stderr = os.Stderr
	_, err := v.process.StdinPipe()
	require.NoError(t, err)
	stdout, err := v.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, v.process.Start())
	t.Cleanup(v.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	v.endpoint = strings.TrimSpace(line)
	require.True(t, strings.HasPrefix(v.endpoint, "http://"), v.endpoint)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	v.client = s3.New(s3.Options{
		BaseEndpoint: &v.endpoint, Region: s3test.DefaultRegion, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: static(s3test.DefaultAccessKeyID, s3test.DefaultSecretAccessKey),
		HTTPClient:  &http.Client{Transport: transport},
	})
	return v
}

func (v *victim) kill() {
	_ = v.process.Process.Kill()
	_ = v.process.Wait()
}

// thing is an object as a test knows it. Everything about it follows from its id;
// "" is none.
type thing string

func (o thing) body() string {
	return string(o) + "\n" + strings.Repeat("x", 1+len(o)*int(o[len(o)-1])) // of various sizes
}

// odd things have attributes that others lack.
func (o thing) odd() bool { return o[len(o)-1]%2 == 1 }

func (o thing) disposition() *string {
	if o.odd() {
		return aws.String("attachment; filename=" + string(o))
	}
	return nil
}

func (o thing) metadata() map[string]string {
	m := map[string]string{"id": string(o)}
	if o.odd() {
		m["odd"] = "yes"
	}
	return m
}

func (o thing) tags() *string {
	if o.odd() {
		return aws.String("id=" + string(o))
	}
	return nil
}

// traffic is what one goroutine does with a key.
type traffic struct {
	t      *testing.T
	key    string
	random *rand.Rand
	n      int // things made
	done   int // steps
	// before and after the request that is under way, or was when the server died.
	before, after thing
}

// step makes one request, or those of a multipart upload.
func (w *traffic) step(v *victim) error {
	ctx, bucket := context.Background(), aws.String(s3test.DefaultBucket)
	w.n++
	next := thing(fmt.Sprintf("%s.%d", strings.ReplaceAll(w.key, "/", "-"), w.n))
	switch w.random.IntN(6) {
	case 0, 1:
		w.after = next
		_, err := v.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: &w.key, Body: strings.NewReader(next.body()),
			CacheControl: aws.String(string(next)), ContentDisposition: next.disposition(), Metadata: next.metadata(), Tagging: next.tags(),
		})
		return err
	case 2:
		w.after = next
		return w.post(v, next)
	case 3:
		source := "source/" + string(next)
		_, err := v.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &source, Body: strings.NewReader(next.body())})
		if err != nil {
			return err
		}
		w.after = next
		_, err = v.client.CopyObject(ctx, &s3.CopyObjectInput{
			Bucket: bucket, Key: &w.key, CopySource: aws.String(*bucket + "/" + source),
			MetadataDirective: types.MetadataDirectiveReplace, TaggingDirective: types.TaggingDirectiveReplace,
			CacheControl: aws.String(string(next)), ContentDisposition: next.disposition(), Metadata: next.metadata(), Tagging: next.tags(),
		})
		if err != nil {
			return err
		}
		w.before = next
		_, err = v.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &source})
		return err
	case 4:
		up, err := v.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: bucket, Key: &w.key,
			CacheControl: aws.String(string(next)), ContentDisposition: next.disposition(), Metadata: next.metadata(), Tagging: next.tags(),
		})
		if err != nil {
			return err
		}
		part, err := v.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: &w.key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(next.body()),
		})
		if err != nil {
			return err
		}
		w.after = next
		return complete(v, w.key, *up.UploadId, part.ETag)
	default:
		w.after = ""
		_, err := v.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &w.key})
		return err
	}
}

func complete(v *victim, key, id string, etag *string) error {
	_, err := v.client.CompleteMultipartUpload(context.Background(), &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(s3test.DefaultBucket), Key: &key, UploadId: &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: etag}}},
	})
	return err
}

func (w *traffic) post(v *victim, o thing) error {
	fields := [][2]string{{"key", w.key}, {"Cache-Control", string(o)}}
	if o.odd() {
		fields = append(fields, [2]string{"Content-Disposition", *o.disposition()},
			[2]string{"tagging", "<Tagging><TagSet><Tag><Key>id</Key><Value>" + string(o) + "</Value></Tag></TagSet></Tagging>"})
	}
	for name, value := range o.metadata() {
		fields = append(fields, [2]string{"x-amz-meta-" + name, value})
	}
	signer := aws.Credentials{AccessKeyID: s3test.DefaultAccessKeyID, SecretAccessKey: s3test.DefaultSecretAccessKey}
	contentType, body := form(w.t, s3test.DefaultRegion, s3test.DefaultBucket, signer, 1<<20, fields, []byte(o.body()))
	r, err := http.NewRequest(http.MethodPost, v.endpoint+"/"+s3test.DefaultBucket, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := v.client.Options().HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		answer, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("%w: %s: %s", errRefused, resp.Status, answer)
	}
	return nil
}

var errRefused = errors.New("the form was refused")

// refused tells an answer of a server from a connection that broke.
func refused(err error) bool {
	var response *awshttp.ResponseError
	return errors.Is(err, errRefused) || errors.As(err, &response) && response.HTTPStatusCode() != 0
}

// look finds which thing is at a key, and that all of it is.
func look(t *testing.T, v *victim, key string) thing {
	ctx, bucket := t.Context(), aws.String(s3test.DefaultBucket)
	out, err := v.client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		require.Equal(t, http.StatusNotFound, status(t, err), "%v", err)
		return ""
	}
	body, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	id, _, _ := strings.Cut(string(body), "\n")
	o := thing(id)
	require.NotEmpty(t, id)
	require.Equal(t, o.body(), string(body))
	sum := md5.Sum(body)
	want := hex.EncodeToString(sum[:])
	if sum := md5.Sum(sum[:]); strings.HasSuffix(*out.ETag, `-1"`) {
		want = hex.EncodeToString(sum[:]) + "-1"
	}
	require.Equal(t, `"`+want+`"`, aws.ToString(out.ETag), "%s has the ETag of another", id)
	require.Equal(t, id, aws.ToString(out.CacheControl))
	require.Equal(t, o.metadata(), out.Metadata, "%s has the metadata of another", id)
	require.Equal(t, o.disposition(), out.ContentDisposition, "%s has an attribute of another", id)
	tagged, err := v.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: &key})
	var tags []types.Tag
	if err != nil {
		require.Equal(t, http.StatusNotFound, status(t, err), "%v", err)
	} else {
		tags = tagged.TagSet
	}
	if o.odd() {
		require.Equal(t, []types.Tag{{Key: aws.String("id"), Value: &id}}, tags, "%s has no tags", id)
	} else {
		require.Empty(t, tags, "%s has the tags of another", id)
	}
	return o
}

// A server is killed in the middle of requests, again and again. After each start
// every request has been carried out, or has left nothing.
func TestAKilledServerLeavesWholeObjectsOrNone(t *testing.T) {
	random, dir := *seed, t.TempDir()
	if random == 0 {
		random = rand.Uint64()
	}
	t.Logf("-seed %d", random)
	keys := []string{"a", "b", "folder/a", "folder/b", "folder/sub/a", "other/a"}
	var all []*traffic
	for n, key := range keys {
		all = append(all, &traffic{t: t, key: key, random: rand.New(rand.NewPCG(random, uint64(n)))})
	}
	moments := rand.New(rand.NewPCG(random, 1<<32))
	requests := 0
	for range *kills {
		v := startVictim(t, dir)
		for _, w := range all {
			w.isWhole(t, v)
		}
		nothingElse(t, v, keys)

		var workers sync.WaitGroup
		did, ended := make(chan struct{}), make(chan struct{})
		for _, w := range all {
			workers.Go(func() {
				for {
					w.after = w.before
					if err := w.step(v); err != nil {
						assert.False(t, refused(err), "%s: %v", w.key, err)
						return
					}
					w.before = w.after
					w.done++
					select {
					case did <- struct{}{}:
					case <-ended:
					}
				}
			})
		}
		for range moments.IntN(12) {
			select {
			case <-did:
			case <-time.After(time.Minute):
				require.FailNow(t, "the server does not answer")
			}
		}
		time.Sleep(time.Duration(moments.IntN(5_000)) * time.Microsecond)
		close(ended)
		v.kill()
		workers.Wait()
		require.False(t, t.Failed())
	}
	for _, w := range all {
		requests += w.done
	}
	t.Logf("%d kills, %d steps", *kills, requests)
}

// isWhole holds a key against the request that was under way when the server died,
// and ends the upload that it left.
func (w *traffic) isWhole(t *testing.T, v *victim) {
	ctx, bucket := t.Context(), aws.String(s3test.DefaultBucket)
	now := look(t, v, w.key)
	require.Contains(t, []thing{w.before, w.after}, now, "%s: a request was carried out, or was not", w.key)

	open, err := v.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: &w.key})
	require.NoError(t, err)
	for _, up := range open.Uploads {
		parts, err := v.client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId})
		require.NoError(t, err)
		if len(parts.Parts) == 0 {
			_, err := v.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId})
			require.NoError(t, err)
			continue
		}
		require.NoError(t, complete(v, *up.Key, *up.UploadId, parts.Parts[0].ETag))
		completed := look(t, v, w.key)
		require.NotEqual(t, now, completed, "%s was completed, but is still open", w.key)
		now = completed
	}

	w.n++
	next := thing(fmt.Sprintf("%s.%d", strings.ReplaceAll(w.key, "/", "-"), w.n))
	_, err = v.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: &w.key, Body: strings.NewReader(next.body()), IfNoneMatch: aws.String("*"),
		CacheControl: aws.String(string(next)), ContentDisposition: next.disposition(), Metadata: next.metadata(), Tagging: next.tags(),
	})
	if now == "" {
		require.NoError(t, err, "what is absent can be written")
		now = next
	} else {
		require.Equal(t, http.StatusPreconditionFailed, status(t, err))
	}
	require.Equal(t, now, look(t, v, w.key))
	w.before, w.after = now, now
}

// nothingElse finds no object but those at some keys, and sources of copies.
func nothingElse(t *testing.T, v *victim, keys []string) {
	ctx, bucket := t.Context(), aws.String(s3test.DefaultBucket)
	list, err := v.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
	require.NoError(t, err)
	for _, o := range list.Contents {
		if strings.HasPrefix(*o.Key, "source/") {
			_, err := v.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: o.Key})
			require.NoError(t, err)
			continue
		}
		require.Contains(t, keys, *o.Key)
	}
}

// A part that comes while its upload is completed makes the upload's folder again. If
// the server dies then, both folders are there.
func TestAPartThatCameWhileAKilledServerCompletedIsKept(t *testing.T) {
	dir, key := t.TempDir(), aws.String("a")
	v := startVictim(t, dir)
	ctx, bucket := t.Context(), aws.String(s3test.DefaultBucket)
	up, err := v.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	require.NoError(t, err)
	part := strings.Repeat("p", 5<<20)
	for n := int32(1); n <= 2; n++ {
		_, err := v.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: &n, Body: strings.NewReader(part),
		})
		require.NoError(t, err)
	}
	v.kill()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*", ".sgwtmp", "multipart", "*", *up.UploadId))
	require.NoError(t, err)
	require.Len(t, found, 1)
	open := found[0]
	require.NoError(t, os.Rename(open, open+".etag-2.inprogress"))
	require.NoError(t, os.Mkdir(open, 0o755))
	require.NoError(t, os.Rename(filepath.Join(open+".etag-2.inprogress", "2"), filepath.Join(open, "2")))

	v = startVictim(t, dir)
	parts, err := v.client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	require.NoError(t, err)
	require.Len(t, parts.Parts, 2)
	var all []types.CompletedPart
	for _, p := range parts.Parts {
		all = append(all, types.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag})
	}
	_, err = v.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: all},
	})
	require.NoError(t, err)
}

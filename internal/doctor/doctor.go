// Package doctor examines a bucket: it does what a browser and the handler would do,
// with keys of its own, and says of each thing whether it is as it must be, what was
// seen, and what mends it. It knows neither the handler nor its chain.
package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/documents"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// Verdict is what a check has come to.
type Verdict string

// The verdicts. A check is skipped where it does not apply, or where what it rests on
// has failed.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped"
)

// Finding is what one check has found.
type Finding struct {
	Check   string // a stable name, such as "cors.put"
	Verdict Verdict
	Seen    string // what was seen, with S3's own words; it holds no secret
	Advice  string // what mends it, in a sentence; "" where nothing must be
	// Document is the document or the command that mends it, to be copied.
	Document string
}

// Credentials gives what signs, and when it expires; the zero time is never.
type Credentials func(ctx context.Context) (sigv4.Credentials, time.Time, error)

// Config says what is examined.
type Config struct {
	Provider, Region     string
	Bucket, UploadBucket string
	Server               string // the address of the endpoint, without the bucket
	Browser              string // the endpoint for browsers, which is signed
	Path                 string // before the key, not escaped
	Prefix               string // under which grants write, such as "staging/"; may be ""
	Staging              bool   // whether uploads are promoted from there
	Origin               string // of the page; "" leaves CORS out
	Days                 int    // after which staging should expire

	// What the server is taken to do.
	Forms, PutIfAbsent, RejectsUnsigned bool
	// Shared: one identity does everything.
	Shared bool
	// Calls: the handler makes calls of its own.
	Calls bool

	Signing, Service Credentials
	Signed           *store.Store // of the bucket that browsers write to, as the signing identity
	Uploads, Final   *store.Store // as the service identity
	Signer           *sigv4.Signer
	Clock            func() time.Time
}

// exam is one examination.
type exam struct {
	Config
	client   *http.Client
	prefix   string // of the keys that are made
	outside  string // a key that is not under Prefix
	made     map[string]*store.Store
	uploads  []begun
	findings []Finding
	dates    []reading
}

type begun struct {
	key, id string
	in      *store.Store
}

// reading is a Date of the server's, and what our clock said.
type reading struct{ server, own time.Time }

// Run examines a bucket, and removes what it has made. It makes some fifty calls; ctx
// bounds them.
func Run(ctx context.Context, c Config) []Finding {
	id := "postern-doctor-" + strings.ToLower(rand.Text())
	e := &exam{
		Config: c, prefix: c.Prefix + id + "/", outside: id + "-outside", made: map[string]*store.Store{},
		client: newClient(20 * time.Second),
	}
	defer e.client.CloseIdleConnections()
	if !e.credentials(ctx) || !e.reach(ctx) {
		e.preflights(ctx)
		e.clock()
		return e.findings
	}
	e.preflights(ctx)
	e.browser(ctx)
	e.signerRights(ctx)
	e.serviceRights(ctx)
	e.rules(ctx)
	e.clock()
	e.cleanUp(context.WithoutCancel(ctx))
	return e.findings
}

func newClient(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (e *exam) add(check string, verdict Verdict, seen, advice, document string) {
	e.findings = append(e.findings, Finding{check, verdict, seen, advice, document})
}

func (e *exam) ok(check, format string, args ...any) {
	e.add(check, OK, fmt.Sprintf(format, args...), "", "")
}

func (e *exam) skip(check, why string) { e.add(check, Skipped, why, "", "") }

// key names an object of the examination, which cleanUp removes.
func (e *exam) key(name string) string {
	key := e.prefix + name
	e.made[key] = e.Uploads
	return key
}

// credentials looks whether both identities have keys to sign with.
func (e *exam) credentials(ctx context.Context) bool {
	all := true
	look := func(check string, get Credentials) {
		creds, expires, err := get(ctx)
		if err != nil {
			e.add(check, Failed, err.Error(), "The credentials provider gives nothing to sign with: see its reason.", "")
			all = false
			return
		}
		life := "they do not expire"
		if !expires.IsZero() {
			life = "they expire at " + expires.UTC().Format(time.RFC3339)
		}
		e.ok(check, "access key %s; %s", shortened(creds.AccessKeyID), life)
	}
	look("credentials.signing", e.Signing)
	if e.Shared {
		e.skip("credentials.service", "the signing identity does everything")
	} else {
		look("credentials.service", e.Service)
	}
	return all
}

// shortened is enough of an access key ID to recognize it.
func shortened(id string) string {
	if len(id) > 8 {
		return id[:4] + "…" + id[len(id)-4:]
	}
	return "…"
}

// signingPolicy is the document that gives the signing identity its rights, or what to
// do where there are no such documents.
func (e *exam) signingPolicy() string {
	return e.rights(documents.SigningPolicy(e.UploadBucket, e.Prefix))
}

func (e *exam) servicePolicy() string {
	buckets := []string{e.Bucket}
	if e.UploadBucket != e.Bucket {
		buckets = append(buckets, e.UploadBucket)
	}
	return e.rights(documents.ServicePolicy(buckets...))
}

func (e *exam) rights(policy string) string {
	switch e.Provider {
	case "ceph-rgw":
		return documents.BucketPolicy(e.UploadBucket, e.Prefix, "SIGNING-USER", "SERVICE-USER")
	case "cloudflare-r2":
		return documents.R2Token(e.UploadBucket)
	}
	return policy
}

// cleanUp removes what was made.
func (e *exam) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var left []string
	for _, u := range e.uploads {
		if err := u.in.Abort(ctx, u.key, u.id); err != nil {
			left = append(left, u.key+" (in parts)")
		}
	}
	for key, in := range e.made {
		if err := in.Delete(ctx, key, ""); err != nil {
			left = append(left, key)
		}
	}
	if len(left) > 0 {
		e.add("cleanup", Warning, "left behind: "+strings.Join(left, ", "), "Delete them by hand.", "")
		return
	}
	e.ok("cleanup", "nothing is left behind")
}

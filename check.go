package postern

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/doctor"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/sigv4"
)

// CheckResult is what one check of [Issuer.Examine] has come to.
type CheckResult string

// The results. A check is skipped where it does not apply, or where what it rests on
// has failed.
const (
	CheckOK      CheckResult = "ok"
	CheckWarning CheckResult = "warning"
	CheckFailed  CheckResult = "failed"
	CheckSkipped CheckResult = "skipped"
)

// Finding is what one check of [Issuer.Examine] has found. It holds no secret.
type Finding struct {
	// Check is its stable name, such as "cors.put".
	Check  string      `json:"check"`
	Result CheckResult `json:"result"`
	// Seen is what was seen, with S3's own words.
	Seen string `json:"seen,omitempty"`
	// Advice is what mends it, in a sentence, and Document what is to be copied for it: a
	// document or a command. Each may be empty.
	Advice   string `json:"advice,omitempty"`
	Document string `json:"document,omitempty"`
}

// Errors of [Issuer.Check] that are no [Problem].
var (
	ErrClockWrong    = doctor.ErrClock
	ErrOriginRefused = doctor.ErrCORS
)

// Examine does what a browser on a page of origin and this handler would do, with keys
// of its own under the prefix where grants write, which it removes: CORS, a form, a PUT,
// parts, a replay, headers that nobody signed, a wrong size, the rights of both
// identities, what the server is taken to be able to do, the clock, and the rules of the
// bucket. "" leaves CORS out. It makes some hundred calls and writes small objects: it is
// for the command postern doctor and for tests of a deployment; [Issuer.Check] is for a
// readiness probe. ctx bounds it. What could not be looked at is among the findings.
func (i *Issuer) Examine(ctx context.Context, origin string) []Finding {
	c := i.doctorConfig(origin)
	reached := true
	var all []Finding
	for _, f := range doctor.Run(ctx, c) {
		all = append(all, Finding{f.Check, CheckResult(f.Verdict), f.Seen, f.Advice, f.Document})
		if f.Verdict == doctor.Failed && (strings.HasPrefix(f.Check, "reach") || strings.HasPrefix(f.Check, "credentials")) {
			reached = false
		}
	}
	if !reached {
		return all
	}
	return append(all, i.examineAbilities(ctx, c.Prefix)...)
}

// ability is one of the Abilities.
type ability struct {
	name string
	has  func(*Abilities) bool
}

// abilitiesChecked are the checks that a probe answers.
var abilitiesChecked = []struct {
	check string
	of    []ability
}{
	{"conditions", []ability{
		{"PutIfAbsent", func(a *Abilities) bool { return a.PutIfAbsent }},
		{"CompleteIfAbsent", func(a *Abilities) bool { return a.CompleteIfAbsent }},
		{"CompleteIfMatch", func(a *Abilities) bool { return a.CompleteIfMatch }},
		{"DeleteIfMatch", func(a *Abilities) bool { return a.DeleteIfMatch }},
	}},
	{"copy", []ability{
		{"CopyPartIfMatch", func(a *Abilities) bool { return a.CopyPartIfMatch }},
		{"CopyPartSums", func(a *Abilities) bool { return a.CopyPartSums }},
		{"UploadPartCopy", func(a *Abilities) bool { return !a.NoPartCopy }},
	}},
	{"checksums", []ability{
		{"PartSums", func(a *Abilities) bool { return a.PartSums }},
		{"CompleteSize", func(a *Abilities) bool { return a.CompleteSize }},
	}},
}

// examineAbilities compares what the server does with what it is taken to do.
func (i *Issuer) examineAbilities(ctx context.Context, prefix string) (all []Finding) {
	b := i.home.Bucket
	b.Abilities = &i.home.abilities
	if !i.config.completes() && !i.config.multipart() {
		return []Finding{{Check: "conditions", Result: CheckSkipped, Seen: "the handler makes no calls of its own"}}
	}
	found, err := Probe(ctx, b, cmp.Or(prefix, "postern-doctor/"), "")
	if err != nil {
		return []Finding{{Check: "conditions", Result: CheckWarning, Seen: "they could not be tried: " + err.Error()}}
	}
	for _, group := range abilitiesChecked {
		var lacking, works []string
		for _, a := range group.of {
			switch {
			case a.has(&i.home.abilities) && !a.has(&found.Abilities):
				lacking = append(lacking, a.name)
			case a.has(&found.Abilities):
				works = append(works, a.name)
			}
		}
		if len(lacking) > 0 {
			all = append(all, Finding{Check: group.check, Result: CheckFailed,
				Seen:     "the server does not do what " + string(i.home.Provider) + " does: " + strings.Join(lacking, ", "),
				Advice:   "Set Bucket.Provider to what the server is, or Bucket.Abilities to what it was seen to do.",
				Document: found.Abilities.literal(),
			})
			continue
		}
		all = append(all, Finding{Check: group.check, Result: CheckOK, Seen: cmp.Or(strings.Join(works, ", "), "nothing that is relied upon")})
	}
	return all
}

// doctorConfig is what an examination needs to know.
func (i *Issuer) doctorConfig(origin string) doctor.Config {
	p := i.home
	prefix := i.config.staging
	if t, ok := i.config.keyPolicy.(*keyTemplate); ok && prefix == "" {
		prefix = t.beginning()
		prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
	}
	credentials := func(id *identity) doctor.Credentials {
		return func(ctx context.Context) (sigv4.Credentials, time.Time, error) {
			c, err := id.get(ctx, i.clock(), minRemaining)
			if err != nil {
				return sigv4.Credentials{}, time.Time{}, ErrCredentialsUnavailable.WithCause(err)
			}
			creds := sigv4.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
			if creds.AccessKeyID == "" || creds.SecretAccessKey == "" {
				return creds, time.Time{}, ErrCredentialsUnavailable.WithCause(sigv4.ErrCredentials)
			}
			var expires time.Time
			if c.CanExpire {
				expires = c.Expires
			}
			return creds, expires, nil
		}
	}
	days := int(i.config.ticketLifetime/(24*time.Hour)) + 2
	return doctor.Config{
		Provider: string(p.Provider), Region: p.Region, Bucket: p.Name, UploadBucket: p.uploadName(),
		Server: p.server.base, Browser: p.upload.endpoint, Path: p.upload.prefix,
		Prefix: prefix, Staging: i.config.staging != "", Origin: origin, Days: days,
		Forms: p.abilities.PostForms, PutIfAbsent: p.abilities.PutIfAbsent, RejectsUnsigned: p.abilities.RejectsUnsigned,
		Shared: p.service == p.signing, Calls: i.config.completes() || i.config.multipart(),
		Signing: credentials(p.signing), Service: credentials(p.service),
		Signed: store.New(store.Config{
			Bucket: p.uploadName(), Region: p.Region, Endpoint: p.server.base, PathStyle: p.server.pathStyle, Credentials: p.signing,
		}),
		Uploads: p.store, Final: p.store.In(p.Name),
		Signer: p.signer, Clock: i.clock,
	}
}

const (
	// checkTime bounds one check.
	checkTime = 5 * time.Second
	// checkedFor and failedFor are how long its result counts.
	checkedFor = 30 * time.Second
	failedFor  = 5 * time.Second
	// maxChecked bounds the origins whose results are kept.
	maxChecked = 16
)

// checks are the results of Check that are kept, by origin.
type checks struct {
	mutex sync.Mutex
	by    map[string]*checked
}

type checked struct {
	done  chan struct{}
	until time.Time // when it counts no more; set before done is closed
	err   error
}

// Check is for a readiness probe: it tells whether grants would work just now. It looks
// whether there are credentials to sign with, whether S3 answers, has the bucket and
// knows them, whether its clock and this machine's agree ([ErrClockWrong]), and whether
// pages of origin may upload ([ErrOriginRefused]); "" leaves that out. It writes nothing:
// one list of one key, and two OPTIONS. The result counts for 30 seconds, a failure for
// five, and all who ask meanwhile share it; one check takes five seconds at most. The
// error joins a [Problem] for each thing that is wrong, and holds no secret, but is for
// the log: what S3 says is in it.
//
// A probe that fails takes a replica out of service. Where all replicas share a bucket
// they fail together: let it decide about new deployments rather than about those that
// run.
func (i *Issuer) Check(ctx context.Context, origin string) error {
	c := &i.activity.checks
	c.mutex.Lock()
	now := time.Now()
	last := c.by[origin]
	if last == nil || last.ended() && now.After(last.until) {
		if c.by == nil || len(c.by) >= maxChecked {
			c.by = map[string]*checked{}
		}
		last = &checked{done: make(chan struct{})}
		c.by[origin] = last
		go i.checkOnce(context.WithoutCancel(ctx), last, origin)
	}
	c.mutex.Unlock()
	select {
	case <-last.done:
		return last.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *checked) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// checkOnce makes one check.
func (i *Issuer) checkOnce(ctx context.Context, result *checked, origin string) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	defer close(result.done)
	result.err = problemsOf(doctor.Ready(ctx, i.doctorConfig(origin)))
	result.until = time.Now().Add(checkedFor)
	if result.err != nil {
		result.until = time.Now().Add(failedFor)
	}
}

// problemsOf makes problems of the errors that are joined in one.
func problemsOf(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, engineProblem(e))
	}
	return errors.Join(all...)
}

// literal writes abilities as Go does.
func (a *Abilities) literal() string {
	text := strings.ReplaceAll(fmt.Sprintf("%+v", *a), " ", ", ")
	var set []string
	for _, field := range strings.Split(strings.Trim(text, "{}"), ", ") {
		if !strings.HasSuffix(field, ":false") && !strings.HasSuffix(field, ":0") {
			set = append(set, strings.Replace(field, ":", ": ", 1))
		}
	}
	return "bucket.Abilities = &postern.Abilities{" + strings.Join(set, ", ") + "}"
}

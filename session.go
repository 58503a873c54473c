package postern

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/quota"
)

// SessionProvider gives temporary credentials: the package sts asks a Security Token
// Service for them.
type SessionProvider interface {
	// Session returns credentials that may do what q.Policy says and nothing else, and
	// that end: no later than q.Lifetime from now. It is called by many goroutines at
	// once.
	Session(ctx context.Context, q SessionRequest) (aws.Credentials, error)
}

// SessionChecker is a [SessionProvider] that knows where it cannot work. [New] and
// [NewIssuer] return its error, in a [ConfigError], for their own bucket; in one of
// [WithBuckets] nobody is given a session then, with the problem bucket_invalid.
type SessionChecker interface {
	SessionProvider
	CheckProvider(p Provider) error
}

// SessionRequest is what a session is to be.
type SessionRequest struct {
	// ID is the session's own: 32 hexadecimal digits.
	ID string
	// Bucket and Prefix are where it writes, and nowhere else.
	Bucket, Prefix string
	// Policy says so in the language of IAM, in JSON of at most 2,048 bytes.
	Policy string
	// Lifetime is how long it lasts, in whole seconds.
	Lifetime time.Duration
}

// SessionLimits bound a session. What is zero has its default.
type SessionLimits struct {
	// Lifetime is from 15 minutes to 12 hours: an hour by default.
	Lifetime time.Duration
	// Files is how many files a session may bring, from 1 to 100,000: 1,000 by default.
	Files int64
	// Bytes is the sum of their sizes: 10 GiB by default. [WithSizeLimit] bounds each.
	Bytes int64
}

const (
	defaultSessionLifetime = time.Hour
	defaultSessionFiles    = 1000
	defaultSessionBytes    = 10 << 30

	shortestSession = 15 * time.Minute // AssumeRole's
	longestSession  = 12 * time.Hour
	mostFiles       = 100_000
	maxPolicy       = 2048 // AssumeRole's, in bytes
)

// sessions is what [WithSessions] asks for.
type sessions struct {
	provider SessionProvider
	limits   SessionLimits
}

// check fills in the defaults.
func (l *SessionLimits) check() error {
	if l.Lifetime == 0 {
		l.Lifetime = defaultSessionLifetime
	}
	if l.Files == 0 {
		l.Files = defaultSessionFiles
	}
	if l.Bytes == 0 {
		l.Bytes = defaultSessionBytes
	}
	if l.Files < 1 || l.Files > mostFiles || l.Bytes < 1 {
		return fmt.Errorf("a session has 1 to %d files and at least a byte, not %d and %d", mostFiles, l.Files, l.Bytes)
	}
	l.Lifetime = l.Lifetime.Truncate(time.Second)
	return within("the lifetime of a session", l.Lifetime, shortestSession, longestSession)
}

var (
	errSessionStaging  = errors.New("what sessions write is verified with WithPromotion only")
	errSessionKeys     = errors.New("any process that finds a session's file opens its ticket, with WithTicketKeys only")
	errSessionQuota    = errors.New("the files and bytes of a session are counted by the store of WithQuota, without which nothing bounds them")
	errSessionWildcard = errors.New("a session's policy takes a staging prefix of printable ASCII, without * ? $, which mean another thing there")
	errSessionSum      = errors.New("files of a session have no checksum, by which keys with {sha256} are named")
)

// checkSessions finds what does not go together with [WithSessions].
func (c *config) checkSessions() (errs []error) {
	if c.sessions == nil {
		return nil
	}
	fail := func(err error) { errs = append(errs, &ConfigError{Option: "WithSessions", Err: err}) }
	if c.staging == "" {
		fail(errSessionStaging)
	}
	if c.ticketKeys == nil {
		fail(errSessionKeys)
	}
	if c.quota == nil {
		fail(errSessionQuota)
	}
	if strings.ContainsAny(c.staging, "*?$") || !printableASCII(c.staging) {
		fail(errSessionWildcard)
	}
	if t, ok := c.keyPolicy.(*keyTemplate); ok && t.needs("sha256") {
		fail(errSessionSum)
	}
	return errs
}

// checkSessionsAt returns why there can be no sessions at a provider of S3, if it is known
// that there cannot.
func (c *config) checkSessionsAt(p Provider) error {
	if c.sessions == nil {
		return nil
	}
	checker, ok := c.sessions.provider.(SessionChecker)
	if !ok {
		return nil
	}
	if err := hook.Guard(func() error { return checker.CheckProvider(p) }); err != nil {
		return &ConfigError{Option: "WithSessions", Err: err}
	}
	return nil
}

// sessionPolicy allows to put objects under a prefix, in parts too. Nothing else is
// needed for parts but to give them up, which the reconciler does.
func sessionPolicy(region, bucket, prefix string) (string, error) {
	type statement struct {
		Effect, Action, Resource string
	}
	policy, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{{"Allow", "s3:PutObject", "arn:" + partitionOf(region) + ":s3:::" + bucket + "/" + prefix + "*"}}})
	if err == nil && len(policy) > maxPolicy {
		err = fmt.Errorf("a session's policy has %d bytes, and may have %d: the staging prefix is too long", len(policy), maxPolicy)
	}
	return string(policy), err
}

// partitionOf is the name of a region's partition, as ARNs have it.
func partitionOf(region string) string {
	for _, p := range [...]struct{ region, name string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"}, {"eu-isoe-", "aws-iso-e"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.region) {
			return p.name
		}
	}
	return "aws"
}

// sessionAsked is what a client says of its session: how many files come, and how many
// bytes, or 0 where it does not tell.
type sessionAsked struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// AskSession takes the place of [Decode] in a chain that ends in [SessionHandler]: a POST
// asks for a session. There is no file: the rules are noted, as behind [AskRules], and
// hold for each file that the session brings. u.Action is [ActionSession].
func AskSession(issuer *Issuer) func(http.Handler) http.Handler {
	mustHave("AskSession", issuer != nil)
	b := &beginning{issuer: issuer, action: ActionSession, maxBody: issuer.config.bodyLimit}
	b.read = func(_ http.ResponseWriter, r *http.Request, u *Upload) ([][]byte, error) {
		if r.Method != http.MethodPost {
			return nil, ErrMethodNotAllowed
		}
		var asked sessionAsked
		if err := ReadJSON(r, &asked); err != nil {
			return nil, err
		}
		if asked.Files < 0 || asked.Bytes < 0 {
			return nil, ErrMalformedRequest.WithDetail("The number of files or of bytes is none.")
		}
		u.session = &asked
		return nil, nil
	}
	return b.middleware
}

// SessionHandler ends a chain that began with [AskSession]: it answers with credentials
// for many files, which may put objects under one prefix in staging and do nothing else.
// Whoever completes them, by events or [Issuer.Reconcile], holds each against the rules of
// the chain, names it by the Issuer's [WithKeyPolicy], and gives it a receipt of its own.
// Without [WithSessions] the answer is 404.
func SessionHandler(issuer *Issuer) http.Handler {
	return endpoint("SessionHandler", issuer, ActionSession, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		s, err := issuer.session(r.Context(), r, u)
		if err != nil {
			return err
		}
		issuer.decide(r, u, Decision{Bucket: s.place.Name, Status: http.StatusCreated})
		writeJSON(w, http.StatusCreated, s.appendJSON)
		return nil
	})
}

// openedSession is what a client gets.
type openedSession struct {
	*claim.Session
	place  *place
	creds  aws.Credentials
	prefix string
	left   time.Duration
}

// session begins a session.
func (i *Issuer) session(ctx context.Context, r *http.Request, u *Upload) (*openedSession, error) {
	if i.config.sessions == nil {
		return nil, ErrNotFound
	}
	p, err := i.place(ctx, u)
	if err != nil {
		return nil, err
	}
	if err := i.config.checkSessionsAt(p.Provider); err != nil {
		return nil, ErrBucketInvalid.WithCause(err)
	}
	s, err := i.newSession(ctx, p, u)
	if err != nil {
		return nil, err
	}
	u.id = s.ID
	// What a session may bring is reserved as one upload.
	c := claim.Claim{ID: s.ID, Mode: claim.Put, Issued: s.Issued, Expires: s.Expires, Size: s.MaxBytes, Subject: s.Subject, Tenant: s.Tenant}
	if err := i.reserve(ctx, r, u, &c); err != nil {
		return nil, noRoom(err, s.MaxBytes)
	}
	s.Quota = c.Quota
	if err := i.openSession(ctx, s); err != nil {
		i.config.unreserve(context.WithoutCancel(ctx), &c)
		return nil, err
	}
	return s, nil
}

// noRoom says how much would have been reserved, which is no file's size.
func noRoom(err error, bytes int64) error {
	var p *Problem
	if !errors.As(err, &p) || !errors.Is(p, ErrQuotaExceeded) {
		return err
	}
	used, limit, _ := p.Usage()
	return p.WithDetail("There is no room for a session of " + humanSize(bytes) + ": " + humanSize(used) + " of " + humanSize(limit) + " are used.")
}

// newSession decides what a session may bring.
func (i *Issuer) newSession(ctx context.Context, p *place, u *Upload) (*openedSession, error) {
	rules, err := i.rules(ctx, u)
	if err != nil {
		return nil, err
	}
	limits := i.config.sessions.limits
	switch {
	case u.session.Files > limits.Files:
		return nil, ErrTooManyFiles.WithDetail(fmt.Sprintf("One session may bring %d files at most.", limits.Files))
	case u.session.Bytes > limits.Bytes:
		return nil, ErrSizeTooLarge.WithDetail("One session may bring "+humanSize(limits.Bytes)+" at most.").WithLimits(0, limits.Bytes)
	}
	if u.session.Files > 0 {
		limits.Files = u.session.Files
	}
	if u.session.Bytes > 0 {
		limits.Bytes = u.session.Bytes
	}
	var id [16]byte
	if err := u.readRandom(id[:]); err != nil {
		return nil, err
	}
	attributes, _, err := i.attributes(u)
	if err != nil {
		return nil, err
	}
	s := &openedSession{Session: &claim.Session{
		ID: hex.EncodeToString(id[:]), Issued: u.Time(), Expires: u.Time().Add(limits.Lifetime), Bucket: p.id,
		Subject: u.Subject, Tenant: u.Tenant, Types: rules.types, MinSize: rules.size.min, MaxSize: rules.size.max,
		MaxFiles: limits.Files, MaxBytes: limits.Bytes, Attributes: attributes, Trace: i.ticketTrace(ctx),
	}, place: p}
	s.prefix = p.engine.SessionPrefix(s.ID)
	return s, nil
}

var (
	errSessionEndless = errors.New("the provider of sessions has given credentials that do not end, or later than was asked for")
	errSessionEmpty   = errors.New("the provider of sessions has given no credentials")
)

// openSession gets the credentials, and keeps the ticket by which others know the
// session: before anybody can write by it.
func (i *Issuer) openSession(ctx context.Context, s *openedSession) error {
	policy, err := sessionPolicy(s.place.Region, s.place.uploadName(), s.prefix)
	if err != nil {
		return ErrBucketInvalid.WithCause(err)
	}
	lifetime := s.Expires.Sub(s.Issued)
	err = hook.Guard(func() (err error) {
		s.creds, err = i.config.sessions.provider.Session(ctx, SessionRequest{
			ID: s.ID, Bucket: s.place.uploadName(), Prefix: s.prefix, Policy: policy, Lifetime: lifetime,
		})
		return err
	})
	const clocks = 5 * time.Minute // by which they may differ
	switch now := i.clock(); {
	case err != nil:
	case s.creds.AccessKeyID == "" || s.creds.SecretAccessKey == "":
		err = errSessionEmpty
	case !s.creds.CanExpire, s.creds.Expires.After(now.Add(lifetime + clocks)):
		err = errSessionEndless
	case !s.creds.Expires.After(now):
		err = errExpired
	default:
		s.Expires = s.creds.Expires.UTC().Truncate(time.Second)
		s.left = s.Expires.Sub(now).Truncate(time.Second)
	}
	if err != nil {
		return ErrCredentialsUnavailable.WithCause(err)
	}
	token, err := i.opener.keys.Seal(s.Append(nil), i.opener.sessionContext(), s.Expires)
	if err != nil {
		return ErrAttributesInvalid.WithCause(err)
	}
	return engineProblem(s.place.engine.KeepSession(ctx, s.ID, token))
}

func (s *openedSession) appendJSON(b []byte) []byte {
	text := func(name, value string) { b = jsontext.AppendString(append(b, name...), value) }
	number := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	text(`{"id":`, s.ID)
	text(`,"access_key_id":`, s.creds.AccessKeyID)
	text(`,"secret_access_key":`, s.creds.SecretAccessKey)
	text(`,"session_token":`, s.creds.SessionToken)
	b = s.Expires.AppendFormat(append(b, `,"expires":"`...), time.RFC3339)
	number(`","expires_in":`, int64(s.left/time.Second))
	text(`,"bucket":`, s.place.uploadName())
	text(`,"region":`, s.place.Region)
	text(`,"endpoint":`, s.place.upload.base)
	b = strconv.AppendBool(append(b, `,"path_style":`...), s.place.upload.pathStyle)
	text(`,"url":`, s.place.postURL)
	text(`,"prefix":`, s.prefix)
	number(`,"max_files":`, s.MaxFiles)
	number(`,"max_bytes":`, s.MaxBytes)
	number(`,"min_size":`, s.MinSize)
	number(`,"max_size":`, s.MaxSize)
	b = append(b, `,"types":[`...)
	for k, t := range s.Types {
		if k > 0 {
			b = append(b, ',')
		}
		b = jsontext.AppendString(b, t)
	}
	return append(b, "]}"...)
}

// sessionContext keeps tickets of sessions apart from those of uploads.
func (o *opener) sessionContext() []byte {
	return append(append([]byte{}, o.context...), "\x00session"...)
}

// openSession opens the ticket of a session, also of one that has ended.
func (o *opener) openSession(token string) (*claim.Session, error) {
	content, expires, err := o.keys.Open(token, o.sessionContext(), time.Time{})
	if err != nil {
		return nil, completion.ErrTicketInvalid
	}
	s, err := claim.ParseSession(content)
	if err != nil {
		return nil, completion.ErrTicketInvalid
	}
	s.Expires = expires
	return s, nil
}

// admit makes an upload of a file that a session has written, as [Issuer.Issue] does of
// one that a browser declares.
func (i *Issuer) admit(ctx context.Context, p *place, f completion.File) (*claim.Claim, string, error) {
	s, err := i.opener.openSession(f.Ticket)
	if err != nil || s.ID != f.Session || s.Bucket != p.id {
		return nil, "", completion.ErrTicketInvalid
	}
	u := &Upload{Action: ActionSession, issuer: i, now: i.clock(), decoded: true, authorized: true, id: f.ID}
	u.Subject, u.Tenant = s.Subject, s.Tenant
	u.Filename, u.Path, u.Type, u.Size = path.Base(f.Name), path.Dir(f.Name), f.Object.Header.Type, f.Object.Size
	if strings.HasSuffix(f.Name, "/") {
		u.Filename = ""
	}
	err = i.judge(ctx, s, u)
	if err == nil {
		err = i.countFile(ctx, s, f)
	}
	if err == nil {
		err = u.name(ctx, i.config.keyPolicy)
	}
	if err == nil && i.config.checkFinalKey(u.Key) != nil {
		err = ErrKeyInvalid.WithCause(i.config.checkFinalKey(u.Key))
	}
	if err != nil {
		return nil, "", i.refuseFile(ctx, p, f, u, err)
	}
	c, err := i.newClaim(p, u, ModePut, limits{u.Size, u.Size})
	if err != nil {
		return nil, "", err
	}
	c.ID, c.StagingKey, c.Session, c.Source = f.ID, f.Key, s.ID, f.Object.ETag
	c.Attributes, c.Metadata, c.Quota, c.Trace = s.Attributes, nil, s.Quota, s.Trace
	if over := s.Expires.Add(i.config.ticketLifetime); over.After(c.Expires) {
		c.Expires = over // as long as the session can write it again
	}
	token, err := i.opener.keys.Seal(c.Append(nil), i.opener.context, c.Expires)
	return &c, token, err
}

// judge holds a file against the rules of its session.
func (i *Issuer) judge(_ context.Context, s *claim.Session, u *Upload) error {
	if err := u.clean(); err != nil {
		return err
	}
	if err := (limits{s.MinSize, s.MaxSize}).admit(u.Size); err != nil {
		return err
	}
	set, err := mediatype.NewSet(s.Types...)
	if err != nil {
		return err
	}
	return u.checkType(set)
}

// countFile counts a file against what its session may bring. It can be repeated.
func (i *Issuer) countFile(ctx context.Context, s *claim.Session, f completion.File) error {
	m := i.config.quota
	if m == nil {
		return ErrChainIncomplete.WithCause(errSessionQuota)
	}
	ctx, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	err := m.store.Reserve(ctx, quota.Reservation{
		ID: "session-" + f.ID, Bytes: f.Object.Size, For: s.Expires.Sub(s.Issued) + i.config.ticketLifetime + quotaMemory,
		Accounts: []quota.Account{{Name: "session/" + s.ID, Limits: quota.Files(s.MaxFiles).Bytes(s.MaxBytes)}},
	})
	var exceeded *quota.ExceededError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exceeded) && exceeded.Kind == quota.KindFiles:
		return ErrFilesExceeded.WithUsage(exceeded.Used, exceeded.Limit).WithCause(err)
	case errors.As(err, &exceeded):
		return ErrQuotaExceeded.WithUsage(exceeded.Used, exceeded.Limit).WithCause(err)
	case i.config.uncounted:
		i.loggerOf(ctx).Warn().Str("id", f.ID).Str("session", s.ID).Str("error", clip(err.Error(), maxLoggedError)).
			Msg("postern: the store of quotas has failed: a file of a session is not counted")
		return nil
	}
	return ErrQuotaUnavailable.WithCause(err)
}

// refuseFile shows why a file of a session is refused, by its key in staging, which nobody
// else is told. What is
// the server's fault may pass, and does not refuse it.
func (i *Issuer) refuseFile(ctx context.Context, p *place, f completion.File, u *Upload, err error) error {
	problem := problemOf(err)
	if problem.status >= 500 {
		return err
	}
	d := Decision{
		Action: ActionComplete, Outcome: OutcomeRefused, Trigger: Trigger(f.By), Code: problem.code, Subject: u.Subject, Tenant: u.Tenant,
		ID: u.id, Bucket: p.Name, Key: f.Key, Size: u.Size, Type: u.Type, Mode: ModePut, Err: err,
	}
	_ = hook.GuardAll(func() error {
		i.show(ctx, &d)
		return nil
	})
	return &completion.Rejected{Kind: err}
}

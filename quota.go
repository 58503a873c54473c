package postern

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/quota"
)

// Quota is what an upload counts against: its tenant, its subject, both, or an account of
// another name. Limits that bound nothing count nothing.
type Quota struct {
	// Tenant is for all of u.Tenant together, Subject for u.Subject within its tenant. An
	// upload that has none is refused with the problem principal_invalid.
	Tenant, Subject quota.Limits
	// Name names one more account, with the limits Named: of whoever has no subject, say
	// by an address, or of a project. It has 1 to 128 printable ASCII characters.
	Name  string
	Named quota.Limits
}

// TenantAccount is the name of a tenant's account in a [quota.Store].
func TenantAccount(tenant string) string { return "tenant/" + url.PathEscape(tenant) }

// SubjectAccount is the name of a subject's account. Subjects of two tenants that have
// one name have two accounts.
func SubjectAccount(tenant, subject string) string {
	return "subject/" + url.PathEscape(tenant) + "/" + url.PathEscape(subject)
}

// NamedAccount is the name of the account that [Quota.Name] names.
func NamedAccount(name string) string { return "named/" + url.PathEscape(name) }

const (
	// quotaPatience is how long the store of quotas may take.
	quotaPatience = 2 * time.Second
	// quotaMemory is how long an upload that has ended is remembered after its ticket:
	// longer than any completion takes that was begun in time.
	quotaMemory = 48 * time.Hour
	// maxQuotaName bounds [Quota.Name].
	maxQuotaName = 128
)

// metering is what [WithQuota] asks for.
type metering struct {
	store quota.Store
	of    func(*http.Request, *Upload) Quota
}

// A claim has which accounts its upload counts against, since the function of WithQuota
// cannot be asked later, and may say something else by then: a letter for each that the
// claim itself tells the name of, and the rest after a third one.
const (
	countsTenant  = 't'
	countsSubject = 's'
	countsNamed   = 'n'
)

// accountsOf returns the accounts of a claim.
func accountsOf(c *claim.Claim) (names []string) {
	for k := range len(c.Quota) {
		switch c.Quota[k] {
		case countsTenant:
			names = append(names, TenantAccount(c.Tenant))
		case countsSubject:
			names = append(names, SubjectAccount(c.Tenant, c.Subject))
		case countsNamed:
			return append(names, NamedAccount(c.Quota[k+1:]))
		}
	}
	return names
}

// quotaOf asks what an upload counts against. r is nil where there is no request.
func (m *metering) quotaOf(r *http.Request, u *Upload) (q Quota, err error) {
	err = hook.Guard(func() error {
		q = m.of(r, u)
		return nil
	})
	switch {
	case err != nil:
	case !q.Tenant.IsZero() && u.Tenant == "", !q.Subject.IsZero() && u.Subject == "":
		err = ErrPrincipalInvalid.WithCause(errQuotaNobody)
	case !q.Named.IsZero() && (q.Name == "" || len(q.Name) > maxQuotaName || !printableASCII(q.Name)):
		err = ErrPrincipalInvalid.WithCause(fmt.Errorf("WithQuota: a name is 1 to %d printable ASCII characters, not %q", maxQuotaName, q.Name))
	}
	return q, err
}

// accounts returns the accounts of a quota, and how a claim has them. room is used where
// they fit.
func (q *Quota) accounts(u *Upload, room []quota.Account) (all []quota.Account, encoded string) {
	all = room[:0]
	if !q.Tenant.IsZero() {
		all, encoded = append(all, quota.Account{Name: TenantAccount(u.Tenant), Limits: q.Tenant}), string(countsTenant)
	}
	if !q.Subject.IsZero() {
		all, encoded = append(all, quota.Account{Name: SubjectAccount(u.Tenant, u.Subject), Limits: q.Subject}), encoded+string(countsSubject)
	}
	if !q.Named.IsZero() {
		all, encoded = append(all, quota.Account{Name: NamedAccount(q.Name), Limits: q.Named}), encoded+string(countsNamed)+q.Name
	}
	return all, encoded
}

var (
	errQuotaNobody    = errors.New("WithQuota: limits for a tenant or a subject, of an upload that has none")
	errQuotaStaging   = errors.New("WithQuota: bytes and files are counted with WithPromotion only: without it nobody tells of what arrives and is not completed")
	errQuotaAnonymous = errors.New("an upload without a subject has parts and completion only where WithQuota bounds it")
)

// reserve counts an upload that is about to be granted.
func (i *Issuer) reserve(ctx context.Context, r *http.Request, u *Upload, c *claim.Claim) error {
	m := i.config.quota
	if m == nil {
		return nil
	}
	q, err := m.quotaOf(r, u)
	if err != nil {
		return err
	}
	var room [3]quota.Account
	accounts, encoded := q.accounts(u, room[:])
	if err := i.checkQuota(u, c, accounts); err != nil || len(accounts) == 0 {
		return err
	}
	c.Quota = encoded
	bytes, held := c.Size, c.Expires.Sub(c.Issued)
	if bytes == UnknownSize {
		bytes = c.MaxSize
	}
	if !i.config.completes() && c.Mode != claim.Multipart {
		held = i.config.lifetime // nobody completes it
	}
	if _, here := m.store.(*quota.Memory); !here { // which nobody waits for
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, quotaPatience)
		defer cancel()
	}
	err = m.store.Reserve(ctx, quota.Reservation{ID: c.ID, Bytes: bytes, Accounts: accounts, For: held})
	var exceeded *quota.ExceededError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exceeded):
		return quotaProblem(exceeded)
	case i.config.uncounted:
		i.loggerOf(ctx).Warn().Str("id", c.ID).Str("error", clip(err.Error(), maxLoggedError)).
			Msg("postern: the store of quotas has failed: a grant is not counted")
		return nil
	}
	if !errors.Is(err, quota.ErrNotDone) {
		// It may have been counted nevertheless. Nobody waits a second time.
		counted := *c
		go i.config.unreserve(i.ownLogger(context.WithoutCancel(ctx)), &counted)
	}
	return ErrQuotaUnavailable.WithCause(err)
}

// checkQuota refuses what cannot be counted, and strangers whom nothing bounds.
func (i *Issuer) checkQuota(u *Upload, c *claim.Claim, accounts []quota.Account) error {
	if u.Subject == "" && len(accounts) == 0 && (c.Mode == claim.Multipart || i.config.completes()) {
		return ErrSubjectMissing.WithCause(errQuotaAnonymous)
	}
	for _, a := range accounts {
		_, bytes := a.Limits.Of(quota.KindBytes)
		_, files := a.Limits.Of(quota.KindFiles)
		if (bytes || files) && i.config.staging == "" {
			return ErrChainIncomplete.WithCause(errQuotaStaging)
		}
	}
	return nil
}

// quotaProblem tells a person what is used up.
func quotaProblem(e *quota.ExceededError) error {
	var p *Problem
	used, limit := strconv.FormatInt(e.Used, 10), strconv.FormatInt(e.Limit, 10)
	switch e.Kind {
	case quota.KindBytes:
		p = ErrQuotaExceeded.WithDetail("There is no room for this file: " + humanSize(e.Used) + " of " + humanSize(e.Limit) + " are used.")
	case quota.KindFiles:
		p = ErrFilesExceeded.WithDetail("There is no room for another file: " + used + " of " + limit + " are used.")
	case quota.KindUploads:
		p = ErrUploadsExceeded.WithDetail("Too many uploads are under way: " + used + " of " + limit + ". Try again when one has ended.")
	default:
		p = ErrRateExceeded.WithDetail("Too many uploads were begun: " + limit + " a minute are possible. Try again in a moment.")
	}
	p = p.WithUsage(e.Used, e.Limit).WithCause(e)
	if e.RetryAfter > 0 {
		p = p.WithRetryAfter(e.RetryAfter)
		p.status = http.StatusTooManyRequests // of a copy
	}
	return p
}

// unreserve gives back what was reserved for an upload that comes to nothing. If that
// fails, the reservation ends by itself.
func (c *config) unreserve(ctx context.Context, cl *claim.Claim) {
	if c.quota == nil || cl.Quota == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	if err := c.quota.store.Cancel(ctx, counted(cl, 0), c.keep(cl)); err != nil {
		c.loggerOf(ctx).Warn().Str("id", cl.ID).Str("error", clip(err.Error(), maxLoggedError)).
			Msg("postern: what was reserved for an upload is not given back before it ends")
	}
}

// settle counts an upload that is there by its real size. The error is
// [completion.GivenUp] if it was given up meanwhile.
func (c *config) settle(ctx context.Context, cl *claim.Claim, result *completion.Result) error {
	if c.quota == nil || cl.Quota == "" {
		return nil
	}
	if result.Duplicate { // the object was counted with the other upload
		c.unreserve(ctx, cl)
		return nil
	}
	timed, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	err := c.quota.store.Settle(timed, counted(cl, result.Size), c.keep(cl))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, quota.ErrCancelled):
		return &completion.GivenUp{Err: ErrUploadGone.WithCause(err)}
	case c.uncounted, !c.clock().Before(cl.Expires): // what has arrived is not lost by it
		c.loggerOf(ctx).Error().Str("id", cl.ID).Int64("size", result.Size).Strs("accounts", accountsOf(cl)).
			Str("error", clip(err.Error(), maxLoggedError)).
			Msg("postern: the store of quotas has failed: an upload is not counted")
		return nil
	}
	return ErrQuotaUnavailable.WithCause(err)
}

// counted is an upload as the store knows it.
func counted(c *claim.Claim, size int64) quota.Upload {
	return quota.Upload{ID: c.ID, Bytes: size, Accounts: accountsOf(c)}
}

// keep is how long the store remembers an upload that has ended.
func (c *config) keep(cl *claim.Claim) time.Duration {
	return max(0, cl.Expires.Sub(c.clock())) + quotaMemory
}

// usage tells what a user has used, beside the limits, for [RulesHandler]: nothing where
// the store fails.
func (i *Issuer) usage(ctx context.Context, r *http.Request, u *Upload) (string, error) {
	m := i.config.quota
	if m == nil {
		return "", nil
	}
	q, err := m.quotaOf(r, u)
	if err != nil {
		return "", err
	}
	accounts, _ := q.accounts(u, nil)
	names := make([]string, len(accounts))
	for k, a := range accounts {
		names[k] = a.Name
	}
	ctx, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	used, err := m.store.Usage(ctx, names...)
	if err != nil || len(used) != len(accounts) {
		i.loggerOf(ctx).Warn().Err(err).Msg("postern: the store of quotas does not tell what is used")
		return "", nil
	}
	var b strings.Builder
	for k, a := range accounts {
		who, _, _ := strings.Cut(a.Name, "/")
		appendUsage(&b, who, a.Limits, used[k])
	}
	return strings.TrimPrefix(b.String(), ","), nil
}

func appendUsage(b *strings.Builder, who string, limits quota.Limits, used quota.Usage) {
	fmt.Fprintf(b, `,%q:{`, who)
	comma := ""
	for _, kind := range [...]quota.Kind{quota.KindBytes, quota.KindFiles, quota.KindUploads, quota.KindPerMinute} {
		if limit, ok := limits.Of(kind); ok {
			fmt.Fprintf(b, `%s%q:{"used":%d,"limit":%d}`, comma, kind, used.Used(kind, limit), limit)
			comma = ","
		}
	}
	b.WriteByte('}')
}

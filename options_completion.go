package postern

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/postern-go/postern/ticket"
)

var (
	errTicketLifetime = errors.New("a ticket lives from 1 min to 30 days")
	errThreshold      = errors.New("the threshold of multipart uploads is from 5 MiB to 5 GiB")
	errPartSize       = errors.New("the size of parts is from 5 MiB to 5 GiB")
	errMode           = errors.New("the mode is ModePost or ModePut: the size decides about ModeMultipart")
	errModeProvider   = errors.New("the provider takes no POST policies")
	errStaging        = errors.New("a staging prefix is a key and a slash, such as \"staging/\"")
	errHandlerName    = errors.New("a name is 1 to 64 printable characters")
	errCompletions    = errors.New("at least one completion must be possible")
	errNoSeal         = errors.New("the provider has no conditional writes, so that a grant could be replayed after a receipt: use WithMode(ModePost), with which browsers must send a SHA-256")
	errNoSealParts    = errors.New("the provider completes multipart uploads without a condition: keep WithSizeLimit below the WithMultipartThreshold")
	errNoFreeze       = errors.New("the provider cannot freeze: it lacks conditional copies or conditional completion")
	errNoSealPut      = errors.New("the provider has neither conditional writes nor POST policies, so that a grant could be replayed after a receipt")
	errShortTicket    = errors.New("a ticket lives no shorter than its grant")
	errPolicyStaging  = errors.New("the keys lie under the staging prefix")
	errAnonymous      = errors.New("completion needs a subject")
	errAnonymousParts = errors.New("multipart uploads need a subject: keep WithSizeLimit below the WithMultipartThreshold")
	errShared         = errors.New("the provider is not known to reject headers that were not signed, so grants must be signed by credentials that may only put objects: set ServiceCredentials for all else, or AllowSharedCredentials")
)

// WithName tells handlers of one bucket apart that share ticket keys: a ticket of
// one is nothing to another. For [New] and [NewIssuer].
func WithName(name string) Option {
	return Option{"WithName", forHandler | forIssuer, func(c *config) error {
		if name == "" || len(name) > 64 || !printableASCII(name) {
			return errHandlerName
		}
		c.name = name
		return nil
	}}
}

// WithTicketKeys sets the keys of tickets, each of 32 random bytes: current seals
// them, and all open them. Without it a random key is made for the process, and
// tickets are nothing to other replicas and after a restart. For [New] and
// [NewIssuer].
func WithTicketKeys(current []byte, previous ...[]byte) Option {
	return Option{"WithTicketKeys", forHandler | forIssuer, func(c *config) (err error) {
		c.ticketKeys, err = ticket.NewKeyring(current, previous...)
		return err
	}}
}

// WithTicketLifetime sets how long an upload can be resumed and completed: 24 h
// by default, 1 min to 30 days, and no less than its grant lives. For [New] and
// [NewIssuer].
func WithTicketLifetime(d time.Duration) Option {
	return Option{"WithTicketLifetime", forHandler | forIssuer, func(c *config) error {
		if d < time.Minute || d > 30*24*time.Hour {
			return errTicketLifetime
		}
		c.ticketLifetime = d
		return nil
	}}
}

// WithMode asks for grants of one mode, [ModePost] or [ModePut]. By default they
// are forms where the provider takes them and no seal is needed that forms lack.
// For [New] and [NewIssuer].
func WithMode(mode Mode) Option {
	return Option{"WithMode", forHandler | forIssuer, func(c *config) error {
		if mode != ModePost && mode != ModePut {
			return errMode
		}
		c.mode = mode
		return nil
	}}
}

// WithMultipartThreshold sets the size in bytes above which an upload is made of
// parts: 100 MiB by default, 5 MiB to 5 GiB. For [New] and [NewIssuer].
func WithMultipartThreshold(size int64) Option {
	return Option{"WithMultipartThreshold", forHandler | forIssuer, func(c *config) error {
		if size < minPart || size > maxSingle {
			return errThreshold
		}
		c.multipartAbove = size
		return nil
	}}
}

// WithPartSize sets the size of parts in bytes: 8 MiB by default, 5 MiB to 5 GiB.
// A file that would have more than 10,000 gets larger ones. For [New] and
// [NewIssuer].
func WithPartSize(size int64) Option {
	return Option{"WithPartSize", forHandler | forIssuer, func(c *config) error {
		if size < minPart || size > maxSingle {
			return errPartSize
		}
		c.partSize = size
		return nil
	}}
}

// AllowSharedCredentials lets the credentials that sign grants also make the
// handler's own calls, at a provider that is not known to reject headers that
// were not signed. Whoever holds a grant may then be able to copy objects, or
// worse. It is for development. For [New] and [NewIssuer].
func AllowSharedCredentials() Option {
	return Option{"AllowSharedCredentials", forHandler | forIssuer, func(c *config) error {
		c.sharedAllowed = true
		return nil
	}}
}

// AllowUnboundedParts admits multipart uploads of a size that the client does not
// tell, as some clients' do not. Their URLs do not bound the parts: an upload that
// has grown too large is given up when it is completed, and costs storage until
// then. For [New] and [NewIssuer].
func AllowUnboundedParts() Option {
	return Option{"AllowUnboundedParts", forHandler | forIssuer, func(c *config) error {
		c.unbounded = true
		return nil
	}}
}

// WithOnComplete asks for receipts: fn is called when an upload is there, frozen
// and verified. It is called at least once for each, perhaps by several
// goroutines or replicas at a time: [Receipt.ID] is its idempotency key. Its
// context is not cancelled with the request. If it fails, the browser gets 503
// and may ask again: it cannot refuse an upload for good. While its grant lives,
// an object that the application deletes may be uploaded, and completed, again.
// For [New] and [NewIssuer].
//
// A receipt needs a seal, without which a grant could be used again after it:
// uploads are then by PUT, by parts, or by forms with [WithPromotion] or a
// SHA-256.
func WithOnComplete(fn func(ctx context.Context, r Receipt) error) Option {
	return Option{"WithOnComplete", forHandler | forIssuer, func(c *config) error {
		if fn == nil {
			return errNil
		}
		c.onComplete = fn
		return nil
	}}
}

// WithPromotion lets grants write under a staging prefix alone, such as
// "staging/". Completion copies the upload to its key, where no grant can write,
// and verifies it there. Let the bucket's lifecycle rules expire what stays in
// the prefix. For [New] and [NewIssuer].
func WithPromotion(staging string) Option {
	return Option{"WithPromotion", forHandler | forIssuer, func(c *config) error {
		key, ok := strings.CutSuffix(staging, "/")
		if !ok || len(staging) > 512 || checkKey(key) != nil {
			return errStaging
		}
		c.staging = staging
		return nil
	}}
}

// WithSniffing has completion look at the first bytes of every upload, and refuse
// one whose bytes are of another type than was declared. It proves a prefix, not
// that a file is harmless. For [New] and [NewIssuer].
func WithSniffing() Option {
	return Option{"WithSniffing", forHandler | forIssuer, func(c *config) error {
		c.sniff = true
		return nil
	}}
}

// WithMaxCompletions sets how many completions may go on at once; more are
// refused with 503. 64 by default. For [New] and [NewIssuer].
func WithMaxCompletions(n int) Option {
	return Option{"WithMaxCompletions", forHandler | forIssuer, func(c *config) error {
		if n < 1 {
			return errCompletions
		}
		c.maxCompletions = n
		return nil
	}}
}

// check finds what does not go together.
func (c *config) check(b Bucket, provider abilities) (errs []error) {
	fail := func(option string, err error) { errs = append(errs, &ConfigError{Option: option, Err: err}) }
	if c.mode == ModePost && !provider.post {
		fail("WithMode", errModeProvider)
	}
	if c.staging != "" && !provider.freezes() {
		fail("WithPromotion", errNoFreeze)
	}
	if c.needsSeal() && c.mode != ModePost && !provider.putIfAbsent {
		if provider.post {
			fail("WithOnComplete", errNoSeal)
		} else {
			fail("WithOnComplete", errNoSealPut)
		}
	}
	if c.multipart() && c.unsealedParts(provider) {
		fail("WithOnComplete", errNoSealParts)
	}
	if c.anonymous && c.completes() {
		fail("AllowAnonymous", errAnonymous)
	}
	if c.anonymous && c.limits.most > c.multipartAbove {
		fail("AllowAnonymous", errAnonymousParts)
	}
	if c.ticketLifetime < c.lifetime {
		fail("WithTicketLifetime", errShortTicket)
	}
	if t, ok := c.keyPolicy.(*keyTemplate); ok && c.staging != "" && strings.HasPrefix(t.beginning(), c.staging) {
		fail("WithKeyPolicy", errPolicyStaging)
	}
	if (c.completes() || c.multipart()) && c.shares(b, provider) {
		fail("Bucket.ServiceCredentials", errShared)
	}
	return errs
}

// needsSeal reports whether receipts are asked for that no promotion seals.
func (c *config) needsSeal() bool { return c.completes() && c.staging == "" }

// unsealedParts reports whether a receipt of an upload in parts would have no seal.
func (c *config) unsealedParts(provider abilities) bool {
	return c.needsSeal() && !provider.completeIfAbsent
}

// shares reports whether a grant is signed by credentials that may do more than
// it, at a provider where that can be abused.
func (c *config) shares(b Bucket, provider abilities) bool {
	shared := b.ServiceCredentials == nil || sameProvider(b.ServiceCredentials, b.Credentials)
	return shared && b.Credentials != nil && !provider.strict && !c.sharedAllowed
}

// noParts says why uploads cannot be made of parts, if they cannot. check finds
// it where the size may demand parts; a dialect may ask for them at any size.
func (c *config) noParts(b Bucket, provider abilities) error {
	switch {
	case c.anonymous:
		return &ConfigError{Option: "AllowAnonymous", Err: errAnonymousParts}
	case c.unsealedParts(provider):
		return &ConfigError{Option: "WithOnComplete", Err: errNoSealParts}
	case c.shares(b, provider):
		return &ConfigError{Option: "Bucket.ServiceCredentials", Err: errShared}
	}
	return nil
}

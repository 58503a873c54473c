package postern

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/postern-go/postern/ticket"
)

// seal makes the ticket of a grant.
func (i *Issuer) seal(t *ticketData) (string, error) {
	var array [1024]byte
	t.expires = t.issued.Add(i.config.ticketLifetime)
	s, err := i.tickets.Seal(t.append(array[:0]), i.ticketContext, t.expires)
	if errors.Is(err, ticket.ErrTooLarge) {
		return "", ErrMetadataInvalid.WithCause(err)
	}
	return s, err
}

// open reads a ticket of this handler.
func (i *Issuer) open(token string, now time.Time) (*ticketData, error) {
	if token == "" {
		return nil, ErrTicketInvalid.WithDetail("The request needs the ticket of an upload.")
	}
	content, err := i.tickets.Open(token, i.ticketContext, now)
	switch {
	case errors.Is(err, ticket.ErrExpired):
		return nil, ErrTicketExpired
	case err != nil:
		return nil, ErrTicketInvalid
	}
	t, err := parseTicketData(content)
	if err != nil {
		return nil, ErrTicketInvalid.WithCause(err)
	}
	return t, nil
}

// openedTicket is the ticket that a request shows.
type openedTicket struct {
	*ticketData
	opener  *Issuer
	request *TicketRequest // what else the request has
}

// OpenTicket stands in the place of [Decode] in the chains of [Parts], [List],
// [Complete] and [Abort]: it reads a request that shows a ticket, and restores
// the upload from it. Subject and Tenant stay empty for [Authorize] to set; the
// end of the chain compares them with those of the ticket. It takes what Decode
// takes.
func OpenTicket(issuer *Issuer, action Action, opts ...Option) func(http.Handler) http.Handler {
	if issuer == nil {
		panic(&ConfigError{Option: "OpenTicket", Err: errNil})
	}
	if !slices.Contains(ticketActions, action) {
		panic(&ConfigError{Option: "OpenTicket", Err: errAction})
	}
	return openTicket(issuer, action, mustConfig(forDecode, opts))
}

var (
	ticketActions = []Action{ActionParts, ActionList, ActionComplete, ActionAbort}
	errAction     = errors.New("the actions with a ticket are parts, list, complete and abort")
)

func openTicket(issuer *Issuer, action Action, c *config) func(http.Handler) http.Handler {
	return read(c, action, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		var q *TicketRequest
		err := guard(func() (err error) {
			q, err = u.ticketDialect().ReadTicket(w, r, action)
			return err
		})
		if err != nil {
			return err
		}
		if q == nil { // a dialect that has found no ticket
			return ErrTicketInvalid
		}
		if len(q.Parts) > maxParts {
			return ErrPartsInvalid
		}
		t, err := issuer.open(q.Ticket, u.now)
		if err != nil {
			return err
		}
		if q.Key != "" && q.Key != t.key && q.Key != t.object {
			return ErrTicketForeign.WithDetail("The ticket is of another upload.")
		}
		u.ticket = &openedTicket{t, issuer, q}
		u.Filename, u.Type, u.Size, u.Key = t.filename, t.typ, t.size, t.key
		u.SHA256, u.Metadata, u.PartChecksums = t.sha256, t.metadata, t.partChecksums
		u.Mode, u.PartSize = t.mode, t.partSize
		return nil
	})
}

// ticketDialect is the dialect of a request that shows a ticket.
func (u *Upload) ticketDialect() TicketDialect {
	if d, ok := u.settings.dialect.(TicketDialect); ok {
		return d
	}
	return native{}
}

// onTicket ends a chain: it serves an action with the ticket of an upload that
// was authorized for the principal that the ticket names.
func onTicket(issuer *Issuer, action Action, serve func(w http.ResponseWriter, r *http.Request, u *Upload) error) http.Handler {
	if issuer == nil {
		panic(&ConfigError{Option: string(action), Err: errNil})
	}
	return end(func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		if err := checkTicket(issuer, action, r, u); err != nil {
			return err
		}
		return serve(w, r, u)
	})
}

func checkTicket(issuer *Issuer, action Action, r *http.Request, u *Upload) error {
	if u.ticket == nil || u.ticket.opener != issuer || u.Action != action || !u.authorized {
		return ErrChainIncomplete
	}
	if err := u.checkOrigin(r); err != nil {
		return err
	}
	subject := subtle.ConstantTimeCompare([]byte(u.Subject), []byte(u.ticket.subject))
	tenant := subtle.ConstantTimeCompare([]byte(u.Tenant), []byte(u.ticket.tenant))
	if subject&tenant != 1 {
		return ErrTicketForeign
	}
	return nil
}

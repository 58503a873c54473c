package completion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// A session's credentials write what they like under sessions/<id>/, and nobody has
// granted each file. Whoever finds one first, of all replicas, makes an upload of it: its
// id is made of the session's and of the key, so that it is the same everywhere, and what
// else was decided, the final key for one, is written down once, at tickets/<id of the
// upload>. That stays until the ticket has ended, and binds the ETag that was seen: what
// the session writes there later is another file, which is refused and removed, whether
// the first one is completed yet or not.
const (
	sessionsName       = "sessions/"
	sessionTicketsName = "session-tickets/"
)

// File is what a session has written.
type File struct {
	ID      string // of its upload
	Session string // the id of the session
	Ticket  string // of the session
	Name    string // what stands in the key after the session's prefix
	Key     string // where it stands
	Object  *store.Object
	By      Trigger // who has found it
}

// SessionPrefix is where a session writes.
func (e *Engine) SessionPrefix(session string) string { return e.Prefix + sessionsName + session + "/" }

// KeepSession writes down the ticket of a session.
func (e *Engine) KeepSession(ctx context.Context, session, ticket string) error {
	return e.Staging.Put(ctx, e.Prefix+sessionTicketsName+session, []byte(ticket))
}

// sessionFile takes the name of a session's file apart, as it stands after the prefix.
func sessionFile(name string) (session, file string, ok bool) {
	rest, ok := strings.CutPrefix(name, sessionsName)
	session, file, found := strings.Cut(rest, "/")
	return session, file, ok && found && isID(session)
}

// fileID is the id of the upload that is made of a session's file.
func fileID(session, name string) string {
	sum := sha256.Sum256([]byte("session\x00" + session + "\x00" + name))
	return hex.EncodeToString(sum[:16])
}

// findFile is [Engine.Find] for what a session has written. The error is [ErrConflict]
// for another file than was seen first, and [Rejected] for one that is not allowed.
func (e *Engine) findFile(ctx context.Context, f File) (c *claim.Claim, err error) {
	f.ID = fileID(f.Session, f.Name)
	if f.Object, err = e.Staging.Head(ctx, f.Key); err != nil {
		return nil, err
	}
	c, err = e.firstSeen(ctx, f.Key, f.ID)
	if errors.Is(err, store.ErrNotFound) {
		c, err = e.admit(ctx, f)
	}
	if err == nil && !isSource(c, f.Object) {
		err = ErrConflict
	}
	return c, err
}

// firstSeen reads what was decided about a file, if it was seen before.
func (e *Engine) firstSeen(ctx context.Context, key, id string) (*claim.Claim, error) {
	ticket, err := e.Staging.Read(ctx, e.Prefix+ticketsName+id, maxTicket)
	if err != nil {
		return nil, err
	}
	c, err := e.open(key, string(ticket))
	if err == nil && (c.ID != id || c.Session == "") {
		err = ErrTicketInvalid
	}
	return c, err
}

// admit decides about a file, unless another replica has done so meanwhile.
func (e *Engine) admit(ctx context.Context, f File) (*claim.Claim, error) {
	ticket, err := e.Staging.Read(ctx, e.Prefix+sessionTicketsName+f.Session, maxTicket)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Admit == nil {
		err = ErrTicketInvalid
	}
	if err != nil {
		return nil, err
	}
	f.Ticket = string(ticket)
	c, own, err := e.Admit(ctx, f)
	if err != nil {
		return nil, err
	}
	key := e.Prefix + ticketsName + f.ID
	if !e.PutIfAbsent {
		return e.admitLocked(ctx, c, key, own)
	}
	err = e.Staging.PutIfAbsent(ctx, key, []byte(own))
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		return e.firstSeen(ctx, f.Key, f.ID) // or what an earlier try of this one has written
	}
	return c, err
}

// admitLocked writes a decision down where no write has a condition.
func (e *Engine) admitLocked(ctx context.Context, c *claim.Claim, key, ticket string) (*claim.Claim, error) {
	ctx, unlock, err := e.lockKey(ctx, e.Staging, key)
	if err != nil {
		return nil, err
	}
	defer unlock()
	first, err := e.firstSeen(ctx, c.StagingKey, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return c, e.Staging.Put(ctx, key, []byte(ticket))
	}
	return first, err
}

// file deals with an object that a session has written.
func (p *pass) file(ctx context.Context, key string, age time.Duration) {
	session, name, ok := sessionFile(strings.TrimPrefix(key, p.Prefix))
	id := fileID(session, name)
	switch {
	case !ok:
		p.Tell(Left, key, ErrForeign)
		return
	case p.Sweep:
		p.Tell(Left, key, ErrWhole)
		return
	case p.DryRun: // which decides nothing
		p.Tell(Completed, key, nil)
		return
	case p.rests.rest(id, p.now):
		p.Tell(Left, key, ErrResting)
		return
	}
	c, err := p.Find(ctx, key, Reconciler)
	switch {
	case err == nil:
		p.complete(ctx, c)
	case errors.Is(err, store.ErrNotFound): // done meanwhile
	case forGood(err):
		p.remove(ctx, key, err)
	case errors.Is(err, ErrTicketInvalid) && age >= longestTicket:
		p.remove(ctx, key, err)
	case errors.Is(err, ErrTicketInvalid): // it may be another handler's
		p.Tell(Left, key, err)
	default:
		p.rests.failed(id, p.now)
		p.Tell(Left, key, err)
	}
}

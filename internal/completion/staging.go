package completion

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/store"
)

// What lies under the staging prefix, beside the objects that browsers write there,
// whose names are the ids of their uploads:
//
//	tickets/<id>            the ticket of an upload in parts, or of one whose metadata
//	                        has no room for it
//	verdicts/<id>           what was decided about an upload; see verdict.go
//	duplicates/<id>         an upload whose bytes were there already had its receipt
//	attempts/<id>-<random>  a copy on its way to a final key; see publish.go
//	elections/<hash>        which attempt may be copied there
//	sessions/<id>/…         what a session has written; see session.go
//	session-tickets/<id>    what that session may write
//
// An upload stands in staging until the application has taken its receipt.
const (
	ticketsName    = "tickets/"
	verdictsName   = "verdicts/"
	duplicatesName = "duplicates/"
	attemptsName   = "attempts/"
	electionsName  = "elections/"
)

// KeepTicket writes down the ticket of an upload that cannot carry it in its metadata.
// An upload in parts is listed nowhere with what it is to become, and some servers list
// it by its exact key only.
func (e *Engine) KeepTicket(ctx context.Context, c *claim.Claim, ticket string) error {
	err := e.Staging.Put(ctx, e.Prefix+ticketsName+c.ID, []byte(ticket))
	if err != nil && c.Mode == claim.Multipart && ctx.Err() == nil {
		_ = e.Staging.Abort(ctx, c.WriteKey(), c.UploadID) // or the reconciler does
	}
	return err
}

// emptyStaging deletes what an upload has in staging: the ticket last, since it tells
// what the rest is.
func (e *Engine) emptyStaging(ctx context.Context, c *claim.Claim) error {
	if !c.Staged() {
		return nil
	}
	err := e.Staging.Delete(ctx, c.StagingKey, "")
	if err == nil && c.Beside() {
		err = e.Staging.Delete(ctx, e.Prefix+ticketsName+c.ID, "")
	}
	return err
}

// deleteStaging is emptyStaging where nothing depends on it: the reconciler comes again.
func (e *Engine) deleteStaging(ctx context.Context, c *claim.Claim) {
	if err := e.emptyStaging(ctx, c); err != nil {
		e.Left(ctx, "a staging object", err)
	}
}

// comesToNothing removes what is left of an upload that has no object. One that has,
// since another completion has frozen what was there before, is not done.
func (e *Engine) comesToNothing(ctx context.Context, c *claim.Claim) {
	if !c.Staged() {
		e.gone(ctx, c)
		return
	}
	frozen, err := e.isFrozen(ctx, c)
	if err == nil && !frozen {
		err = e.discard(ctx, c)
	}
	if err != nil {
		e.Left(ctx, "a staging object", err)
	}
}

// isFrozen reports whether the object at the final key is an upload's.
func (e *Engine) isFrozen(ctx context.Context, c *claim.Claim) (bool, error) {
	o, err := e.final(ctx, c)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && o.Header.ID == c.ID, err
}

// discard leaves nothing of an upload but an object at its final key. What is in staging
// goes last: nothing else tells what the rest is.
func (e *Engine) discard(ctx context.Context, c *claim.Claim) error {
	if c.Mode == claim.Multipart {
		if err := e.Staging.Abort(ctx, c.WriteKey(), c.UploadID); err != nil {
			return err
		}
	}
	if err := e.abandonCopies(ctx, c); err != nil {
		return err
	}
	if err := e.emptyStaging(ctx, c); err != nil {
		return err
	}
	e.gone(ctx, c)
	return nil
}

func (e *Engine) gone(ctx context.Context, c *claim.Claim) {
	if e.Gone != nil {
		e.Gone(ctx, c)
	}
}

// abandonCopies ends the copies to the final key of an upload that comes to nothing,
// which a crash may have left. One of another upload with that key begins anew. What was
// begun before the grant is none. One of which the server does not tell when that was is
// left: older SeaweedFS lists those
// that are finished, too, and aborting them deletes their objects.
func (e *Engine) abandonCopies(ctx context.Context, c *claim.Claim) error {
	if !c.Staged() {
		return nil
	}
	for marker := (store.Marker{}); ; {
		begun, next, err := e.Store.Uploads(ctx, c.Key, marker)
		if err != nil {
			return err
		}
		for _, u := range begun {
			if u.Key != c.Key || u.Initiated.Before(c.Issued.Add(-longestBeginning)) {
				continue
			}
			if err := e.Store.Abort(ctx, u.Key, u.UploadID); err != nil {
				return err
			}
		}
		if marker = next; marker == (store.Marker{}) {
			return nil
		}
	}
}

// Find returns the upload to which a key in staging belongs. The error is
// [store.ErrNotFound] if nothing is there, and [ErrTicketInvalid] if it is no upload of
// this engine's. One that a session has written becomes an upload by being found, of which
// [ErrConflict] and [Rejected] are errors; by says who looks.
func (e *Engine) Find(ctx context.Context, key string, by Trigger) (*claim.Claim, error) {
	id, ok := strings.CutPrefix(key, e.Prefix)
	if session, name, is := sessionFile(id); ok && is {
		return e.findFile(ctx, File{Session: session, Name: name, Key: key, By: by})
	}
	if !ok || !isID(id) {
		return nil, ErrTicketInvalid
	}
	o, err := e.Staging.Head(ctx, key)
	switch {
	case err == nil && o.Header.Ticket != "":
		return e.open(key, o.Header.Ticket)
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	ticket, besideErr := e.Staging.Read(ctx, e.Prefix+ticketsName+id, maxTicket)
	switch {
	case errors.Is(besideErr, store.ErrNotFound) && err == nil:
		return nil, ErrTicketInvalid
	case besideErr != nil:
		return nil, besideErr
	}
	c, openErr := e.Open(string(ticket))
	if openErr == nil && (c.StagingKey != key && c.Session == "" || c.ID != id) {
		openErr = ErrTicketInvalid
	}
	return c, openErr
}

// maxTicket bounds a ticket in bytes.
const maxTicket = 8 << 10

// open opens the ticket of an object in staging, whenever that came. S3 takes nothing
// from a grant that has ended, and when it says that an object was made is no proof: a
// file may have been long on its way, parts are put together by whoever finds them, and
// S3's clock is another.
func (e *Engine) open(key, ticket string) (*claim.Claim, error) {
	c, err := e.Open(ticket)
	if err == nil && c.StagingKey != key {
		err = ErrTicketInvalid
	}
	return c, err
}

// isID reports whether a name is that of an upload.
func isID(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 16
}

// settleDuplicate ends an upload whose bytes were there already. That it has sent them
// too is written down, for it is asked again.
func (e *Engine) settleDuplicate(ctx context.Context, c *claim.Claim) {
	if !c.Staged() {
		return
	}
	if err := e.Staging.Put(ctx, e.Prefix+duplicatesName+c.ID, nil); err != nil {
		e.Left(ctx, "a staging object", err)
		return
	}
	e.deleteStaging(ctx, c)
}

// checkPossession demands that whoever claims a duplicate has sent the bytes too:
// with promotion they are in staging, where the grant admitted no others, or it was
// written down that they were. Without it the grant wrote to the final key itself, and
// the owner is one person.
func (e *Engine) checkPossession(ctx context.Context, c *claim.Claim) error {
	if !c.Staged() {
		return nil
	}
	own, err := e.Staging.Head(ctx, c.StagingKey)
	switch {
	case err == nil && !isSource(c, own):
		return ErrConflict
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	_, err = e.Staging.Head(ctx, e.Prefix+duplicatesName+c.ID)
	return err
}

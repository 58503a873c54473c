package simulation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/internal/storetest"
)

// fail notes the first invariant that was broken.
func (w *world) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	w.log(nil, "BROKEN: %v", err)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.broken == nil {
		w.broken = err
	}
}

// all is every upload for which there was a grant, in the order of their ids.
func (w *world) all() (all []*upload) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.uploads)) {
		all = append(all, w.uploads[id])
	}
	return all
}

func (w *world) of(id string) *upload {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.uploads[id]
}

// noted is a log entry about an upload.
func (w *world) noted(c *claim.Claim, what string) {
	w.log(nil, "log: %s: %s", c.ID[len(c.ID)-2:], what)
	if u := w.of(c.ID); u != nil {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		u.notes = append(u.notes, what)
	}
}

// told is a log entry of the reconciler's, about a key in staging.
func (w *world) told(key, what string) {
	if u := w.of(strings.TrimPrefix(key, prefix)); u != nil {
		w.noted(u.claim, what)
	}
}

func (w *world) gaveUp(c *claim.Claim, err error) {
	w.log(nil, "log: %s is given up: %v", c.ID[len(c.ID)-2:], err)
	if u := w.of(c.ID); u != nil {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		u.gone = err
	}
}

// accepted is a row in the application's database.
func (w *world) accepted(p *process, c *claim.Claim, r *completion.Result) {
	w.log(p, "the application takes the receipt of %s: %+v", c.ID[len(c.ID)-2:], *r)
	u := w.of(c.ID)
	if u == nil { // whose browser has never heard of its grant
		w.fail("a receipt of an upload that nobody has sent: %s", c.ID)
		return
	}
	o := w.final.Look(c.Key)
	if o == nil {
		w.fail("a receipt without its bytes: %s", u.name())
		return
	}
	w.holds(u, r.ETag, r.Size, r.Duplicate, o)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	u.rows = append(u.rows, row{c.Key, r.ETag, r.Size, r.Duplicate, o.Content})
}

// heard: the browser has its receipt.
func (w *world) heard(u *upload) {
	w.mutex.Lock()
	rows := len(u.rows)
	w.mutex.Unlock()
	if rows == 0 {
		w.fail("the browser of %s has a receipt, and the application has none", u.name())
	}
}

// holds compares an object with what a receipt says of it.
func (w *world) holds(u *upload, etag string, size int64, duplicate bool, o *storetest.Object) {
	c := u.claim
	switch {
	case o.ETag != etag && !w.mayChange(c.Key):
		w.fail("the object of %s has the ETag %s, and its receipt says %s", u.name(), o.ETag, etag)
	case int64(len(o.Content)) != size && !w.mayChange(c.Key) || size < c.MinSize || size > c.MaxSize:
		w.fail("the object of %s has %d bytes, and its receipt says %d", u.name(), len(o.Content), size)
	case o.Header.Type != c.Type:
		w.fail("the object of %s is of type %s", u.name(), o.Header.Type)
	case !duplicate && o.Header.ID != c.ID && !w.sameBytes(u, o):
		w.fail("the object of %s is that of %s", u.name(), o.Header.ID)
	case o.Header.Ticket != "":
		w.fail("the object of %s has a ticket", u.name())
	case w.mayChange(c.Key):
	case c.SHA256 != nil && sha256.Sum256(o.Content) != *c.SHA256:
		w.fail("the object of %s has other bytes than were granted", u.name())
	case w.plan.sniff && size > 8 && !bytes.HasPrefix(o.Content, []byte(png)):
		w.fail("the object of %s is of another type than it says: %q", u.name(), o.Content)
	case !duplicate && !w.sameBytes(u, o) && !u.sent(o.Content):
		w.fail("the object of %s has bytes that its browser has not sent: %q", u.name(), o.Content)
	}
}

// sameBytes: a grant without promotion writes to the key itself, and where that is made
// of the bytes, so may another one of the same owner.
func (w *world) sameBytes(u *upload, o *storetest.Object) bool {
	return !w.plan.promotion && u.claim.SHA256 != nil && sha256.Sum256(o.Content) == *u.claim.SHA256
}

// mayChange: where nothing has a condition, a copy that comes too late replaces an
// attempt by another one of the same upload. See publish.go. Where there is an election,
// and copies have no condition, it takes two: one to the attempt that was elected, of
// what the browser has sent since, and one from there.
func (w *world) mayChange(key string) bool {
	pr := &w.plan.provider
	if pr.putIfAbsent && !pr.server.IgnoreCopySource {
		return false
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.zombies[key]
}

// mayGo: where a browser has two files of one ETag, or writes to the final key itself, a
// delete of what was refused that comes too late can take what it has sent since.
func (w *world) mayGo(key string) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return (w.plan.collide || !w.plan.promotion) && w.zombies["Delete "+key]
}

// changed holds every change of a final object against the receipts that there are. It
// is called while the server is locked.
func (w *world) changed(key string, was, is *storetest.Object) {
	if strings.HasPrefix(key, prefix) {
		return
	}
	if is == nil {
		w.log(nil, "%s is gone", key)
	} else {
		w.log(nil, "%s is %q of %s", key, is.Content, is.Header.ID)
	}
	if was == nil {
		w.mutex.Lock()
		w.made[key]++
		w.frozen[key] = time.Now()
		w.mutex.Unlock()
		return
	}
	if is != nil && bytes.Equal(was.Content, is.Content) && (was.Header.ID == is.Header.ID || !w.plan.promotion) {
		return // written again
	}
	for _, u := range w.all() {
		// Without promotion, whoever has put the parts together believes what it was told of
		// the sum, also when another completion has heard something else at that time.
		if u.claim.Key == key && w.hasRow(u) && (w.plan.promotion || !u.summed) && !w.mayGo(key) && !(is != nil && w.mayChange(key)) {
			w.fail("the object of %s changes after its receipt", u.name())
		}
	}
}

func (w *world) hasRow(u *upload) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(u.rows) > 0
}

// checkComplete: of what is whole, nothing waits any more.
func (w *world) checkComplete() {
	for _, u := range w.all() {
		if u.whole && u.pure && !u.shared && !u.givenUp && !u.summed && !w.plan.broken && !w.hasRow(u) {
			w.fail("%s was whole at S3, and has no receipt", u.name())
		}
	}
}

// check holds what became of all uploads against what was promised, when their tickets
// have ended.
func (w *world) check() {
	for _, u := range w.all() {
		o := w.final.Look(u.claim.Key)
		for _, r := range u.rows {
			if o == nil {
				if (w.plan.promotion || !u.summed) && !w.mayGo(u.claim.Key) {
					w.fail("the object of %s is gone", u.name())
				}
				break
			}
			w.holds(u, r.etag, r.size, r.duplicate, o)
		}
		if len(u.rows) > 0 {
			continue
		}
		ours := o != nil && o.Header.ID == u.claim.ID
		switch {
		case ours && u.gone == nil && w.plan.promotion && !w.mayBeOrphan(u):
			w.fail("%s has an object, and the application does not know it", u.name())
		case u.whole && u.gone == nil && len(u.notes) == 0 && !u.givenUp:
			w.fail("%s was whole at S3, and nothing says what became of it", u.name())
		}
	}
	if !w.plan.promotion {
		return
	}
	for _, key := range w.staging.Keys() {
		name, ok := strings.CutPrefix(key, prefix)
		if ok && !strings.Contains(name, "/") {
			w.fail("a staging object is left: %s", key)
		}
	}
}

// mayBeOrphan: a browser that sends one thing and then another, or gives up what it has
// sent, can have an object of its own without a receipt, if it is frozen at that time, or
// a call comes late: a copy of what was verified after the other was refused, or a delete
// of the one that takes the other with it. So can one that sends what is refused, if a
// process freezes it again while another one removes it, and dies.
func (w *world) mayBeOrphan(u *upload) bool {
	key := u.claim.Key
	return !u.doubted.IsZero() && w.frozen[key].After(u.doubted) ||
		!u.pure && (w.zombies[key] || w.made[key] > 1) || w.zombies["Delete "+u.claim.StagingKey]
}

// checkBegun: no multipart upload is left. Where nothing is at a final key, and nothing
// in staging, it is known to nobody, and a lifecycle rule ends it: it was begun when
// nobody expected that any more, or the staging object went by a delete that came late.
func (w *world) checkBegun(b *storetest.Bucket, prefix string) {
	page, _, _ := b.Uploads(context.Background(), prefix, store.Marker{})
	for _, u := range page {
		late := w.zombies["CreateMultipart "+u.Key]
		for _, of := range w.all() {
			late = late || of.claim.Key == u.Key && w.zombies["Delete "+of.claim.StagingKey]
		}
		if late && b.Look(u.Key) == nil {
			continue
		}
		w.fail("a multipart upload is left: %s %s", u.Key, u.UploadID)
	}
}

// checkNothingLeft: when nobody has a ticket any more, there are final objects and
// nothing else.
func (w *world) checkNothingLeft() {
	for _, key := range w.staging.Keys() {
		if strings.HasPrefix(key, prefix) {
			w.fail("something is left in staging: %s", key)
		}
	}
	w.checkBegun(w.staging, "")
	w.checkBegun(w.final, "")
}

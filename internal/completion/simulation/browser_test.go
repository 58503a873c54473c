package simulation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/postern-go/postern/internal/claim"
	"github.com/postern-go/postern/internal/completion"
	"github.com/postern-go/postern/internal/store"
	"github.com/postern-go/postern/internal/storetest"
)

// upload is what a browser does with one grant, and what became of it.
type upload struct {
	w     *world
	claim *claim.Claim
	token string
	until time.Time // the grant's end
	at    *storetest.Bucket

	// What the browser has sent, whole, or each part of it; some of it may not have
	// arrived.
	versions [][]byte
	parts    [][][]byte
	// whole: all of it was at S3, under the grant. pure: all that was sent is what was
	// granted. given up: the browser said so. summed: it has told a sum.
	arrived                      []bool
	whole, pure, givenUp, summed bool
	doubted                      time.Time // since when it is one of the last two
	// shared: another upload has the key.
	shared bool

	// What became of it, guarded by the world's mutex.
	rows  []row
	notes []string // log entries of failures
	gone  error    // given up, by the log
}

func (u *upload) name() string { return u.claim.ID[len(u.claim.ID)-2:] }

const png = "\x89PNG\r\n\x1a\n"

// content is a file of a size: what was granted, or not.
func (u *upload) content(d *dice, size int, good bool) []byte {
	c := make([]byte, size)
	for k := range c {
		c[k] = byte('a' + d.n(26))
	}
	if u.w.plan.collide {
		copy(c, bytes.Repeat([]byte{'c'}, max(0, size-4)))
	}
	head := png
	if !good && u.w.plan.sniff {
		head = "<html><p>"
	}
	copy(c, head)
	return c
}

// browse is a browser, which is anything from honest to not.
func (w *world) browse(n int, d dice) {
	time.Sleep(d.between(time.Millisecond, 4*time.Minute))
	u := w.grant(n, &d)
	if u == nil {
		return
	}
	var both sync.WaitGroup
	defer both.Wait()
	for range 1 + d.n(9) {
		switch {
		case d.in100(70):
			time.Sleep(d.between(time.Millisecond, 3*time.Second))
		default:
			time.Sleep(d.between(time.Millisecond, 3*time.Minute))
		}
		what := d.n(100)
		if len(u.versions) == 0 && u.parts == nil && d.in100(90) {
			what = 0
		}
		switch {
		case what < 30:
			u.write(&d)
		case what < 62:
			u.complete(&d)
		case what < 70:
			// Two replicas at once, and the file swapped under them.
			other := d.split()
			both.Go(func() { u.complete(&other) })
			if time.Sleep(d.between(time.Millisecond, 100*time.Millisecond)); d.in100(70) {
				u.write(&d)
			}
			u.complete(&d)
		case what < 80:
			u.event(&d)
		case what < 84:
			u.abort(&d)
		case what < 88:
			w.log(nil, "browser %s vanishes", u.name())
			return
		}
	}
}

// grant begins an upload.
func (w *world) grant(n int, d *dice) *upload {
	pl := &w.plan
	c := &claim.Claim{
		ID: fmt.Sprintf("%032x", d.next()<<8|uint64(n)), Mode: []claim.Mode{claim.Post, claim.Put, claim.Multipart}[d.n(3)],
		Issued: time.Now(), Expires: time.Now().Add(ticketLife),
		Type: "image/png", Filename: "a.png", Subject: "s",
	}
	u := &upload{w: w, claim: c, pure: true, at: w.final}
	size := []int{0, 9, 12, 30}[d.n(4)]
	c.Size, c.MinSize, c.MaxSize = int64(size), int64(size), int64(size)
	if c.Mode == claim.Multipart {
		size = max(size, 9)
		c.Size, c.MinSize, c.MaxSize, c.PartSize = int64(size), int64(size), int64(size), 12
	}
	if pl.promotion && c.Mode == claim.Post && d.in100(30) {
		c.Size, c.MinSize, c.MaxSize = claim.UnknownSize, 0, 40
	}
	if pl.promotion {
		c.StagingKey = prefix + c.ID
		u.at = w.staging
	}
	first := u.content(d, size, true)
	// An upload without promotion needs a seal.
	direct := !pl.promotion && c.Mode != claim.Multipart && !(c.Mode == claim.Put && pl.provider.putIfAbsent)
	if c.Mode != claim.Multipart && c.Size != claim.UnknownSize && (direct || d.in100(30)) {
		sum := sha256.Sum256(first)
		c.SHA256 = &sum
		u.versions = append(u.versions, first)
	}
	c.Key = "f/" + c.ID
	switch {
	case pl.promotion && d.in100(8):
		c.Key = "f/one"
	case c.SHA256 != nil && d.in100(30):
		// The same bytes by the same owner; so that they are, no chance is in them.
		same := append([]byte(nil), bytes.Repeat([]byte{'s'}, size)...)
		copy(same, png)
		sum := sha256.Sum256(same)
		c.SHA256, u.versions = &sum, [][]byte{same}
		c.Key = "f/" + hex.EncodeToString(sum[:])
	}
	p := w.replica(d)
	ctx := context.Background()
	if c.Mode == claim.Multipart {
		id, err := p.engine.Staging.CreateMultipart(ctx, c.WriteKey(), c.WriteHeader(), false)
		if err != nil {
			return nil
		}
		c.UploadID = id
		u.arrived, u.parts = make([]bool, c.Parts()), make([][][]byte, c.Parts())
	}
	u.token = seal(c)
	if c.Beside() {
		if p.engine.KeepTicket(ctx, c, u.token) != nil {
			return nil
		}
	}
	if p.dead.Load() { // nobody has heard of the grant
		return nil
	}
	u.until = time.Now().Add(grantLife)
	w.log(p, "grants %s of %d bytes: %s to %s, at last %s, sealed %t", u.name(), c.Size, c.Mode, c.WriteKey(), c.Key, c.SHA256 != nil)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, other := range w.uploads {
		if other.claim.Key == c.Key {
			other.shared, u.shared = true, true
		}
	}
	w.uploads[c.ID] = u
	return u
}

// write sends the file, or another one.
func (u *upload) write(d *dice) {
	if u.claim.Mode == claim.Multipart {
		for range 1 + d.n(2) {
			u.writeParts(d)
		}
		return
	}
	c, w := u.claim, u.w
	if d.in100(70) {
		time.Sleep(d.between(time.Millisecond, 10*time.Second))
	} else {
		time.Sleep(d.between(time.Millisecond, 50*time.Millisecond))
	}
	if time.Now().After(u.until) {
		return
	}
	good := d.in100(80)
	size := int(c.Size)
	if c.Size == claim.UnknownSize {
		size = 9 + d.n(30)
	}
	content := u.content(d, size, good)
	bad := !good && w.plan.sniff && size > 0
	if c.SHA256 != nil {
		if good {
			content = u.versions[0]
		} else if sum := sha256.Sum256(content); sum != *c.SHA256 {
			bad = true
			if w.plan.holdsSums {
				return
			}
		}
	}
	h := c.WriteHeader()
	if c.Staged() {
		h.Ticket = u.token
	}
	w.mutex.Lock()
	u.versions = append(u.versions, content)
	u.pure = u.pure && !bad
	w.mutex.Unlock()
	on := store.Condition{IfAbsent: c.Mode == claim.Put && w.plan.provider.putIfAbsent}
	err := u.at.Write(context.Background(), c.WriteKey(), content, h, on)
	w.log(nil, "browser %s sends %q: %v", u.name(), content, err)
	if err == nil {
		w.mutex.Lock()
		u.whole = true
		w.mutex.Unlock()
	}
}

// writeParts sends all parts, or some.
func (u *upload) writeParts(d *dice) {
	c, w := u.claim, u.w
	skip := d.in100(20)
	for n := range u.parts {
		if skip && d.in100(30) {
			continue
		}
		good := d.in100(90)
		content := u.content(d, int(c.PartLength(int32(n+1))), good)
		w.mutex.Lock()
		u.parts[n] = append(u.parts[n], content)
		u.pure = u.pure && (good || !w.plan.sniff)
		w.mutex.Unlock()
		arrive, err := u.at.SendPart(context.Background(), c.WriteKey(), c.UploadID, int32(n+1), content)
		if err != nil {
			w.log(nil, "browser %s sends part %d: %v", u.name(), n+1, err)
			continue
		}
		time.Sleep(d.between(time.Millisecond, 5*time.Second))
		if d.in100(3) {
			continue // vanished on the way
		}
		etag := arrive()
		w.log(nil, "browser %s has sent part %d: %q %s", u.name(), n+1, content, etag)
		if etag == "" {
			continue
		}
		w.mutex.Lock()
		u.arrived[n] = true
		w.mutex.Unlock()
	}
	parts, err := u.at.Parts(context.Background(), c.WriteKey(), c.UploadID)
	if err == nil && len(parts) == len(u.parts) && !u.givenUp {
		w.mutex.Lock()
		u.whole = true
		w.mutex.Unlock()
	}
}

// complete presents the ticket to a replica.
func (u *upload) complete(d *dice) {
	p := u.w.replica(d)
	c, err := open(u.token)
	if err != nil || p.dead.Load() || !time.Now().Before(c.Expires) {
		return
	}
	q := completion.Request{Trigger: completion.Browser, Wait: d.between(time.Second, 25*time.Second)}
	u.w.mutex.Lock()
	if d.in100(10) && len(u.versions) > 0 {
		q.CRC64NVME = storetest.CRC64NVME(u.versions[d.n(len(u.versions))])
		u.summed = true
		u.doubt()
	}
	u.w.mutex.Unlock()
	u.w.log(p, "is asked to complete %s", u.name())
	r, err := p.engine.Complete(context.Background(), c, q)
	if p.dead.Load() {
		return
	}
	u.w.log(p, "answers to %s: %+v %v", u.name(), r, err)
	if err == nil {
		u.w.heard(u)
	}
}

// event completes by the key alone.
func (u *upload) event(d *dice) {
	p := u.w.replica(d)
	if !u.claim.Staged() || p.dead.Load() {
		return
	}
	c, err := p.engine.Find(context.Background(), u.claim.StagingKey, completion.Event)
	if err != nil || !time.Now().Before(c.Expires) {
		return
	}
	u.w.log(p, "hears of %s by an event", u.name())
	r, err := p.engine.Complete(context.Background(), c, completion.Request{Trigger: completion.Event, Wait: 24 * time.Hour})
	if p.dead.Load() {
		return
	}
	u.w.log(p, "has completed %s: %+v %v", u.name(), r, err)
	if err == nil {
		u.w.heard(u)
	}
}

// doubt notes when the browser has first given its upload up, or told a sum.
func (u *upload) doubt() {
	if u.doubted.IsZero() {
		u.doubted = time.Now()
	}
}

// abort gives the upload up.
func (u *upload) abort(d *dice) {
	p := u.w.replica(d)
	c, err := open(u.token)
	if err != nil || p.dead.Load() || !time.Now().Before(c.Expires) {
		return
	}
	u.w.mutex.Lock()
	u.givenUp = true
	u.doubt()
	u.w.mutex.Unlock()
	err = p.engine.Abort(context.Background(), c)
	u.w.log(p, "aborts %s: %v", u.name(), err)
}

// sent reports whether the browser has sent these bytes.
func (u *upload) sent(content []byte) bool {
	same := func(v []byte) bool { return bytes.Equal(v, content) }
	if u.claim.Mode != claim.Multipart {
		return slices.ContainsFunc(u.versions, same)
	}
	if int64(len(content)) != u.claim.Size {
		return false
	}
	for n, versions := range u.parts {
		first := int64(n) * u.claim.PartSize
		part := content[first : first+u.claim.PartLength(int32(n+1))]
		if !slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, part) }) {
			return false
		}
	}
	return true
}

package postern

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/internal/hook"
	"github.com/postern-go/postern/internal/jsontext"
)

// Batch tells a rule beside how many other files a file came in one request.
type Batch struct {
	// Index is the place of this file, from 0, and Files their number: 1 where a
	// request is about one file.
	Index, Files int
	// Size is the sum in bytes of the sizes that were declared, this one's included. A
	// size that is none counts nothing: its file is refused. It is [UnknownSize] of
	// files that come with tickets.
	Size int64
}

// Batch returns beside how many other files this one came. Each has an Upload of its
// own, and is judged by itself: a rule that refuses because of the number or the sum
// refuses each of them.
func (u *Upload) Batch() Batch {
	if u.item == nil {
		return Batch{Files: 1, Size: u.Size}
	}
	b := u.item.batch
	return Batch{Index: u.item.index, Files: len(b.files), Size: b.size()}
}

// The bounds of a batch.
const (
	// maxBatch is how many files one request may be about.
	maxBatch = 100
	// batchBodies is how many times the limit of one file the body of a batch may have.
	batchBodies = 32
	// completingAtOnce is how many files of one request are completed at once.
	completingAtOnce = 16
)

// batchBody bounds the body of a request for grants, in bytes: 512 KiB where nothing was
// set. Each of its files has the limit of a file.
func (c *config) batchBody() int64 {
	return max(c.bodyLimit, min(c.bodyLimit*int64(min(c.batchLimit, batchBodies)), 1<<20))
}

// splitBatch returns the files of a batch, whose body is valid JSON, as they stand in it.
func splitBatch(list []byte, max int) ([][]byte, error) {
	files, err := jsontext.Elements(list, max)
	switch {
	case errors.Is(err, jsontext.ErrTooLong):
		return nil, ErrTooManyFiles.WithDetail(fmt.Sprintf("One request may be about %d files at most.", max))
	case err != nil || len(files) == 0:
		return nil, ErrMalformedRequest.WithDetail("The list of files is not one, or is empty.")
	}
	return files, nil
}

// batch is a request about several files. The chain judges each by itself.
type batch struct {
	beginning *beginning
	now       time.Time
	files     [][]byte // each as JSON, undecoded
	until     time.Time

	sizeOnce sync.Once
	sum      int64

	knownOnce sync.Once
	known     chan struct{} // closed when somebody was authorized
	refused   atomic.Bool   // by 401, before that
}

func newBatch(b *beginning, now time.Time, files [][]byte) *batch {
	return &batch{
		beginning: b, now: now, files: files,
		until: time.Now().Add(completeWait), known: make(chan struct{}),
	}
}

// item is one file of a batch.
type item struct {
	batch  *batch
	index  int
	member string // of its result, where an end of the chain has answered: grant, receipt, pending
}

// size returns the sum of the declared sizes.
func (b *batch) size() int64 {
	if b.beginning.action != ActionSign {
		return UnknownSize
	}
	b.sizeOnce.Do(func() {
		for _, file := range b.files {
			var q struct {
				Size int64 `json:"size"`
			}
			if json.Unmarshal(file, &q) != nil || q.Size < 0 {
				continue
			}
			if b.sum += q.Size; b.sum < 0 {
				b.sum = math.MaxInt64
				return
			}
		}
	})
	return b.sum
}

// authorized notes that one of the files has passed [Authorize].
func (i *item) authorized() {
	if i != nil {
		i.batch.knownOnce.Do(func() { close(i.batch.known) })
	}
}

// answers notes what the end of the chain is about to write.
func (i *item) answers(member string) {
	if i != nil {
		i.member = member
	}
}

// wait is how long a request waits for a completion.
func (i *item) wait() time.Duration {
	if i == nil {
		return completeWait
	}
	return max(0, time.Until(i.batch.until))
}

// result is what became of a file.
type result struct {
	line  []byte  // as the answer has it
	whole *answer // the answer to the whole request, in its place
	abort bool
}

// serve runs the rest of the chain for each file, and streams what became of it.
//
// Until one of them was authorized they come one after the other, and nothing is
// answered. If one of these is refused by 401, that is the answer to all: a stranger
// costs one question to the authorizer.
func (b *batch) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	results := make(chan result, len(b.files)) // so that nobody waits for the browser
	header := w.Header().Clone()
	go func() {
		defer close(results)
		b.runAll(header, r.WithContext(ctx), next, results)
	}()

	out := &resultWriter{w: w}
	known, aborted := b.known, false
	for results != nil {
		select {
		case <-known:
			known = nil
			out.release()
		case got, ok := <-results:
			switch {
			case !ok:
				results = nil
			case got.whole != nil:
				got.whole.copyTo(w)
				return
			case got.abort:
				aborted = true
				cancel()
			case !aborted:
				out.add(got.line, len(results) == 0)
			}
		}
	}
	if aborted {
		panic(http.ErrAbortHandler)
	}
	out.end()
}

// runAll runs the chain for each file, and returns when all have ended.
func (b *batch) runAll(header http.Header, r *http.Request, next http.Handler, results chan<- result) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, b.beginning.atOnce)
	late := time.NewTimer(time.Until(b.until))
	defer late.Stop()
	for k := range b.files {
		select {
		case slots <- struct{}{}:
		case <-late.C:
			b.tooLate(k, header, r, results)
			return
		}
		if r.Context().Err() != nil {
			return // nobody reads what becomes of the others
		}
		ended := make(chan struct{})
		running.Go(func() {
			defer close(ended)
			defer func() { <-slots }()
			b.run(k, header, r, next, results)
		})
		if !b.isKnown() {
			select {
			case <-ended:
			case <-b.known:
			}
		}
		if b.refused.Load() {
			return
		}
	}
}

// isKnown reports whether somebody was authorized.
func (b *batch) isKnown() bool {
	select {
	case <-b.known:
		return true
	default:
		return false
	}
}

// run runs the chain for one file, and sends what became of it. A panic costs that file.
func (b *batch) run(k int, header http.Header, r *http.Request, next http.Handler, results chan<- result) {
	issuer, it := b.beginning.issuer, &item{batch: b, index: k}
	got := result{line: it.problemLine(ErrInternal)} // of middleware that ends its goroutine
	defer func() { results <- got }()

	a := &answer{header: header.Clone()}
	ctx, end := issuer.step(r.Context(), Step{Kind: StepFile, Name: string(b.beginning.action)})
	defer end(StepEnd{})
	r, u := it.begin(ctx, r)
	err := hook.GuardAll(func() error {
		if err := b.beginning.readOne(b.files[k], u); err != nil {
			issuer.refuse(a, r, u, err)
			return nil
		}
		u.decoded = true
		next.ServeHTTP(a, r)
		return nil
	})
	var p *hook.PanicError
	switch {
	case errors.As(err, &p) && p.Value == http.ErrAbortHandler:
		got = result{abort: true}
		return
	case err != nil:
		a = &answer{header: header.Clone()}
		issuer.refuse(a, r, u, err)
	}
	if a.status == http.StatusUnauthorized && !b.isKnown() {
		b.refused.Store(true)
		got = result{whole: a}
		return
	}
	got = result{line: it.line(a)}
}

// begin gives the file a request of its own. Nothing of it is shared with others that
// other middleware may change; and nothing in the chain compresses its answer.
func (i *item) begin(ctx context.Context, r *http.Request) (*http.Request, *Upload) {
	b := i.batch
	issuer := b.beginning.issuer
	c := &uploadContext{Context: issuer.ownLogger(ctx)}
	c.upload.Action, c.upload.Size = b.beginning.action, UnknownSize
	c.upload.issuer, c.upload.start, c.upload.now, c.upload.item = issuer, time.Now(), b.now, i
	r = r.Clone(c)
	r.Body = http.NoBody
	r.Header.Del("Accept-Encoding")
	return r, &c.upload
}

// tooLate answers for the files from k on, whose turn has not come in time: their client
// asks again.
func (b *batch) tooLate(k int, header http.Header, r *http.Request, results chan<- result) {
	for ; k < len(b.files); k++ {
		if b.beginning.action == ActionComplete {
			results <- result{line: (&item{batch: b, index: k}).pendingLine(pendingRetryAfter)}
			continue
		}
		b.run(k, header, r, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			Refuse(w, r, ErrBusy.WithDetail("The server was too slow for so many files. Try again in a moment."))
		}), results)
	}
}

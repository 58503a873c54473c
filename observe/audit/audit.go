// Package audit writes who has uploaded what, under which key, and what was decided about
// it: one line of JSON for each decision, of which docs/audit.md and [Schema] say what it
// has. The lines are stable: within the version that each one has, members are added and
// never changed or taken away.
//
//	log := audit.New(file)
//	handler, err := postern.New(bucket, postern.WithObserver(log.Observe), …)
package audit

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern"
)

// Version is that of the lines: the member v.
const Version = 1

// Schema is the JSON Schema (2020-12) of a line.
//
//go:embed schema.json
var Schema []byte

// Log writes the lines. It is safe for concurrent use.
type Log struct {
	now     func() time.Time
	details func(context.Context) map[string]string
	failed  func(line []byte, err error)
	actions map[postern.Action]bool // nil: all

	mutex sync.Mutex
	w     io.Writer
}

// Option changes what [New] makes.
type Option func(*Log)

// WithClock sets the source of the time; [time.Now] by default.
func WithClock(now func() time.Time) Option { return func(l *Log) { l.now = now } }

// WithDetails adds what fn finds in the context of a request or completion as the member
// details: the id of the request, the address of the client, the session. At most 16
// members are written, of at most 256 bytes each. They are yours to keep free of secrets.
// A completion has the context of the request that has begun it.
func WithDetails(fn func(ctx context.Context) map[string]string) Option {
	return func(l *Log) { l.details = fn }
}

// WithActions writes nothing but of some actions, such as sign and complete. By default
// everything is written, also requests for what does not exist.
func WithActions(actions ...postern.Action) Option {
	return func(l *Log) {
		l.actions = map[postern.Action]bool{}
		for _, a := range actions {
			l.actions[a] = true
		}
	}
}

// WithFailure sets what is told of a line that could not be written, with its line break.
// By default [Log.Observe] panics, which the handler logs as an error of its hook, without
// the line: the request goes on. It is called by one goroutine at a time.
func WithFailure(fn func(line []byte, err error)) Option { return func(l *Log) { l.failed = fn } }

// New returns a Log that writes each line to w in one call of Write, one after the other.
// A writer that blocks holds requests up: give it a file or a buffer, and no network.
func New(w io.Writer, opts ...Option) *Log {
	l := &Log{now: time.Now, w: w, failed: func(_ []byte, err error) {
		panic(fmt.Errorf("audit: %w", err))
	}}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// line is what is written. Members without a value are left out.
type line struct {
	V    int    `json:"v"`
	Time string `json:"time"`
	// Kind is "request" or "completion".
	Kind string `json:"kind"`

	Tenant  string `json:"tenant,omitempty"`
	Subject string `json:"subject,omitempty"`

	Action  string `json:"action,omitempty"`
	Trigger string `json:"trigger,omitempty"`
	Mode    string `json:"mode,omitempty"`
	Type    string `json:"type,omitempty"`
	Size    *int64 `json:"size,omitempty"`

	ID     string `json:"id,omitempty"`
	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key,omitempty"`

	Verdict   string `json:"verdict"`
	Status    int    `json:"status,omitempty"`
	Code      string `json:"code,omitempty"`
	Replayed  bool   `json:"replayed,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`

	Reported *reported         `json:"reported,omitempty"`
	Details  map[string]string `json:"details,omitempty"`
}

// reported is what a browser says, which nobody has checked.
type reported struct {
	Stage     string `json:"stage,omitempty"`
	Status    int    `json:"status,omitempty"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Dropped   int    `json:"dropped,omitempty"`
}

// Observe writes the line of a decision: give it to [postern.WithObserver].
func (l *Log) Observe(ctx context.Context, d postern.Decision) {
	if l.actions != nil && !l.actions[d.Action] {
		return
	}
	a := line{
		V: Version, Time: l.now().UTC().Format("2006-01-02T15:04:05.000Z"), Kind: "request",
		Tenant: d.Tenant, Subject: d.Subject, Action: string(d.Action), Trigger: string(d.Trigger),
		Mode: string(d.Mode), Type: d.Type, ID: d.ID, Bucket: d.Bucket, Key: d.Key,
		Verdict: string(d.Outcome), Status: d.Status, Code: d.Code, Replayed: d.Replayed, Duplicate: d.Duplicate,
	}
	if d.Trigger != "" {
		a.Kind = "completion"
	}
	if d.Size != postern.UnknownSize {
		a.Size = &d.Size
	}
	if r := d.Report; r != nil {
		a.Reported = &reported{Stage: r.Stage, Status: r.Status, Code: r.Code, RequestID: r.RequestID, Dropped: r.Dropped}
	}
	if l.details != nil {
		a.Details = bounded(l.details(ctx))
	}
	b, err := json.Marshal(a)
	if err != nil { // which text and numbers cannot be
		panic(err)
	}
	l.write(append(b, '\n'))
}

func (l *Log) write(b []byte) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if _, err := l.w.Write(b); err != nil {
		l.failed(b, err)
	}
}

const (
	maxDetails = 16
	maxDetail  = 256 // bytes, of a name too
)

// bounded returns what may be written of details.
func bounded(all map[string]string) map[string]string {
	kept := make(map[string]string, min(len(all), maxDetails))
	for name, value := range all {
		if name = cut(name); name != "" && len(kept) < maxDetails {
			kept[name] = cut(value)
		}
	}
	return kept
}

// cut returns the beginning of a text, in whole characters.
func cut(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return strings.ToValidUTF8(s, "")
}

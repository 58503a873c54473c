package postern

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds the answer for one file of a batch, in bytes. A receipt may have
// [maxData] of the application's.
const maxAnswer = 256 << 10

var errAnswerTooLong = errors.New("postern: the answer for one file of a batch is too long")

// answer is the ResponseWriter of one file of a batch.
type answer struct {
	header http.Header
	status int
	body   []byte
	failed bool
}

// Header returns the header of this file's answer. None of it is sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write keeps what is written.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if len(a.body)+len(p) > maxAnswer {
		a.failed = true
		return 0, errAnswerTooLong
	}
	a.body = append(a.body, p...)
	return len(p), nil
}

// Flush is for middleware that flushes: the answer goes out when it is whole.
func (a *answer) Flush() {}

// copyTo answers the whole request.
func (a *answer) copyTo(w http.ResponseWriter) {
	clear(w.Header())
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// object returns the answer as one JSON object on one line, if it is one.
func (a *answer) object(contentType string) ([]byte, bool) {
	t, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || t != contentType || a.failed || a.header.Get("Content-Encoding") != "" {
		return nil, false
	}
	body := bytes.TrimSpace(a.body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
		return nil, false
	}
	if bytes.ContainsAny(body, "\r\n") {
		var line bytes.Buffer
		_ = json.Compact(&line, body)
		body = line.Bytes()
	}
	return body, true
}

// answered is the status that goes with a member of a result.
var answered = map[string]int{
	"grant": http.StatusCreated, "receipt": http.StatusOK, "pending": http.StatusAccepted,
}

// line makes the result of a file. What the ends of the chain have written stands in it
// as it is, if nothing else was written; everything else is a problem.
func (i *item) line(a *answer) []byte {
	if i.member == "" || a.status != answered[i.member] {
		return i.problem(a)
	}
	body, ok := a.object("application/json")
	switch {
	case !ok:
		return i.problem(a)
	case i.member == "pending":
		return i.pendingLine(a.retryAfter())
	}
	b := append(i.begun(len(body)), ",\""+i.member+"\":"...)
	return append(append(b, body...), '}')
}

// begun begins a result.
func (i *item) begun(size int) []byte {
	b := make([]byte, 0, size+64)
	return strconv.AppendInt(append(b, `{"index":`...), int64(i.index), 10)
}

func (i *item) pendingLine(after time.Duration) []byte {
	b := append(i.begun(0), `,"pending":true`...)
	return append(appendRetryAfter(b, after), '}')
}

func (i *item) problemLine(p *Problem) []byte {
	b := append(i.begun(512), `,"problem":`...)
	return append(appendRetried(b, p.appendJSON(nil), p.retryAfter), '}')
}

// problem makes a result of an answer that is none of an end of the chain. A problem
// document stands in it as it is, whoever wrote it. Of other answers it has the status
// and, of one line of plain text, the text.
func (i *item) problem(a *answer) []byte {
	if body, ok := a.object("application/problem+json"); ok && a.status >= 400 {
		var q struct {
			Status     int             `json:"status"`
			Code       string          `json:"code"`
			RetryAfter json.RawMessage `json:"retry_after"`
		}
		if json.Unmarshal(body, &q) == nil && q.Status == a.status && q.Code != "" {
			b := append(i.begun(len(body)), `,"problem":`...)
			if q.RetryAfter != nil {
				return append(append(b, body...), '}')
			}
			return append(appendRetried(b, body, a.retryAfter()), '}')
		}
	}
	p := ErrUnexpected.WithRetryAfter(a.retryAfter())
	if a.status >= 400 && a.status <= 599 {
		p.status = a.status
		if text := a.text(); text != "" {
			p = p.WithDetail(text)
		}
	}
	return i.problemLine(p)
}

// text returns a short answer in plain text, as http.Error writes it, or "".
func (a *answer) text() string {
	t, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	text := strings.TrimSpace(string(a.body))
	if t != "text/plain" || a.failed || a.header.Get("Content-Encoding") != "" || len(text) > maxLogged || strings.ContainsAny(text, "\r\n") {
		return ""
	}
	return text
}

// retryAfter returns the seconds of the header, or 0.
func (a *answer) retryAfter() time.Duration {
	n, err := strconv.ParseUint(a.header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// appendRetried appends a JSON object with one more member, which stands in a header
// where the request is about one file.
func appendRetried(b, object []byte, after time.Duration) []byte {
	b = append(b, object[:len(object)-1]...)
	return append(appendRetryAfter(b, after), '}')
}

func appendRetryAfter(b []byte, after time.Duration) []byte {
	if after <= 0 {
		return b
	}
	seconds := (after + time.Second - 1) / time.Second
	return strconv.AppendInt(append(b, `,"retry_after":`...), int64(seconds), 10)
}

// resultWriter streams results, each on a line of its own.
type resultWriter struct {
	w       http.ResponseWriter
	held    [][]byte // until it is released
	begun   bool
	written int
}

// add writes a result, and sends it if nothing else comes at once.
func (o *resultWriter) add(line []byte, flush bool) {
	if !o.begun {
		o.held = append(o.held, line)
		return
	}
	o.write(line)
	if flush {
		o.flush()
	}
}

// release begins the answer.
func (o *resultWriter) release() {
	if o.begun {
		return
	}
	o.begun = true
	setHeader(o.w.Header(), "application/json")
	o.w.Header().Set("X-Accel-Buffering", "no") // nginx passes on what there is
	o.w.WriteHeader(http.StatusOK)
	_, _ = o.w.Write([]byte("{\"results\":[\n"))
	for _, line := range o.held {
		o.write(line)
	}
	if len(o.held) > 0 {
		o.flush()
	}
	o.held = nil
}

// write writes a result. That the browser is gone is noticed by the request's context.
func (o *resultWriter) write(line []byte) {
	if o.written++; o.written > 1 {
		line = append([]byte{','}, line...)
	}
	_, _ = o.w.Write(append(line, '\n'))
}

func (o *resultWriter) flush() { _ = http.NewResponseController(o.w).Flush() }

// end ends the answer.
func (o *resultWriter) end() {
	o.release()
	_, _ = o.w.Write([]byte("]}"))
}

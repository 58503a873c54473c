package postern

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Report is what a browser says that the bucket has answered to its upload. It is the
// word of the user, which nobody has checked: every text is printable and short, and may
// say anything.
type Report struct {
	// Stage is what the browser was about to do, such as "upload".
	Stage string
	// Status is the HTTP status, from 100 to 599, or 0 where there was none.
	Status int
	// Code, Detail and RequestID are those of S3's error. What looks like a signature
	// or a token in the code or the detail was taken out.
	Code, Detail, RequestID string
	// Cause and Advice are what [Issuer.Explain] makes of it.
	Cause, Advice string
	// Dropped is how many reports were not shown since the one before: there is a bound
	// for each upload, and one for the process.
	Dropped int
}

// The bounds of reports.
const (
	maxReport        = 4 << 10 // bytes, beside the ticket
	maxReportWord    = 64
	maxReportDetail  = 512
	reportsPerUpload = 3
	reportsAtOnce    = 20 // of the process
	reportsPerSecond = 2
	reportsKept      = 1024 // uploads whose reports are counted
)

// ReportHandler ends a chain that began with [OpenTicket]: it notes what the bucket has
// refused, which otherwise only the browser knows, as a [Decision] with a [Report] and in
// the log. It shows three reports of an upload at most, and two a second in the process,
// after 20 at once; the answer is 204 whether it shows this one or not.
func ReportHandler(issuer *Issuer) http.Handler {
	return endpoint("ReportHandler", issuer, ActionReport, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		details, err := u.ticket.details()
		if err != nil {
			return err
		}
		if dropped, ok := issuer.activity.reports.admit(u.id, u.now); ok {
			report := *details.report
			report.Dropped = dropped
			why := issuer.Explain(report)
			report.Cause, report.Advice = why.Cause, why.Advice
			issuer.decide(r, u, Decision{Mode: u.Mode, Status: http.StatusNoContent, Report: &report})
			if report.Code == "bucket_unreachable" {
				issuer.lookFromHere(r)
			}
		}
		setHeader(w.Header(), "")
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// lookFromHere logs what this server sees of the bucket, where a browser sees nothing: a
// page may read no answer without CORS headers, such as that to a preflight in a bucket
// that is not there. [Issuer.Check] bounds it.
func (i *Issuer) lookFromHere(r *http.Request) {
	origin := r.Header.Get("Origin")
	ctx := i.ownLogger(context.WithoutCancel(r.Context()))
	go func() {
		if err := i.Check(ctx, origin); err != nil {
			i.loggerOf(ctx).Warn().Str("error", clip(err.Error(), maxLoggedError)).Str("origin", clip(origin, maxLogged)).
				Msg("postern: the bucket, as this server sees it")
		}
	}()
}

// reportOf reads what a browser reports.
func reportOf(body []byte, ticket string) (*Report, error) {
	if len(body)-len(ticket) > maxReport {
		return nil, ErrBodyTooLarge
	}
	var q struct {
		Stage     string `json:"stage"`
		Status    int    `json:"status"`
		Code      string `json:"code"`
		Detail    string `json:"detail"`
		RequestID string `json:"request_id"`
	}
	if err := decodeJSON(body, &q); err != nil {
		return nil, err
	}
	if q.Status < 100 || q.Status > 599 {
		q.Status = 0
	}
	return &Report{
		Stage: printable(redact(q.Stage), maxReportWord), Status: q.Status, Code: printable(redact(q.Code), maxReportWord),
		Detail: printable(redact(q.Detail), maxReportDetail), RequestID: printable(q.RequestID, maxReportWord),
	}, nil
}

// tokens are as long as signatures, policies and tickets are at least.
var tokens = regexp.MustCompile(`[A-Za-z0-9+/_-]{32,}=*`)

// redact takes tokens out. It leaves long words, such as AuthorizationQueryParametersError.
func redact(s string) string {
	return tokens.ReplaceAllStringFunc(s, func(token string) string {
		if strings.ContainsAny(token, "0123456789") {
			return "…"
		}
		return token
	})
}

// printable returns the printable text of s, in max bytes.
func printable(s string, max int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	if s = strings.TrimSpace(s); len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// reportLimit bounds what reports add to the log.
type reportLimit struct {
	mutex   sync.Mutex
	shown   map[string]int // by upload
	uploads []string       // of shown, the oldest first
	left    float64
	last    time.Time
	dropped int
}

// admit reports whether a report of an upload may be shown, and how many were not since
// the one before.
func (l *reportLimit) admit(id string, now time.Time) (dropped int, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.last.IsZero() {
		l.left, l.shown = reportsAtOnce, map[string]int{}
	} else if passed := now.Sub(l.last); passed > 0 {
		l.left = min(reportsAtOnce, l.left+passed.Seconds()*reportsPerSecond)
	}
	l.last = now
	if l.left < 1 || l.shown[id] >= reportsPerUpload {
		l.dropped++
		return 0, false
	}
	if l.shown[id] == 0 {
		if len(l.uploads) == reportsKept {
			delete(l.shown, l.uploads[0])
			l.uploads = append(l.uploads[:0], l.uploads[1:]...)
		}
		l.uploads = append(l.uploads, id)
	}
	l.shown[id]++
	l.left--
	dropped, l.dropped = l.dropped, 0
	return dropped, true
}

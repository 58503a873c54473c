package explain

import (
	"slices"
	"strings"
)

// Input is what is known of an upload that was refused. Everything but one of them may
// be missing.
type Input struct {
	Document Document
	// Status is that of HTTP, or 0 where the page got no answer.
	Status  int
	Granted *Request
	Sent    *Request
	// Origin is that of the page.
	Origin string
}

// Explanation says why an upload was refused.
type Explanation struct {
	Code    string       `json:"code,omitempty"`
	Message string       `json:"message,omitempty"`
	Differs []Difference `json:"differs"`
	Cause   string       `json:"cause"`
	Advice  string       `json:"advice"`
}

// Explain says why.
func Explain(in Input) Explanation {
	e := Explanation{Code: Clean(in.Document.Code), Message: Clean(in.Document.Message)}
	e.Differs = merge(in)
	if len(e.Differs) == 0 {
		e.Differs = guess(&in)
	}
	if e.Differs == nil {
		e.Differs = []Difference{}
	}
	e.Cause, e.Advice = words(&in, e.Differs)
	return e
}

// merge gathers what is known, the surest first: what was sent beside what was granted,
// what S3 has read beside it, what the request contradicts in itself, and what S3 says.
// A later source counts only where an earlier one has found nothing.
func merge(in Input) (all []Difference) {
	if in.Granted != nil && in.Sent != nil {
		all = compare(in.Granted, in.Sent)
	}
	if len(all) == 0 && in.Granted != nil {
		all = canonically(&in.Document, in.Granted)
	}
	if len(all) == 0 && in.Sent != nil {
		all = byItself(in.Sent)
	}
	spoken := said(&in.Document)
	switch {
	case len(all) == 0:
		return spoken
	case len(spoken) > 0 && !generic(spoken[0]):
		return sharpen(all, spoken[0])
	}
	return all
}

// generic reports whether what S3 says is what it says of anything.
func generic(d Difference) bool {
	return d.In == Permission || d.In == Expired || d.Name == "" && (d.In == Header || d.In == FormField)
}

// sharpen puts what S3 names before the rest of what was found.
func sharpen(all []Difference, named Difference) []Difference {
	slices.SortStableFunc(all, func(a, b Difference) int { return rank(a, named) - rank(b, named) })
	return all
}

func rank(d, named Difference) int {
	if d.In == named.In && (named.Name == "" || strings.EqualFold(d.Name, named.Name)) {
		return 0
	}
	return 1
}

// guess is for what shows in nothing that was sent.
func guess(in *Input) []Difference {
	switch {
	case in.Document.Code == "SignatureDoesNotMatch" && (in.Granted != nil && in.Sent != nil || in.Document.CanonicalRequest != "" && in.Granted != nil):
		return []Difference{{In: Secret}}
	case in.Status == 0 && in.Document.Code == "" && in.Sent != nil:
		return []Difference{{In: Unreachable}}
	}
	return nil
}

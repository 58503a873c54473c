package postern

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-go/postern/internal/jsontext"
	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/object"
)

// AskRules takes the place of [Decode] in a chain that ends in [RulesHandler]: a GET asks
// what the rules of the chain accept. There is no file: the [Upload] has neither name nor
// type, and [UnknownSize]. [LimitSize], [LimitSizeFunc] and [AllowContentTypes] then refuse
// nothing, but are noted, as is what [Authorize] narrows; [NameKey] names nothing. A rule
// of your own that refuses also refuses the question: u.Action tells it.
func AskRules(issuer *Issuer) func(http.Handler) http.Handler {
	mustHave("AskRules", issuer != nil)
	b := &beginning{issuer: issuer, action: ActionRules}
	b.read = func(w http.ResponseWriter, r *http.Request, _ *Upload) ([][]byte, error) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			return nil, ErrMethodNotAllowed.WithDetail("This address answers GET requests only.")
		}
		return nil, nil
	}
	return b.middleware
}

// RulesHandler ends a chain that began with [AskRules]: it tells which files a chain with
// the same rules accepts of this user, so that a page need not say it again. The answer
// has an ETag, and is 304 where the browser has it already. With [WithQuota] it also tells
// what is used of each limit, so that a page can show "3 GB of 5 GB": to whoever is
// authorized, that of the tenant too.
func RulesHandler(issuer *Issuer) http.Handler {
	return endpoint("RulesHandler", issuer, ActionRules, func(w http.ResponseWriter, r *http.Request, u *Upload) error {
		rules, err := issuer.rules(r.Context(), u)
		if err == nil {
			rules.quota, err = issuer.usage(r.Context(), r, u)
		}
		if err != nil {
			return err
		}
		body := rules.appendJSON(nil)
		sum := sha256.Sum256(body)
		etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
		status := http.StatusOK
		if matches(r.Header.Values("If-None-Match"), etag) {
			status = http.StatusNotModified
		}
		issuer.decide(r, u, Decision{Status: status})
		h := w.Header()
		setHeader(h, "application/json")
		h.Set("Cache-Control", "private, no-cache")
		h.Set("ETag", etag)
		if status == http.StatusNotModified {
			h.Del("Content-Type")
			w.WriteHeader(status)
			return nil
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
		return nil
	})
}

// matches reports whether an entity tag is among those of If-None-Match (RFC 9110
// §13.1.2), of which "*" is any.
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// rules are what a chain accepts.
type rules struct {
	types          []string
	size           limits
	maxFiles       int
	modes          []Mode
	multipartAbove int64
	complete       bool
	origin         string // of the bucket
	quota          string // in JSON, or ""
}

// rules gathers what the links of a chain have noted, as [Issuer.Issue] judges by it.
func (i *Issuer) rules(ctx context.Context, u *Upload) (*rules, error) {
	if u.invalid != nil {
		return nil, u.invalid
	}
	p, err := i.place(ctx, u)
	if err != nil {
		return nil, err
	}
	a := &rules{
		types: intersection(append([]*mediatype.Set{i.types(u)}, append(slices.Clone(u.typeRules), u.ownTypes...)...)),
		size:  i.sizes(u, ModeMultipart), maxFiles: 1,
		multipartAbove: i.config.multipartAbove, complete: i.config.completes(),
		origin: p.upload.endpoint,
	}
	if _, ok := i.dialect.(native); ok {
		a.maxFiles = i.config.batchLimit
	}
	parts := a.size.max > i.config.multipartAbove && p.noParts == nil
	if !parts {
		a.size.max = min(a.size.max, object.MaxSingle)
	}
	if !parts || a.size.min <= i.config.multipartAbove {
		a.modes = append(a.modes, i.mode(p, u))
	}
	if parts {
		a.modes = append(a.modes, ModeMultipart)
	}
	return a, nil
}

// intersection returns the patterns that all sets admit.
func intersection(sets []*mediatype.Set) []string {
	var patterns []string
	for _, s := range sets {
		for _, pattern := range s.Patterns() {
			inAll := !slices.ContainsFunc(sets, func(other *mediatype.Set) bool { return !other.Covers(pattern) })
			if inAll && !slices.Contains(patterns, pattern) {
				patterns = append(patterns, pattern)
			}
		}
	}
	return patterns
}

func (a *rules) appendJSON(b []byte) []byte {
	list := func(name string, n int, value func(int) string) {
		b = append(b, name...)
		for k := range n {
			if k > 0 {
				b = append(b, ',')
			}
			b = jsontext.AppendString(b, value(k))
		}
		b = append(b, ']')
	}
	number := func(name string, n int64) { b = strconv.AppendInt(append(b, name...), n, 10) }
	list(`{"types":[`, len(a.types), func(k int) string { return a.types[k] })
	number(`,"min_size":`, a.size.min)
	number(`,"max_size":`, max(0, a.size.max))
	number(`,"max_files":`, int64(a.maxFiles))
	list(`,"modes":[`, len(a.modes), func(k int) string { return string(a.modes[k]) })
	number(`,"multipart_above":`, a.multipartAbove)
	b = strconv.AppendBool(append(b, `,"complete":`...), a.complete)
	b = jsontext.AppendString(append(b, `,"origin":`...), a.origin)
	if a.quota != "" {
		b = append(append(append(b, `,"quota":{`...), a.quota...), '}')
	}
	return append(b, '}')
}

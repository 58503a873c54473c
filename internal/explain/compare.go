package explain

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Field is a name with its value: a header, whose name is in lower case, or a field of a
// form.
type Field struct{ Name, Value string }

// UnknownSize is the size of a file of which nobody has told it.
const UnknownSize = -1

// Request is an upload, as it was granted or as it was sent.
type Request struct {
	Method, URL string
	// Header are those of a grant, or all that were sent.
	Header []Field
	// Fields are those of a form, without the file.
	Fields []Field
	// Size is that of the file, or of the body, in bytes, or UnknownSize.
	Size int64
	// Time is when it was sent, by the clock of S3 where that is known; zero is unknown.
	Time time.Time
}

// Where says what a difference is in.
type Where string

// What differs.
const (
	Method      Where = "method"
	Host        Where = "host"
	Path        Where = "path"
	Query       Where = "query parameter"
	Header      Where = "header"
	FormField   Where = "field"
	Size        Where = "size"
	Expired     Where = "time"
	Clock       Where = "clock"
	Region      Where = "region"
	AccessKey   Where = "access key"
	Secret      Where = "secret key"
	Permission  Where = "permission"
	Bucket      Where = "bucket"
	Exists      Where = "key"
	UploadID    Where = "upload"
	Checksum    Where = "checksum"
	Unreachable Where = "connection"
)

// Difference is one thing that is not as it was granted.
type Difference struct {
	In   Where  `json:"in"`
	Name string `json:"name,omitempty"`
	// Granted and Sent are the values, "" for none, and "…" for what is secret.
	Granted string `json:"granted,omitempty"`
	Sent    string `json:"sent,omitempty"`
	// Missing and Added: it was not sent at all, or not granted at all.
	Missing bool `json:"missing,omitempty"`
	Added   bool `json:"added,omitempty"`
}

// shown hides what is secret.
func shown(name, value string) string {
	switch strings.ToLower(name) {
	case "policy", "x-amz-signature", "x-amz-security-token", "authorization", "cookie":
		if value != "" {
			return "…"
		}
	}
	return Clean(value)
}

func differs(in Where, name, granted, sent string) Difference {
	return Difference{In: in, Name: name, Granted: shown(name, granted), Sent: shown(name, sent)}
}

// find returns the value of a name, whose case does not matter.
func find(fields []Field, name string) (string, bool) {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value, true
		}
	}
	return "", false
}

func sortFields(fields []Field) {
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
}

// isForm reports whether a request is a form.
func (r *Request) isForm() bool {
	_, policy := find(r.Fields, "policy")
	return policy || len(r.Fields) > 0
}

// compare finds what was sent otherwise than it was granted.
func compare(granted, sent *Request) (all []Difference) {
	if granted.Method != "" && sent.Method != "" && !strings.EqualFold(granted.Method, sent.Method) {
		all = append(all, differs(Method, "", granted.Method, sent.Method))
	}
	all = append(all, compareURLs(granted.URL, sent.URL)...)
	if granted.isForm() || sent.isForm() {
		return append(all, compareFields(granted, sent)...)
	}
	all = append(all, compareHeaders(granted, sent)...)
	if granted.Size != UnknownSize && sent.Size != UnknownSize && granted.Size != sent.Size {
		all = append(all, differs(Size, "", strconv.FormatInt(granted.Size, 10), strconv.FormatInt(sent.Size, 10)))
	}
	return all
}

func compareURLs(granted, sent string) (all []Difference) {
	g, err := url.Parse(granted)
	if err != nil || granted == "" || sent == "" {
		return nil
	}
	s, err := url.Parse(sent)
	if err != nil {
		return nil
	}
	if g.Scheme != s.Scheme || !strings.EqualFold(g.Host, s.Host) {
		all = append(all, differs(Host, "", g.Scheme+"://"+g.Host, s.Scheme+"://"+s.Host))
	}
	if strings.TrimSuffix(g.EscapedPath(), "/") != strings.TrimSuffix(s.EscapedPath(), "/") {
		all = append(all, differs(Path, "", g.EscapedPath(), s.EscapedPath()))
	}
	return append(all, compareQueries(g.Query(), s.Query())...)
}

func compareQueries(granted, sent url.Values) (all []Difference) {
	for _, name := range sortedNames(granted, sent) {
		want, wanted := granted[name]
		got, there := sent[name]
		d := differs(Query, name, strings.Join(want, ","), strings.Join(got, ","))
		d.Missing, d.Added = !there, !wanted
		if d.Missing || d.Added || !slices.Equal(want, got) {
			all = append(all, d)
		}
	}
	return all
}

func sortedNames(both ...url.Values) (names []string) {
	for _, values := range both {
		for name := range values {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// compareHeaders looks at the headers of a grant, and at those that S3 would act upon
// beside them.
func compareHeaders(granted, sent *Request) (all []Difference) {
	if len(sent.Header) == 0 {
		return nil
	}
	for _, want := range granted.Header {
		got, there := find(sent.Header, want.Name)
		if !there || strings.TrimSpace(got) != strings.TrimSpace(want.Value) {
			d := differs(Header, strings.ToLower(want.Name), want.Value, got)
			d.Missing = !there
			all = append(all, d)
		}
	}
	signed := signedHeaders(granted.URL)
	for _, got := range sent.Header {
		name := strings.ToLower(got.Name)
		_, wanted := find(granted.Header, name)
		if !wanted && mustBeSigned(name) && !slices.Contains(signed, name) {
			d := differs(Header, name, "", got.Value)
			d.Added = true
			all = append(all, d)
		}
	}
	return all
}

// mustBeSigned reports whether strict servers refuse a header that was not signed.
func mustBeSigned(name string) bool {
	return strings.HasPrefix(name, "x-amz-") || name == "content-md5" || name == "authorization"
}

// signedHeaders are those that a presigned URL names.
func signedHeaders(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	names := u.Query().Get("X-Amz-SignedHeaders")
	if names == "" {
		return nil
	}
	return strings.Split(strings.ToLower(names), ";")
}

// notFields are those of a form that no policy has to name ("S3 API: POST Policy").
func notField(name string) bool {
	name = strings.ToLower(name)
	return name == "file" || name == "policy" || name == "x-amz-signature" || strings.HasPrefix(name, "x-ignore-")
}

func compareFields(granted, sent *Request) (all []Difference) {
	for _, want := range granted.Fields {
		got, there := find(sent.Fields, want.Name)
		if !there || got != want.Value {
			d := differs(FormField, want.Name, want.Value, got)
			d.Missing = !there
			all = append(all, d)
		}
	}
	for _, got := range sent.Fields {
		if _, wanted := find(granted.Fields, got.Name); !wanted && !notField(got.Name) {
			d := differs(FormField, got.Name, "", got.Value)
			d.Added = true
			all = append(all, d)
		}
	}
	if policy, ok := find(granted.Fields, "policy"); ok {
		all = append(all, sizeAgainst(policy, sent.Size)...)
	}
	return all
}

// policy is a POST policy, decoded.
type policy struct {
	Expiration time.Time
	Conditions []condition
}

type condition struct {
	operator, name, value string
	min, max              int64 // of content-length-range
}

// parsePolicy reads a policy as it stands in a form.
func parsePolicy(encoded string) (p policy, ok bool) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return p, false
	}
	var raw struct {
		Expiration time.Time         `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if json.Unmarshal(text, &raw) != nil {
		return p, false
	}
	p.Expiration = raw.Expiration
	for _, c := range raw.Conditions {
		var exact map[string]string
		if json.Unmarshal(c, &exact) == nil {
			for name, value := range exact {
				p.Conditions = append(p.Conditions, condition{operator: "eq", name: name, value: value})
			}
			continue
		}
		var list []any
		if json.Unmarshal(c, &list) != nil || len(list) != 3 {
			continue
		}
		operator := fmt.Sprint(list[0])
		least, isRange := list[1].(float64)
		most, _ := list[2].(float64)
		if strings.EqualFold(operator, "content-length-range") && isRange {
			p.Conditions = append(p.Conditions, condition{operator: "content-length-range", min: int64(least), max: int64(most)})
			continue
		}
		p.Conditions = append(p.Conditions, condition{
			operator: strings.ToLower(operator), name: strings.TrimPrefix(fmt.Sprint(list[1]), "$"), value: fmt.Sprint(list[2]),
		})
	}
	return p, true
}

// sizeAgainst looks at a size by a policy.
func sizeAgainst(encoded string, size int64) []Difference {
	p, ok := parsePolicy(encoded)
	if !ok || size == UnknownSize {
		return nil
	}
	for _, c := range p.Conditions {
		if c.operator == "content-length-range" && (size < c.min || size > c.max) {
			return []Difference{differs(Size, "", sizes(c.min, c.max), strconv.FormatInt(size, 10))}
		}
	}
	return nil
}

func sizes(least, most int64) string {
	if least == most {
		return strconv.FormatInt(least, 10)
	}
	return fmt.Sprintf("%d to %d", least, most)
}

// byItself looks for what a request that was sent contradicts in itself.
func byItself(sent *Request) []Difference {
	if sent.isForm() {
		return formByItself(sent)
	}
	return urlByItself(sent)
}

func formByItself(sent *Request) (all []Difference) {
	encoded, there := find(sent.Fields, "policy")
	if !there {
		return []Difference{{In: FormField, Name: "policy", Missing: true}}
	}
	for _, name := range []string{"x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm", "key"} {
		if _, there := find(sent.Fields, name); !there {
			all = append(all, Difference{In: FormField, Name: name, Missing: true})
		}
	}
	p, ok := parsePolicy(encoded)
	if !ok {
		return append(all, Difference{In: FormField, Name: "policy", Sent: "…"})
	}
	named := map[string]bool{"bucket": true}
	for _, c := range p.Conditions {
		if c.operator == "content-length-range" {
			continue
		}
		named[strings.ToLower(c.name)] = true
		got, there := find(sent.Fields, c.name)
		if c.name == "bucket" && !there {
			continue
		}
		if c.operator == "eq" && got != c.value || c.operator == "starts-with" && !strings.HasPrefix(got, c.value) {
			d := differs(FormField, c.name, c.value, got)
			d.Missing = !there
			all = append(all, d)
		}
	}
	for _, f := range sent.Fields {
		if !named[strings.ToLower(f.Name)] && !notField(f.Name) {
			d := differs(FormField, f.Name, "", f.Value)
			d.Added = true
			all = append(all, d)
		}
	}
	all = append(all, sizeAgainst(encoded, sent.Size)...)
	if !sent.Time.IsZero() && !p.Expiration.IsZero() && sent.Time.After(p.Expiration) {
		all = append(all, differs(Expired, "expiration", p.Expiration.UTC().Format(time.RFC3339), sent.Time.UTC().Format(time.RFC3339)))
	}
	return all
}

// signatureQuery are the parameters without which a presigned URL is none.
var signatureQuery = []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}

const amzDate = "20060102T150405Z"

func urlByItself(sent *Request) (all []Difference) {
	u, err := url.Parse(sent.URL)
	if err != nil || sent.URL == "" {
		return nil
	}
	q := u.Query()
	for _, name := range signatureQuery {
		if q.Get(name) == "" {
			all = append(all, Difference{In: Query, Name: name, Missing: true})
		}
	}
	signed := signedHeaders(sent.URL)
	if len(sent.Header) > 0 && len(signed) > 0 {
		for _, name := range signed {
			if name == "host" || name == "content-length" {
				continue // which browsers set by themselves, and HAR files may leave out
			}
			if _, there := find(sent.Header, name); !there {
				all = append(all, Difference{In: Header, Name: name, Missing: true})
			}
		}
		for _, f := range sent.Header {
			if name := strings.ToLower(f.Name); mustBeSigned(name) && !slices.Contains(signed, name) {
				d := differs(Header, name, "", f.Value)
				d.Added = true
				all = append(all, d)
			}
		}
	}
	at, err := time.Parse(amzDate, q.Get("X-Amz-Date"))
	seconds, expiresErr := strconv.ParseInt(q.Get("X-Amz-Expires"), 10, 32)
	if err == nil && expiresErr == nil && !sent.Time.IsZero() {
		if end := at.Add(time.Duration(seconds) * time.Second); sent.Time.After(end) {
			all = append(all, differs(Expired, "X-Amz-Expires", end.Format(time.RFC3339), sent.Time.UTC().Format(time.RFC3339)))
		}
	}
	return all
}

package explain

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
)

// What servers say in their messages. Amazon and versitygw use the same words but for
// small things; MinIO and Ceph have their own.
var (
	// Invalid according to Policy: Policy Condition failed: ["eq", "$key", "a"]
	conditionFailed = regexp.MustCompile(`Policy Condition failed: *(\[.*\])`)
	// Invalid according to Policy: Extra input fields: cache-control
	extraFields = regexp.MustCompile(`Extra input fields?: *([A-Za-z0-9_,. -]+)`)
	// the region "eu-west-1" is wrong; expecting "us-east-1"
	wrongRegion = regexp.MustCompile(`region ?['"]?([a-z0-9-]*)['"]? is wrong; expecting ['"]?([a-z0-9-]+)['"]?`)
	// a field named 'policy'
	fieldNamed = regexp.MustCompile(`field named '([^']+)'`)
	// Each form field that you specify in a form must appear in the list of policy
	// conditions. "x-amz-meta-more" not specified in the policy.
	notInPolicy = regexp.MustCompile(`"([^"]+)" not specified in the policy`)
)

// said reads what S3 says in its error document.
func said(d *Document) []Difference {
	if m := conditionFailed.FindStringSubmatch(d.Message); m != nil {
		return ofCondition(m[1])
	}
	if m := extraFields.FindStringSubmatch(d.Message); m != nil {
		return added(FormField, strings.FieldsFunc(m[1], isSeparator))
	}
	if m := notInPolicy.FindStringSubmatch(d.Message); m != nil {
		return added(FormField, strings.FieldsFunc(m[1], isSeparator))
	}
	if d.HeadersNotSigned != "" {
		return added(Header, strings.FieldsFunc(d.HeadersNotSigned, isSeparator))
	}
	if m := wrongRegion.FindStringSubmatch(d.Message); m != nil {
		return []Difference{{In: Region, Granted: m[1], Sent: m[2]}}
	}
	if m := fieldNamed.FindStringSubmatch(d.Message); m != nil && strings.Contains(d.Message, "must contain") {
		return []Difference{{In: FormField, Name: m[1], Missing: true}}
	}
	return byCode(d)
}

func isSeparator(r rune) bool { return r == ',' || r == ' ' || r == ';' }

func added(in Where, names []string) (all []Difference) {
	for _, name := range names {
		all = append(all, Difference{In: in, Name: Clean(strings.ToLower(name)), Added: true})
	}
	return all
}

// ofCondition reads a condition as servers write it: a list of JSON, or with quotes of
// other kinds.
func ofCondition(text string) []Difference {
	var list []any
	if json.Unmarshal([]byte(text), &list) != nil {
		parts := strings.Split(strings.Trim(text, "[]"), ",")
		for _, p := range parts {
			list = append(list, strings.Trim(p, ` "'`))
		}
	}
	if len(list) < 2 {
		return nil
	}
	operator, _ := list[0].(string)
	if strings.EqualFold(operator, "content-length-range") {
		return []Difference{{In: Size}}
	}
	name, _ := list[1].(string)
	d := Difference{In: FormField, Name: Clean(strings.TrimPrefix(name, "$"))}
	if len(list) > 2 {
		value, _ := list[2].(string)
		d.Granted = shown(name, value)
	}
	return []Difference{d}
}

// byCode reads what the code says by itself.
func byCode(d *Document) []Difference {
	message := strings.ToLower(d.Message)
	one := func(in Where, name string) []Difference { return []Difference{{In: in, Name: name}} }
	switch d.Code {
	case "EntityTooLarge", "EntityTooSmall":
		limit := d.MaxSizeAllowed
		if d.Code == "EntityTooSmall" {
			limit = d.MinSizeAllowed
		}
		return []Difference{{In: Size, Granted: Clean(limit), Sent: Clean(d.ProposedSize)}}
	case "MissingContentLength", "IncompleteBody":
		return one(Size, "")
	case "MissingFields":
		return one(FormField, "")
	case "InvalidRegion":
		return one(Region, "")
	case "RequestTimeTooSkewed", "RequestInTheFuture":
		return []Difference{{In: Clock, Granted: Clean(d.RequestTime), Sent: Clean(d.ServerTime)}}
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		return one(AccessKey, "session token")
	case "InvalidAccessKeyId":
		return one(AccessKey, "")
	case "NoSuchBucket":
		return []Difference{{In: Bucket, Name: Clean(d.BucketName)}}
	case "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException":
		return []Difference{{In: Region, Sent: Clean(d.Region), Name: Clean(d.Endpoint)}}
	case "PreconditionFailed", "ConditionalRequestConflict":
		return one(Exists, "")
	case "NoSuchUpload":
		return one(UploadID, "")
	case "BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch":
		return one(Checksum, "")
	case "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "InvalidArgument", "MalformedPOSTRequest":
		if d.Region != "" {
			return []Difference{{In: Region, Sent: Clean(d.Region)}}
		}
		if d.ArgumentName != "" {
			return []Difference{{In: FormField, Name: Clean(d.ArgumentName), Sent: shown(d.ArgumentName, d.ArgumentValue)}}
		}
	case "AccessDenied":
		switch {
		case strings.Contains(message, "expired"):
			return []Difference{{In: Expired, Granted: Clean(d.Expires), Sent: Clean(d.ServerTime)}}
		case strings.Contains(message, "not valid yet"):
			return one(Clock, "")
		case strings.Contains(message, "not signed"):
			return one(Header, "")
		case strings.Contains(message, "policy"):
			return nil
		}
		return one(Permission, "s3:PutObject")
	}
	return nil
}

// canonical is what S3 has read of a request, by its CanonicalRequest ("S3 API:
// Authenticating Requests, Signature Version 4").
func canonical(d *Document) (r *Request, host string, ok bool) {
	head, rest, found := strings.Cut(d.CanonicalRequest, "\n")
	path, rest, more := strings.Cut(rest, "\n")
	query, rest, last := strings.Cut(rest, "\n")
	if !found || !more || !last {
		return nil, "", false
	}
	r = &Request{Method: head, Size: UnknownSize}
	for line := range strings.SplitSeq(rest, "\n") {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			break
		}
		if name == "host" {
			host = value
			continue
		}
		r.Header = append(r.Header, Field{name, value})
	}
	r.URL = path + "?" + query
	return r, host, true
}

// canonically compares what was granted with what S3 has read.
func canonically(d *Document, granted *Request) (all []Difference) {
	seen, host, ok := canonical(d)
	if !ok {
		return nil
	}
	g, err := url.Parse(granted.URL)
	s, err2 := url.Parse(seen.URL)
	if err != nil || err2 != nil {
		return nil
	}
	if granted.Method != "" && seen.Method != granted.Method {
		all = append(all, differs(Method, "", granted.Method, seen.Method))
	}
	if g.Host != "" && !strings.EqualFold(g.Host, host) {
		all = append(all, differs(Host, "", g.Host, host))
	}
	if g.EscapedPath() != s.EscapedPath() && g.Path != s.Path {
		all = append(all, differs(Path, "", g.EscapedPath(), s.EscapedPath()))
	}
	query := g.Query()
	query.Del("X-Amz-Signature")
	all = append(all, compareQueries(query, s.Query())...)
	return append(all, compareHeaders(granted, seen)...)
}

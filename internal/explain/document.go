// Package explain says why S3 has refused an upload: which header, field, condition or
// setting differs from what was granted. It compares what was sent with what was
// granted, where both are known, reads what a signature or a policy tells of itself, and
// what each server says. It does no I/O and knows no secret.
package explain

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Document is S3's error document ("S3 API: Error Responses"), with what Amazon,
// versitygw, MinIO and Ceph add to it.
type Document struct {
	Code, Message, Resource string
	BucketName, Key         string
	Region, Endpoint        string
	ArgumentName            string
	ArgumentValue           string
	Condition               string
	HeadersNotSigned        string
	CanonicalRequest        string
	ServerTime, RequestTime string
	Expires                 string
	ProposedSize            string
	MinSizeAllowed          string
	MaxSizeAllowed          string
	RequestID               string `xml:"RequestId"`
}

// maxDocument bounds what is read of a document, in bytes.
const maxDocument = 256 << 10

// Parse finds an error document in a text, which may have more around it. ok is false
// where there is none.
func Parse(text []byte) (d Document, ok bool) {
	start := bytes.Index(text, []byte("<Error"))
	if start < 0 {
		return d, false
	}
	text = text[start:min(len(text), start+maxDocument)]
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict = false
	if err := decoder.Decode(&d); err != nil && d.Code == "" {
		return d, false
	}
	return d, d.Code != ""
}

// secrets are what no text of S3's should be shown with: a signature or another hash of
// 256 bits, and what is as long as a policy or a session token.
var secrets = regexp.MustCompile(`[0-9A-Fa-f]{64,}|[0-9A-Za-z+/=_-]{100,}`)

// maxValue bounds a value that is shown, in bytes.
const maxValue = 200

// Clean makes a text that came from outside fit to be shown: printable, short, and
// without what may be a signature, a policy or a token.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return ' '
	}, s)
	s = strings.TrimSpace(secrets.ReplaceAllString(s, "…"))
	if len(s) <= maxValue {
		return s
	}
	end := maxValue
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

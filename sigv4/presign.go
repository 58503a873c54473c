package sigv4

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxExpires is the longest life that S3 allows to a presigned URL.
const MaxExpires = 7 * 24 * time.Hour

// Request is what a presigned URL permits.
type Request struct {
	// Method is the HTTP method, in capitals.
	Method string
	// Endpoint is scheme and authority as the client sends it, without default
	// port and trailing slash: "https://bucket.s3.eu-central-1.amazonaws.com".
	Endpoint string
	// Path begins with a slash and is not yet escaped: "/reports/2026 Q1.pdf".
	// Every byte of it is signed; nothing is cleaned.
	Path string
	// Query holds further parameters, not yet escaped, such as uploadId.
	Query []Field
	// Header holds headers that the client must send with exactly these values.
	// The host is signed in any case.
	Header []Field
	// Expires is the life of the URL from the time of signing: whole seconds,
	// 1 s to [MaxExpires]. S3 looks at it when the request starts.
	Expires time.Duration
}

// maxParams is how many parameters and headers are sorted without allocating.
const maxParams = 16

// Presign returns the URL that carries the signature of a request in its query
// ("S3 API: Using Query Parameters"). The body is left unsigned: bind it by
// signing Content-Length and a checksum header.
//
// The error wraps [ErrCredentials], [ErrExpiry] or [ErrValue].
func (s *Signer) Presign(creds Credentials, now time.Time, r Request) (string, error) {
	var array [1024]byte
	url, err := s.AppendPresign(array[:0], creds, now, r)
	if err != nil {
		return "", err
	}
	return string(url), nil
}

// AppendPresign appends what [Signer.Presign] returns to dst, for URLs in great
// number. With an error dst is returned as it was.
func (s *Signer) AppendPresign(dst []byte, creds Credentials, now time.Time, r Request) ([]byte, error) {
	if err := creds.check(); err != nil {
		return dst, err
	}
	host, err := r.check()
	if err != nil {
		return dst, err
	}
	var headerArray, queryArray [maxParams]Field
	header, err := r.canonicalHeader(headerArray[:0], host)
	if err != nil {
		return dst, err
	}

	date := newTimestamp(now)
	key := s.keys.get(creds, s.region, date.day())
	sc := key.scratch.get()
	defer key.scratch.put(sc)

	// The buffer: the URL first, so that the query stands in it once, then the
	// canonical request, of which only the hash is needed.
	b := append(sc.buf[:0], r.Endpoint...)
	pathStart := len(b)
	b = appendEscaped(b, r.Path, true)
	pathEnd := len(b)
	b = append(b, '?')
	b = s.appendQuery(b, creds, date, &r, header, queryArray[:0])
	urlEnd := len(b)

	b = append(b, r.Method...)
	b = append(b, '\n')
	b = append(b, b[pathStart:pathEnd]...)
	b = append(b, '\n')
	b = append(b, b[pathEnd+1:urlEnd]...)
	b = append(b, '\n')
	for i := range header {
		b = append(b, header[i].Name...)
		b = append(b, ':')
		b = append(b, header[i].Value...)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = appendNames(b, header, ";")
	b = append(b, "\nUNSIGNED-PAYLOAD"...)
	sc.hash.Reset()
	sc.hash.Write(b[urlEnd:])
	sum := sc.hash.Sum(sc.sum[:0])

	toSign := urlEnd
	b = append(b[:urlEnd], algorithm+"\n"...)
	b = append(b, date[:]...)
	b = append(b, '\n')
	b = appendScope(b, "", date.day(), s.region)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum)

	sc.mac.Reset()
	sc.mac.Write(b[toSign:])
	b = append(b[:urlEnd], "&X-Amz-Signature="...)
	b = hex.AppendEncode(b, sc.mac.Sum(sc.sum[:0]))
	sc.buf = b
	return append(dst, b...), nil
}

// check returns the host of a request that can be signed.
func (r *Request) check() (host string, err error) {
	if r.Expires < time.Second || r.Expires > MaxExpires || r.Expires%time.Second != 0 {
		return "", fmt.Errorf("%w: %s is not a number of whole seconds from 1 s to 7 days", ErrExpiry, r.Expires)
	}
	if !plainName(r.Method) {
		return "", fmt.Errorf("%w: method %q", ErrValue, r.Method)
	}
	if !strings.HasPrefix(r.Path, "/") {
		return "", fmt.Errorf("%w: the path %q does not begin with a slash", ErrValue, r.Path)
	}
	for _, q := range r.Query {
		if q.Name == "" || reserved(q.Name) {
			return "", fmt.Errorf("%w: query parameter %q", ErrValue, q.Name)
		}
	}
	_, host, ok := strings.Cut(r.Endpoint, "://")
	if !ok || host == "" || strings.ContainsAny(host, "/?#@ ") || !printable(host) {
		return "", fmt.Errorf("%w: the endpoint is not scheme and authority alone", ErrValue)
	}
	return host, nil
}

// reserved reports whether Presign writes the parameter itself.
func reserved(name string) bool {
	const prefix = "x-amz-"
	if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return false
	}
	switch strings.ToLower(name) {
	case "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
		"x-amz-security-token", "x-amz-signature", "x-amz-signedheaders":
		return true
	}
	return false
}

// canonicalHeader returns host and the headers to sign: names in lower case and
// sorted, values without needless white space.
func (r *Request) canonicalHeader(dst []Field, host string) ([]Field, error) {
	dst = append(dst, Field{"host", host})
	for _, h := range r.Header {
		if !plainName(h.Name) || !printable(h.Value) {
			return nil, fmt.Errorf("%w: header %q", ErrValue, h.Name)
		}
		dst = append(dst, Field{strings.ToLower(h.Name), collapse(h.Value)})
	}
	slices.SortFunc(dst, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(dst); i++ {
		if dst[i].Name == dst[i-1].Name {
			return nil, fmt.Errorf("%w: header %q stands twice", ErrValue, dst[i].Name)
		}
	}
	return dst, nil
}

// collapse trims s and makes one space of several.
func collapse(s string) string {
	s = strings.Trim(s, " ")
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

// appendQuery appends the canonical query string: all parameters but the
// signature, escaped and sorted.
func (s *Signer) appendQuery(b []byte, creds Credentials, date timestamp, r *Request, header, own []Field) []byte {
	own = append(own, r.Query...)
	slices.SortFunc(own, compareEscaped)

	next := 0
	flush := func(b []byte, before string) []byte {
		for ; next < len(own) && (before == "" || compareEscaped(own[next], Field{Name: before}) < 0); next++ {
			b = appendEscaped(b, own[next].Name, false)
			b = append(b, '=')
			b = appendEscaped(b, own[next].Value, false)
			b = append(b, '&')
		}
		return b
	}
	b = flush(b, "X-Amz-Algorithm")
	b = append(b, "X-Amz-Algorithm="+algorithm+"&"...)
	b = flush(b, "X-Amz-Credential")
	b = append(b, "X-Amz-Credential="...)
	b = appendEscaped(b, creds.AccessKeyID, false)
	b = append(b, "%2F"...)
	d := date.day()
	b = append(b, d[:]...)
	b = append(b, "%2F"...)
	b = appendEscaped(b, s.region, false)
	b = append(b, "%2F"+service+"%2Faws4_request&"...)
	b = flush(b, "X-Amz-Date")
	b = append(b, "X-Amz-Date="...)
	b = append(b, date[:]...)
	b = append(b, '&')
	b = flush(b, "X-Amz-Expires")
	b = append(b, "X-Amz-Expires="...)
	b = strconv.AppendInt(b, int64(r.Expires/time.Second), 10)
	b = append(b, '&')
	if creds.SessionToken != "" {
		b = flush(b, "X-Amz-Security-Token")
		b = append(b, "X-Amz-Security-Token="...)
		b = appendEscaped(b, creds.SessionToken, false)
		b = append(b, '&')
	}
	b = flush(b, "X-Amz-SignedHeaders")
	b = append(b, "X-Amz-SignedHeaders="...)
	b = appendNames(b, header, "%3B")
	b = append(b, '&')
	b = flush(b, "")
	return b[:len(b)-1]
}

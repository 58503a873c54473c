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
	if err := r.check(); err != nil {
		return dst, err
	}
	var headerArray, queryArray [maxParams]Field
	header, err := r.canonicalHeader(headerArray[:0])
	if err != nil {
		return dst, err
	}

	date := newTimestamp(now)
	key, err := s.keys.get(creds, s.region, date.day())
	if err != nil {
		return dst, err
	}
	sc := key.scratch.get()
	defer key.scratch.put(sc)

	// The buffer: the URL first, so that the query stands in it once, then the
	// canonical request, of which only the hash is needed.
	b := append(sc.buf[:0], r.Endpoint...)
	pathStart := len(b)
	b = appendEscaped(b, r.Path, true)
	pathEnd := len(b)
	b = append(b, '?')
	b = r.appendQuery(b, key, date, header, queryArray[:0])
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
		if header[i].Name == "host" {
			b = append(b, b[pathStart-len(r.host()):pathStart]...)
		} else {
			b = append(b, header[i].Value...)
		}
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
	b = append(b, key.scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum)

	sc.mac.Reset()
	sc.mac.Write(b[toSign:])
	b = append(b[:urlEnd], "&X-Amz-Signature="...)
	b = hex.AppendEncode(b, sc.mac.Sum(sc.sum[:0]))
	sc.buf = b
	return append(dst, b...), nil
}

// check refuses a request that cannot be signed. Its errors quote copies, so that
// no request of a caller need live on the heap.
func (r *Request) check() error {
	if r.Expires < time.Second || r.Expires > MaxExpires || r.Expires%time.Second != 0 {
		return fmt.Errorf("%w: %s is not a number of whole seconds from 1 s to 7 days", ErrExpiry, r.Expires)
	}
	if !plainName(r.Method) {
		return fmt.Errorf("%w: method %s", ErrValue, strconv.Quote(r.Method))
	}
	if !strings.HasPrefix(r.Path, "/") {
		return fmt.Errorf("%w: the path %s does not begin with a slash", ErrValue, strconv.Quote(r.Path))
	}
	for i := range r.Query {
		if name := r.Query[i].Name; name == "" || reserved(name) {
			return fmt.Errorf("%w: query parameter %s", ErrValue, strconv.Quote(name))
		}
	}
	if !authority(r.host()) {
		return fmt.Errorf("%w: the endpoint is not scheme and authority alone", ErrValue)
	}
	return nil
}

// authority reports whether s is a host, perhaps with a port, and no more.
func authority(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c == 0x7f, c == '/', c == '?', c == '#', c == '@':
			return false
		}
	}
	return s != ""
}

// host is the authority of the endpoint.
func (r *Request) host() string {
	_, host, _ := strings.Cut(r.Endpoint, "://")
	return host
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

// canonicalHeader returns the headers to sign: names in lower case and sorted,
// values without needless white space. The host is among them, without a value.
func (r *Request) canonicalHeader(dst []Field) ([]Field, error) {
	dst = append(dst, Field{Name: "host"})
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
func (r *Request) appendQuery(b []byte, key *signingKey, date timestamp, header, own []Field) []byte {
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
	b = append(b, key.inQuery...)
	b = append(b, '&')
	b = flush(b, "X-Amz-Date")
	b = append(b, "X-Amz-Date="...)
	b = append(b, date[:]...)
	b = append(b, '&')
	b = flush(b, "X-Amz-Expires")
	b = append(b, "X-Amz-Expires="...)
	b = strconv.AppendInt(b, int64(r.Expires/time.Second), 10)
	b = append(b, '&')
	if key.tokenInQuery != "" {
		b = flush(b, "X-Amz-Security-Token")
		b = append(b, "X-Amz-Security-Token="...)
		b = append(b, key.tokenInQuery...)
		b = append(b, '&')
	}
	b = flush(b, "X-Amz-SignedHeaders")
	b = append(b, "X-Amz-SignedHeaders="...)
	b = appendNames(b, header, "%3B")
	b = append(b, '&')
	b = flush(b, "")
	return b[:len(b)-1]
}

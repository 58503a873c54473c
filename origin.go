package postern

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// checkOrigin refuses requests that a page of another origin makes with the user's
// cookies. It is net/http's [http.CrossOriginProtection], for GET requests too,
// since some dialects grant by them. A request with an Authorization header passes,
// since no page can make a browser add one without CORS, but for the schemes in
// which browsers authenticate by themselves.
func checkOrigin(p *http.CrossOriginProtection, r *http.Request) error {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch strings.ToLower(scheme) {
	case "", "basic", "digest", "negotiate", "ntlm":
	default:
		return nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		post := *r
		post.Method = http.MethodPost
		r = &post
	}
	if host := hostWithoutPort(r); host != r.Host {
		plain := *r
		plain.Host = host
		r = &plain
	}
	if err := p.Check(r); err != nil {
		return ErrCrossOrigin.WithCause(err)
	}
	return nil
}

// hostWithoutPort is the request's host as a browser writes it in an origin: without
// the scheme's own port, which some clients and proxies add.
func hostWithoutPort(r *http.Request) string {
	switch origin := r.Header.Get("Origin"); {
	case strings.HasPrefix(origin, "https://"):
		return strings.TrimSuffix(r.Host, ":443")
	case strings.HasPrefix(origin, "http://"):
		return strings.TrimSuffix(r.Host, ":80")
	}
	return r.Host
}

var (
	errOriginPattern = errors.New("an origin has no wildcard")
	errOriginParts   = errors.New("an origin is a scheme, a host and perhaps a port, such as https://app.example.com")
)

// canonicalOrigin writes an origin as browsers do: in lower case, without the
// scheme's own port.
func canonicalOrigin(origin string) (string, error) {
	if strings.Contains(origin, "*") {
		return "", fmt.Errorf("%w: %q", errOriginPattern, origin)
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("%w, not %q", errOriginParts, origin)
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host, nil
}

package command

import (
	"net"
	"net/http"
	"strings"
)

// LocalHosts answers requests for localhost, for addresses without a name, and for the
// host that -addr gave, and no others: a page on another site could else have its own
// name lead here, and read and write as the person in front of the browser (DNS
// rebinding).
func LocalHosts(addr string, h http.Handler) http.Handler {
	own, _, _ := net.SplitHostPort(addr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		if host != "localhost" && !strings.HasSuffix(host, ".localhost") && net.ParseIP(host) == nil && (own == "" || host != strings.ToLower(own)) {
			http.Error(w, "This program answers on this machine only: open it by localhost, or start it with -addr and this host.", http.StatusMisdirectedRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

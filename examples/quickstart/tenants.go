package main

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// tenants maps the demo's customers to their tokens. A real application has
// sessions instead.
var tenants = map[string]string{
	"acme":   "acme-demo",
	"globex": "globex-demo",
}

// tenantOf returns whose token the request bears.
func tenantOf(r *http.Request) (tenant string, ok bool) {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !isBearer {
		return "", false
	}
	for name, want := range tenants {
		if subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 1 {
			tenant, ok = name, true
		}
	}
	return tenant, ok
}

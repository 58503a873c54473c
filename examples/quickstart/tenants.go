package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/postern-go/postern"
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

// linkLifetime is how long a link to a stored object works.
const linkLifetime = 10 * time.Minute

// showFile answers with a link that opens a stored object, for the tenant to whom
// it belongs.
func showFile(reader *postern.Issuer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tenant, ok := tenantOf(r)
		if !ok {
			postern.Refuse(w, r, postern.ErrUnauthenticated)
			return
		}
		key := r.PathValue("key")
		if !strings.HasPrefix(key, tenant+"/") || path.Clean(key) != key {
			postern.Refuse(w, r, postern.ErrNotFound)
			return
		}
		link, err := reader.PresignGet(r.Context(), key, linkLifetime)
		if err != nil {
			postern.Refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"url":        link,
			"expires_in": int(linkLifetime / time.Second),
		})
	})
}

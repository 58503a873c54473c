package main

import (
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/postern-go/postern"
)

// linkLifetime is how long a link to a stored file works.
const linkLifetime = 10 * time.Minute

// listFiles shows what a tenant has in the bucket.
func (s *site) listFiles(w http.ResponseWriter, r *http.Request) {
	tenant := s.sessions.tenant(r)
	if tenant == "" {
		postern.Refuse(w, r, postern.ErrUnauthenticated)
		return
	}
	prefix := tenant + "/"
	list, err := s.storage.Client().ListObjectsV2(r.Context(), &s3.ListObjectsV2Input{Bucket: &s.storage.Bucket, Prefix: &prefix})
	if err != nil {
		s.fail(w, err)
		return
	}
	s.render(w, r, http.StatusOK, &page{Title: "Stored files"}, "files.html", list.Contents)
}

// openFile sends the browser to a stored file of its tenant.
func (s *site) openFile(w http.ResponseWriter, r *http.Request) {
	tenant, key := s.sessions.tenant(r), r.PathValue("key")
	switch {
	case tenant == "":
		postern.Refuse(w, r, postern.ErrUnauthenticated)
		return
	case !strings.HasPrefix(key, tenant+"/") || path.Clean(key) != key:
		postern.Refuse(w, r, postern.ErrNotFound)
		return
	}
	link, err := s.uploads.Issuer().PresignGet(r.Context(), key, linkLifetime)
	if err != nil {
		postern.Refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, link, http.StatusSeeOther)
}

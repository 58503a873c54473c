package main

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dustin/go-humanize"
	"github.com/go-chi/chi/v5"
)

//go:embed web page.html
var web embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"size": func(bytes int64) string { return strings.Replace(humanize.Bytes(uint64(bytes)), ".0 ", " ", 1) },
}).ParseFS(web, "page.html"))

// view is what the page shows: a user's photos, or a form to sign in.
type view struct {
	User         *user
	Photos       []photo
	Types        []string // that may be uploaded
	Demo         bool
	Email, Error string // of a failed attempt to sign in
}

// photo is an image that somebody uploaded.
type photo struct {
	ID, Filename, Owner string
	Size                int64  // in bytes
	Added               string // when, by RFC 3339
}

// photos lists what an organisation has, the newest first.
func (a *app) photos(ctx context.Context, tenant string) (list []photo, err error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, filename, owner, size, added
		FROM photos WHERE tenant = $1 ORDER BY added DESC, id`, tenant)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p photo
		err = errors.Join(err, rows.Scan(&p.ID, &p.Filename, &p.Owner, &p.Size, &p.Added))
		list = append(list, p)
	}
	return list, errors.Join(err, rows.Err())
}

func (a *app) home(w http.ResponseWriter, r *http.Request) (err error) {
	v := view{User: userFrom(r.Context()), Types: imageTypes}
	if v.User != nil {
		if v.Photos, err = a.photos(r.Context(), v.User.Tenant); err != nil {
			return err
		}
	}
	return render(w, r, http.StatusOK, v)
}

// render writes the page, or what it shows as JSON, for a front end elsewhere.
func render(w http.ResponseWriter, r *http.Request, status int, v view) error {
	v.Demo = demonstrates()
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("Accept") == "application/json" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		return json.NewEncoder(w).Encode(v)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	return page.Execute(w, v)
}

// object is where a photo is.
type object struct {
	*region
	key string
}

// own finds the photo that is asked for. Another organisation's is not there.
func (a *app) own(fn func(w http.ResponseWriter, r *http.Request, o object) error) http.HandlerFunc {
	return try(func(w http.ResponseWriter, r *http.Request) error {
		u := userFrom(r.Context())
		if u == nil {
			return sql.ErrNoRows
		}
		var bucket, key string
		err := a.db.QueryRowContext(r.Context(), `SELECT bucket, key FROM photos WHERE tenant = $1 AND id = $2`, u.Tenant, chi.URLParam(r, "id")).Scan(&bucket, &key)
		if err != nil {
			return err
		}
		at, err := a.regionOf(bucket)
		if err != nil {
			return err
		}
		return fn(w, r, object{at, key})
	})
}

// showPhoto sends the browser on to the bucket, by a link that lives just long enough.
func (a *app) showPhoto(w http.ResponseWriter, r *http.Request, o object) error {
	link, err := a.uploads.Issuer().PresignGetIn(r.Context(), o.bucket, o.key, time.Minute)
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, link, http.StatusSeeOther)
	}
	return err
}

// deletePhoto deletes the object first: while the row stays, one can try again.
func (a *app) deletePhoto(w http.ResponseWriter, r *http.Request, o object) error {
	_, err := o.objects.DeleteObject(r.Context(), &s3.DeleteObjectInput{Bucket: &o.bucket.Name, Key: &o.key})
	if err == nil {
		_, err = a.db.ExecContext(r.Context(), `DELETE FROM photos WHERE bucket = $1 AND key = $2`, o.bucket.Name, o.key)
	}
	if err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	return err
}

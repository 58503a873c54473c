package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog/log"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/ticket"
)

// staging is where grants may write. What is there is nobody's photo yet.
const staging = "staging/"

// imageTypes are what every browser shows.
var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"}

// newUploads is what Postern is about: who may upload what, and what becomes of it.
func (a *app) newUploads(ctx context.Context) (err error) {
	var ticketKey []byte // made by the first replica, found by the others
	if err = a.db.QueryRowContext(ctx, `INSERT INTO secrets (name, value) VALUES ('tickets', $1)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING value`, ticket.RandomKey()).Scan(&ticketKey); err != nil {
		return err
	}
	a.uploads, err = postern.New(a.regions["eu"].bucket,
		postern.WithBuckets(buckets(a.regions)),
		postern.WithAuthorizer(authorize),
		postern.WithTrustedOrigins(strings.Fields(*frontEnd)...),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
		postern.WithContentTypes(imageTypes...),
		postern.WithSizeLimitFunc(func(r *http.Request, _ *postern.Upload) (min, max int64) {
			return 1, userFrom(r.Context()).MaxBytes
		}),
		postern.WithPromotion(staging), // out of the grant's reach, before anybody looks
		postern.WithSniffing(),
		postern.WithOnComplete(a.addPhoto),
		postern.WithTicketKeys(ticketKey),
		postern.WithReconciler(30*time.Second), // for pages that were closed too early
		postern.WithLogger(log.Logger),
	)
	return err
}

// authorize lets everybody upload for their own organisation.
func authorize(r *http.Request, u *postern.Upload) error {
	user := userFrom(r.Context())
	if user == nil {
		return postern.ErrUnauthenticated
	}
	u.Subject, u.Tenant = user.Email, user.Tenant
	return nil
}

// buckets are those of the regions.
type buckets map[string]*region

// For keeps what an organisation uploads in its region. Should it move before an upload
// is complete, that one begins again.
func (b buckets) For(ctx context.Context, _ *postern.Upload) (postern.Bucket, error) {
	id := userFrom(ctx).Region
	r, ok := b[id]
	if !ok {
		return postern.Bucket{}, fmt.Errorf("region %q has no bucket", id)
	}
	return r.bucket, nil
}

// List has the reconciler go through all of them.
func (b buckets) List(context.Context) (all []postern.Bucket, err error) {
	for _, r := range b {
		all = append(all, r.bucket)
	}
	return all, nil
}

// addPhoto takes note of an upload. It may be told of the same one again.
func (a *app) addPhoto(ctx context.Context, r *postern.Receipt) error {
	_, err := a.db.ExecContext(ctx, `INSERT INTO photos (id, tenant, owner, bucket, key, filename, size, added)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
		r.ID, r.Tenant, r.Subject, r.Bucket, r.Key, r.Filename, r.Size, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	return err
}

package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/crypto/bcrypt"
)

var https = flag.Bool("https", false, "browsers come by https, to a proxy; implied unless -addr begins with 127.0.0.1")

// local tells whether only this machine can reach the gallery.
func local() bool { return !*https && strings.HasPrefix(*addr, "127.0.0.1:") }

// demonstrates tells whether the accounts of the demo can be used.
func demonstrates() bool { return *demo && local() }

// user is somebody who has signed in, with their organisation.
type user struct {
	Email, Name          string
	Tenant, Organisation string // the organisation's ID and name
	Region, RegionName   string // where its new photos are kept
	Plan                 string
	MaxBytes             int64 // of one photo
}

type userKey struct{}

// userFrom returns who makes the request, or nil, by its context.
func userFrom(ctx context.Context) *user {
	u, _ := ctx.Value(userKey{}).(*user)
	return u
}

// newSessions makes sessions whose cookie is HttpOnly and SameSite=Lax.
func newSessions(store scs.Store) *scs.SessionManager {
	s := scs.New()
	s.Store, s.HashTokenInStore, s.Lifetime = store, true, 12*time.Hour
	if !local() {
		s.Cookie.Secure, s.Cookie.Name = true, "__Host-session"
	}
	return s
}

// loadUser finds out who makes the request. It asks the database each time, so
// that what changes there, a plan for one, holds at once.
func (a *app) loadUser(next http.Handler) http.Handler {
	return try(func(w http.ResponseWriter, r *http.Request) error {
		u, _, err := a.findUser(r.Context(), a.sessions.GetString(r.Context(), "user"))
		if err == nil {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
		}
		return err
	})
}

// noHash is compared where there is no user, so that this takes as long.
const noHash = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"

// findUser returns a user, or nil, and the hash of the password.
func (a *app) findUser(ctx context.Context, email string) (*user, string, error) {
	var hash string
	u := &user{Email: email}
	err := a.db.QueryRowContext(ctx, `SELECT users.name, users.password, tenants.id, tenants.name, regions.id, regions.name, plans.name, plans.max_bytes
		FROM users JOIN tenants ON tenants.id = users.tenant JOIN regions ON regions.id = tenants.region JOIN plans ON plans.id = tenants.plan
		WHERE users.email = $1`, email).
		Scan(&u.Name, &hash, &u.Tenant, &u.Organisation, &u.Region, &u.RegionName, &u.Plan, &u.MaxBytes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noHash, nil
	}
	if !demonstrates() && strings.Contains(demoAccounts, hash) { // left by a demo: everybody knows the password
		return nil, noHash, err
	}
	return u, hash, err
}

func (a *app) signIn(w http.ResponseWriter, r *http.Request) error {
	email := strings.ToLower(strings.TrimSpace(r.PostFormValue("email")))
	u, hash, err := a.findUser(r.Context(), email)
	if err != nil {
		return err
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(r.PostFormValue("password"))) != nil || u == nil {
		return render(w, r, http.StatusUnauthorized, view{Email: email, Error: "This email and password do not belong together."})
	}
	// A token that somebody planted before is worth nothing after.
	if err = a.sessions.RenewToken(r.Context()); err == nil {
		a.sessions.Put(r.Context(), "user", u.Email)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	return err
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) error {
	err := a.sessions.Destroy(r.Context())
	if err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	return err
}

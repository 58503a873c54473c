package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"

	"github.com/postern-go/postern"
)

// visitors knows browsers by the values of their cookies, and gives each a name. A
// real application has users who sign in.
type visitors struct{ names sync.Map }

const cookieName = "visitor"

// of returns the visitor's name, or "".
func (v *visitors) of(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	name, _ := v.names.Load(cookie.Value)
	known, _ := name.(string)
	return known
}

func (v *visitors) welcome(w http.ResponseWriter, r *http.Request) {
	if v.of(r) != "" {
		return
	}
	value := rand.Text()
	v.names.Store(value, rand.Text())
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// authorize is the authorizer of every upload.
func (v *visitors) authorize(r *http.Request, u *postern.Upload) error {
	if u.Subject = v.of(r); u.Subject == "" {
		return postern.ErrUnauthenticated
	}
	return nil
}

// uploads are the receipts by their keys. A real application has a table of them.
type uploads struct{ receipts sync.Map }

// add is called when an upload is complete, perhaps twice.
func (u *uploads) add(_ context.Context, r *postern.Receipt) error {
	u.receipts.Store(r.Key, *r)
	return nil
}

// of returns the receipt of a key, if the upload is the visitor's.
func (u *uploads) of(visitor, key string) (postern.Receipt, bool) {
	found, _ := u.receipts.Load(key)
	receipt, ok := found.(postern.Receipt)
	return receipt, ok && visitor != "" && receipt.Subject == visitor
}

package main

import (
	"crypto/rand"
	"net/http"

	"github.com/postern-go/postern"
)

// sessionCookie is what a browser is known by. Forms, and some clients, can send
// no other credential. "Lax" lets it come along when the bucket sends the browser
// back after a form.
const sessionCookie = "session"

// tenants are the demo's customers.
var tenants = []string{"acme", "globex"}

// sessions knows them by the values of their cookies, which are
// new each time the program starts. A real application has users and passwords.
type sessions map[string]string

func newSessions() sessions {
	s := sessions{}
	for _, tenant := range tenants {
		s[rand.Text()] = tenant
	}
	return s
}

// tenant returns who is signed in, or "".
func (s sessions) tenant(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return s[cookie.Value]
}

// authorize is the authorizer of every upload.
func (s sessions) authorize(r *http.Request, u *postern.Upload) error {
	tenant := s.tenant(r)
	if tenant == "" {
		return postern.ErrUnauthenticated
	}
	u.Subject, u.Tenant = "demo@"+tenant, tenant
	return nil
}

// signIn takes the form at the top of a page, and goes back there.
func (s sessions) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
	for value, tenant := range s {
		if tenant == r.PostFormValue("tenant") {
			http.SetCookie(w, &http.Cookie{
				Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
			})
		}
	}
	http.Redirect(w, r, "./", http.StatusSeeOther)
}

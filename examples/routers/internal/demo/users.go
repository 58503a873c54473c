package demo

import (
	"context"
	"net/http"

	"github.com/postern-go/postern"
)

// users maps tokens to users. A real application has sessions instead.
var users = map[string]string{
	"Bearer alice-demo": "alice",
	"Bearer bob-demo":   "bob",
}

// Authenticate returns whose token the request bears.
func Authenticate(authorization string) (user string, ok bool) {
	user, ok = users[authorization]
	return user, ok
}

type userKey struct{}

// WithUser puts the user where the authorizer of [New] looks: into the context of
// the request.
func WithUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// UserFrom returns the user of a request, or "".
func UserFrom(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}

// RequireUser is a middleware as one has it in net/http: it refuses strangers and
// puts the user into the context of the request.
func RequireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, ok := Authenticate(r.Header.Get("Authorization"))
		if !ok {
			postern.Refuse(w, r, postern.ErrUnauthenticated)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithUser(r.Context(), user)))
	})
}

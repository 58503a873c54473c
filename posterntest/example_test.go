package posterntest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/posterntest"
	"github.com/postern-go/postern/s3test"
)

// newApp is what an application gives to http.Server, with the bucket that it is told.
func newApp(bucket postern.Bucket) (http.Handler, error) {
	uploads, err := postern.New(bucket,
		postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
			name, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer of-")
			if !found {
				return postern.ErrUnauthenticated
			}
			u.Subject, u.Tenant = name, "company-of-"+name
			return nil
		}),
		postern.WithContentTypes("image/*"),
	)
	mux := http.NewServeMux()
	mux.Handle("/uploads/", uploads)
	return mux, err
}

// A test of an application attacks what it gives to http.Server.
func ExampleAttack() {
	_ = func(t *testing.T) { // func TestNobodyGetsThrough(t *testing.T)
		s3 := s3test.Start(t)
		app, err := newApp(postern.Bucket{Name: s3.Bucket, Region: s3.Region, Endpoint: s3.Endpoint, Credentials: s3.Credentials()})
		if err != nil {
			t.Fatal(err)
		}
		posterntest.Attack(t, app, posterntest.Target{
			S3:       s3,
			Path:     "/uploads",
			User:     func(r *http.Request) { r.Header.Set("Authorization", "Bearer of-ada") },
			Stranger: func(r *http.Request) { r.Header.Set("Authorization", "Bearer of-eve") },
		})
	}
}

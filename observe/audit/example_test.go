package audit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/observe/audit"
)

func Example() {
	log := audit.New(os.Stdout, audit.WithClock(func() time.Time { return time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC) }))
	handler, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: credentials},
		postern.WithObserver(log.Observe),
		postern.WithContentTypes("image/*"),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "acme"
			return nil
		}),
	)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(`{"filename":"a.exe","type":"application/x-msdownload","size":1000}`))
	r.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// {"v":1,"time":"2026-02-28T12:00:00.000Z","kind":"request","tenant":"acme","subject":"ada","action":"sign","type":"application/vnd.microsoft.portable-executable","size":1000,"verdict":"refused","status":415,"code":"type_not_allowed"}
}

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
})

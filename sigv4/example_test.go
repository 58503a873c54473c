package sigv4_test

import (
	"fmt"
	"time"

	"github.com/postern-go/postern/sigv4"
)

var credentials = sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}

func ExampleSigner_SignPost() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	form, err := sigv4.NewSigner("eu-central-1").SignPost(credentials, now, sigv4.Policy{
		Expires: now.Add(5 * time.Minute),
		Conditions: []sigv4.Condition{
			sigv4.Exact("bucket", "acme-uploads"),
			sigv4.Exact("key", "acme/photo.png"),
			sigv4.Exact("Content-Type", "image/png"),
			sigv4.ContentLengthRange(1, 10<<20),
		},
	})
	if err != nil {
		panic(err)
	}
	for _, field := range form {
		fmt.Println(field.Name)
	}
	// Output:
	// key
	// Content-Type
	// x-amz-algorithm
	// x-amz-credential
	// x-amz-date
	// policy
	// x-amz-signature
}

func ExampleSigner_Presign() {
	url, err := sigv4.NewSigner("us-east-1").Presign(credentials,
		time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		sigv4.Request{
			Method:   "GET",
			Endpoint: "https://acme-uploads.s3.us-east-1.amazonaws.com",
			Path:     "/acme/annual report.pdf",
			Expires:  time.Minute,
		})
	if err != nil {
		panic(err)
	}
	fmt.Println(url[:82])
	// Output: https://acme-uploads.s3.us-east-1.amazonaws.com/acme/annual%20report.pdf?X-Amz-Alg
}

package s3test_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/postern-go/postern/s3test"
)

func Example() {
	// In a test: s3test.Start(t).
	srv, err := s3test.New("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	ctx := context.Background()
	signer, err := srv.PutOnlyUser(ctx, "staging/") // sign grants with these
	if err != nil {
		log.Fatal(err)
	}
	_, err = srv.ClientFor(signer).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &srv.Bucket,
		Key:    aws.String("staging/cat.txt"),
		Body:   strings.NewReader("meow"),
	})
	if err != nil {
		log.Fatal(err)
	}

	head, err := srv.Client().HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &srv.Bucket,
		Key:    aws.String("staging/cat.txt"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*head.ContentLength, "bytes in", srv.Bucket)
	// Output: 4 bytes in uploads
}

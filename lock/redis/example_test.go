package redislock_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern"
	redislock "github.com/postern-go/postern/lock/redis"
)

func ExampleNew() {
	client := redis.NewClient(&redis.Options{Addr: "redis.internal:6379"})
	defer client.Close()

	handler, err := postern.New(
		postern.Bucket{
			Name:               "acme-uploads",
			Endpoint:           "https://s3.eu-central-003.backblazeb2.com",
			Credentials:        signing,
			ServiceCredentials: service,
		},
		postern.WithAuthorizer(authorize),
		postern.WithPromotion("staging/"),
		postern.WithLocker(redislock.New(client)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("/uploads/", handler)
	// Output:
}

// In a program, these come from its configuration.
var (
	signing = credentials("AKIAIOSFODNN7EXAMPLE")
	service = credentials("AKIAI44QH8DHBEXAMPLE")
)

func credentials(id string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret"}, nil
	})
}

func authorize(r *http.Request, u *postern.Upload) error {
	u.Subject = "ada" // in a program, of the session
	return nil
}

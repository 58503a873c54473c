package pglock_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-go/postern"
	pglock "github.com/postern-go/postern/lock/postgres"
)

func ExampleNew() {
	// A pool of its own, twice as large as the copies that should go on at once.
	pool, err := pgxpool.New(context.Background(), "postgres://postern@db.internal/uploads?pool_max_conns=32")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	handler, err := postern.New(
		postern.Bucket{
			Name:               "acme-uploads",
			Endpoint:           "https://s3.eu-central-003.backblazeb2.com",
			Credentials:        signing,
			ServiceCredentials: service,
		},
		postern.WithAuthorizer(authorize),
		postern.WithPromotion("staging/"),
		postern.WithLocker(pglock.New(pool)),
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

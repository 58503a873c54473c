package pgquota_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/quota"
	pgquota "github.com/postern-go/postern/quota/postgres"
)

func ExampleNew() {
	pool, err := pgxpool.New(context.Background(), "postgres://postern@db.internal/uploads")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	store := pgquota.New(pool) // store.Create(ctx) makes its tables once

	handler, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: signing},
		postern.WithAuthorizer(authorize),
		postern.WithPromotion("staging/"),
		postern.WithQuota(store, func(*http.Request, *postern.Upload) postern.Quota {
			return postern.Quota{Tenant: quota.Bytes(5 << 30).Files(10_000), Subject: quota.PerMinute(60)}
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("/uploads/", handler)
	// Output:
}

// In a program, these come from its configuration and its sessions.
var signing = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}, nil
})

func authorize(_ *http.Request, u *postern.Upload) error {
	u.Subject, u.Tenant = "ada", "acme"
	return nil
}

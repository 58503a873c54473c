package chaos_test

import (
	"context"
	"fmt"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/s3test"
)

// s3Role is a server on a folder that stays.
type s3Role struct {
	Dir, Addr     string
	Root, Signing [2]string // keys and their secrets
	Provider      postern.Provider
	First         bool
}

func (r *s3Role) run() error {
	srv, err := s3test.New(r.Dir, r.Addr, s3test.Like(r.Provider), s3test.WithCredentials(r.Root[0], r.Root[1]))
	if err != nil {
		return err
	}
	if r.First {
		err := srv.AddUser(context.Background(), r.Signing[0], r.Signing[1], s3test.Permission{Action: "s3:PutObject", Keys: "*"})
		if err != nil {
			return err
		}
	}
	fmt.Println(srv.Endpoint)
	endWithTest()
	return nil
}

// Package chaos_test loses everything but the files: replicas, S3 and PostgreSQL are
// processes that are killed, stopped and cut off, hooks fail, browsers vanish at every
// step. In the end each file that has arrived whole is known to the application.
package chaos_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/postern-go/postern"
)

// The schedule of faults, and what each browser does, follow from the seed. What they
// meet does not: that is the processes' own.
var (
	seedFlag     = flag.Uint64("seed", 0, "the seed of the chaos; 0 takes one by chance")
	chaosFlag    = flag.Duration("chaos", 40*time.Second, "how long the chaos lasts, at least")
	uploadsFlag  = flag.Int("uploads", 500, "how many uploads there are, at least")
	providerFlag = flag.String("provider", "", "the provider that S3 is like; by the seed if it is empty")
)

// roleVariable makes a process of the test binary a part of the deployment.
const roleVariable = "POSTERN_CHAOS_ROLE"

// role is what such a process is told.
type role struct {
	S3      *s3Role
	Replica *replicaRole
}

func TestMain(m *testing.M) {
	encoded := os.Getenv(roleVariable)
	if encoded == "" {
		os.Exit(m.Run())
	}
	var r role
	err := json.Unmarshal([]byte(encoded), &r)
	switch {
	case err != nil:
	case r.S3 != nil:
		err = r.S3.run()
	case r.Replica != nil:
		err = r.Replica.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// endWithTest ends the process with the test, whose end closes the standard input.
func endWithTest() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(2)
}

// providers are those whose freeze is conditional, and one that has elections.
var providers = []postern.Provider{postern.VersityGW, postern.AmazonS3, postern.MinIO, postern.CloudflareR2}

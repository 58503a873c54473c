package gallery_test

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/servertest"
)

// started tells whether there is anything to stop.
var started bool

// postgres starts a server, once for all tests.
var postgres = sync.OnceValues(func() (*servertest.Postgres, error) {
	s, err := servertest.NewPostgres("gallery")
	started = err == nil
	return s, err
})

// database makes an empty database and returns its URL.
func database(t *testing.T) string {
	t.Helper()
	s, err := postgres()
	require.NoError(t, err)
	name := "gallery_" + strings.ToLower(rand.Text())
	require.NoError(t, s.CreateDatabase(name))
	return s.URL(s.Addr(), name)
}

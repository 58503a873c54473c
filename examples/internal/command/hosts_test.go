package command_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/examples/internal/command"
)

func TestOnlyLocalHostsAreAnswered(t *testing.T) {
	h := command.LocalHosts("Demo.example.com:8080", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, status := range map[string]int{
		"localhost:8080": 200, "localhost": 200, "app.localhost:8080": 200, "LOCALHOST": 200,
		"127.0.0.1:8080": 200, "[::1]:8080": 200, "192.168.1.7:8080": 200,
		"demo.example.com:8080": 200,
		"evil.example":          421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421, "": 421,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, status, w.Code, host)
	}
}

package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/examples/routers/internal/demo"
	"github.com/postern-go/postern/examples/routers/internal/routertest"
)

func TestRouter(t *testing.T) {
	gin.SetMode(gin.TestMode)
	routertest.RunHTTP(t, newRouter)
}

// Where gin finds no route, it answers 404 unless the handler says otherwise.
func TestUploadsInThePlaceOfNoRoute(t *testing.T) {
	gin.SetMode(gin.TestMode)
	routertest.RunHTTP(t, func(uploads http.Handler) http.Handler {
		r := gin.New()
		r.NoRoute(func(c *gin.Context) {
			if !strings.HasPrefix(c.Request.URL.Path, "/api/") {
				gin.WrapH(demo.Page())(c)
				c.Abort()
			}
		}, requireUser, mount(uploads))
		return r
	})
}

func TestTheRecoveryOfGinCompletesAnAnswerThatIsBrokenOff(t *testing.T) {
	gin.SetMode(gin.TestMode)
	require.NoError(t, routertest.BreakOff(t, demo.HTTP(func(uploads http.Handler) http.Handler {
		r := gin.New()
		r.Use(gin.CustomRecoveryWithWriter(nil, nil))
		r.Any("/api/uploads/*action", gin.WrapH(uploads))
		return r
	})))
}

package main

import (
	"testing"

	"github.com/postern-go/postern/examples/routers/internal/routertest"
)

func TestRouter(t *testing.T) { routertest.RunHTTP(t, newRouter) }

package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMistakesAreSaidInOneLine(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"npm has not run", []string{"-node-modules", missing},
			`clients: ` + missing + ` is missing: run "npm ci --ignore-scripts" in the folder of package.json (or see -node-modules)`},
		{"the folder is missing", []string{"-node-modules", t.TempDir(), "-dir", missing},
			"clients: the folder " + missing + " does not exist: make it, or choose another with -dir"},
		{"a package is missing", []string{"-node-modules", t.TempDir(), "-dir", t.TempDir()},
			`clients: no such module: @uppy/core: run "npm ci --ignore-scripts" in the folder of package.json`},
		{"an argument too many", []string{"x"}, `clients: unexpected argument "x" (see -h)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.Equal(t, 1, run(ctx, append([]string{"-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0"}, c.args...), &stdout, &stderr))
			require.Equal(t, c.want, strings.TrimSpace(stderr.String()))
			require.Empty(t, stdout.String())
		})
	}
}

func TestHelpIsNoMistake(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &stdout, &stderr))
	require.Empty(t, stderr.String())
	for _, name := range []string{"-addr", "-s3-addr", "-dir", "-node-modules"} {
		require.Contains(t, stdout.String(), "  "+name)
	}
}

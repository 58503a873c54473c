package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretsLastAndAreForNobodyElse(t *testing.T) {
	dir := t.TempDir()
	first, err := openFolder(dir)
	require.NoError(t, err)
	require.Len(t, first.TicketKey, 32)
	first.SignerID, first.SignerSecret = "id", "secret"
	require.NoError(t, first.save())

	info, err := os.Stat(filepath.Join(dir, secretsFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	second, err := openFolder(dir)
	require.NoError(t, err)
	require.Equal(t, first.secrets, second.secrets)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left")
}

func TestDamagedSecretsAreSaid(t *testing.T) {
	for _, content := range []string{"", "{}", `{"TicketKey":"c2hvcnQ="}`, "\x00"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, secretsFile), []byte(content), 0o600))
		_, err := openFolder(dir)
		require.EqualError(t, err, filepath.Join(dir, secretsFile)+" is damaged: remove it, and uploads that are on their way begin again")
	}
}

func TestTheEmbeddedServersSignerLasts(t *testing.T) {
	without(t)
	dir := t.TempDir()
	var ids []string
	for range 2 {
		_, stop := start(t, "-addr", "127.0.0.1:0", "-s3-addr", "127.0.0.1:0", "-dir", dir)
		stop()
		f, err := openFolder(dir)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(f.SignerID, "S3TEST"))
		ids = append(ids, f.SignerID)
	}
	require.Equal(t, ids[0], ids[1])
}

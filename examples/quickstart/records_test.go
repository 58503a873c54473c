package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func receipt(id, tenant string) *postern.Receipt {
	return &postern.Receipt{
		ID: id, Tenant: tenant, Subject: "demo@" + tenant, Key: tenant + "/" + id,
		Filename: id + ".txt", Type: "text/plain", Size: 5 << 30,
	}
}

func TestEachReceiptIsRecordedOnce(t *testing.T) {
	// A path may have what means something in a URI.
	dir := filepath.Join(t.TempDir(), "a b?c=d%41#e")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "uploads.db")
	r, err := openRecords(path)
	require.NoError(t, err)

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				assert.NoError(t, r.add(t.Context(), receipt("1", "acme")))
			}
		})
	}
	wg.Wait()
	time.Sleep(2 * time.Millisecond)
	require.NoError(t, r.add(t.Context(), receipt("2", "acme")))
	require.NoError(t, r.add(t.Context(), receipt("3", "globex")))
	r.close()
	require.FileExists(t, path)

	r, err = openRecords(path)
	require.NoError(t, err)
	defer r.close()
	files, err := r.of(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, files, 2, "the other tenant's is not among them")
	require.Equal(t, "2.txt", files[0].Filename, "the last is first")
	require.EqualValues(t, 5<<30, files[1].Size)
	require.WithinDuration(t, time.Now(), time.UnixMilli(files[1].Completed), time.Minute)
	files, err = r.of(t.Context(), "nobody")
	require.NoError(t, err)
	require.Equal(t, []record{}, files, "an empty list in JSON")
}

package documents_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/documents"
)

// The page shows what the command prints.
func TestDocumentsAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/bucket.md")
	require.NoError(t, err)
	for name, document := range map[string]string{
		"CORS":            documents.CORS("amazon-s3", "https://app.example.com"),
		"signing policy":  documents.SigningPolicy("acme-uploads", "staging/"),
		"service policy":  documents.ServicePolicy("acme-uploads"),
		"bucket's policy": documents.BucketPolicy("acme-uploads", "staging/", "signer", "service"),
	} {
		require.Contains(t, string(page), "```json\n"+document+"```", name)
	}
}

func TestLifecycleRulesAreThoseOfTheFiles(t *testing.T) {
	paths, err := filepath.Glob("../../docs/lifecycle/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		document, ok := documents.Lifecycle(strings.TrimSuffix(filepath.Base(path), ".json"), "staging/", 3)
		require.True(t, ok)
		require.Equal(t, string(text), document, path)
	}
	_, ok := documents.Lifecycle("versitygw", "staging/", 3)
	require.False(t, ok)
}

func TestDocumentsAreJSONWhateverTheNames(t *testing.T) {
	odd := `a"b\c<d>` + "\n"
	lifecycle, _ := documents.Lifecycle("minio", odd, 3)
	for _, document := range []string{
		documents.CORS("cloudflare-r2", odd, odd), documents.SigningPolicy(odd, odd), documents.ServicePolicy(odd, odd),
		documents.BucketPolicy(odd, odd, odd, odd), lifecycle,
	} {
		require.True(t, json.Valid([]byte(document)), document)
	}
}

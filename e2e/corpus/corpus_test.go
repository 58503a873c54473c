// Package corpus_test holds files that real programs wrote, and lies, against the
// types that browsers declare for them.
package corpus_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/sniff"
)

// pair is a file, the type that somebody declares for it, and who does.
type pair struct{ file, declared, who string }

// honestPairs reads the table. The types are those of Chrome's and Firefox's
// lists, of Safari's uniform types, of Windows' registry, of Android's map, and of
// the databases of Linux, which the browsers ask.
func honestPairs(t *testing.T) []pair {
	data, err := os.ReadFile("testdata/pairs.tsv")
	require.NoError(t, err)
	var pairs []pair
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		cells := strings.Split(line, "\t")
		require.Len(t, cells, 3, line)
		pairs = append(pairs, pair{cells[0], cells[1], cells[2]})
	}
	return pairs
}

// head reads what completion would look at. The files of LibreOffice are kept, the
// others are written by scripts/corpus.
func head(t *testing.T, name string) []byte {
	path := filepath.Join("testdata/files", name)
	if strings.HasPrefix(name, "libreoffice/") {
		path = filepath.Join("testdata", name)
	}
	file, err := os.Open(path)
	require.NoError(t, err, "run scripts/corpus first")
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, sniff.Length))
	require.NoError(t, err)
	require.NotEmpty(t, data, name)
	return data
}

func TestHonestFilesAreAccepted(t *testing.T) {
	pairs := honestPairs(t)
	require.GreaterOrEqual(t, len(pairs), 120)
	told, refused := 0, []string{}
	for _, p := range pairs {
		granted, err := mediatype.Parse(p.declared)
		if err != nil {
			refused = append(refused, fmt.Sprintf("%s as %q (%s): %v", p.file, p.declared, p.who, err))
			continue
		}
		switch verdict, found := sniff.Judge(head(t, p.file), granted.Essence); verdict {
		case sniff.Agrees:
			told++
		case sniff.Contradicts:
			refused = append(refused, fmt.Sprintf("%s as %q (%s): it seems to be %s", p.file, p.declared, p.who, found))
		}
	}
	fmt.Printf("%d honest pairs of file and type: %d refused (%.1f %%), %d recognized\n",
		len(pairs), len(refused), 100*float64(len(refused))/float64(len(pairs)), told)
	require.LessOrEqual(t, 100*len(refused), len(pairs), "more than 1 %% are refused:\n%s", strings.Join(refused, "\n"))
	require.Greater(t, 10*told, 8*len(pairs), "most files are recognized")
}

// What scripts/corpus writes and no pair names tests nothing.
func TestEveryFileIsInAPair(t *testing.T) {
	used := map[string]bool{"two.txt": true} // a file of the archives
	for _, p := range honestPairs(t) {
		used[p.file] = true
	}
	for folder, prefix := range map[string]string{"testdata/files": "", "testdata/libreoffice": "libreoffice/"} {
		entries, err := os.ReadDir(folder)
		require.NoError(t, err, "run scripts/corpus first")
		for _, e := range entries {
			if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				require.True(t, used[prefix+e.Name()], e.Name())
			}
		}
	}
}

package postern

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/internal/completion"
)

// The table in docs/bucket.md is that of the code.
func TestProvidersAreDocumented(t *testing.T) {
	source, err := os.ReadFile("provider.go")
	require.NoError(t, err)
	page, err := os.ReadFile("docs/bucket.md")
	require.NoError(t, err)
	names := regexp.MustCompile(`(?m)^\t(\w+) +Provider = "([^"]+)"$`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, names, len(providers))
	for _, name := range names {
		known := providers[Provider(name[2])]
		a := known.abilities
		engine := completion.New(completion.Config{CopyPartIfMatch: a.CopyPartIfMatch, CompleteIfAbsent: a.CompleteIfAbsent, PutIfAbsent: a.PutIfAbsent})
		cells := []string{"`" + name[1] + "`", yes(len(known.hosts) > 0)}
		for _, able := range []bool{a.PostForms, a.PutIfAbsent, a.CompleteIfAbsent, a.CopyPartIfMatch, a.DeleteIfMatch, a.PartSums, a.RejectsUnsigned} {
			cells = append(cells, yes(able))
		}
		require.Contains(t, string(page), "| "+strings.Join(append(cells, engine.Method()), " | ")+" | ")
	}
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

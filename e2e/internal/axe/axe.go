// Package axe has axe-core look at pages: what assistive technology could not tell of
// them, and what people could not read.
package axe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/browser"
	"github.com/postern-go/postern/e2e/internal/program"
)

// Check fails for what axe-core finds on a page, but for the elements of some selectors,
// which others have made. It comes with the development dependencies of the client.
func Check(t testing.TB, page *browser.Page, what string, others ...string) {
	t.Helper()
	if !browser.Eval[bool](page, `"axe" in window`) {
		examples, err := program.Examples()
		require.NoError(t, err)
		script, err := os.ReadFile(filepath.Join(examples, "..", "client", "node_modules", "axe-core", "axe.min.js"))
		require.NoError(t, err, "run scripts/npm client")
		browser.Eval[bool](page, "(() => {"+string(script)+"\nreturn true; })()")
	}
	exclude, err := json.Marshal(append([]string{}, others...))
	require.NoError(t, err)
	found := browser.Eval[json.RawMessage](page, `axe.run({ include: document, exclude: `+string(exclude)+` }, { runOnly: { type: "tag",
		values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"] } })
		.then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => html + failureSummary)]))`)
	require.JSONEq(t, `[]`, string(found), what)
}

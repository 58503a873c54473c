package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSectionsAreReplacedInTheirPlace(t *testing.T) {
	document := replace("", Section{"One", "1"})
	document = replace(document, Section{"Two", "2"})
	require.Equal(t, title+"\n## One\n\n1\n\n## Two\n\n2\n", document)
	require.Equal(t, title+"\n## One\n\nnew\n\n## Two\n\n2\n", replace(document, Section{"One", "new"}))
	require.Equal(t, title+"\n## One\n\n1\n\n## Two\n\nnew\n", replace(document, Section{"Two", "new\n"}))
}

package client_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheComponentIsServedBesideTheModule(t *testing.T) {
	for name, contentType := range map[string]string{
		"postern-upload.js":   "text/javascript; charset=utf-8",
		"postern-upload.d.ts": "application/typescript; charset=utf-8",
	} {
		got := request("GET", "/client/"+name, "")
		require.Equal(t, 200, got.StatusCode)
		require.Equal(t, contentType, got.Header.Get("Content-Type"))
		var body bytes.Buffer
		_, err := body.ReadFrom(got.Body)
		require.NoError(t, err)
		require.Equal(t, read(t, name), body.String())
	}
}

// TestTheModulesStaySmall holds the component to 9.75 kB on the wire, and the
// module that it needs to 6.
func TestTheModulesStaySmall(t *testing.T) {
	for name, most := range map[string]int{"postern-upload.js": 9750, "postern.js": 6000} {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		require.NoError(t, err)
		_, err = w.Write([]byte(read(t, name)))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.LessOrEqual(t, b.Len(), most, name)
		t.Logf("%s: %d bytes gzipped", name, b.Len())
	}
}

func TestTheComponentNeedsTheModuleAlone(t *testing.T) {
	require.Equal(t, []string{"./postern.js"}, found(read(t, "postern-upload.js"), `(?m)^import .* from "(.*)";`))
}

// TestTheComponentsTypesNameItsMembers compares the names; a compiler compares the
// rest.
func TestTheComponentsTypesNameItsMembers(t *testing.T) {
	code, types := read(t, "postern-upload.js"), read(t, "postern-upload.d.ts")
	const exports = `(?m)^export (?:const|class) (\w+)`
	require.ElementsMatch(t, found(code, exports), found(types, exports))

	reflected := found(code, `(?s)const REFLECTED = (\{.*?\n\})`)
	require.Len(t, reflected, 1)
	members := found(reflected[0], `(\w+):`)
	members = append(members, found(code, `(?m)^  (?:get )?([a-z]\w+)\(\w*\) \{`)...)
	callbacks := regexp.MustCompile(`Callback$|^constructor$`)
	var public []string
	for _, name := range append(members, "headers", "metadata") {
		if !callbacks.MatchString(name) {
			public = append(public, name)
		}
	}
	class := found(types, `(?s)export class PosternUpload extends HTMLElement (\{.*?\n\})`)
	require.Len(t, class, 1)
	require.ElementsMatch(t, public, found(class[0], `(?m)^  (?:get )?(\w+)\??(?:: |\()`))
}

// TestTheComponentsDocumentationNamesWhatIsThere goes by the code.
func TestTheComponentsDocumentationNamesWhatIsThere(t *testing.T) {
	code, types := read(t, "postern-upload.js"), read(t, "postern-upload.d.ts")
	for _, pattern := range []string{
		`var\((--postern-\w+)`, `part: "(\w+)"`, `slot", \{ name: "(\w+)"`, `#state\("(\w+)"`,
	} {
		names := found(code, pattern)
		require.NotEmpty(t, names, pattern)
		for _, name := range names {
			require.Contains(t, types, "`"+name+"`")
		}
	}
	for _, event := range found(code, `#tell\("(\w+)"`) {
		require.Contains(t, types, `"postern-`+event+`"`)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}

// found returns what the pattern's group matches, each once.
func found(text, pattern string) (names []string) {
	seen := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		if !seen[match[1]] {
			seen[match[1]] = true
			names = append(names, match[1])
		}
	}
	return names
}

package postern_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// pages are the documentation, by path.
func pages(t *testing.T) map[string]string {
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			all[filepath.ToSlash(path)] = string(text)
		}
	}
	require.Contains(t, all, "README.md")
	return all
}

var (
	codeBlock = regexp.MustCompile("(?s)\n *```.*?\n *```")
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// anchors are the names by which a page's headings are linked to.
func anchors(page string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, h[1]))
	}
	return names
}

func TestLinksOfTheDocumentationResolve(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, found := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			to := path
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
				_, err := os.Stat(to)
				if err != nil && inOtherModule(to) {
					continue
				}
				require.NoErrorf(t, err, "%s links to %s", path, found[1])
			}
			if anchor != "" {
				require.Containsf(t, anchors(all[to]), anchor, "%s links to %s", path, found[1])
			}
		}
	}
}

// inOtherModule reports whether a path is in a module that is not here: the archive of
// this one has none of the others.
func inOtherModule(path string) bool {
	for _, module := range []string{"s3test", "examples", "bench", "e2e", "observe/prometheus", "observe/otel"} {
		if path == module || strings.HasPrefix(path, module+"/") {
			_, err := os.Stat(module)
			return os.IsNotExist(err)
		}
	}
	return false
}

// declarations calls fn with what a file of this package declares.
func declarations(t *testing.T, file string, fn func(ast.Node)) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	for _, d := range parsed.Decls {
		fn(d)
	}
}

func TestEveryOptionIsDocumentedForItsConstructors(t *testing.T) {
	rows := map[string]string{} // the last cell of the table's row
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)\\(.*\\| ([^|]*) \\|$").FindAllStringSubmatch(pages(t)["docs/options.md"], -1) {
		rows[row[1]] = row[2]
	}
	options := 0
	declarations(t, "options.go", func(d ast.Node) {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Recv != nil || !fn.Name.IsExported() {
			return
		}
		options++
		want := "`New`, `NewIssuer`"
		if fn.Type.Results.List[0].Type.(*ast.Ident).Name == "HandlerOption" {
			want = "`New`"
		}
		require.Equal(t, want, rows[fn.Name.Name], fn.Name.Name)
	})
	require.Len(t, rows, options, "a row for something else")
}

func TestEveryProblemIsDocumentedWithItsStatus(t *testing.T) {
	protocol := pages(t)["docs/protocol.md"]
	problems := 0
	declarations(t, "problem.go", func(d ast.Node) {
		ast.Inspect(d, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "NewProblem" {
				return true
			}
			problems++
			status := call.Args[0].(*ast.BasicLit).Value
			code, err := strconv.Unquote(call.Args[1].(*ast.BasicLit).Value)
			require.NoError(t, err)
			row := regexp.MustCompile("(?m)^\\| .*`" + code + "`.*\\| " + status + " \\|")
			require.Truef(t, row.MatchString(protocol), "docs/protocol.md has no row of %s with %s", code, status)
			return false
		})
	})
	require.Greater(t, problems, 40)
}

// Each document for a provider's lifecycle rules is on the page, and no other.
func TestLifecycleDocumentsAreThoseOfTheFiles(t *testing.T) {
	_, section, ok := strings.Cut(pages(t)["docs/bucket.md"], "\n## Lifecycle\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	var shown []string
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(section, -1) {
		shown = append(shown, block[1])
	}
	paths, err := filepath.Glob("docs/lifecycle/*.json")
	require.NoError(t, err)
	var documents []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		documents = append(documents, string(text))
		require.Contains(t, section, "](lifecycle/"+filepath.Base(path)+")")
		require.Contains(t, shown, string(text), path)
	}
	require.Subset(t, documents, shown)
}

// TestUnitsAreNamedRight: kB, MB and GB are powers of ten, KiB, MiB and GiB of two, as
// Intl and the server's messages have them. KB is neither.
func TestUnitsAreNamedRight(t *testing.T) {
	wrong := regexp.MustCompile(`\d[\d.,]*[ \x{a0}]?(KB|Kb|kb|Mb|Gb|mb|gb|KIB|MIB|kiB)\b`)
	read := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "node_modules", "data", "dist", "testdata"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".md", ".js", ".ts", ".html"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		read++
		require.Empty(t, wrong.FindAllString(string(text), -1), path)
		return err
	}))
	require.Greater(t, read, 300)
}

// SQLite refuses all writers but one at once, unless it is told to wait, and hooks run side by side.
func TestSQLiteIsToldToWait(t *testing.T) {
	opens := regexp.MustCompile(`sql\.Open\("sqlite.*`)
	shown := 0
	for path, text := range pages(t) {
		for _, open := range opens.FindAllString(text, -1) {
			shown++
			require.Contains(t, open, "busy_timeout(", path)
		}
	}
	require.NotZero(t, shown)
}

// A name that is no test's any more would run nothing, and pass.
func TestWhatEachBrowserRunsExists(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	require.NoError(t, err)
	list := regexp.MustCompile(`(?m)^SMOKE +:= \^Test\(([A-Za-z|]+)\)`).FindSubmatch(makefile)
	require.NotNil(t, list)
	var tests []byte
	for _, folder := range []string{"browser", "component", "clients"} {
		files, err := filepath.Glob("e2e/" + folder + "/*_test.go")
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests = append(tests, text...)
		}
	}
	for name := range strings.SplitSeq(string(list[1]), "|") {
		require.Contains(t, string(tests), "func Test"+name+"(t *testing.T)")
	}
}

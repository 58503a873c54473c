package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-go/postern/examples/internal/command"
)

// modules is a folder node_modules, from which browsers get packages as they are.
// Addresses below /npm/ are its files; below /npm/cjs/ its CommonJS modules, made
// into ES modules on the way out.
type modules struct{ fs.FS }

func openModules(dir string) (*modules, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%s is missing: run \"npm ci --ignore-scripts\" in the folder of package.json (or see -node-modules)", dir)
	}
	return &modules{command.Files{FS: os.DirFS(dir)}}, nil
}

const (
	asTheyAre = "/npm/"
	asModules = "/npm/cjs/"
)

func (m *modules) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox") // packages bring pages of their own
	w.Header().Set("Cache-Control", "no-cache")
	if name, ok := strings.CutPrefix(r.URL.Path, asModules); ok {
		source, err := fs.ReadFile(m, name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = io.WriteString(w, m.wrap(name, string(source)))
		return
	}
	if strings.HasSuffix(r.URL.Path, ".mjs") {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	}
	http.StripPrefix(asTheyAre, http.FileServerFS(m)).ServeHTTP(w, r)
}

// version names a package and the version that is installed.
func (m *modules) version(folder string) string {
	var p struct{ Name, Version string }
	if content, err := fs.ReadFile(m, folder+"/package.json"); err == nil {
		_ = json.Unmarshal(content, &p)
	}
	return p.Name + " " + p.Version
}

var (
	// Comments that look like imports find nothing, and so do no harm.
	imports  = regexp.MustCompile(`(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']`)
	requires = regexp.MustCompile(`\brequire\(\s*["']([^"'\n]+)["']\s*\)`)
	esModule = regexp.MustCompile(`(?m)(?:^|[;}])\s*(?:import\b\s*[\w"'{*]|export\b\s*[\w{*])`)
)

// wrap makes an ES module of a CommonJS one: what it requires is imported, and
// what it exports is the default.
func (m *modules) wrap(name, source string) string {
	var head, table strings.Builder
	seen := map[string]bool{}
	for _, match := range requires.FindAllStringSubmatch(source, -1) {
		found, err := m.resolve(match[1], name, nil)
		if err != nil || seen[match[1]] {
			continue
		}
		fmt.Fprintf(&head, "import $%d from %q;", len(seen), m.address(found))
		fmt.Fprintf(&table, "%q:$%d,", match[1], len(seen))
		seen[match[1]] = true
	}
	return head.String() + "const module={exports:{}},require=(n)=>({" + table.String() +
		"})[n];(function(module,exports,require){" + source +
		"\n}).call(module.exports,module,module.exports,require);export default module.exports;"
}

// address is where a browser gets a module.
func (m *modules) address(name string) string {
	if strings.HasSuffix(name, ".js") || strings.HasSuffix(name, ".cjs") {
		if source, err := fs.ReadFile(m, name); err == nil && !esModule.Match(source) {
			return asModules + name
		}
	}
	return asTheyAre + name
}

// importMap tells the browser where the modules are that those of some packages
// import by name, and theirs in turn. The keys of roots are what a page imports,
// the values the folders that stand for it. It is nil if there are none.
func (m *modules) importMap(roots map[string]string) ([]byte, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	c := &crawl{modules: m, roots: roots, seen: map[string]bool{}, Imports: map[string]string{}, Scopes: map[string]map[string]string{}}
	for _, specifier := range slices.Sorted(maps.Keys(roots)) {
		if err := c.add(specifier, "page.js"); err != nil {
			return nil, fmt.Errorf("%w: run \"npm ci --ignore-scripts\" in the folder of package.json", err)
		}
	}
	return json.Marshal(c)
}

// crawl follows imports.
type crawl struct {
	*modules `json:"-"`
	roots    map[string]string
	seen     map[string]bool

	Imports map[string]string            `json:"imports"`
	Scopes  map[string]map[string]string `json:"scopes"`
}

// add notes where a module is that another one imports, and goes on from there.
func (c *crawl) add(specifier, from string) error {
	found, err := c.resolve(specifier, from, c.roots)
	if err != nil {
		return err
	}
	address := c.address(found)
	switch relative := strings.HasPrefix(specifier, "."); {
	case relative && address != asTheyAre+found:
		c.Imports[asTheyAre+found] = address
	case relative:
	case c.Imports[specifier] == "" || c.Imports[specifier] == address:
		c.Imports[specifier] = address
	default: // another version, for this package alone
		scope := asTheyAre + packageOf(from) + "/"
		if c.Scopes[scope] == nil {
			c.Scopes[scope] = map[string]string{}
		}
		c.Scopes[scope][specifier] = address
	}
	if c.seen[found] || address != asTheyAre+found || strings.HasSuffix(found, ".json") {
		return nil
	}
	c.seen[found] = true
	source, err := fs.ReadFile(c, found)
	if err != nil {
		return err
	}
	for _, match := range imports.FindAllSubmatch(source, -1) {
		_ = c.add(string(match[1]), found) // the browser says what it lacks
	}
	return nil
}

// packageOf is the folder of the package to which a file belongs.
func packageOf(file string) string {
	root, rest := "", file
	if i := strings.LastIndex(file, "node_modules/"); i >= 0 {
		root, rest = file[:i+len("node_modules/")], file[i+len("node_modules/"):]
	}
	name, _ := split(rest)
	return root + name
}

// split takes a specifier apart: the package, and what is wanted of it.
func split(specifier string) (name, rest string) {
	parts := strings.SplitN(specifier, "/", 3)
	if strings.HasPrefix(specifier, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1], strings.Join(parts[2:], "/")
	}
	return parts[0], strings.Join(parts[1:], "/")
}

var errNoModule = errors.New("no such module")

// resolve finds the file that a specifier means, by the rules of Node.js for
// browsers. aliases go before.
func (m *modules) resolve(specifier, from string, aliases map[string]string) (string, error) {
	if strings.HasPrefix(specifier, ".") {
		return m.file(path.Join(path.Dir(from), specifier))
	}
	name, rest := split(specifier)
	folders := []string{name}
	if alias, ok := aliases[name]; ok {
		folders = []string{alias}
	} else if from = packageOf(from); from != "" {
		folders = []string{from + "/node_modules/" + name, name}
	}
	for _, folder := range folders {
		if content, err := fs.ReadFile(m, folder+"/package.json"); err == nil {
			return m.entry(folder, rest, content)
		}
	}
	return "", fmt.Errorf("%w: %s", errNoModule, specifier)
}

// entry finds a module of a package, by its package.json.
func (m *modules) entry(folder, rest string, content []byte) (string, error) {
	var p struct {
		Exports      json.RawMessage
		Module, Main string
	}
	if err := json.Unmarshal(content, &p); err != nil {
		return "", err
	}
	if p.Exports != nil {
		target := exported(p.Exports, strings.TrimSuffix("./"+rest, "/"))
		if target == "" {
			return "", fmt.Errorf("%w: %s has no %q", errNoModule, folder, rest)
		}
		return m.file(path.Join(folder, target))
	}
	switch {
	case rest != "":
	case p.Module != "":
		rest = p.Module
	case p.Main != "":
		rest = p.Main
	default:
		rest = "index.js"
	}
	return m.file(path.Join(folder, rest))
}

// exported reads the member "exports": a path, conditions, or subpaths with either.
func exported(exports json.RawMessage, subpath string) string {
	var target string
	if json.Unmarshal(exports, &target) == nil {
		return target
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(exports, &members) != nil {
		return ""
	}
	if _, subpaths := members["."]; subpaths {
		return exported(members[strings.TrimSuffix(subpath, "/")], "")
	}
	for _, condition := range []string{"browser", "import", "default"} {
		if target := exported(members[condition], ""); target != "" {
			return target
		}
	}
	return ""
}

// file finds a file whose extension may be left out, as CommonJS does.
func (m *modules) file(name string) (string, error) {
	for _, ending := range []string{"", ".js", "/index.js"} {
		if info, err := fs.Stat(m, name+ending); err == nil && !info.IsDir() {
			return name + ending, nil
		}
	}
	return "", fmt.Errorf("%w: %s", errNoModule, name)
}

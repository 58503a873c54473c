package main

import (
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// packages is a small node_modules.
func packages(files map[string]string) *modules {
	fs := fstest.MapFS{}
	for name, content := range files {
		fs[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return &modules{fs}
}

func TestImportMapsFollowImports(t *testing.T) {
	m := packages(map[string]string{
		"ui/package.json": `{"exports": {".": {"types": "./x.d.ts", "browser": "./web.js", "default": "./node.js"}, "./extra": "./extra.js"}}`,
		"ui/web.js":       `import{a}from"dep/sub";import extra from 'ui/extra'; import "./local.js"; import("absent")`,
		"ui/extra.js":     `export * from "old"`,
		"ui/local.js":     `export default 1`,

		"dep-2/package.json": `{"main": "cjs.js", "module": "esm.mjs"}`,
		"dep-2/esm.mjs":      `export const a = 1`,
		"dep-2/sub.js":       `import old from "old"; export const a = old`,

		"old/package.json":                    `{}`,
		"old/index.js":                        `module.exports = 1`,
		"dep-2/node_modules/old/package.json": `{"main": "lib"}`,
		"dep-2/node_modules/old/lib/index.js": `exports.a = require("./deep")`,
		"dep-2/node_modules/old/lib/deep.js":  `module.exports = {}`,
		"unused/package.json":                 `{}`,
		"unused/index.js":                     `export {}`,
	})
	got, err := m.importMap(map[string]string{"ui": "ui", "dep": "dep-2"})
	require.NoError(t, err)
	require.JSONEq(t, `{
		"imports": {
			"dep": "/npm/dep-2/esm.mjs",
			"dep/sub": "/npm/dep-2/sub.js",
			"old": "/npm/cjs/dep-2/node_modules/old/lib/index.js",
			"ui": "/npm/ui/web.js",
			"ui/extra": "/npm/ui/extra.js"
		},
		"scopes": {"/npm/ui/": {"old": "/npm/cjs/old/index.js"}}
	}`, string(got))

	_, err = m.importMap(map[string]string{"absent": "absent"})
	require.ErrorIs(t, err, errNoModule)
	require.ErrorContains(t, err, "npm ci --ignore-scripts")
}

func TestCommonJSBecomesAModule(t *testing.T) {
	m := packages(map[string]string{
		"a/package.json": `{}`,
		"a/index.js":     `const b = require("b"), c = require('./c'), fs = require("fs"); module.exports = b`,
		"a/c.js":         `exports.c = 1`,
		"b/package.json": `{"main": "b.cjs"}`,
		"b/b.cjs":        `exports.imported = 1`,
	})
	require.Equal(t, `import $0 from "/npm/cjs/b/b.cjs";import $1 from "/npm/cjs/a/c.js";`+
		`const module={exports:{}},require=(n)=>({"b":$0,"./c":$1,})[n];`+
		`(function(module,exports,require){x = require("b"), require('./c'), require("fs")`+"\n"+
		`}).call(module.exports,module,module.exports,require);export default module.exports;`,
		m.wrap("a/index.js", `x = require("b"), require('./c'), require("fs")`))
}

func TestPagesOfPackagesAreNotOfThisOrigin(t *testing.T) {
	m := packages(map[string]string{"a/demo.html": `<script>fetch("/uploads/sign")</script>`})
	for _, path := range []string{"/npm/a/demo.html", "/npm/cjs/a/demo.html"} {
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, 200, w.Code, path)
		require.Equal(t, "sandbox", w.Header().Get("Content-Security-Policy"), path)
	}
}

package postern_test

import (
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// placeholders are what each placeholder may become, but for the principals.
var placeholders = map[string]string{
	`\{date\}`: `2026-02-28`,
	`\{yyyy\}`: `2026`,
	`\{mm\}`:   `02`,
	`\{dd\}`:   `28`,
	`\{uuid\}`: `[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`,
	`\{ext\}`:  `(\.[a-z0-9]+)?`,
	`\{slug\}`: `[a-z0-9]+(-[a-z0-9]+)*`,
}

// requireValidKey says once more what a key is.
func requireValidKey(t *testing.T, key string) {
	t.Helper()
	require.NotEmpty(t, key)
	require.LessOrEqual(t, len(key), 1024)
	require.True(t, utf8.ValidString(key))
	require.NotRegexp(t, `[\x00-\x1f\x7f]`, key)
	require.NotContains(t, strings.ToLower(key), "${filename}")
	for _, segment := range strings.Split(key, "/") {
		require.NotContains(t, []string{"", ".", ".."}, segment)
		require.LessOrEqual(t, len(segment), 255)
	}
}

var encodedByte = regexp.MustCompile(`=[0-9A-F]{2}`)

// decodePrincipal undoes EncodePrincipals: what can be undone is injective.
func decodePrincipal(t *testing.T, segment string) string {
	return encodedByte.ReplaceAllStringFunc(segment, func(s string) string {
		b, err := hex.DecodeString(s[1:])
		require.NoError(t, err)
		return string(b)
	})
}

// Promise 2: a key is valid; it has the shape of the template and nothing of the
// file's name but its slug; a principal is exactly its own segment; two tenants
// share no prefix.
func FuzzKeyTemplate(f *testing.F) {
	for _, seed := range []struct{ template, tenant, other, subject, name string }{
		{"{tenant}/{date}/{uuid}{ext}", "acme", "globex", "ada", "photo.png"},
		{"{tenant}/{subject}/{slug}{ext}", "acme", "acme2", "a@b.c", "../../globex/x.png"},
		{"u/{tenant}/{slug}", "acme", "acme/x", "ada", "a\u202e/\\..\x00"},
		{"{tenant}/{slug}", ".", "..", "=2E", "\u2024\u2024/\uff0f"},
		{"{tenant}/{slug}", "a=2Fb", "a/b", "", "${filename}"},
		{"$/{slug}{ext}", "", "", "", "filename"},
		{"{yyyy}/{mm}/{dd}-{slug}", "a", "b", "c", strings.Repeat("\ufdfa", 90)},
		{"{tenant}{uuid}", "a", "b", "c", "d"},
		{"{slug}/.{ext}", "a", "b", "c", "d"},
	} {
		for _, encode := range []bool{false, true} {
			f.Add(seed.template, seed.tenant, seed.other, seed.subject, seed.name, encode)
		}
	}
	f.Fuzz(func(t *testing.T, template, tenant, other, subject, name string, encode bool) {
		var opts []postern.KeyOption
		if encode {
			opts = append(opts, postern.EncodePrincipals())
		}
		issuer, err := postern.NewIssuer(bucket, postern.AllowAnonymous(), postern.WithClock(atNoon),
			postern.WithKeyPolicy(postern.KeyTemplate(template, opts...)))
		if err != nil {
			return // a configuration error
		}
		issue := func(tenant string) (string, bool) {
			g, err := issuer.Issue(t.Context(), &postern.Upload{
				Tenant: tenant, Subject: subject, Filename: name, Type: "image/png", Size: 1,
			})
			if err != nil {
				return "", false
			}
			requireValidKey(t, g.Key)
			return g.Key, true
		}
		key, ok := issue(tenant)
		if !ok {
			return
		}

		shape, segments := strings.Split(template, "/"), strings.Split(key, "/")
		require.Len(t, segments, len(shape))
		principal := func(i int, want string) {
			if encode {
				require.Equal(t, want, decodePrincipal(t, segments[i]))
			} else {
				require.Equal(t, want, segments[i])
			}
		}
		for i, segment := range shape {
			switch segment {
			case "{tenant}":
				principal(i, tenant)
			case "{subject}":
				principal(i, subject)
			default:
				pattern := regexp.QuoteMeta(segment)
				for placeholder, values := range placeholders {
					pattern = strings.ReplaceAll(pattern, placeholder, values)
				}
				require.Regexp(t, "^"+pattern+"$", segments[i])
			}
		}

		if shape[0] == "{tenant}" && tenant != other {
			if second, ok := issue(other); ok {
				require.False(t, strings.HasPrefix(second, segments[0]+"/"), "%q and %q share a prefix", key, second)
			}
		}
	})
}

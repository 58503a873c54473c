package postern_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// keyOf returns the key that a policy gives to an upload at noon.
func keyOf(t testing.TB, policy postern.KeyPolicy, u *postern.Upload) (string, error) {
	t.Helper()
	if u.Filename == "" {
		u.Filename = "Été à Zürich.PNG"
	}
	if u.Type == "" {
		u.Type = "image/png"
	}
	u.Size = postern.UnknownSize
	g, err := newIssuer(t, postern.WithKeyPolicy(policy), postern.AllowAnonymous(),
		postern.WithRandom(strings.NewReader(strings.Repeat("\xab", 64)))).Issue(t.Context(), u)
	if err != nil {
		return "", err
	}
	return g.Key, nil
}

func TestTemplateFillsInEveryPlaceholder(t *testing.T) {
	for template, want := range map[string]string{
		"{tenant}/x":              "acme/x",
		"x/{tenant}/y":            "x/acme/y",
		"{subject}/{tenant}":      "ada@example.com/acme",
		"{date}":                  "2026-02-28",
		"{yyyy}/{mm}/{dd}/{slug}": "2026/02/28/ete-a-zurich",
		"{yyyy}{mm}{dd}-{slug}":   "20260228-ete-a-zurich",
		"{slug}{ext}":             "ete-a-zurich.png",
		"{uuid}{ext}":             "019ca42b-2e00-7bab-abab-abababababab.png",
		"{sha256}":                "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
		"incoming/avatar{ext}":    "incoming/avatar.png",
		"日本 &+%'\"/{slug}":        "日本 &+%'\"/ete-a-zurich",
		"literal":                 "literal",
	} {
		t.Run(template, func(t *testing.T) {
			sum := sha256.Sum256([]byte("foo"))
			key, err := keyOf(t, postern.KeyTemplate(template),
				&postern.Upload{Tenant: "acme", Subject: "ada@example.com", SHA256: &sum})
			require.NoError(t, err)
			if strings.Contains(template, "{uuid}") {
				require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-abab-abababababab\.png$`, key)
				return
			}
			require.Equal(t, want, key)
		})
	}
}

func TestDateOfAKeyIsInUTC(t *testing.T) {
	auckland := time.FixedZone("NZDT", 13*60*60)
	i := newIssuer(t, postern.WithKeyPolicy(postern.KeyTemplate("{date}/{yyyy}{mm}{dd}")),
		postern.WithClock(func() time.Time { return time.Date(2027, 1, 1, 3, 0, 0, 0, auckland) }))
	g, err := i.Issue(t.Context(), &postern.Upload{Subject: "ada", Filename: "a", Size: 1})
	require.NoError(t, err)
	require.Equal(t, "2026-12-31/20261231", g.Key)
}

func TestExtensionComesFromTheGrantedType(t *testing.T) {
	for contentType, want := range map[string]string{
		"image/jpeg":                "k.jpg",
		"text/plain; charset=utf-8": "k.txt",
		"application/octet-stream":  "k",
		"application/x-unheard-of":  "k",
	} {
		key, err := keyOf(t, postern.KeyTemplate("k{ext}"), &postern.Upload{Filename: "evil.exe", Type: contentType})
		require.NoError(t, err)
		require.Equal(t, want, key)
	}
}

func TestTemplateThatIsWrongIsAConfigError(t *testing.T) {
	for name, template := range map[string]string{
		"nothing":                            "",
		"an unknown placeholder":             "{user}/{uuid}",
		"an empty placeholder":               "{}",
		"a placeholder in capitals":          "{UUID}",
		"a placeholder with spaces":          "{ uuid }",
		"a brace that opens":                 "{uuid",
		"a brace that closes":                "uuid}",
		"braces in braces":                   "{{uuid}}",
		"the tenant in a larger segment":     "{tenant}-x/{uuid}",
		"the tenant after a literal":         "t{tenant}/{uuid}",
		"the tenant beside the subject":      "{tenant}{subject}/{uuid}",
		"the tenant twice in a segment":      "{tenant}{tenant}",
		"the subject in a larger segment":    "{subject}.{ext}",
		"a slash at the beginning":           "/{uuid}",
		"a slash at the end":                 "{uuid}/",
		"two slashes":                        "a//{uuid}",
		"a segment that may be empty":        "a/{ext}",
		"a segment that may be empty, twice": "a/{ext}{ext}",
		"a segment of one dot":               "./{uuid}",
		"a segment of two dots":              "a/../{uuid}",
		"a segment that may become a dot":    "a/.{ext}",
		"a control character":                "a\n/{uuid}",
		"a control character beside":         "a\x7f{uuid}",
		"text that is not UTF-8":             "\xff{uuid}",
		"S3's own variable":                  "${filename}",
		"a segment that is too long":         strings.Repeat("a", 256),
		"a segment that becomes too long":    strings.Repeat("a", 220) + "{uuid}",
		"a key that becomes too long":        strings.Repeat("aaaaaaaaa/", 100) + "{uuid}",
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, "KeyTemplate", panicsWithConfigError(t, func() {
				postern.NameKey(postern.KeyTemplate(template))
			}).Option)
			_, err := postern.KeyTemplate(template).Key(t.Context(), &postern.Upload{})
			var mistake *postern.ConfigError
			require.True(t, errors.As(err, &mistake))
		})
	}
}

// unsafePrincipals can be no segment as they are.
var unsafePrincipals = []string{
	"", ".", "..", "a/b", "../acme", `a\b`, "a b", "acme\n", "\x00", "naïve", "\xff", "a%2Fb", "a+b", "a:b", "*", "${filename}",
	strings.Repeat("a", 256),
}

func TestTenantOutsideTheSafeCharactersIsRefused(t *testing.T) {
	for _, value := range unsafePrincipals {
		for _, template := range []string{"{tenant}/k", "{subject}/k"} {
			_, err := keyOf(t, postern.KeyTemplate(template), &postern.Upload{Tenant: value, Subject: value})
			require.ErrorIs(t, err, postern.ErrPrincipalInvalid, "%q", value)
		}
		_, err := keyOf(t, postern.TenantPrefix(postern.KeyTemplate("k")), &postern.Upload{Tenant: value})
		require.ErrorIs(t, err, postern.ErrPrincipalInvalid, "%q", value)
	}
}

func TestTenantOfSafeCharactersIsNeverRewritten(t *testing.T) {
	for _, value := range []string{"acme", "ACME", "a.b_c@d=e-f", "...", ".a", "=41", "-", strings.Repeat("a", 255)} {
		key, err := keyOf(t, postern.KeyTemplate("{tenant}/k"), &postern.Upload{Tenant: value})
		require.NoError(t, err)
		require.Equal(t, value+"/k", key)
	}
}

func TestEncodedPrincipalsReadAsTheirBytes(t *testing.T) {
	for value, want := range map[string]string{
		"acme":       "acme",
		"a.b_c@d-e":  "a.b_c@d-e",
		"a=b":        "a=3Db",
		".":          "=2E",
		"..":         "=2E=2E",
		"...":        "...",
		"a/b":        "a=2Fb",
		"../acme":    "..=2Facme",
		"ü":          "=C3=BC",
		"\xff\x00\n": "=FF=00=0A",
		"a b":        "a=20b",
	} {
		key, err := keyOf(t, postern.KeyTemplate("{tenant}/{subject}/k", postern.EncodePrincipals()),
			&postern.Upload{Tenant: value, Subject: value})
		require.NoError(t, err)
		require.Equal(t, want+"/"+want+"/k", key)
	}
}

func TestEncodedPrincipalsThatDifferHaveDifferentKeys(t *testing.T) {
	values := append([]string{"a", "A", "=", "==", "=3D", "=3d", "a=2Fb", "a=b", "=2E", "=2E=2E"}, unsafePrincipals...)
	policy := postern.TenantPrefix(postern.KeyTemplate("k"), postern.EncodePrincipals())
	seen := map[string]string{}
	for _, value := range values {
		key, err := keyOf(t, policy, &postern.Upload{Tenant: value})
		if err != nil {
			require.ErrorIs(t, err, postern.ErrPrincipalInvalid)
			continue
		}
		require.NotContains(t, seen, key, "%q and %q", value, seen[key])
		seen[key] = value
	}
	require.Greater(t, len(seen), 20)
}

func TestTenantPrefixStandsBeforeTheKeysOfAnyPolicy(t *testing.T) {
	own := postern.KeyFunc(func(_ context.Context, u *postern.Upload) (string, error) { return "files/" + u.Subject, nil })
	key, err := keyOf(t, postern.TenantPrefix(own), &postern.Upload{Tenant: "acme", Subject: "ada"})
	require.NoError(t, err)
	require.Equal(t, "acme/files/ada", key)
}

func TestTenantPrefixCannotBeLeft(t *testing.T) {
	for _, inner := range []string{"", "/", "../globex/x", "x/../../globex", ".", "..", "/globex/x", "x/", "\x00"} {
		own := postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return inner, nil })
		_, err := keyOf(t, postern.TenantPrefix(own), &postern.Upload{Tenant: "acme"})
		require.ErrorIs(t, err, postern.ErrKeyInvalid, "%q", inner)
	}
}

func TestTenantPrefixPassesOnTheErrorOfItsPolicy(t *testing.T) {
	full := errors.New("the tenant has no space left")
	own := postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) { return "x", full })
	_, err := keyOf(t, postern.TenantPrefix(own), &postern.Upload{Tenant: "acme"})
	require.ErrorIs(t, err, full)
}

func TestTemplateWithTheChecksumNeedsOne(t *testing.T) {
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyTemplate("{sha256}{ext}")))
	w := send(h, photo)
	require.Equal(t, "checksum_required", refused(t, w).Code)
	require.Equal(t, 400, w.Code)
}

func TestKeyOfAFunctionIsChecked(t *testing.T) {
	for name, key := range map[string]string{
		"nothing":                       "",
		"a slash at the beginning":      "/a",
		"a slash at the end":            "a/",
		"two slashes":                   "a//b",
		"one dot":                       "a/./b",
		"two dots":                      "../a",
		"two dots alone":                "..",
		"a line break":                  "a\r\nb",
		"a NUL":                         "a\x00b",
		"a DEL":                         "a\x7f",
		"text that is not UTF-8":        "a\xffb",
		"S3's variable":                 "acme/${filename}",
		"S3's variable in capitals":     "acme/${FileName}x",
		"more than 1024 bytes":          strings.Repeat("aaa/", 256) + "a",
		"a segment of 256 bytes":        "a/" + strings.Repeat("x", 256),
		"a segment of 86 × 3 bytes":     strings.Repeat("日", 86),
		"a variable in a later segment": "a/b${filename}/c",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHandler(t, postern.WithKeyPolicy(postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) {
				return key, nil
			})))
			w := send(h, photo)
			require.Equal(t, "key_invalid", refused(t, w).Code)
			require.Equal(t, 500, w.Code)
		})
	}
}

func TestKeyOfAFunctionMayBeOdd(t *testing.T) {
	for _, key := range []string{
		" a ", `a+&%'"$\b`, "日本語/😀", "a/.b/...", "${file}", "$filename", strings.Repeat("x", 255) + "/" + strings.Repeat("y", 255),
		strings.Repeat("aaa/", 255) + "aaaa",
	} {
		h := newHandler(t, postern.WithKeyPolicy(postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) {
			return key, nil
		})))
		g := granted(t, send(h, photo))
		require.Equal(t, key, g.Key)
		require.Equal(t, key, policyOf(t, g.Fields["policy"]).exact(t)["key"])
	}
}

func TestProblemOfAKeyPolicyIsSent(t *testing.T) {
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyFunc(func(context.Context, *postern.Upload) (string, error) {
		return "", postern.ErrForbidden
	})))
	require.Equal(t, http.StatusForbidden, refused(t, send(h, photo)).Status)
}

func TestTheFoldersOfAFileArePartOfItsKey(t *testing.T) {
	for _, tc := range []struct{ template, path, want string }{
		{"{subject}/{path}/{slug}{ext}", "holiday/2026", "ada/holiday/2026/ete-a-zurich.png"},
		{"{subject}/{path}/{slug}{ext}", "", "ada/ete-a-zurich.png"},
		{"{path}/{slug}", "a", "a/ete-a-zurich"},
		{"{path}/{slug}", "", "ete-a-zurich"},
		{"{path}/{slug}", "../../etc/./CON\u202e/", "etc/_CON/ete-a-zurich"},
		{"{path}/{slug}", `..\${filename}`, "_{filename}/ete-a-zurich"},
	} {
		key, err := keyOf(t, postern.KeyTemplate(tc.template), &postern.Upload{Subject: "ada", Path: tc.path})
		require.NoError(t, err)
		require.Equal(t, tc.want, key)
	}
	for _, template := range []string{"{path}", "x/{path}", "x{path}/y", "{path}{slug}/x", "{slug}/{path}x/y"} {
		_, err := postern.KeyTemplate(template).Key(t.Context(), &postern.Upload{})
		require.ErrorContains(t, err, "{path} stands between slashes alone", template)
	}
}

func TestAPageTellsTheFoldersOfAFile(t *testing.T) {
	h := newHandler(t, postern.WithKeyPolicy(postern.KeyTemplate("{path}/{slug}{ext}")))
	g := granted(t, send(h, `{"filename":"sea.png","path":"holiday/../at sea","type":"image/png","size":5}`))
	require.Equal(t, "holiday/at sea/sea.png", g.Key)
}

package filename

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"holiday":                   "holiday",
		"holiday/2026/at sea":       "holiday/2026/at sea",
		"/etc//passwd/":             "etc/passwd",
		"../../a/./b/..":            "a/b",
		`C:\Users\Ada`:              "C:/Users/Ada",
		"a\u202e/\u200b/b\x00":      "a/b",
		".git/CON":                  "git/_CON",
		"a\uff0f..\uff0fb":          "a..b",
		"${filename}/x":             "_{filename}/x",
		"e\u0301te\u0301":           "été",
		strings.Repeat("a/", 40):    strings.TrimSuffix(strings.Repeat("a/", 32), "/"),
		strings.Repeat("ab/", 9000): strings.TrimSuffix(strings.Repeat("ab/", 32), "/"),
	} {
		require.Equal(t, want, CleanPath(in), "%q", in)
	}
	deep := CleanPath(strings.Repeat(strings.Repeat("x", 200)+"/", 5))
	require.Equal(t, strings.Repeat("x", 200)+"/"+strings.Repeat("x", 200), deep, "a folder is left out whole")
}

func FuzzCleanPathStaysBelowWhereItIsPut(f *testing.F) {
	for _, s := range []string{"a/b", "../x", `..\..`, "\uff0f/..", strings.Repeat("日/", 400), "a\xff/b", "${filename}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path := CleanPath(s)
		require.Equal(t, path, CleanPath(path), "cleaning twice changes nothing")
		require.LessOrEqual(t, len(path), maxPath)
		require.True(t, utf8.ValidString(path))
		require.NotContains(t, path, "${")
		if path == "" {
			return
		}
		for segment := range strings.SplitSeq(path, "/") {
			require.NotContains(t, []string{"", ".", ".."}, segment)
			require.NotContains(t, segment, `\`)
			require.LessOrEqual(t, len(segment), MaxBytes)
		}
	})
}

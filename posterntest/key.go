package posterntest

import (
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hostileNames are file names that are more than that.
var hostileNames = map[string]string{
	"a path upwards":             "../../../etc/passwd",
	"a path upwards of Windows":  `..\..\windows\system32\a.png`,
	"an absolute path":           "/etc/passwd",
	"a drive":                    `C:\a.png`,
	"only dots":                  "..",
	"one dot":                    ".",
	"escaped dots":               "%2e%2e%2f%2e%2e%2fa.png",
	"dots that are normalized":   "．．／．．／a.png",
	"S3's variable":              "${filename}",
	"a NUL":                      "a.png\x00.html",
	"a new line":                 "a\r\nX-Evil: 1\r\n\r\n<script>.png",
	"quotes":                     `a"; filename="evil.html`,
	"a semicolon":                "a;filename*=UTF-8''evil.html",
	"another reading direction":  "photo\u202egnp.exe",
	"invisible letters":          "a\u200b\u2060\ufeff.png",
	"bytes that are not UTF-8":   "a\xff\xfe.png",
	"very long":                  strings.Repeat("a", 8000) + ".png",
	"very long in other letters": strings.Repeat("日", 2000) + ".png",
	"many folders":               strings.Repeat("a/", 500) + "a.png",
	"empty":                      "",
	"white space":                " \t ",
	"a device of Windows":        "CON.png",
	"a query":                    "a.png?acl&x=1#y",
	"letters that combine":       "a" + strings.Repeat("\u0301", 500) + ".png",
	"a script":                   "<img src=x onerror=alert(1)>.png",
	"a name of a template":       "{tenant}/{subject}/{{.}}.png",
}

// safeKey says what is wrong with a key.
func safeKey(key string) error {
	switch {
	case key == "" || len(key) > 1024 || !utf8.ValidString(key):
		return fmt.Errorf("the key has no sane length or encoding: %.100q", key)
	case strings.Contains(key, "${"):
		return fmt.Errorf("S3 would replace a part of the key: %q", key)
	case strings.ContainsFunc(key, func(r rune) bool { return unicode.Is(unicode.C, r) && r != '\u200c' && r != '\u200d' }):
		return fmt.Errorf("the key has characters that control: %q", key)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("the key has a segment that is none: %q", key)
		}
	}
	return nil
}

// safeGrant says what is wrong with what a grant names and signs.
func safeGrant(g *grant, bucket string) error {
	if err := safeKey(g.Key); err != nil {
		return err
	}
	if key := g.writeKey(bucket); g.Mode != "multipart" && safeKey(key) != nil {
		return safeKey(key)
	}
	for _, f := range append(append(pairs{}, g.Fields...), g.Headers...) {
		if strings.ContainsAny(f.value, "\r\n\x00") {
			return fmt.Errorf("%s has a line end: %q", f.name, f.value)
		}
	}
	if d := g.header("Content-Disposition"); d != "" {
		if _, params, err := mime.ParseMediaType(d); err != nil || len(params) > 1 {
			return fmt.Errorf("Content-Disposition can be read in several ways: %q", d)
		}
	}
	return nil
}

// refusedOrSafe says what is wrong if a declaration was neither refused nor granted well.
func (a *attack) refusedOrSafe(declaration any) error {
	g, got, err := a.sign(a.user(), declaration)
	if err != nil || g == nil {
		return refused(got, err)
	}
	return safeGrant(g, a.S3.Bucket)
}

func keyCases() []Case {
	var runs []namedRun
	for name, filename := range hostileNames {
		runs = append(runs, namedRun{"a name: " + name, func(a *attack) error {
			return a.refusedOrSafe(with(declared(a.File), "filename", filename))
		}})
	}
	for name, path := range map[string]string{
		"upwards": "../../x", "absolute": "/etc", "of Windows": `..\..`, "of empty segments": "a//b/./..", "very deep": strings.Repeat("a/", 2000), "with a NUL": "a\x00/b",
	} {
		runs = append(runs, namedRun{"a folder: " + name, func(a *attack) error {
			return a.refusedOrSafe(with(declared(a.File), "path", path))
		}})
	}
	runs = append(runs,
		namedRun{"a key that the browser names", func(a *attack) error {
			d := declared(a.File)
			for _, name := range []string{"key", "bucket", "tenant", "subject", "prefix", "id", "mode", "location", "endpoint"} {
				d[name] = "evil"
			}
			g, got, err := a.sign(a.user(), d)
			if err != nil || g == nil {
				return refused(got, err)
			}
			usual, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			if strings.Contains(g.Key, "evil") || g.Mode != usual.Mode || g.Mode == "post" && g.URL != usual.URL {
				return fmt.Errorf("the browser has named where it writes: %s at %s", g.Key, g.URL)
			}
			return nil
		}},
		namedRun{"metadata of the server's", func(a *attack) error {
			g, got, err := a.sign(a.user(), with(declared(a.File), "metadata", map[string]string{
				"postern-id": "evil", "postern-ticket": "evil", "Postern-Owner": "evil", "a\r\nb": "evil", "x-amz-acl": "evil", "content-type": "text/html",
			}))
			if err != nil || g == nil {
				return refused(got, err)
			}
			for _, f := range append(append(pairs{}, g.Fields...), g.Headers...) {
				if strings.Contains(f.value, "evil") {
					return fmt.Errorf("the browser has set %s", f.name)
				}
			}
			return safeGrant(g, a.S3.Bucket)
		}},
		namedRun{"the same name as another tenant's", func(a *attack) error {
			if a.Stranger == nil {
				return leftOut("Target.Stranger is nil")
			}
			g, err := a.arrived()
			if err != nil {
				return err
			}
			if g.Complete {
				if _, err := a.receive(a.user(), g); err != nil {
					return err
				}
			}
			theirs, got, err := a.sign(a.Stranger, declared(a.File))
			if err != nil || theirs == nil {
				return refused(got, err)
			}
			if r, err := a.fire(aimAnyway(theirs, other(a.File))); err != nil {
				return err
			} else if r.Status < 300 && theirs.Complete {
				if _, err := a.call(a.Stranger, "complete", ticketOf(theirs)); err != nil {
					return err
				}
			}
			_, stored, err := a.object(g.Key)
			if err == nil && string(stored) != string(a.File.Content) {
				err = fmt.Errorf("somebody of another tenant has replaced %s", g.Key)
			}
			return err
		}},
		namedRun{"the next key cannot be guessed", func(a *attack) error {
			one, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			two, err := a.grantOf(a.user(), a.File)
			if err != nil {
				return err
			}
			if one.Mode == "multipart" {
				return nil
			}
			if x, y := one.writeKey(a.S3.Bucket), two.writeKey(a.S3.Bucket); x == y {
				return fmt.Errorf("two grants write to the same key, so that one upload replaces another: %s", x)
			}
			return nil
		}},
	)
	return family("key", OneKey, "a key of the browser's choosing reaches the objects of others, or becomes a header or a path somewhere else", sorted(runs)...)
}

// aimAnyway is a shot of a whole file; of one in parts it is one at nothing.
func aimAnyway(g *grant, content []byte) *shot {
	if g.Mode == "multipart" {
		return &shot{http.MethodGet, "http://127.0.0.1:1/", http.Header{}, nil}
	}
	return aim(g, content)
}

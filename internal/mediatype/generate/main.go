// Command generate writes database.go, the table of media types that Postern
// knows, from two kept databases:
//
//   - freedesktop.org's shared-mime-info (freedesktop.org.xml; Debian's package
//     shared-mime-info): aliases, file name extensions, and parents;
//   - IANA's registry as the npm package mime-db has it (db.json): which names
//     are registered.
//
// What is in neither, or is decided otherwise here, stands in decisions.go with
// its reason. Where Debian's package is installed, and mime-db unpacked, run
//
//	MIME_DB=$PWD/node_modules/mime-db/db.json go generate ./internal/mediatype
//
// The table was last made of shared-mime-info 2.2 and mime-db 1.54.0.
package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"log"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/mediatype"
)

type entry struct {
	name                        string
	aliases, extensions, parent []string
}

func main() {
	mimePath := flag.String("mime", "/usr/share/mime/packages/freedesktop.org.xml", "shared-mime-info's `file`")
	ianaPath := flag.String("iana", "node_modules/mime-db/db.json", "mime-db's `file`")
	out := flag.String("o", "database.go", "`file` to write")
	flag.Parse()
	log.SetFlags(0)

	registered, err := readRegistered(*ianaPath)
	if err != nil {
		log.Fatal(err)
	}
	entries, err := readFreedesktop(*mimePath)
	if err != nil {
		log.Fatal(err)
	}
	source, err := render(decide(entries, registered))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, source, 0o644); err != nil {
		log.Fatal(err)
	}
}

// readRegistered returns the names that IANA has registered.
func readRegistered(path string) (map[string]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var db map[string]struct{ Source string }
	if err := json.Unmarshal(data, &db); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	registered := map[string]bool{}
	for name, t := range db {
		if t.Source == "iana" {
			registered[name] = true
		}
	}
	return registered, nil
}

// glob is a file name pattern that is nothing but an extension.
var glob = regexp.MustCompile(`^\*(\.[A-Za-z0-9]+)$`)

func readFreedesktop(path string) (map[string]*entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	type ref struct {
		Type string `xml:"type,attr"`
	}
	var db struct {
		Types []struct {
			Type    string `xml:"type,attr"`
			Aliases []ref  `xml:"alias"`
			Parents []ref  `xml:"sub-class-of"`
			Globs   []struct {
				Pattern string `xml:"pattern,attr"`
			} `xml:"glob"`
		} `xml:"mime-type"`
	}
	if err := xml.Unmarshal(data, &db); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries := map[string]*entry{}
	for _, t := range db.Types {
		e := &entry{name: strings.ToLower(t.Type)}
		for _, a := range t.Aliases {
			e.aliases = append(e.aliases, strings.ToLower(a.Type))
		}
		for _, p := range t.Parents {
			e.parent = append(e.parent, strings.ToLower(p.Type))
		}
		for _, g := range t.Globs {
			if m := glob.FindStringSubmatch(g.Pattern); m != nil {
				e.extensions = appendNew(e.extensions, strings.ToLower(m[1]))
			}
		}
		entries[e.name] = e
	}
	return entries, nil
}

// decide applies decisions.go and drops what Postern has no use for.
func decide(entries map[string]*entry, registered map[string]bool) []*entry {
	for _, names := range apart {
		for _, name := range strings.Fields(names) {
			for _, e := range entries {
				e.aliases = slices.DeleteFunc(e.aliases, func(a string) bool { return a == name })
			}
		}
	}
	for _, a := range additions {
		e := entries[a.name]
		if e == nil {
			e = &entry{name: a.name}
			entries[a.name] = e
		}
		for _, alias := range strings.Fields(a.aliases) {
			// A type of its own in the database becomes a second name.
			if other := entries[alias]; other != nil {
				e.aliases = appendNew(e.aliases, other.aliases...)
				e.extensions = appendNew(e.extensions, other.extensions...)
				e.parent = appendNew(e.parent, other.parent...)
				delete(entries, alias)
			}
			e.aliases = appendNew(e.aliases, alias)
		}
		// The preferred extension comes first.
		e.extensions = appendNew(strings.Fields(a.extensions), e.extensions...)
		e.parent = appendNew(e.parent, strings.Fields(a.parents)...)
	}
	for name, parents := range corrected {
		entries[name].parent = strings.Fields(parents)
	}
	renamed := map[string]string{}
	for name, e := range entries {
		if better := registeredName(e, registered); better != name {
			e.aliases = appendNew(slices.DeleteFunc(e.aliases, func(a string) bool { return a == better }), name)
			e.name = better
			renamed[name] = better
		}
		for _, alias := range e.aliases {
			renamed[alias] = e.name
		}
	}
	var kept []*entry
	for _, e := range entries {
		for i, p := range e.parent {
			if better, ok := renamed[p]; ok {
				e.parent[i] = better
			}
		}
		e.parent = slices.DeleteFunc(slices.Compact(e.parent), func(p string) bool { return p == e.name })
		e.aliases = slices.DeleteFunc(e.aliases, func(a string) bool { return a == e.name || !mayAlias(e.name, a) })
		if known(e.name) && len(e.extensions)+len(e.aliases) > 0 && !unwanted.MatchString(e.name) &&
			(registered[e.name] || len(e.parent) > 0 || wanted[e.name]) {
			slices.Sort(e.aliases)
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	return kept
}

func isAddition(name string) bool {
	return slices.ContainsFunc(additions, func(a addition) bool { return a.name == name })
}

// registeredName returns the one name of a type that IANA registered, if the
// database's is not, and decisions.go does not say otherwise.
func registeredName(e *entry, registered map[string]bool) string {
	if registered[e.name] || keptNames[e.name] || isAddition(e.name) {
		return e.name
	}
	var names []string
	for _, a := range e.aliases {
		if registered[a] {
			names = append(names, a)
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return e.name
}

// mayAlias reports whether one name may stand for the other. What is active keeps
// its own name, so that none becomes inert or active by another. A pattern such
// as "video/*" must admit the same as before, so families are left only for a
// narrower one, or where decisions.go says so.
func mayAlias(name, alias string) bool {
	if mediatype.Active(name) || mediatype.Active(alias) || !known(alias) && !decided[alias] {
		return false
	}
	family, _, _ := strings.Cut(name, "/")
	return strings.HasPrefix(alias, family+"/") || strings.HasPrefix(alias, "application/") || decided[alias]
}

var families = []string{"application/", "audio/", "font/", "image/", "model/", "text/", "video/"}

func known(name string) bool {
	return slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(name, f) })
}

// render writes the table, and the owners of extensions that several types have.
func render(entries []*entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated by ./generate from shared-mime-info and IANA's registry. DO NOT EDIT.\n\npackage mediatype\n\n")
	b.WriteString("var database = []struct{ name, aliases, extensions, parents string }{\n")
	owners := map[string][]string{}
	var wrong []error
	for _, e := range entries {
		fmt.Fprintf(&b, "{%q, %q, %q, %q},\n", e.name, strings.Join(e.aliases, " "), strings.Join(e.extensions, " "), strings.Join(e.parent, " "))
		for _, ext := range e.extensions {
			owners[ext] = append(owners[ext], e.name)
		}
	}
	b.WriteString("}\n\n// owners says which of several types a file with the extension has.\nvar owners = map[string]string{\n")
	for _, ext := range slices.Sorted(maps.Keys(owners)) {
		if names := owners[ext]; len(names) > 1 || owner[ext] != "" {
			name := owner[ext]
			if !slices.Contains(names, name) {
				wrong = append(wrong, fmt.Errorf("decide in decisions.go to which of %q %s belongs, not to %q", names, ext, name))
			}
			fmt.Fprintf(&b, "%q: %q,\n", ext, name)
		}
	}
	b.WriteString("}\n")
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return format.Source(b.Bytes())
}

func appendNew(to []string, from ...string) []string {
	for _, s := range from {
		if !slices.Contains(to, s) {
			to = append(to, s)
		}
	}
	return to
}

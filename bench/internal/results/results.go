// Package results writes RESULTS.md, a section at a time.
package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

const (
	file  = "RESULTS.md"
	title = "# Results\n\nWritten by `make bench`, `make bench-http` and `make bench-page`; what is measured, and\nhow, stands in the comments of the programs in this folder; why an aim is not met, in\n[PROFILE.md](PROFILE.md).\n"
)

// Section is a heading, and what stands below it.
type Section struct{ Heading, Text string }

// Write replaces a section of RESULTS.md in the working directory, or adds it.
func Write(s Section) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(file, []byte(replace(string(old), s)), 0o644)
}

// replace returns a document with its section of that heading replaced, or added
// at the end.
func replace(document string, s Section) string {
	section := "\n## " + s.Heading + "\n\n" + strings.TrimSpace(s.Text) + "\n"
	if document == "" {
		document = title
	}
	before, rest, found := strings.Cut(document, "\n## "+s.Heading+"\n")
	if !found {
		return strings.TrimRight(document, "\n") + "\n" + section
	}
	after := ""
	if i := strings.Index(rest, "\n## "); i >= 0 {
		after = rest[i:]
	}
	return before + section + after
}

// Machine describes what the measurements were made on, and with which versions
// of the modules.
func Machine(modules ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d cores, %s/%s%s, %s.", cpu(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, kernel(), runtime.Version())
	if len(modules) == 0 {
		return b.String(), nil
	}
	out, err := exec.Command("go", append([]string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}, modules...)...).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	b.WriteString("\n" + strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), ", ") + ".")
	return b.String(), nil
}

// Load is the machine's load average over the last minute, or "unknown".
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

func cpu() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown processor"
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	return " " + version
}

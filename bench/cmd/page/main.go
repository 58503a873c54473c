// Command page measures what a person waits for: files that a page uploads by
// <postern-upload> and by Uppy, in a real Chromium, over a line with a round trip and a
// rate. It writes a section of RESULTS.md. It is what make bench-page runs, which also
// sees to Chromium and Uppy:
//
//	go -C bench run ./cmd/page
//
// The application and the bucket are at the other end of the same line, near each other.
// Each run has a browser and connections of its own, and the page has been open for a
// while: a browser that has just started has work of its own. A run begins
// when the files are handed over, and ends with the last receipt, or where Uppy has
// none, when it says that all are there.
//
// The browser, both servers and the line share one machine. With -slower 4 the line is
// four times as slow, so that the machine counts for a quarter: what is left is what the
// uploaders make of the line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/postern-go/postern/bench/internal/results"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context) error {
	rtt := flag.Duration("rtt", 80*time.Millisecond, "the round trip of the line")
	rate := flag.Float64("rate", 100, "the rate of the line, in Mbit/s: of all connections, each way")
	slower := flag.Float64("slower", 1, "how many times as slow the line is: its round trip is longer, and its rate lower")
	rounds := flag.Int("rounds", 5, "how often each is measured; the figures are medians")
	only := flag.String("only", "", "measures only what has this text in \"scenario: subject\", and writes nothing")
	flag.Parse()

	debug.SetGCPercent(1000) // what the servers throw away is not what is measured
	c := conditions{time.Duration(float64(*rtt) * *slower), *rate * 1e6 / 8 / *slower}
	heading := "The page"
	if *slower != 1 {
		heading += fmt.Sprintf(", on a line %g times as slow", *slower)
		scenarios = slices.DeleteFunc(scenarios, func(sc scenario) bool { return !sc.slower })
	}
	before := results.Load()
	measured, err := measureAll(ctx, c, *rounds, *only)
	if err != nil {
		return err
	}
	machine, err := results.Machine()
	if err != nil {
		return err
	}
	machine += fmt.Sprintf(" Its load was %s before, and %s after.", before, results.Load())
	text := report(c, measured, *rounds, machine)
	fmt.Print(text)
	if *only != "" {
		return nil
	}
	return results.Write(results.Section{Heading: heading, Text: text})
}

// measurement is the runs of a subject in a scenario.
type measurement struct {
	scenario scenario
	subject  subject
	runs     []run
}

// measureAll goes round, so that a busy minute of the machine costs each a little.
func measureAll(ctx context.Context, c conditions, rounds int, only string) (all []*measurement, err error) {
	folder, err := os.MkdirTemp(inMemory(), "page-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	s, err := openSite(c, folder+"/bucket")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	files := map[string][]string{}
	for i, sc := range scenarios {
		own := fmt.Sprintf("%s/%d", folder, i)
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		if files[sc.name], err = sc.write(own); err != nil {
			return nil, err
		}
		for _, sub := range subjects {
			if sub.takes(sc) && strings.Contains(sc.name+": "+sub.name, only) {
				all = append(all, &measurement{scenario: sc, subject: sub})
			}
		}
	}
	for range rounds {
		for _, m := range all {
			r, err := s.run(ctx, m.subject, m.scenario, files[m.scenario.name])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", m.scenario.name, m.subject.name, err)
			}
			m.runs = append(m.runs, r)
			fmt.Fprintf(os.Stderr, "%s: %s: %.2f s, %.2f times the floor, %.2f times the bound; frames %.0f ms\n",
				m.scenario.name, m.subject.name, r.Took/1000, r.Took/ms(c.floor(m.scenario)), r.Took/ms(c.bound(m.scenario)), r.Frame)
		}
	}
	return all, nil
}

// inMemory is a folder without a disk, which is not what is measured, or "" where there
// is none.
func inMemory() string {
	const folder = "/dev/shm"
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return ""
	}
	return folder
}

// takes reports whether a subject is measured in a scenario: Uppy with the single
// uploads that it prefers for small files, or in parts for those that are to be paused.
func (s subject) takes(sc scenario) bool { return !s.uppy || s.receipts == sc.parts }

// run measures once, and sees to it that all have receipts.
func (s *site) run(ctx context.Context, sub subject, sc scenario, paths []string) (run, error) {
	before := s.receipts.Load()
	page, expression := s.url+"/page.html?endpoint="+url.QueryEscape(sub.endpoint), "byPostern()"
	if sub.uppy {
		page, expression = s.url+"/page.html", fmt.Sprintf("byUppy(%q, %t)", sub.endpoint, sc.parts)
	}
	r, err := measure(ctx, page, paths, expression)
	if got := s.receipts.Load() - before; err == nil && sub.receipts && got != int64(sc.files) {
		err = fmt.Errorf("%d files have %d receipts", sc.files, got)
	}
	return r, err
}

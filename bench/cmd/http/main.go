// Command http puts servers under load, one after the other: Postern, a handler
// that only answers, and Uppy's Companion, by wrk; and it uploads a gigabyte past
// Postern and through tusd. It writes a section of RESULTS.md. It is what
// make bench-http runs, which also sees to wrk and Companion:
//
//	go -C bench run ./cmd/http
//
// It needs Linux, whose /proc tells what a process has used.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/postern-go/postern/bench/internal/results"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		err = serve(ctx, os.Args[2], os.Args[3:])
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "http:", err)
		os.Exit(1)
	}
}

// The aims: of the rate of a handler that only answers, and over Companion's.
const (
	ofBare        = 0.7
	overCompanion = 60
)

func run(ctx context.Context) error {
	rounds := flag.Int("rounds", 3, "how often each server is put under load; the figures are those of the median rate")
	duration := flag.Duration("duration", 5*time.Second, "how long each time")
	connections := flag.Int("connections", 32, "how many connections wrk keeps open")
	flag.Parse()

	rates, err := measureRates(ctx, load{*duration, *connections}, *rounds)
	if err != nil {
		return err
	}
	uploads, err := measureUploads(ctx)
	if err != nil {
		return err
	}
	machine, err := results.Machine("github.com/tus/tusd/v2")
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nNode %s with @uppy/companion %s.\n\n", machine, nodeVersion(ctx), companionVersion())
	fmt.Fprintf(&b, "%d connections from one wrk on the same machine for %s; the median of %d rounds.\n\n", *connections, *duration, *rounds)
	b.WriteString("| server | requests/s | p50 | p99 | CPU s for 100,000 | peak memory |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, s := range rates {
		fmt.Fprintf(&b, "| %s | %.0f | %s | %s | %.1f | %.0f MiB |\n", s.name, s.rate, s.p50, s.p99, s.cpu, s.memory)
	}
	ours, bare, companion := rates[0], rates[1], rates[2]
	fmt.Fprintf(&b, "\n| aim | | |\n| --- | ---: | --- |\n")
	fmt.Fprintf(&b, "| at least %.0f %% of the rate of a handler that only answers | %.0f %% | %s |\n",
		100*ofBare, 100*ours.rate/bare.rate, verdict(ours.rate >= ofBare*bare.rate))
	fmt.Fprintf(&b, "| at least %d times Companion's | %.0f times | %s |\n",
		overCompanion, ours.rate/companion.rate, verdict(ours.rate >= overCompanion*companion.rate))
	b.WriteString("\nOne gigabyte (2³⁰ bytes), what it costs the application's own server:\n\n")
	b.WriteString("| server | CPU s | peak memory |\n| --- | ---: | ---: |\n")
	for _, u := range uploads {
		fmt.Fprintf(&b, "| %s | %.2f | %.0f MiB |\n", u.name, u.cpu, u.memory)
	}
	fmt.Print(b.String())
	return results.Write(results.Section{Heading: "Over the wire", Text: b.String()})
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**not met**"
}

// figures are what one server did.
type figures struct {
	name     string
	rate     float64 // requests per second
	p50, p99 string  // as wrk writes them
	cpu      float64 // CPU seconds
	memory   float64 // MiB
}

// measureRates puts each server under load in turn, several times.
func measureRates(ctx context.Context, l load, rounds int) ([]figures, error) {
	length, err := answerLength(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "companion-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	servers := []struct {
		name   string
		start  func(context.Context) (*process, error)
		script string
		path   string
	}{
		{"Postern", func(ctx context.Context) (*process, error) { return startSelf(ctx, "postern") }, postScript, "/uploads/sign"},
		{"net/http, a constant answer", func(ctx context.Context) (*process, error) {
			return startSelf(ctx, "bare", "-length", fmt.Sprint(length))
		}, postScript, "/uploads/sign"},
		{"Companion, /s3/params", func(ctx context.Context) (*process, error) { return startCompanion(ctx, folder) },
			"", "/s3/params?filename=photo.png&type=image/png"},
	}
	measured := make([][]figures, len(servers))
	for range rounds {
		for i, s := range servers {
			p, err := s.start(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			f, err := l.on(ctx, p, s.script, s.path)
			if err = errors.Join(err, p.stop()); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			f.name = s.name
			fmt.Fprintf(os.Stderr, "%s: %.0f requests/s\n", f.name, f.rate)
			measured[i] = append(measured[i], f)
		}
	}
	medians := make([]figures, len(servers))
	for i, all := range measured {
		slices.SortFunc(all, func(a, b figures) int { return cmp.Compare(a.rate, b.rate) })
		medians[i] = all[len(all)/2]
	}
	return medians, nil
}

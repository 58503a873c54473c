package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// samples are the values of one unit, one for each round.
type samples []float64

func (s samples) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// measurements maps a benchmark and a unit, such as "SignPost/floor" and "ns/op", to
// what the rounds measured. A benchmark that ran on other than all cores has
// their number after its name: "IssueParallel-1".
type measurements map[string]map[string]samples

// parse adds what `go test -bench` printed (the Go Benchmark Data Format).
func (r measurements) parse(output io.Reader, cores int) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name := trimCores(strings.TrimPrefix(fields[0], "Benchmark"), cores)
		if r[name] == nil {
			r[name] = map[string]samples{}
		}
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			r[name][fields[i+1]] = append(r[name][fields[i+1]], value)
		}
	}
	return lines.Err()
}

// trimCores takes the number of cores off a name. go test writes none where it
// is one, so that is added where it is not all.
func trimCores(name string, cores int) string {
	if rest, ok := strings.CutSuffix(name, fmt.Sprintf("-%d", cores)); ok {
		return rest
	}
	if cores > 1 {
		return name + "-1"
	}
	return name
}

// ratio is the median of what the rounds say of a to b: a round's two figures
// were measured close to each other, under the same load.
func (r measurements) ratio(a, b, unit string) (float64, error) {
	x, y := r[a][unit], r[b][unit]
	if len(x) == 0 || len(x) != len(y) {
		return 0, fmt.Errorf("%s and %s: %d and %d measurements of %s", a, b, len(x), len(y), unit)
	}
	ratios := make(samples, len(x))
	for i := range x {
		ratios[i] = x[i] / y[i]
	}
	return ratios.median(), nil
}

package main

import (
	"fmt"
	"strings"
)

// aim is a line of the table: a benchmark of ours, what stands beside it, and how
// the two should compare.
type aim struct {
	ours, beside string
	unit         string  // ns/op if empty
	faster       float64 // theirs over ours is at least this
	within       float64 // ours over theirs is at most this
}

// aims has a line for every comparison.
var aims = []aim{
	{ours: "SignPost/postern", beside: "SignPost/aws-sdk-go-v2", faster: 30},
	{ours: "SignPost/postern", beside: "SignPost/minio-go", faster: 10},
	{ours: "SignPost/postern", beside: "SignPost/floor", within: 2},
	{ours: "PresignPart/postern", beside: "PresignPart/aws-sdk-go-v2", faster: 25},
	{ours: "PresignPart/postern", beside: "PresignPart/minio-go", faster: 12},
	{ours: "PresignPart/postern", beside: "PresignPart/aws-signer-v4", faster: 5},
	{ours: "PresignPart/postern", beside: "PresignPart/floor", within: 2.5},
	{ours: "Parts10k/postern", beside: "Parts10k/aws-sdk-go-v2", faster: 20},
	{ours: "TicketSeal/postern", beside: "TicketSeal/golang-jwt", faster: 1},
	{ours: "TicketOpen/postern", beside: "TicketOpen/golang-jwt", faster: 1},
	{ours: "TicketSeal/postern", beside: "TicketSeal/golang-jwt", unit: "token-B", within: 1},
	{ours: "Issue/postern", beside: "Issue/aws-sdk-go-v2", faster: 8},
	{ours: "Rules/types=10", beside: "Rules/types=1", within: 1.25},
	{ours: "Rules/types=100", beside: "Rules/types=1", within: 1.25},
	{ours: "Rules/tenants=100000", beside: "Rules/tenants=1", within: 2}, // a hundred thousand map entries miss the caches
}

// limits are the most allocations that a benchmark may make.
var limits = []struct {
	name   string
	allocs float64
}{
	{"SignPost/postern", 4},
	{"PresignPart/postern", 4},
	{"Issue/postern", 40},
}

// scaling is how much of each further core BenchmarkIssueParallel must gain.
const scaling = 0.7

// table writes the comparisons, and reports which aims are not met.
func table(r measurements, cores int) (text string, missed []string, err error) {
	var b strings.Builder
	row := func(met bool, cells ...string) {
		verdict := "met"
		if !met {
			verdict = "**not met**"
			missed = append(missed, cells[0]+" beside "+cells[2])
		}
		fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(cells, " | "), verdict)
	}
	b.WriteString("| benchmark | ours | beside it | theirs | ratio | aim | |\n| --- | ---: | --- | ---: | ---: | --- | --- |\n")
	for _, a := range aims {
		unit := a.unit
		if unit == "" {
			unit = "ns/op"
		}
		ratio, err := r.ratio(a.beside, a.ours, unit)
		if err != nil {
			return "", nil, err
		}
		wanted, met := fmt.Sprintf("at least %g×", a.faster), ratio >= a.faster
		if a.within > 0 {
			ratio, err = r.ratio(a.ours, a.beside, unit)
			if err != nil {
				return "", nil, err
			}
			wanted, met = fmt.Sprintf("at most %g×", a.within), ratio <= a.within
		}
		name, beside := a.names()
		row(met, name, r.show(a.ours, unit), beside, r.show(a.beside, unit), fmt.Sprintf("%.3g×", ratio), wanted)
	}
	for _, l := range limits {
		allocs := r[l.name]["allocs/op"].median()
		name, _, _ := strings.Cut(l.name, "/")
		row(allocs <= l.allocs, name, fmt.Sprintf("%g allocations", allocs), "", "", "", fmt.Sprintf("at most %g", l.allocs))
	}
	if cores > 1 {
		gain, err := r.ratio("IssueParallel-1", "IssueParallel", "ns/op")
		if err != nil {
			return "", nil, err
		}
		wanted := 1 + scaling*float64(cores-1)
		row(gain >= wanted, "IssueParallel", r.show("IssueParallel", "ns/op"), "one core", r.show("IssueParallel-1", "ns/op"),
			fmt.Sprintf("%.3g×", gain), fmt.Sprintf("at least %.3g× on %d cores", wanted, cores))
	}
	return b.String(), missed, nil
}

// names are those of the table: the benchmark, and what stands beside it.
func (a aim) names() (benchmark, beside string) {
	benchmark, variant, _ := strings.Cut(a.ours, "/")
	_, beside, _ = strings.Cut(a.beside, "/")
	if variant != "postern" {
		benchmark += ", " + variant
	}
	if a.unit != "" {
		benchmark += ", length"
	}
	return benchmark, beside
}

// show writes a median as people read it.
func (r measurements) show(name, unit string) string {
	value := r[name][unit].median()
	switch {
	case unit == "token-B":
		return fmt.Sprintf("%.0f bytes", value)
	case value < 1e3:
		return fmt.Sprintf("%.0f ns", value)
	case value < 1e6:
		return fmt.Sprintf("%.3g µs", value/1e3)
	default:
		return fmt.Sprintf("%.3g ms", value/1e6)
	}
}

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRatiosAreMediansOfRounds(t *testing.T) {
	r := measurements{}
	for _, round := range [][2]int{{100, 3000}, {1000, 20_000}, {100, 5000}} { // a loaded machine in the second
		require.NoError(t, r.parse(strings.NewReader(fmt.Sprintf(
			"goos: linux\nBenchmarkA/postern-2   \t10\t%d ns/op\t 268.0 token-B\t2 allocs/op\nBenchmarkA/peer-2 5 %d ns/op\nBenchmarkP 5 9 ns/op\nPASS\n",
			round[0], round[1])), 2))
	}
	require.Equal(t, samples{100, 1000, 100}, r["A/postern"]["ns/op"])
	require.Equal(t, samples{9, 9, 9}, r["P-1"]["ns/op"])
	require.Equal(t, 268.0, r["A/postern"]["token-B"].median())
	ratio, err := r.ratio("A/peer", "A/postern", "ns/op")
	require.NoError(t, err)
	require.Equal(t, 30.0, ratio)
	_, err = r.ratio("A/other", "A/postern", "ns/op")
	require.Error(t, err)
}

func TestTheTableSaysWhichAimIsNotMet(t *testing.T) {
	r := measurements{}
	for _, a := range aims {
		for _, name := range []string{a.ours, a.beside} {
			r[name] = map[string]samples{"ns/op": {1000}, "token-B": {10}, "allocs/op": {3}}
		}
	}
	_, _, err := table(r, 2)
	require.ErrorContains(t, err, "IssueParallel")
	r["IssueParallel"], r["IssueParallel-1"] = map[string]samples{"ns/op": {100}}, map[string]samples{"ns/op": {190}}
	text, missed, err := table(r, 2)
	require.NoError(t, err)
	require.Contains(t, missed, "SignPost beside aws-sdk-go-v2")
	require.NotContains(t, missed, "SignPost beside floor")
	require.Contains(t, text, "| SignPost | 1 µs | aws-sdk-go-v2 | 1 µs | 1× | at least 30× | **not met** |")
	require.Contains(t, text, "| IssueParallel | 100 ns | one core | 190 ns | 1.9× | at least 1.7× on 2 cores | met |")
}

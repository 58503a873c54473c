package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var home = conditions{80 * time.Millisecond, 12.5e6}

func TestTheBoundIsThatOfSixConnections(t *testing.T) {
	one := 80*time.Millisecond + 4096*time.Microsecond // 50 KiB at the whole rate
	require.Equal(t, 34*one, home.bound(scenario{files: 200, size: 50 * kib}))
	require.Equal(t, one, home.bound(scenario{files: 6, size: 50 * kib}))
	require.Equal(t, 2*one, home.bound(scenario{files: 7, size: 50 * kib}))
	large := scenario{files: 10, size: 20 * mib}
	require.Equal(t, home.floor(large), home.bound(large), "never less than the bytes")
	require.InDelta(t, 16.777, home.floor(large).Seconds(), 0.001)
}

func TestEachAimIsToldAsMetOrNot(t *testing.T) {
	of := func(sc, sub int, took, frame float64) *measurement {
		return &measurement{scenarios[sc], subjects[sub], []run{{Took: 2 * took, Frame: 3 * frame}, {Took: took, Frame: frame}, {Took: took, Frame: frame}}}
	}
	all := []*measurement{
		of(0, 0, 3700, 49), of(0, 1, 6000, 51), of(0, 2, 9300, 17),
		of(2, 0, 9000, 20), of(2, 1, 9000, 20), of(2, 3, 12000, 20),
	}
	text := report(home, all, 3, "A machine.")
	for _, line := range []string{
		"| 200 files of 50 KiB, Postern, promotion: at most 1.3 times six connections | 1.29× | met | 1.29× | met |",
		"| 200 files of 50 KiB, Postern, promotion: at least 2.5 times as fast as Uppy without | 2.51× | met | 2.51× | met |",
		"| 200 files of 50 KiB, Postern, promotion: no frame above 50 ms | 49 ms | met | 49 ms | met |",
		"| 200 files of 50 KiB, Postern, no promotion: no frame above 50 ms | 51 ms | **not met** | 51 ms | **not met** |",
		"| one file of 100 MiB, Postern, promotion: at least 92 % of the line | 93.2 % | met | 93.2 % | met |",
		"| one file of 100 MiB, Postern, no promotion: at least 95 % of the line | 93.2 % | **not met** | 93.2 % | **not met** |",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.Equal(t, 8, strings.Count(text, "met |\n")+strings.Count(text, "met** |\n"), text)
	require.NotContains(t, text, "Uppy 6: ", "it has no aims")
}

//go:build race

package postern_test

const raceEnabled = true

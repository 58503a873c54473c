//go:build !race

package quickstart

const raceEnabled = false

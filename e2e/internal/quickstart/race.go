//go:build race

package quickstart

const raceEnabled = true

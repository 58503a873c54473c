//go:build race

package simulation_test

// standard is how many schedules are run if nobody asks for more.
const standard = 5_000

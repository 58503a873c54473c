package main
func report(c conditions, all []*measurement, rounds int, machine string) string { return "" }

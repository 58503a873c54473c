// Package bench measures Postern beside what one would use in its place, each
// configured as its documentation recommends: clients and signers are made once,
// credentials are static or cached.
//
// The floor of a benchmark is the work that no implementation can avoid: the
// cryptography over the same bytes, with hashers that are made once.
//
//	make bench       all benchmarks, several rounds, with a table of medians
//	make bench-http  servers under load
//	make bench-page  a page with many files, or large ones, over a slow line
//
// Each writes its section of RESULTS.md.
package bench

// Command table runs the benchmarks several times over, and writes one table of
// the medians to standard output and to RESULTS.md. It is what make bench runs:
//
//	go -C bench run ./cmd/table
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/postern-go/postern/bench/internal/results"
)

// modules are those whose versions matter.
var modules = []string{
	"github.com/aws/aws-sdk-go-v2", "github.com/aws/aws-sdk-go-v2/service/s3",
	"github.com/minio/minio-go/v7", "github.com/golang-jwt/jwt/v5",
}

func main() {
	rounds := flag.Int("rounds", 7, "how often each benchmark runs; the figures are medians")
	flag.Parse()
	missed, err := run(*rounds, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
	for _, m := range missed {
		fmt.Fprintln(os.Stderr, "not met:", m)
	}
}

func run(rounds int, stdout, stderr io.Writer) (missed []string, err error) {
	cores := runtime.GOMAXPROCS(0)
	measured := measurements{}
	for round := range rounds {
		fmt.Fprintf(stderr, "round %d of %d\n", round+1, rounds)
		for _, args := range [][]string{
			{"-bench", ".", "-skip", "IssueParallel", "-cpu", strconv.Itoa(cores), ".", "./parts"},
			{"-bench", "IssueParallel", "-cpu", "1," + strconv.Itoa(cores), "."},
		} {
			if err := measure(measured, cores, stderr, args...); err != nil {
				return nil, err
			}
		}
	}
	text, missed, err := table(measured, cores)
	if err != nil {
		return nil, err
	}
	machine, err := results.Machine(modules...)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nMedians of %d rounds.\n\n%s\n", machine, rounds, text)
	fmt.Fprintf(&b, "A ticket of the handler, for the file of BenchmarkIssue, has %s.\n", measured.show("Issue/postern", "token-B"))
	fmt.Fprint(stdout, b.String())
	return missed, results.Write(results.Section{Heading: "Benchmarks", Text: b.String()})
}

// measure runs go test once. One round has all benchmarks in it, so that what is
// compared was measured close together.
func measure(r measurements, cores int, stderr io.Writer, args ...string) error {
	cmd := exec.Command("go", append([]string{"test", "-run", "^$", "-benchmem"}, args...)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, stderr
	if err := cmd.Run(); err != nil {
		_, _ = stderr.Write(output.Bytes())
		return err
	}
	return r.parse(&output, cores)
}

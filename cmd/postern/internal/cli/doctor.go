package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/postern-go/postern"
)

var doctorCommand = command{
	name: "doctor", short: "examine the bucket as a browser and the handler use it",
	long: `Doctor does what a browser on a page of -origin and the handler would do, with
throw-away keys: preflights, a form, a PUT, parts, a replay, headers that nobody signed,
a wrong size, the rights of both identities, copies and conditions, the clock, and the
bucket's rules. For each failure it prints what mends it.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		o.bucket.originFlag(set)
		set.BoolVar(&o.json, "json", false, "print JSON")
		set.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after this `time`")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		issuer, err := o.issuer(ctx)
		if err != nil {
			return StatusUsage, err
		}
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		findings := issuer.Examine(ctx, o.bucket.origin)
		if err := ctx.Err(); err != nil {
			findings = append(findings, postern.Finding{Check: "time", Result: postern.CheckFailed, Seen: err.Error(), Advice: "Not everything was looked at: give it more -timeout, or see why S3 is slow."})
		}
		status := StatusOK
		for _, f := range findings {
			if f.Result == postern.CheckFailed {
				status = StatusFound
			}
		}
		if o.json {
			return status, writeJSON(streams.Out, struct {
				OK       bool              `json:"ok"`
				Findings []postern.Finding `json:"findings"`
			}{status == StatusOK, findings})
		}
		return status, printFindings(streams.Out, findings)
	},
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// marks are how results stand in the table.
var marks = map[postern.CheckResult]string{
	postern.CheckOK: "ok", postern.CheckWarning: "warning", postern.CheckFailed: "FAILED", postern.CheckSkipped: "-",
}

// printFindings prints a table, and then what mends what is wrong.
func printFindings(w io.Writer, findings []postern.Finding) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	counts := map[postern.CheckResult]int{}
	for _, f := range findings {
		counts[f.Result]++
		fmt.Fprintf(table, "%s\t%s\t%s\n", marks[f.Result], f.Check, f.Seen)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	printed := map[string]bool{}
	for _, f := range findings {
		if f.Result != postern.CheckFailed && f.Result != postern.CheckWarning || f.Advice == "" {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n", f.Check, f.Advice)
		switch {
		case f.Document == "":
		case printed[f.Document]:
			fmt.Fprintln(w, "\n    (as above)")
		default:
			printed[f.Document] = true
			fmt.Fprintf(w, "\n%s\n", indented(f.Document))
		}
	}
	_, err := fmt.Fprintf(w, "\n%d ok, %d warnings, %d failed, %d skipped\n",
		counts[postern.CheckOK], counts[postern.CheckWarning], counts[postern.CheckFailed], counts[postern.CheckSkipped])
	return err
}

func indented(document string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(document, "\n"), "\n", "\n    ")
}

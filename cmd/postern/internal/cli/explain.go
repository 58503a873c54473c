package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/postern-go/postern/internal/explain"
)

var explainCommand = command{
	name: "explain", args: "[file]", short: "say why S3 has refused an upload",
	long: `Explain reads what S3 has answered, from a file or from standard input: its error
document, the JSON of an UploadError, or a HAR file of the page's traffic ("Save all as
HAR" in the browser's network panel), which tells most: it has the grant, and what was
sent. It prints no signature, policy or token.`,
	flags: func(set *flag.FlagSet, o *options) { set.BoolVar(&o.json, "json", false, "print JSON") },
	run: func(_ context.Context, streams IO, o *options) (int, error) {
		text, err := o.input(streams.In)
		if err != nil {
			return StatusUsage, err
		}
		inputs, err := explain.Read(text)
		if err != nil {
			return StatusUsage, err
		}
		status := StatusOK
		var all []explain.Explanation
		for _, in := range inputs {
			e := explain.Explain(in)
			if len(e.Differs) == 0 {
				status = StatusFound
			}
			all = append(all, e)
		}
		if o.json {
			return status, writeJSON(streams.Out, all)
		}
		for k, e := range all {
			if k > 0 {
				fmt.Fprintln(streams.Out)
			}
			printExplanation(streams.Out, &e)
		}
		return status, nil
	},
}

func printExplanation(w io.Writer, e *explain.Explanation) {
	if e.Code != "" {
		fmt.Fprintf(w, "S3 says: %s: %s\n", e.Code, e.Message)
	}
	fmt.Fprintf(w, "Cause:   %s\nMend it: %s\n", e.Cause, e.Advice)
	for k, d := range e.Differs {
		if k > 0 {
			fmt.Fprintf(w, "Also:    %s %s: sent %q, granted %q\n", d.In, d.Name, d.Sent, d.Granted)
		}
	}
}

var errTooLarge = errors.New("the input is too large")

// input reads the file that is named, or standard input.
func (o *options) input(in io.Reader) ([]byte, error) {
	if len(o.args) > 1 {
		return nil, errors.New("name one file, or none for standard input")
	}
	if len(o.args) == 1 && o.args[0] != "-" {
		file, err := os.Open(o.args[0])
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, explain.MaxInput+1))
	if err == nil && len(text) > explain.MaxInput {
		err = errTooLarge
	}
	return text, err
}

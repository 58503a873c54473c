// Package cli is the command postern.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// The exit statuses.
const (
	StatusOK    = 0
	StatusFound = 1 // something is wrong with the bucket, the upload or the ticket
	StatusUsage = 2 // the command could not do its work
)

// IO is what a command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
}

// command is one of postern's.
type command struct {
	name, args, short, long string
	flags                   func(*flag.FlagSet, *options)
	run                     func(context.Context, IO, *options) (int, error)
}

// options are the flags of all commands; each has those that it needs.
type options struct {
	bucket  bucketOptions
	json    bool
	apply   bool
	dryRun  bool
	days    int
	minAge  time.Duration
	timeout time.Duration
	hook    string
	keyFile string
	name    string
	signer  string
	service string
	args    []string
}

var commands = []command{doctorCommand, corsCommand, iamCommand, lifecycleCommand, explainCommand, ticketCommand, sweepCommand, reconcileCommand}

// Run runs the command that the arguments name, and returns its exit status.
func Run(ctx context.Context, args []string, streams IO) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		return help(args, streams)
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		o := &options{}
		set := flag.NewFlagSet("postern "+c.name, flag.ContinueOnError)
		set.SetOutput(streams.Err)
		set.Usage = func() { c.usage(streams.Err, set) }
		c.flags(set, o)
		if err := set.Parse(args[1:]); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return StatusOK
			}
			return StatusUsage
		}
		o.args = set.Args()
		if len(o.args) > 0 && c.args == "" {
			fmt.Fprintf(streams.Err, "postern %s takes no arguments: %s\n", c.name, strings.Join(o.args, " "))
			return StatusUsage
		}
		status, err := c.run(ctx, streams, o)
		if err != nil {
			fmt.Fprintln(streams.Err, err)
		}
		return status
	}
	fmt.Fprintf(streams.Err, "postern has no command %q; postern help lists them\n", args[0])
	return StatusUsage
}

func help(args []string, streams IO) int {
	if len(args) > 1 {
		return Run(context.Background(), []string{args[1], "-h"}, IO{streams.In, streams.Out, streams.Out})
	}
	fmt.Fprint(streams.Out, "postern looks after the bucket of a handler.\n\n")
	for _, c := range commands {
		fmt.Fprintf(streams.Out, "  postern %-10s %s\n", c.name, c.short)
	}
	fmt.Fprint(streams.Out, `
postern help COMMAND tells more. The bucket is named by flags or by the environment:

`)
	for _, v := range variables {
		fmt.Fprintf(streams.Out, "  %-42s %s\n", v.name, v.means)
	}
	fmt.Fprint(streams.Out, `
The exit status is 0 if all is well, 1 if something was found, and 2 if the command
could not do its work.
`)
	return StatusOK
}

func (c *command) usage(w io.Writer, set *flag.FlagSet) {
	fmt.Fprintf(w, "postern %s [flags] %s\n\n%s\n\n", c.name, c.args, c.long)
	set.SetOutput(w)
	set.PrintDefaults()
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/postern-go/postern"
)

var ticketCommand = command{
	name: "ticket", args: "[file]", short: "show what a ticket binds",
	long: `Ticket opens a ticket, from a file or from standard input, by the keys that seal it,
and prints what it binds as JSON. The bucket, its endpoint and -name must be those of the
handler.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		o.keyFlags(set)
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		keys, err := o.ticketKeys()
		if err != nil {
			return StatusUsage, err
		}
		issuer, err := o.issuer(ctx, keys)
		if err != nil {
			return StatusUsage, err
		}
		token, err := o.input(streams.In)
		if err != nil {
			return StatusUsage, err
		}
		content, err := issuer.DescribeTicket(strings.TrimSpace(string(token)))
		if err != nil {
			return StatusFound, fmt.Errorf("%w: it was sealed by another key, for another bucket, endpoint or name, or is cut short", err)
		}
		return StatusOK, writeJSON(streams.Out, content)
	},
}

var sweepCommand = command{
	name: "sweep", short: "remove from staging what comes to nothing",
	long: `Sweep gives up uploads in parts whose ticket has ended, and removes what crashes have
left. It completes nothing, and leaves what has arrived to the handler's reconciler.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		o.keyFlags(set)
		set.BoolVar(&o.dryRun, "dry-run", false, "tell what would be done")
		set.DurationVar(&o.minAge, "min-age", time.Minute, "leave what is younger than this `time` to its browser")
		set.BoolVar(&o.json, "json", false, "print JSON")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		return o.reconcile(ctx, streams, true)
	},
}

var reconcileCommand = command{
	name: "reconcile", short: "complete what has arrived without its browser",
	long: `Reconcile does what browsers have not: it completes every upload that is whole, and
then does what sweep does. Each receipt goes to -hook, a command of the shell, as JSON on
its standard input; if it ends with another status than 0 the receipt counts as not
taken. Handlers with an inspector must not be reconciled by it: it has none.`,
	flags: func(set *flag.FlagSet, o *options) {
		o.bucket.flags(set)
		o.keyFlags(set)
		set.StringVar(&o.hook, "hook", "", "the `command` that takes receipts; needed without -dry-run")
		set.BoolVar(&o.dryRun, "dry-run", false, "tell what would be done")
		set.DurationVar(&o.minAge, "min-age", time.Minute, "leave what is younger than this `time` to its browser")
		set.BoolVar(&o.json, "json", false, "print JSON")
	},
	run: func(ctx context.Context, streams IO, o *options) (int, error) {
		if !o.dryRun && o.hook == "" {
			return StatusUsage, errors.New("receipts need a -hook that takes them, or nothing would know of the uploads; -dry-run needs none")
		}
		return o.reconcile(ctx, streams, false)
	},
}

// found is what was found in staging.
type found struct {
	Done string `json:"done"`
	Key  string `json:"key"`
	Why  string `json:"why,omitempty"`
}

var errNeedsLocker = errors.New("at this provider completions need the lock that the handlers share (WithLocker), which the command has not: the handlers' own WithReconciler does it")

func (o *options) reconcile(ctx context.Context, streams IO, sweep bool) (int, error) {
	keys, err := o.ticketKeys()
	if err != nil {
		return StatusUsage, err
	}
	issuer, err := o.issuer(ctx, keys, postern.WithOnComplete(func(ctx context.Context, r *postern.Receipt) error {
		return tell(ctx, o.hook, r, streams)
	}))
	if err != nil {
		return StatusUsage, err
	}
	all := []found{}
	if !sweep && !o.dryRun && issuer.NeedsLocker() {
		return StatusUsage, errNeedsLocker
	}
	report, err := issuer.Reconcile(ctx, postern.ReconcileOptions{
		MinAge: o.minAge, DryRun: o.dryRun, Sweep: sweep, Each: func(done, key, why string) { all = append(all, found{done, key, why}) },
	})
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = errors.Join(err, issuer.Shutdown(shutdown))
	if o.json {
		err = errors.Join(err, writeJSON(streams.Out, map[string]any{"dry_run": o.dryRun, "found": all, "error": text(err)}))
	} else {
		for _, f := range all {
			fmt.Fprintf(streams.Out, "%-10s %s %s\n", f.Done, f.Key, f.Why)
		}
		would := ""
		if o.dryRun {
			would = " (dry run: nothing was done)"
		}
		fmt.Fprintf(streams.Out, "%d completed, %d aborted, %d removed, %d left%s\n", report.Completed, report.Aborted, report.Removed, report.Left, would)
	}
	if err != nil {
		return StatusFound, err
	}
	return StatusOK, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// tell gives a receipt to the hook.
func tell(ctx context.Context, hook string, r *postern.Receipt, streams IO) error {
	if hook == "" {
		return errors.New("there is no hook")
	}
	receipt, err := json.Marshal(r)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "sh", "-c", hook)
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(receipt), streams.Err, streams.Err
	return command.Run()
}

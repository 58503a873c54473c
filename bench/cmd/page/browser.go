package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	// patience is how long a run may take.
	patience = 10 * time.Minute
	// settling is how long a page is open before its files are handed over.
	settling = 4 * time.Second
)

// run is what a page measured of itself.
type run struct {
	Done  int     // files
	Took  float64 // ms
	Frame float64 // ms; the longest of the long animation frames, which are above 50, or 0
}

// measure uploads files in a browser of its own, so that nothing is open or cached.
func measure(ctx context.Context, page string, paths []string, expression string) (r run, err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("headless", "new"),
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1000, 800),
	)
	path, err := chromium()
	if err != nil {
		return r, err
	}
	options = append(options, chromedp.ExecPath(path))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	tab, _ := chromedp.NewContext(allocator)
	defer func() { err = errors.Join(err, chromedp.Cancel(tab)) }()
	if err := chromedp.Do(tab, chromedp.Navigate(page)); err != nil {
		return r, fmt.Errorf("open %s: %w", page, err)
	}
	if err := chromedp.Do(tab, chromedp.SetUploadFiles("#files", paths)); err != nil {
		return r, fmt.Errorf("choose the files: %w", err)
	}
	// A browser tells its debugger of each request, which costs it more than a little.
	if _, err := chromedp.Call(tab, network.Disable, cdp.Empty{}); err != nil {
		return r, fmt.Errorf("turn the debugger's network off: %w", err)
	}
	time.Sleep(settling)
	r, err = chromedp.Run(tab, chromedp.Evaluate[run](expression, chromedp.EvalAwaitPromise))
	if err == nil && r.Done != len(paths) {
		err = fmt.Errorf("%d of %d files went up", r.Done, len(paths))
	}
	return r, err
}

// chromium finds the browser by one of its names.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no chromium: run scripts/chromium, or put it into the PATH")
}

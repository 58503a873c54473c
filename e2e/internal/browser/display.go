package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// display is an X server without a screen that anybody sees.
type display struct {
	name    string
	server  *process
	outside *outside
}

// startDisplay starts an X server. Without a window manager, the window under the pointer
// has the focus, and the pointer is in the middle: windows must reach there.
func startDisplay(width, height int) (*display, error) {
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return nil, fmt.Errorf("run scripts/firefox or scripts/webkit: %w", err)
	}
	server, err := run("", nil, path, "-displayfd", "1", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(server.Output)
	for lines.Scan() { // it tells of displays that are taken, too
		if _, err := strconv.Atoi(lines.Text()); err == nil {
			go func() { _, _ = io.Copy(io.Discard, server.Output) }()
			d := &display{name: ":" + lines.Text(), server: server}
			if d.outside, err = startOutside(d.name); err != nil {
				server.Stop()
			}
			return d, err
		}
	}
	server.Stop()
	return nil, errors.New("no display starts with Xvfb")
}

// environment has a program show itself there, and not on the desktop of whoever runs tests.
func (d *display) environment() []string {
	return []string{"DISPLAY=" + d.name, "GDK_BACKEND=x11", "NO_AT_BRIDGE=1"}
}

// dragOver drags what is at addresses from another program over a point of a page. Where
// the page begins on the screen, in both directions, a JavaScript expression says.
func (d *display) dragOver(ctx context.Context, e engine, origin string, x, y float64, addresses []string) error {
	text, err := e.evaluate(ctx, origin)
	if err != nil {
		return err
	}
	var from [2]float64
	if err := json.Unmarshal(text, &from); err != nil {
		return err
	}
	return d.outside.drag(ctx, from[0]+x, from[1]+y, addresses)
}

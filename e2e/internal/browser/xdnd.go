package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

// outside is another program on a display, which drags things over windows as a file
// manager does (https://www.freedesktop.org/wiki/Specifications/XDND/), one at a time.
type outside struct {
	conn                 *xgb.Conn
	root, source, target xproto.Window
	atoms                map[string]xproto.Atom
	messages             chan xproto.ClientMessageEvent

	mu sync.Mutex
	// list is what is dragged, as text/uri-list.
	list []byte
}

const xdndVersion = 5

func init() { xgb.Logger.SetOutput(io.Discard) } // it tells of displays without passwords

// startOutside starts it. It ends with the display.
func startOutside(display string) (*outside, error) {
	conn, err := xgb.NewConnDisplay(display)
	if err != nil {
		return nil, err
	}
	o := &outside{conn: conn, atoms: map[string]xproto.Atom{}, messages: make(chan xproto.ClientMessageEvent, 64)}
	for _, name := range []string{
		"XdndAware", "XdndSelection", "XdndActionCopy", "text/uri-list",
		"XdndEnter", "XdndPosition", "XdndStatus", "XdndLeave", "XdndDrop", "XdndFinished",
	} {
		atom, err := xproto.InternAtom(conn, false, uint16(len(name)), name).Reply()
		if err != nil {
			return nil, err
		}
		o.atoms[name] = atom.Atom
	}
	o.root = xproto.Setup(conn).DefaultScreen(conn).Root
	if o.source, err = xproto.NewWindowId(conn); err != nil {
		return nil, err
	}
	err = xproto.CreateWindowChecked(conn, 0, o.source, o.root, 0, 0, 1, 1, 0, xproto.WindowClassInputOnly, 0, 0, nil).Check()
	if err != nil {
		return nil, err
	}
	err = xproto.SetSelectionOwnerChecked(conn, o.source, o.atoms["XdndSelection"], xproto.TimeCurrentTime).Check()
	if err != nil {
		return nil, err
	}
	go o.serve()
	return o, nil
}

// drag takes up what is at addresses, and goes to a point of the screen, where something
// must take a drop. It ends with drop or leave.
func (o *outside) drag(ctx context.Context, x, y float64, addresses []string) (err error) {
	o.mu.Lock()
	o.list = []byte(strings.Join(addresses, "\r\n") + "\r\n")
	o.mu.Unlock()
	if o.target, err = o.topmost(x, y); err != nil {
		return err
	}
	if err := o.send("XdndEnter", xdndVersion<<24, uint32(o.atoms["text/uri-list"])); err != nil {
		return err
	}
	for _, before := range []float64{3, 2, 1, 0} { // a browser tells a page of what moves over it
		if err := o.over(ctx, x, y-before); err != nil {
			o.leave()
			return err
		}
	}
	return nil
}

// topmost is the uppermost window at a point on which something can be dropped.
func (o *outside) topmost(x, y float64) (found xproto.Window, err error) {
	tree, err := xproto.QueryTree(o.conn, o.root).Reply()
	if err != nil {
		return 0, err
	}
	for _, window := range tree.Children { // from the bottom to the top
		aware, err := xproto.GetProperty(o.conn, false, window, o.atoms["XdndAware"], xproto.GetPropertyTypeAny, 0, 1).Reply()
		if err != nil || aware.ValueLen == 0 {
			continue // or it is gone
		}
		is, err := xproto.GetWindowAttributes(o.conn, window).Reply()
		if err != nil || is.MapState != xproto.MapStateViewable {
			continue
		}
		at, err := xproto.GetGeometry(o.conn, xproto.Drawable(window)).Reply()
		if err != nil {
			continue
		}
		left, top := float64(at.X), float64(at.Y)
		if left <= x && x < left+float64(at.Width) && top <= y && y < top+float64(at.Height) {
			found = window
		}
	}
	if found == 0 {
		return 0, errors.New("there is no window there on which to drop")
	}
	return found, nil
}

// serve tells whoever asks what is dragged, until the connection ends.
func (o *outside) serve() {
	defer close(o.messages)
	for {
		event, err := o.conn.WaitForEvent()
		switch e := event.(type) {
		case nil:
			if err == nil {
				return
			}
		case xproto.ClientMessageEvent:
			o.messages <- e
		case xproto.SelectionRequestEvent:
			answer := xproto.SelectionNotifyEvent{Time: e.Time, Requestor: e.Requestor, Selection: e.Selection, Target: e.Target}
			if e.Target == o.atoms["text/uri-list"] {
				answer.Property = e.Property
				o.mu.Lock()
				list := o.list
				o.mu.Unlock()
				xproto.ChangeProperty(o.conn, xproto.PropModeReplace, e.Requestor, e.Property, e.Target, 8, uint32(len(list)), list)
			}
			xproto.SendEvent(o.conn, false, e.Requestor, 0, string(answer.Bytes()))
		}
	}
}

func (o *outside) send(message string, data ...uint32) error {
	event := xproto.ClientMessageEvent{
		Format: 32, Window: o.target, Type: o.atoms[message],
		Data: xproto.ClientMessageDataUnionData32New(append([]uint32{uint32(o.source)}, append(data, make([]uint32, 4-len(data))...)...)),
	}
	return xproto.SendEventChecked(o.conn, false, o.target, 0, string(event.Bytes())).Check()
}

// wait returns the data of the next message of this kind.
func (o *outside) wait(ctx context.Context, message string) ([]uint32, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no %s comes: %w", message, ctx.Err())
		case e, open := <-o.messages:
			if !open {
				return nil, errors.New("the display is gone")
			}
			if e.Type == o.atoms[message] {
				return e.Data.Data32, nil
			}
		}
	}
}

// over is at a point of the screen until what is there would take a drop.
func (o *outside) over(ctx context.Context, x, y float64) error {
	for {
		err := o.send("XdndPosition", 0, uint32(x)<<16|uint32(y), xproto.TimeCurrentTime, uint32(o.atoms["XdndActionCopy"]))
		if err != nil {
			return err
		}
		status, err := o.wait(ctx, "XdndStatus")
		if err != nil {
			return err
		}
		if accepted := status[1]&1 == 1; accepted {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing there takes a drop: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// drop ends it where it is.
func (o *outside) drop(ctx context.Context) error {
	if err := o.send("XdndDrop", 0, xproto.TimeCurrentTime); err != nil {
		return err
	}
	_, err := o.wait(ctx, "XdndFinished")
	return err
}

// leave ends it without a drop.
func (o *outside) leave() { _ = o.send("XdndLeave") }

// addressesOf are those of files and folders.
func addressesOf(paths []string) (addresses []string) {
	for _, path := range paths {
		addresses = append(addresses, (&url.URL{Scheme: "file", Path: path}).String())
	}
	return addresses
}

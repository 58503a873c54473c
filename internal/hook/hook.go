// Package hook runs code of the application, so that a panic in it costs one
// request and not the process.
package hook

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// PanicError is a panic in a hook.
type PanicError struct {
	Value any
	Stack []byte
}

// Error returns the value of the panic.
func (p *PanicError) Error() string { return fmt.Sprint("panic: ", p.Value) }

// Guard runs fn and makes an error of a panic. http.ErrAbortHandler goes on: it is
// how a handler ends its connection.
func Guard(fn func() error) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}

// GuardAll is Guard for a goroutine that serves no connection: every panic is an
// error.
func GuardAll(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}

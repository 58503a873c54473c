// Package inspect has inspectors for [postern.WithInspector]: viruses by clamd or by
// Amazon GuardDuty, and pictures that are larger than they look.
//
//	postern.WithInspector(inspect.ImageBounds(50_000_000)),
//	postern.WithInspector(inspect.Clamd("unix", "/run/clamav/clamd.ctl")),
//
// Each is bounded in bytes by itself, and in time by [postern.WithInspectorTimeout].
// What is not found out is never accepted.
package inspect

import (
	"context"
	"errors"

	"github.com/postern-go/postern"
)

// Inspector is what [postern.WithInspector] takes.
type Inspector = func(ctx context.Context, o *postern.Object) (postern.Verdict, error)

// The problems of rejections.
var (
	// ErrMalware: a scanner has found something, whose name is the cause.
	ErrMalware = postern.NewProblem(422, "malware", "The file is harmful, and was not kept.")
	// ErrUnscannable: no scanner looks into such a file.
	ErrUnscannable = postern.NewProblem(422, "unscannable", "The file cannot be checked for malware, and was not kept.")
	// ErrImageTooLarge: a picture has too many pixels.
	ErrImageTooLarge = postern.NewProblem(422, "image_too_large", "The picture has too many pixels.")
	// ErrImageUnreadable: a picture does not tell how large it is.
	ErrImageUnreadable = postern.NewProblem(422, "image_unreadable", "The picture cannot be read.")
)

var errEmpty = errors.New("the argument is empty")

// check panics with a mistake, as postern's middleware does.
func check(option string, ok bool, err error) {
	if !ok {
		panic(&postern.ConfigError{Option: option, Err: err})
	}
}

var errVerdict = errors.New("a verdict is Accepted, Rejected or Undecided")

// checkVerdict panics where there is no verdict.
func checkVerdict(option string, v postern.Verdict) {
	check(option, v != postern.Verdict{}, errVerdict)
}

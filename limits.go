package postern

import (
	"errors"
	"fmt"

	"github.com/postern-go/postern/internal/mediatype"
	"github.com/postern-go/postern/internal/object"
)

// limits bound a size in bytes, both ends included.
type limits struct{ min, max int64 }

// check finds what is wrong with limits in the configuration.
func (l limits) check() error {
	if l.min < 0 || l.max < l.min || l.max > object.MaxSize {
		return fmt.Errorf("%w, not %d to %d", errSizeRange, l.min, l.max)
	}
	return nil
}

// and returns what both limits allow. Where they do not meet, min is above max and
// nothing fits.
func (l limits) and(other limits) limits {
	return limits{max(l.min, other.min), min(l.max, other.max)}
}

// admit refuses a size outside the limits. An unknown size passes: the grant then
// bounds it.
func (l limits) admit(size int64) error {
	switch {
	case l.max < l.min, l.max < 0:
		return ErrSizeTooLarge.WithDetail("No file of any size is accepted here.")
	case size == UnknownSize:
		return nil
	case size < 0:
		return ErrSizeInvalid
	case size > l.max:
		return ErrSizeTooLarge.WithDetail("The file is larger than "+humanSize(l.max)+".").WithLimits(0, l.max)
	case size < l.min:
		detail := "The file is smaller than " + humanSize(l.min) + "."
		if size == 0 {
			detail = "The file is empty."
		}
		return ErrSizeTooSmall.WithDetail(detail).WithLimits(l.min, 0)
	}
	return nil
}

// narrowing is limits that add up: none, or the narrowest of several.
type narrowing struct {
	limits
	set bool
}

func (n *narrowing) add(l limits) { n.limits, n.set = n.of(l), true }

// of returns l, narrowed.
func (n *narrowing) of(l limits) limits {
	if n.set {
		return n.and(l)
	}
	return l
}

// humanSize writes a size for people, as the element on the page does: in decimal
// units (a megabyte is 10^6 bytes), with one decimal below 100, halves upwards.
func humanSize(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	}
	units := [...]string{"kB", "MB", "GB", "TB"}
	scale, unit := int64(1000), 0
	for n >= scale*1000-scale/2 && unit < len(units)-1 {
		scale, unit = scale*1000, unit+1
	}
	tenths := (n + scale/20) / (scale / 10)
	if whole := tenths / 10; tenths%10 == 0 && whole < 100 {
		return fmt.Sprintf("%d %s", whole, units[unit])
	} else if whole < 100 {
		return fmt.Sprintf("%d.%d %s", whole, tenths%10, units[unit])
	}
	return fmt.Sprintf("%d %s", (n+scale/2)/scale, units[unit])
}

// inertTypes is what is allowed where nothing is said.
var inertTypes, _ = mediatype.NewSet("*/*")

var errNoTypes = errors.New("at least one content type is needed")

func newTypes(patterns []string) (*mediatype.Set, error) {
	if len(patterns) == 0 {
		return nil, errNoTypes
	}
	return mediatype.NewSet(patterns...)
}

// checkType rebuilds the type of an upload and holds it against a set, the sets of
// the rules that ran, and those of the upload itself.
func (u *Upload) checkType(set *mediatype.Set) error {
	t, err := mediatype.Parse(u.Type)
	if err != nil {
		return ErrTypeInvalid
	}
	u.Type = t.String()
	if !set.Has(t.Essence) {
		return typeNotAllowed(t, set)
	}
	for _, sets := range [...][]*mediatype.Set{u.typeRules, u.ownTypes} {
		for _, other := range sets {
			if other != set && !other.Has(t.Essence) {
				return typeNotAllowed(t, other)
			}
		}
	}
	return u.invalid
}

func typeNotAllowed(t mediatype.Type, set *mediatype.Set) error {
	return ErrTypeNotAllowed.
		WithDetail("Files of type " + t.Essence + " are not accepted.").
		WithAllowedTypes(set.Patterns()...)
}

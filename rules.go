package postern

import (
	"fmt"

	"github.com/postern-go/postern/internal/mediatype"
)

// limits bound a size in bytes, both ends included. The zero value is no limit.
type limits struct{ least, most int64 }

// The largest object of S3, and the largest that one POST or PUT can make
// ("Amazon S3 multipart upload limits").
const (
	maxObject = 5 << 40
	maxSingle = 5 << 30
)

func (l limits) check() error {
	if l.least < 0 || l.most < l.least || l.most > maxObject {
		return fmt.Errorf("%w, not %d to %d", errSizeRange, l.least, l.most)
	}
	return nil
}

// and returns what both limits allow. Where they do not meet, least is above
// most and nothing fits.
func (l limits) and(other limits) limits {
	return limits{max(l.least, other.least), min(l.most, other.most)}
}

// narrowed returns the limits with what the upload's own fields take away.
func (l limits) narrowed(u *Upload) limits {
	l.least = max(l.least, u.MinSize)
	if u.MaxSize != 0 {
		l.most = min(l.most, u.MaxSize)
	}
	return l
}

// judge refuses a size outside the limits. An unknown size passes: the grant
// then bounds it.
func (l limits) judge(size int64) error {
	switch {
	case l.most < l.least, l.most < 0:
		p := *ErrSizeTooLarge
		p.Detail = "No file of any size is accepted here."
		return &p
	case size == UnknownSize:
		return nil
	case size < 0:
		return ErrSizeInvalid
	case size > l.most:
		p := *ErrSizeTooLarge
		p.Detail = "The file is larger than " + humanSize(l.most) + "."
		p.MaxSize = l.most
		return &p
	case size < l.least:
		p := *ErrSizeTooSmall
		p.Detail = "The file is smaller than " + humanSize(l.least) + "."
		if size == 0 {
			p.Detail = "The file is empty."
		}
		p.MinSize = l.least
		return &p
	}
	return nil
}

func humanSize(n int64) string {
	units := [...]string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1<<10 {
		if n == 1 {
			return "1 byte"
		}
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.4g %s", v, units[unit])
}

// judgeSize applies limits to an upload, together with what its fields narrow,
// and leaves in the fields what may still be narrowed.
func (u *Upload) judgeSize(l limits) error {
	if u.limited {
		l = l.and(u.limits)
	}
	l = l.narrowed(u)
	u.limits, u.limited = l, true
	if err := l.judge(u.Size); err != nil {
		return err
	}
	u.MinSize, u.MaxSize = l.least, l.most
	return nil
}

// inertTypes is what is allowed where nothing is said.
var inertTypes, _ = mediatype.NewSet("*/*")

func newTypes(patterns []string) (*mediatype.Set, error) {
	if len(patterns) == 0 {
		return nil, errNoTypes
	}
	return mediatype.NewSet(patterns...)
}

// judgeType rebuilds the type of an upload and holds it against a set, the sets
// of earlier rules, and the upload's own list.
func (u *Upload) judgeType(set *mediatype.Set) error {
	t, err := mediatype.Parse(u.Type)
	if err != nil {
		return ErrTypeInvalid
	}
	u.Type = t.String()
	if !set.Has(t.Essence) {
		return typeNotAllowed(t, set)
	}
	for _, earlier := range u.types {
		if earlier != set && !earlier.Has(t.Essence) {
			return typeNotAllowed(t, earlier)
		}
	}
	if u.AllowedTypes != nil {
		own, err := mediatype.NewSet(u.AllowedTypes...)
		if err != nil {
			return fmt.Errorf("Upload.AllowedTypes: %w", err)
		}
		if !own.Has(t.Essence) {
			return typeNotAllowed(t, own)
		}
	}
	return nil
}

func typeNotAllowed(t mediatype.Type, set *mediatype.Set) error {
	p := *ErrTypeNotAllowed
	p.Detail = "Files of type " + t.Essence + " are not accepted."
	p.AllowedTypes = set.Patterns()
	return &p
}

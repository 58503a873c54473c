package inspect

import (
	"context"
	"errors"
	"io"
	"math/bits"
	"strings"

	"github.com/postern-go/postern"
)

// ImageOption configures [ImageBounds].
type ImageOption func(*imageBounds)

type imageBounds struct {
	maxPixels  uint64
	unreadable postern.Verdict
}

// ImageUnreadable sets the verdict of pictures whose dimensions are not found: by
// default they are rejected as [ErrImageUnreadable].
func ImageUnreadable(v postern.Verdict) ImageOption {
	checkVerdict("ImageUnreadable", v)
	return func(b *imageBounds) { b.unreadable = v }
}

// ImageBounds rejects pictures of more pixels than a decoder should be asked for, as
// [ErrImageTooLarge]: a file of a few kilobytes may say that it is 50,000 pixels wide.
// Objects whose type is image/* are looked at, whatever their bytes are; others are
// accepted. The width and height are read from PNG, JPEG, GIF, WebP, BMP, AVIF and HEIF,
// and nothing is decoded: usually of the first 256 KiB, and at most of 16 pieces of
// 1.2 MiB in all. The frames of animations are not counted.
func ImageBounds(maxPixels int64, opts ...ImageOption) Inspector {
	check("ImageBounds", maxPixels > 0, errors.New("a picture has at least 1 pixel"))
	b := &imageBounds{uint64(maxPixels), postern.Rejected(ErrImageUnreadable)}
	for _, opt := range opts {
		opt(b)
	}
	return b.inspect
}

func (b *imageBounds) inspect(ctx context.Context, o *postern.Object) (postern.Verdict, error) {
	if !strings.HasPrefix(o.Type, "image/") {
		return postern.Accepted(), nil
	}
	s := &source{ctx: ctx, object: o}
	width, height, ok := measure(s)
	over, pixels := bits.Mul64(width, height)
	switch {
	case s.err != nil:
		return postern.Verdict{}, s.err
	case !ok || over == 0 && pixels == 0:
		return b.unreadable, nil
	case over > 0 || pixels > b.maxPixels:
		return postern.Rejected(ErrImageTooLarge), nil
	}
	return postern.Accepted(), nil
}

const (
	firstPiece = 256 << 10
	nextPiece  = 64 << 10
	maxPieces  = 16
)

// source reads pieces of an object where they are asked for.
type source struct {
	ctx    context.Context
	object *postern.Object
	start  int64 // of the piece in the object
	piece  []byte
	pieces int
	err    error // of S3
}

// at returns n bytes at an offset, n up to 64 KiB, or nil if they are not there or not
// to be had.
func (s *source) at(offset, n int64) []byte {
	if offset < 0 || offset > s.object.Size-n || s.err != nil {
		return nil
	}
	if offset < s.start || offset+n > s.start+int64(len(s.piece)) {
		if !s.load(offset) || n > int64(len(s.piece)) {
			return nil
		}
	}
	return s.piece[offset-s.start:][:n]
}

func (s *source) load(offset int64) bool {
	if s.pieces == maxPieces {
		return false
	}
	size := int64(nextPiece)
	if s.pieces++; s.pieces == 1 {
		offset, size = 0, firstPiece
	}
	body, err := s.object.Open(s.ctx, offset, size)
	if err != nil {
		s.err = err
		return false
	}
	defer body.Close()
	s.start = offset
	if s.piece, s.err = io.ReadAll(body); s.err == nil && int64(len(s.piece)) != min(size, s.object.Size-offset) {
		s.err = io.ErrUnexpectedEOF
	}
	return s.err == nil
}

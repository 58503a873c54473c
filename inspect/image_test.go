package inspect_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/inspect"
)

// encoded is a picture that Go has encoded.
func encoded(t testing.TB, encode func(b *bytes.Buffer, m image.Image) error, width, height int) []byte {
	var b bytes.Buffer
	require.NoError(t, encode(&b, image.NewGray(image.Rect(0, 0, width, height))))
	return b.Bytes()
}

func asPNG(b *bytes.Buffer, m image.Image) error  { return png.Encode(b, m) }
func asJPEG(b *bytes.Buffer, m image.Image) error { return jpeg.Encode(b, m, nil) }
func asGIF(b *bytes.Buffer, m image.Image) error  { return gif.Encode(b, m, nil) }

// box is a box of ISO/IEC 14496-12.
func box(kind string, content ...[]byte) []byte {
	inner := bytes.Join(content, nil)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(inner)+8)), kind...), inner...)
}

// wideBox has a size of 64 bits.
func wideBox(kind string, content ...[]byte) []byte {
	inner := bytes.Join(content, nil)
	return append(binary.BigEndian.AppendUint64(append([]byte{0, 0, 0, 1}, kind...), uint64(len(inner)+16)), inner...)
}

func ispe(width, height uint32) []byte {
	b := make([]byte, 4, 12)
	return box("ispe", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, width), height))
}

func meta(properties ...[]byte) []byte {
	return box("meta", make([]byte, 4), box("hdlr", make([]byte, 24)), box("iprp", box("ipco", properties...)))
}

func avif(after ...[]byte) []byte {
	return bytes.Join(append([][]byte{box("ftyp", []byte("avif\x00\x00\x00\x00mif1miaf"))}, after...), nil)
}

func webp(chunk string, payload ...byte) []byte {
	b := append([]byte("RIFF\x00\x00\x00\x00WEBP"), chunk...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), make([]byte, 16)...)
}

func bmp(header uint32, width, height int32) []byte {
	b := append([]byte("BM"), make([]byte, 12)...)
	b = binary.LittleEndian.AppendUint32(b, header)
	if header == 12 {
		b = binary.LittleEndian.AppendUint16(b, uint16(width))
		b = binary.LittleEndian.AppendUint16(b, uint16(height))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(width))
		b = binary.LittleEndian.AppendUint32(b, uint32(height))
	}
	return append(b, make([]byte, 40)...)
}

// after puts segments between the beginning of a JPEG and its rest.
func after(file []byte, segments ...[]byte) []byte {
	return bytes.Join([][]byte{file[:2], bytes.Join(segments, nil), file[2:]}, nil)
}

func segment(marker byte, length int) []byte {
	b := append([]byte{0xff, marker}, binary.BigEndian.AppendUint16(nil, uint16(length+2))...)
	return append(b, make([]byte, length)...)
}

// screen makes the logical screen of a GIF small.
func screen(file []byte, width, height uint16) []byte {
	b := bytes.Clone(file)
	binary.LittleEndian.PutUint16(b[6:], width)
	binary.LittleEndian.PutUint16(b[8:], height)
	return b
}

// verdictOf asks whether a file has at most so many pixels.
func verdictOf(t testing.TB, content []byte, max int64) postern.Verdict {
	o := postern.Object{Type: "image/png"}
	v, err := inspect.ImageBounds(max)(context.Background(), o.WithContent(content, nil))
	require.NoError(t, err)
	return v
}

func TestImageBoundsOfEveryFormat(t *testing.T) {
	jpg, gif := encoded(t, asJPEG, 300, 200), encoded(t, asGIF, 300, 200)
	var late [][]byte
	for range 6 {
		late = append(late, segment(0xe1, 65000))
	}
	for name, file := range map[string][]byte{
		"PNG":                           encoded(t, asPNG, 300, 200),
		"JPEG":                          jpg,
		"JPEG after a profile":          after(jpg, late...),
		"JPEG with fill bytes":          after(jpg, []byte{0xff, 0xff, 0xff}),
		"progressive JPEG":              bytes.Replace(jpg, []byte{0xff, 0xc0}, []byte{0xff, 0xc2}, 1),
		"GIF":                           gif,
		"GIF of a smaller screen":       screen(gif, 1, 1),
		"GIF of a larger screen":        screen(bytes.Clone(encoded(t, asGIF, 3, 2)), 300, 200),
		"lossy WebP":                    webp("VP8 ", 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x2c, 0x41, 0xc8, 0x80),
		"lossless WebP":                 webp("VP8L", 0x2f, 0x2b, 0xc1, 0x31, 0),
		"extended WebP":                 webp("VP8X", 0, 0, 0, 0, 0x2b, 1, 0, 0xc7, 0, 0),
		"BMP":                           bmp(40, 300, 200),
		"BMP from above":                bmp(124, 300, -200),
		"old BMP":                       bmp(12, 300, 200),
		"AVIF":                          avif(meta(ispe(300, 200)), box("mdat", make([]byte, 100))),
		"AVIF of tiles":                 avif(meta(ispe(100, 100), ispe(300, 200), box("pixi", make([]byte, 8)), ispe(30, 20))),
		"HEIC whose meta comes late":    avif(box("mdat", make([]byte, 1<<20)), meta(ispe(300, 200))),
		"HEIC of 64-bit sizes":          avif(wideBox("mdat", make([]byte, 100)), meta(ispe(300, 200))),
		"AVIF whose last box is open":   append(avif(meta(ispe(300, 200))), "\x00\x00\x00\x00mdat-and-so-on"...),
		"AVIF of several lists of them": avif(box("meta", make([]byte, 4), box("iprp", box("ipco", ispe(3, 2)), box("ipco", ispe(300, 200))))),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, postern.Accepted(), verdictOf(t, file, 300*200))
			require.ErrorIs(t, verdictOf(t, file, 300*200-1).Problem(), inspect.ErrImageTooLarge)
		})
	}
}

func TestImagesThatDoNotTellTheirSizeAreRejected(t *testing.T) {
	jpg := encoded(t, asJPEG, 3, 2)
	var many [][]byte
	for range 60 {
		many = append(many, segment(0xe1, 65000))
	}
	for name, file := range map[string][]byte{
		"nothing":                        nil,
		"text":                           []byte("a picture, honestly"),
		"TIFF":                           append([]byte("II*\x00"), make([]byte, 100)...),
		"PNG cut off":                    encoded(t, asPNG, 3, 2)[:20],
		"PNG that begins otherwise":      append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x04CgBI"), make([]byte, 100)...),
		"JPEG cut off":                   jpg[:100],
		"JPEG of garbage between":        after(jpg, []byte("garbage")),
		"JPEG whose profile is too long": after(jpg, many...),
		"JPEG with a scan first":         after(jpg, segment(0xda, 10)),
		"JPEG whose lines follow":        bytes.Replace(jpg, []byte{0xff, 0xc0, 0, 11, 8, 0, 2}, []byte{0xff, 0xc0, 0, 11, 8, 0, 0}, 1),
		"GIF without a frame":            append(encoded(t, asGIF, 3, 2)[:13], ';'),
		"GIF cut off":                    encoded(t, asGIF, 3, 2)[:30],
		"WebP of another chunk":          webp("ALPH", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
		"WebP between frames":            webp("VP8 ", 0x11, 0, 0, 0x9d, 0x01, 0x2a, 0x2c, 0x41, 0xc8, 0x80),
		"BMP of another header":          bmp(13, 3, 2),
		"AVIF without sizes":             avif(meta(box("pixi", make([]byte, 8)))),
		"AVIF without meta":              avif(box("mdat", make([]byte, 100))),
		"AVIF whose box is too long":     append(avif(meta(ispe(3, 2))), "\x00\x00\xff\xffmdat"...),
		"AVIF whose box has no length":   append(avif(meta(ispe(3, 2))), "\x00\x00\x00\x07mdat"...),
		"AVIF whose size is short":       avif(box("meta", make([]byte, 4), box("iprp", box("ipco", box("ispe", make([]byte, 8)))))),
		"no pixels":                      bmp(40, 0, 200),
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, verdictOf(t, file, 1<<62).Problem(), inspect.ErrImageUnreadable)
			o := postern.Object{Type: "image/tiff"}
			v, err := inspect.ImageBounds(1, inspect.ImageUnreadable(postern.Accepted()))(context.Background(), o.WithContent(file, nil))
			require.NoError(t, err)
			require.Equal(t, postern.Accepted(), v)
		})
	}
}

func TestImageBoundsLeavesOtherFilesAlone(t *testing.T) {
	o := postern.Object{Type: "text/plain", Size: 10} // which cannot be read
	v, err := inspect.ImageBounds(1)(context.Background(), &o)
	require.NoError(t, err)
	require.Equal(t, postern.Accepted(), v)
	o.Type = "image/png"
	_, err = inspect.ImageBounds(1)(context.Background(), &o)
	require.Error(t, err, "a fault is no verdict")
}

func TestProductOfTheSidesDoesNotOverflow(t *testing.T) {
	huge := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\xff\xff\xff\xff\xff\xff\xff\xff\x08\x00\x00\x00\x00")
	require.ErrorIs(t, verdictOf(t, huge, 1<<62).Problem(), inspect.ErrImageTooLarge)
}

// Whatever Go's decoders read a size of is never accepted above it.
func FuzzImageBounds(f *testing.F) {
	for _, encode := range []func(*bytes.Buffer, image.Image) error{asPNG, asJPEG, asGIF} {
		f.Add(encoded(f, encode, 30, 20), int64(100))
	}
	f.Add(avif(meta(ispe(30, 20))), int64(100))
	f.Add(webp("VP8X", 0, 0, 0, 0, 0x2b, 1, 0, 0xc7, 0, 0), int64(100))
	f.Add(bmp(40, 30, 20), int64(100))
	f.Fuzz(func(t *testing.T, content []byte, max int64) {
		if max < 1 {
			return
		}
		v := verdictOf(t, content, max)
		problem := v.Problem()
		if problem != nil && !errors.Is(problem, inspect.ErrImageTooLarge) && !errors.Is(problem, inspect.ErrImageUnreadable) {
			require.Fail(t, fmt.Sprint(v))
		}
		config, format, err := image.DecodeConfig(bytes.NewReader(content))
		if err == nil && int64(config.Width)*int64(config.Height) > max {
			require.NotNilf(t, problem, "a %s of %d x %d pixels", format, config.Width, config.Height)
		}
	})
}

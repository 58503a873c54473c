package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// connections is how many a browser opens to a host by HTTP/1.1, which is all that a
// bucket speaks.
const connections = 6

// scenario is files that are added at once.
type scenario struct {
	name  string
	files int
	size  int64 // bytes of each
	parts bool  // whether they go up in parts

	slower bool // whether it is measured on a slower line, too
}

// photos is the scenario that has aims of its own.
const photos = "200 files of 50 KiB"

var scenarios = []scenario{
	{photos, 200, 50 * kib, false, true},
	{"1,000 files of 10 KiB", 1000, 10 * kib, false, false},
	{"one file of 100 MiB", 1, 100 * mib, true, true},
	{"ten files of 20 MiB", 10, 20 * mib, true, false},
	{"500 files of 5 KiB", 500, 5 * kib, false, false},
}

// bytes is how many all have.
func (s scenario) bytes() int64 { return int64(s.files) * s.size }

// conditions are those of the line.
type conditions struct {
	rtt  time.Duration
	rate float64 // bytes per second
}

// floor is what the line alone needs for the bytes.
func (c conditions) floor(s scenario) time.Duration {
	return time.Duration(float64(s.bytes()) / c.rate * float64(time.Second))
}

// bound is what six connections need that are open and never idle: each carries its
// share of the uploads one after the other, and an upload takes a round trip and its
// bytes, at the line's whole rate. Nothing else is in it: neither what opens a connection,
// nor the requests to the application, nor the time of any server. It is never below the
// floor.
func (c conditions) bound(s scenario) time.Duration {
	one := c.rtt + time.Duration(float64(s.size)/c.rate*float64(time.Second))
	turns := math.Ceil(float64(s.files) / connections)
	return max(c.floor(s), time.Duration(turns)*one)
}

// write makes the files: pictures where they are small, so that the page has something
// to show, and else bytes that are called a film.
func (s scenario) write(folder string) (paths []string, err error) {
	ending := ".mp4"
	var head []byte
	if !s.parts {
		ending = ".jpg"
		if head, err = picture(); err != nil {
			return nil, err
		}
	}
	random := rand.NewChaCha8([32]byte{})
	content := make([]byte, s.size)
	for i := range s.files {
		_, _ = random.Read(content)
		copy(content, head)
		path := filepath.Join(folder, fmt.Sprintf("%03d%s", i, ending))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// picture is a JPEG of less than 5 KiB. What follows it does not matter.
func picture() ([]byte, error) {
	m := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	for i := range m.Y {
		m.Y[i] = color.GrayModel.Convert(color.Gray{Y: uint8(i / 1201)}).(color.Gray).Y
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 30})
	return b.Bytes(), err
}

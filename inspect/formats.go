package inspect

import "encoding/binary"

// measure finds out the width and height of a picture, by its bytes.
func measure(s *source) (width, height uint64, ok bool) {
	head := s.at(0, min(s.object.Size, 32))
	has := func(offset int, text string) bool {
		return len(head) >= offset+len(text) && string(head[offset:offset+len(text)]) == text
	}
	switch {
	case has(0, "\x89PNG\r\n\x1a\n"):
		return measurePNG(head)
	case has(0, "\xff\xd8"):
		return measureJPEG(s)
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return measureGIF(s)
	case has(0, "RIFF") && has(8, "WEBP"):
		return measureWebP(head)
	case has(0, "BM"):
		return measureBMP(head)
	case has(4, "ftyp"):
		return measureHEIF(s)
	}
	return 0, 0, false
}

var (
	big    = binary.BigEndian
	little = binary.LittleEndian
)

// measurePNG reads the first chunk (PNG §11.2.1).
func measurePNG(b []byte) (width, height uint64, ok bool) {
	if len(b) < 24 || string(b[8:16]) != "\x00\x00\x00\x0dIHDR" {
		return 0, 0, false
	}
	return uint64(big.Uint32(b[16:])), uint64(big.Uint32(b[20:])), true
}

// measureGIF reads the logical screen and the first frame, whichever is larger: not all
// decoders mind that a frame lies outside (GIF89a §18, §20).
func measureGIF(s *source) (width, height uint64, ok bool) {
	b := s.at(0, 13)
	if b == nil {
		return 0, 0, false
	}
	width, height = uint64(little.Uint16(b[6:])), uint64(little.Uint16(b[8:]))
	offset := int64(13)
	if b[10]&0x80 != 0 {
		offset += 3 << (b[10]&7 + 1)
	}
	for {
		b := s.at(offset, 1)
		if b == nil {
			return 0, 0, false
		}
		switch b[0] {
		case ',':
			if b = s.at(offset, 9); b == nil {
				return 0, 0, false
			}
			right := uint64(little.Uint16(b[1:])) + uint64(little.Uint16(b[5:]))
			bottom := uint64(little.Uint16(b[3:])) + uint64(little.Uint16(b[7:]))
			return max(width, right), max(height, bottom), true
		case '!':
			// Its label, and blocks up to an empty one.
			offset += 2
			for size := int64(1); size > 0; {
				if b = s.at(offset, 1); b == nil {
					return 0, 0, false
				}
				size = int64(b[0])
				offset += 1 + size
			}
		default:
			return 0, 0, false
		}
	}
}

// measureWebP reads the first chunk (RFC 9649 §2.5 to §2.7; RFC 6386 §9.1).
func measureWebP(b []byte) (width, height uint64, ok bool) {
	if len(b) < 30 {
		return 0, 0, false
	}
	payload := b[20:]
	switch string(b[12:16]) {
	case "VP8 ":
		if payload[0]&1 != 0 || string(payload[3:6]) != "\x9d\x01\x2a" {
			return 0, 0, false
		}
		return uint64(little.Uint16(payload[6:]) & 0x3fff), uint64(little.Uint16(payload[8:]) & 0x3fff), true
	case "VP8L":
		if payload[0] != 0x2f {
			return 0, 0, false
		}
		sizes := little.Uint32(payload[1:])
		return uint64(sizes&0x3fff) + 1, uint64(sizes>>14&0x3fff) + 1, true
	case "VP8X":
		return uint64(little.Uint32(payload[4:])&0xffffff) + 1, uint64(little.Uint32(payload[6:])>>8) + 1, true
	}
	return 0, 0, false
}

// measureBMP reads the header, of which there is an old one with two bytes for each
// number. A negative height means that the first row is the uppermost.
func measureBMP(b []byte) (width, height uint64, ok bool) {
	if len(b) < 26 {
		return 0, 0, false
	}
	switch size := little.Uint32(b[14:]); {
	case size == 12:
		return uint64(little.Uint16(b[18:])), uint64(little.Uint16(b[20:])), true
	case size >= 16 && size <= 256:
		w, h := int64(int32(little.Uint32(b[18:]))), int64(int32(little.Uint32(b[22:])))
		return uint64(max(w, -w)), uint64(max(h, -h)), true
	}
	return 0, 0, false
}

// measureJPEG follows the segments to the frame header (ITU-T T.81 §B.2.2), which
// may come after pictures and profiles.
func measureJPEG(s *source) (width, height uint64, ok bool) {
	offset := int64(2)
	for {
		b := s.at(offset, 4)
		if b == nil || b[0] != 0xff {
			return 0, 0, false
		}
		marker := b[1]
		switch {
		case marker == 0xff: // a fill byte
			offset++
			continue
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if b = s.at(offset, 9); b == nil {
				return 0, 0, false
			}
			// Without a number of lines it follows the first scan.
			return uint64(big.Uint16(b[7:])), uint64(big.Uint16(b[5:])), true
		case marker < 0xc0, marker >= 0xd0 && marker <= 0xda:
			// Nothing that may stand before it, or has a length.
			return 0, 0, false
		}
		length := int64(big.Uint16(b[2:]))
		if length < 2 {
			return 0, 0, false
		}
		offset += 2 + length
	}
}

// maxBoxes bounds the boxes of one file.
const maxBoxes = 10_000

// measureHEIF finds the largest of the image spatial extents that a file's meta box
// gives its images (ISO/IEC 23008-12 §6.5.3), thumbnails and the tiles of a grid among
// them.
func measureHEIF(s *source) (width, height uint64, ok bool) {
	boxes := maxBoxes
	// each calls fn with the content of the boxes of a type in a range.
	each := func(from, to int64, kind string, fn func(from, to int64)) bool {
		for from < to {
			if boxes--; boxes < 0 {
				return false
			}
			b := s.at(from, 8)
			if b == nil || from+8 > to {
				return false
			}
			size, header := int64(big.Uint32(b)), int64(8)
			name := string(b[4:8])
			switch size {
			case 0:
				size = to - from
			case 1:
				if b = s.at(from+8, 8); b == nil {
					return false
				}
				size, header = int64(big.Uint64(b)), 16
			}
			if size < header || size > to-from {
				return false
			}
			if name == kind {
				fn(from+header, from+size)
			}
			from += size
		}
		return true
	}
	whole := true
	ok = each(0, s.object.Size, "meta", func(from, to int64) {
		whole = each(from+4, to, "iprp", func(from, to int64) {
			whole = each(from, to, "ipco", func(from, to int64) {
				whole = each(from, to, "ispe", func(from, to int64) {
					b := s.at(from, 12)
					if b == nil || to-from < 12 {
						whole = false
						return
					}
					w, h := uint64(big.Uint32(b[4:])), uint64(big.Uint32(b[8:]))
					if w*h >= width*height { // each is below 2³²
						width, height = w, h
					}
				}) && whole
			}) && whole
		}) && whole
	}) && whole
	return width, height, ok
}

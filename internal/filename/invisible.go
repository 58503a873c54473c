package filename

import (
	"strings"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"golang.org/x/text/unicode/norm"
)

const (
	zwnj = '\u200c'
	zwj  = '\u200d'
)

// contextual reports whether a character is invisible and changes what stands
// beside it: a joiner, a variation selector, or a tag.
func contextual(r rune) bool {
	return r == zwnj || r == zwj || unicode.Is(unicode.Variation_Selector, r) || tag(r)
}

// tag reports whether a character spells the region in a flag's emoji.
func tag(r rune) bool { return r >= 0xe0020 && r <= 0xe007f }

// withoutStrays drops contextual characters where Unicode has no use for them:
// there they make names that look the same and are not.
func withoutStrays(name string) string {
	if !strings.ContainsFunc(name, contextual) {
		return name
	}
	in := []rune(name)
	out := make([]rune, 0, len(in))
	for i := 0; i < len(in); i++ {
		r := in[i]
		if !contextual(r) {
			out = append(out, r)
			continue
		}
		if len(out) == 0 {
			continue
		}
		before, after := out[len(out)-1], next(in[i+1:])
		switch {
		case tag(r):
			if n := flag(before, in[i:]); n > 0 {
				out = append(out, in[i:i+n]...)
				i += n - 1
			}
		case r == zwj && joinsEmoji(out, after), (r == zwj || r == zwnj) && joinsLetters(out, r, after):
			out = append(out, r)
		case unicode.Is(unicode.Variation_Selector, r) && varies(before, r, after):
			out = append(out, r)
		}
	}
	return string(out)
}

// next returns the first character that is not contextual, or 0.
func next(rs []rune) rune {
	for _, r := range rs {
		if !contextual(r) {
			return r
		}
	}
	return 0
}

// flag returns how many characters spell the region of a black flag (UTS 51
// §C.1): up to six letters and digits, and the tag that ends them.
func flag(before rune, rs []rune) int {
	const blackFlag, cancel = '\U0001f3f4', 0xe007f
	if before != blackFlag {
		return 0
	}
	for i, r := range rs {
		letter := r >= 0xe0061 && r <= 0xe007a || r >= 0xe0030 && r <= 0xe0039
		switch {
		case r == cancel && i >= 3:
			return i + 1
		case !letter || i == 6:
			return 0
		}
	}
	return 0
}

// joinsEmoji reports whether a zero width joiner makes one emoji of two (UTS 51
// §1.4.5): the first may have a skin tone, a selector or tags.
func joinsEmoji(out []rune, after rune) bool {
	i := len(out) - 1
	for i > 0 && (out[i] >= 0x1f3fb && out[i] <= 0x1f3ff || out[i] == 0xfe0f || tag(out[i])) {
		i--
	}
	return pictographic(out[i]) && pictographic(after)
}

// pictographic reports whether a character is one that emoji are made of
// (Extended_Pictographic): those that a joiner attaches to another of them
// (UAX 29, rule GB11).
func pictographic(r rune) bool {
	if r < 0xa9 {
		return false
	}
	joined := string([]rune{r, zwj, '\U0001f469'})
	g := graphemes.FromString(joined)
	return g.Next() && g.End() == len(joined)
}

// scripts are those in whose words joiners are written (UAX 31 §2.3): letters
// change their form by their neighbours, or are stacked.
var scripts = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Mandaic, unicode.Adlam, unicode.Hanifi_Rohingya,
	unicode.Phags_Pa, unicode.Manichaean,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Tai_Tham,
	unicode.Balinese, unicode.Javanese, unicode.Sundanese, unicode.Meetei_Mayek, unicode.Chakma, unicode.Newa, unicode.Tirhuta,
	unicode.Grantha, unicode.Sharada, unicode.Kaithi, unicode.Saurashtra, unicode.Syloti_Nagri, unicode.Lepcha, unicode.Limbu,
}

// cursive counts those of them, the first, whose letters join without a virama.
const cursive = 9

// joinsLetters reports whether a joiner stands within a word of one of the
// scripts. A zero width joiner may also end one: it keeps the last letter in the
// form that it has within a word.
func joinsLetters(out []rune, joiner, after rune) bool {
	before := out[len(out)-1]
	if before == zwj || before == zwnj {
		return false
	}
	script := scriptOf(out)
	if script < 0 {
		return false
	}
	if unicode.Is(scripts[script], after) && (unicode.IsLetter(after) || unicode.IsMark(after)) {
		return true
	}
	return joiner == zwj && (script < cursive || virama(before))
}

// scriptOf returns the index of the script of the last letter and its marks, or
// -1.
func scriptOf(out []rune) int {
	for i := len(out) - 1; i >= 0; i-- {
		r := out[i]
		for s, table := range scripts {
			if unicode.Is(table, r) && (unicode.IsLetter(r) || unicode.IsMark(r)) {
				return s
			}
		}
		if !unicode.IsMark(r) {
			break
		}
	}
	return -1
}

// virama reports whether a sign takes the vowel from a consonant.
func virama(r rune) bool { return norm.NFC.PropertiesString(string(r)).CCC() == 9 }

// varies reports whether a character has the variant that a selector asks for,
// by its kind: emoji and text, ideographs, Mongolian, and the other scripts and
// symbols of StandardizedVariants.txt.
func varies(before, selector, after rune) bool {
	switch {
	case selector == 0xfe0e || selector == 0xfe0f:
		keycap := after == 0x20e3 && (before >= '0' && before <= '9' || before == '#' || before == '*')
		return keycap || pictographic(before)
	case selector >= 0xe0100:
		return unicode.Is(unicode.Han, before)
	case selector < 0xfe00:
		return unicode.Is(unicode.Mongolian, before) && unicode.IsLetter(before)
	}
	return unicode.In(before, unicode.Han, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean, unicode.Sm)
}

package mediatype

import (
	"fmt"
	"slices"
	"strings"
)

// Set holds patterns: exact types, "image/*" for a family, "*/*" for all. A
// wildcard never admits an active type; only its exact name does. Other names of a
// registered type stand for that name ([Canonical]). The nil Set admits nothing.
// It does not change once made.
type Set struct {
	patterns []string
	exact    map[string]struct{}
	families map[string]struct{}
	all      bool
}

// NewSet compiles patterns. The error names every one that is wrong.
func NewSet(patterns ...string) (*Set, error) {
	s := &Set{exact: map[string]struct{}{}, families: map[string]struct{}{}}
	var wrong []string
	for _, p := range patterns {
		pattern := Canonical(strings.ToLower(p))
		family, isFamily := strings.CutSuffix(pattern, "/*")
		switch {
		case pattern == "*/*":
			s.all = true
		case isFamily && registered(family):
			s.families[family] = struct{}{}
		case valid(pattern):
			s.exact[pattern] = struct{}{}
		default:
			wrong = append(wrong, p)
			continue
		}
		if !slices.Contains(s.patterns, pattern) {
			s.patterns = append(s.patterns, pattern)
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%w: %q", ErrInvalid, wrong)
	}
	return s, nil
}

// Has reports whether the set admits a type, given as [Parse] returns it.
func (s *Set) Has(essence string) bool {
	if s == nil {
		return false
	}
	if _, ok := s.exact[essence]; ok {
		return true
	}
	family, _, _ := strings.Cut(essence, "/")
	if _, ok := s.families[family]; !ok && !s.all {
		return false
	}
	return !Active(essence) && valid(essence)
}

// Covers reports whether the set admits every type that a pattern of another set admits,
// given as [Set.Patterns] returns it.
func (s *Set) Covers(pattern string) bool {
	switch {
	case s == nil:
		return false
	case pattern == "*/*":
		return s.all
	case strings.HasSuffix(pattern, "/*"):
		_, ok := s.families[strings.TrimSuffix(pattern, "/*")]
		return ok || s.all
	}
	return s.Has(pattern)
}

// Patterns returns the patterns in the order given. The caller must not change
// them.
func (s *Set) Patterns() []string {
	if s == nil {
		return nil
	}
	return s.patterns
}

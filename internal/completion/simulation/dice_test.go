package simulation_test

import "time"

// dice is a source of chance: all of a schedule's come from its seed.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	return mix(uint64(*d))
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// n is a number from 0 to less than n.
func (d *dice) n(n int) int { return int(d.next() % uint64(n)) }

// in is true so often in a hundred.
func (d *dice) in100(percent int) bool { return d.n(100) < percent }

// between is a duration. It is never the same twice, but by an accident of one in a
// thousand million: what wakes up at different times runs one after the other, and so
// always in the same order.
func (d *dice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.next()%uint64(most-least))
}

// split is another source, for someone else.
func (d *dice) split() dice { return dice(d.next()) }

// hash is FNV-1a of what a call is.
func hash(op, key string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [2]string{op, key} {
		for k := range len(s) {
			h = (h ^ uint64(s[k])) * 1099511628211
		}
	}
	return h
}

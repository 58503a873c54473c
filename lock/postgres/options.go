package pglock

import "time"

const (
	defaultTTL = 30 * time.Second
	minTTL     = time.Second
)

// Option changes what [New] makes.
type Option func(*Locker)

// WithTTL sets how long a lock outlives the last sign of life of a holder that is cut
// off or stopped: 30 seconds by default. It panics if ttl is shorter than a second.
func WithTTL(ttl time.Duration) Option {
	if ttl < minTTL {
		panic("pglock: a TTL is one second or longer, not " + ttl.String())
	}
	return func(l *Locker) { l.ttl = ttl }
}

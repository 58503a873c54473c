package redislock

import "time"

const (
	defaultTTL    = 30 * time.Second
	minTTL        = time.Second
	defaultPrefix = "postern:lock:"
)

// Option changes what [New] makes.
type Option func(*Locker)

// WithTTL sets how long a lock outlives the last sign of life of its holder: 30
// seconds by default. It panics if ttl is shorter than a second. All who share locks
// need the same.
func WithTTL(ttl time.Duration) Option {
	if ttl < minTTL {
		panic("redislock: a TTL is one second or longer, not " + ttl.String())
	}
	return func(l *Locker) { l.ttl = ttl }
}

// WithPrefix sets what the keys of locks begin with: "postern:lock:" by default. Who
// shares locks needs the same; handlers of different buckets do well with different
// ones, or wait for each other where their keys are equal.
func WithPrefix(prefix string) Option {
	return func(l *Locker) { l.prefix = prefix }
}

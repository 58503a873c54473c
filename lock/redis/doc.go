// Package redislock is a lock in Redis that replicas of a handler share: give it to
// postern.WithLocker where the bucket's server has no conditional writes.
//
// A lock is a key with a random token of its holder and a time to live (TTL), as the
// Redis documentation describes for a single instance. Waiters ask again after a
// pause of up to a second, of random length; there is no queue, so nobody is sure to
// be next. A holder extends its key every third of the TTL.
//
// # When a lock expires
//
// A holder that dies leaves its key behind, and it expires within the TTL. So a lock
// is a lease: it can end while its holder still works. Then held, the context of
// [Locker.Lock], ends with [ErrLost] as its cause:
//
//   - If Redis cannot be reached, held ends when three quarters of the TTL have passed
//     since the last answered request was sent, by the monotonic clock. Redis got that
//     request no earlier, so held ends a quarter of the TTL or more before the key
//     does. That is what the clocks may differ by, and what a request may take to be
//     cut off.
//   - If the key is gone or another's, held ends when the holder finds out, which is a
//     third of the TTL later at most.
//   - If the process is stopped (SIGSTOP, a debugger, no CPU time) for longer than
//     that, held ends as soon as it goes on. So does what it did: a request may leave
//     in the same moment. If the whole machine sleeps or is paused, its monotonic clock
//     may have been paused, too, and the next extension finds out.
//
// In these cases two may hold one lock until the earlier holder finds out:
//
//   - Redis forgets the key before its time: it restarts without its last writes (only
//     appendfsync always keeps them), somebody deletes the key, or it is evicted (any
//     maxmemory-policy but noeviction may).
//   - A replica is promoted that did not have the key yet. Replication is
//     asynchronous, with Sentinel and in a cluster as well.
//   - Redis's clock is set forward: it measures the TTL by the time of day.
//   - Two servers take themselves for the primary, or a redis.Ring loses a shard and
//     asks another.
//
// A lock that expires cannot guarantee that nothing of an earlier holder arrives after
// a later one has begun. Only the server that is written to could, by refusing what
// carries a smaller number (a fencing token) than it has seen. S3 has no such number,
// and servers with conditional writes need no lock. What this means for uploads is in
// docs/completion.md of Postern, under "Locks".
//
// # Which Redis
//
// A single instance, or a primary with replicas, or a cluster, by a client that asks
// the primary. Scripts must be permitted, and SET, GET, DEL and PEXPIRE on the keys.
// Of what is stored nothing needs to last longer than a lock is held, but what is lost
// meanwhile is a lock lost: take maxmemory-policy noeviction. A longer TTL survives
// longer outages of Redis; a shorter one frees the locks of dead holders sooner.
package redislock

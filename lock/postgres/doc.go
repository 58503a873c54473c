// Package pglock is a lock in PostgreSQL that replicas of a handler share: give it to
// postern.WithLocker where the bucket's server has no conditional writes.
//
// A lock is an advisory lock of a transaction that its holder keeps open, on a
// connection of its own. Of the name a hash of 64 bits is taken: two names that share
// one would only wait for each other. Locks belong to a database; nothing is stored in
// it.
//
// # When a lock ends
//
// The server gives a lock to the next one as soon as it takes the holder's
// transaction for ended. So it may end while its holder still works, and then held, the
// context of [Locker.Lock], has [ErrLost] as its cause:
//
//   - If the holder dies, its connection breaks, and the lock is free at once.
//   - If the holder is cut off, or its machine is gone, the server hears nothing. It
//     ends a transaction that is idle for longer than the TTL, 30 seconds by default:
//     the lock sets idle_in_transaction_session_timeout for its own transaction. The
//     holder asks the server for a sign of life every third of the TTL, and held ends
//     when three quarters have passed since the last answered question was sent, by
//     the monotonic clock. The server got it no earlier, so held ends a quarter of the
//     TTL or more before the lock does.
//   - If the process is stopped (SIGSTOP, a debugger, no CPU time) for longer than
//     the TTL, the same timeout frees the lock, and held ends as soon as the process
//     goes on. So does what it did: a request may leave in the same moment. If the
//     whole machine sleeps or is paused, its monotonic clock may have been paused,
//     too; the broken connection tells, or the next question.
//   - If the session is terminated by an administrator, a timeout or a restart of the
//     server, the holder learns it by its connection, which it watches. Between the
//     end of the lock and the arrival of that news another can have the lock. Where
//     the news gets lost with the server's machine or its network, and locks can soon
//     be had again, that lasts until held ends by the clock.
//   - If a standby is promoted, it knows none of the locks: they are not replicated.
//     Until the connection to the old primary breaks, or the clock ends held, two may
//     hold one lock.
//
// TCP keep-alives would not do instead: the server's first comes after
// tcp_keepalives_idle, which is the operating system's two hours by default, and the
// kernel of a stopped process answers it. client_connection_check_interval looks at a
// connection only while a query runs.
//
// A lock that can end by itself cannot guarantee that nothing of an earlier holder
// arrives after a later one has begun. Only the server that is written to could, by
// refusing what carries a smaller number (a fencing token) than it has seen. S3 has no
// such number, and servers with conditional writes need no lock. What this means for
// uploads is in docs/completion.md of Postern, under "Locks".
//
// # Connections
//
// A holder has one connection of the pool. Waiters have none: they ask again after a
// pause of up to a second, of random length; there is no queue, so nobody is sure to be
// next. All of a [Locker] together take half of the pool's connections (MaxConns), at
// least one, and leave the application the rest; who finds none waits. A completion
// holds a lock while S3 copies a file, which may take minutes: give the Locker a pool
// twice as large as the number of copies that should go on at once.
//
// While a lock is held its session is "idle in transaction". It is read committed, has
// neither a snapshot nor a transaction id, and holds vacuum up for nothing.
// transaction_timeout (PostgreSQL 17), where it is set, must be longer than a copy.
//
// PgBouncer works in session mode and in transaction mode, since a transaction keeps
// its server connection; a lock of the session would not. In statement mode locks fail.
// All replicas must reach the same primary: a standby has locks of its own.
package pglock

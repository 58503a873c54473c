// Package redisquota keeps in Redis what accounts use, for replicas of a handler: give a
// [Store] to postern.WithQuota.
//
// Every call is one script, so what it does is done in one step, and by the clock of the
// server: those of the replicas do not matter. Redis 5 or newer runs it; in a cluster all
// keys are in one slot.
//
// # What it needs of Redis
//
//   - maxmemory-policy noeviction: an account that was evicted has used nothing.
//   - appendonly yes, where what is stored shall outlive the server. What a crash takes
//     back, by the default of appendfsync, are the calls of the last second. Their uploads
//     count at their receipts, and may exceed a limit; receipts that were lost do not.
//   - Of a primary that fails over, the promoted replica may lack its last calls: the same.
//
// An account that uses nothing, and an upload whose time has passed, expire by themselves.
// Numbers are exact up to 2^53: nine million GB.
//
// # When Redis fails
//
// Every call ends with its context, also where Redis hangs: what it has done by then is
// unknown, and may be asked for again. go-redis itself tries three times, which for an
// upload, known by its id, counts once.
package redisquota

// Package pgquota keeps in PostgreSQL what accounts use, for replicas of a handler: give a
// [Store] to postern.WithQuota.
//
// Every call is one statement, by functions in the database, and so one transaction, by the
// clock of the server: those of the replicas do not matter. [Store.Create] makes the tables
// and functions; [Schema] is their SQL, for migrations of your own. PostgreSQL 13 or newer
// runs it, and so do poolers in any mode.
//
// # Concurrency
//
// An account is a row, and whoever changes it keeps others from it until the end of the
// statement; accounts are locked in the order of their names. So that a tenant with many
// uploads at once waits for few statements, those grants of a process that are asked for
// at the same time are reserved in one, up to 100. A grant does not wait for the disk: what
// a crash of the server takes back are reservations of the last moments, whose uploads
// count at their receipts. Receipts do wait.
//
// The isolation level is read committed, PostgreSQL's default; others are refused.
//
// # What it keeps
//
// A row for each account, and one for each upload and account until two days after its
// ticket. Whoever reserves or settles removes what has ended of its accounts. [Store.Tidy]
// removes the rest; call it once a day where accounts come and go, as addresses do.
//
// # When PostgreSQL fails
//
// Every call ends with its context, which costs pgx the connection where a statement was
// under way.
package pgquota

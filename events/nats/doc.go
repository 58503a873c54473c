// Package natsevents reads notifications of S3 from a stream of NATS JetStream, and
// completes the uploads of which they tell. MinIO and versitygw publish them: see
// docs/events.md of Postern for what to set up, and the package events for what an
// event can do.
//
// # What becomes of a message
//
//   - One that is done with, because its uploads are completed, refused for good, or not
//     ours, is acknowledged.
//   - One that is no notification of S3 is terminated: it is not delivered again.
//   - One that must come again, because S3 or the application's hook fails, is delivered
//     again after a pause that doubles with each delivery, from the 5 seconds or so that
//     the problem says to 15 minutes, until the consumer's MaxDeliver if it has one. The
//     reconciler completes what is left.
//   - One whose program dies is delivered again when the consumer's AckWait has passed.
//
// A message may be delivered twice, and messages in any order: neither matters.
//
// # Delay
//
// A browser that is still there asks for its upload's completion within a second, and
// an event that comes earlier does the same work. Nothing is done twice then, but
// [WithDelay] spares the calls: most events find their upload completed.
package natsevents

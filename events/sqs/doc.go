// Package sqsevents reads notifications of S3 from a queue of Amazon SQS, and completes
// the uploads of which they tell. S3 may write to the queue itself, or by way of SNS
// (with raw delivery or without) or EventBridge: see docs/events.md of Postern for what
// to set up, and the package events for what an event can do.
//
// # What becomes of a message
//
//   - One that is done with, because its uploads are completed, refused for good, or not
//     ours, is deleted. So is one that is no notification of S3.
//   - One that must come again, because S3 or the application's hook fails, becomes
//     visible again after a pause that doubles with each time it was received, from the
//     5 seconds or so that the problem says to 15 minutes. A redrive policy moves it to
//     a dead-letter queue after maxReceiveCount; the reconciler completes its upload.
//   - One whose consumer dies becomes visible when its visibility timeout has passed.
//
// A message may be delivered twice, and messages in any order: neither matters.
//
// # Delay
//
// A browser that is still there asks for its upload's completion within a second, and
// an event that comes earlier does the same work. Nothing is done twice then, but a
// queue with DelaySeconds of 5 or so spares the calls: most of its events find their
// upload completed.
package sqsevents

// Package events completes uploads when S3 says that a file has arrived, whether its
// browser is still there or not.
//
// [NewHandler] is a webhook: it takes the notifications of MinIO and versitygw, those
// of Amazon S3 by SNS, and those of EventBridge by an API destination. The modules
// events/sqs and events/nats read them from a queue. All of them call [Deliver], which
// gives each created object's key to a [Completer]: an *postern.Issuer.
//
// An event is a hint and nothing more. What counts is the object in the bucket and the
// ticket that it carries: an event that is forged, repeated, late or out of order
// completes nothing that could not be completed, and nothing twice. An event that is
// lost costs time only, if a reconciler runs: it finds what no event has told of.
//
// What to set up at each server is in docs/events.md.
package events

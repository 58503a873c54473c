// Package sigv4 signs what a browser needs to talk to S3 itself: POST policies
// for form uploads and presigned URLs, both with AWS Signature Version 4.
//
// It imports the standard library only, does no I/O and reads no clock: the
// time, the credentials and everything that is signed come in as arguments.
// A [Signer] derives a signing key once per access key, day and region, keeps a
// few of them, and is safe for concurrent use without a lock.
//
// Sources: "Authenticating Requests: Browser-Based Uploads Using POST (AWS
// Signature Version 4)" and "Authenticating Requests: Using Query Parameters
// (AWS Signature Version 4)" in the Amazon S3 API Reference.
package sigv4

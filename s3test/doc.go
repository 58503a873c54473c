// Package s3test runs a real S3 server inside a test process, so that an
// upload flow can be tested against one in a single line:
//
//	s3 := s3test.Start(t)
//
// It needs no Docker, no network and no root rights, starts in milliseconds,
// and goes away with the test. Hand its Endpoint, Region, Bucket and
// Credentials to the code under test, and look at what arrived with Client.
//
// The server is versitygw, over files in a temporary folder. It judges
// requests as S3 does: signatures, presigned URLs, POST policies, checksums,
// conditions, CORS and bucket policies are enforced. [Server.PutOnlyUser]
// makes credentials that may only write under a prefix, as an upload signer
// should have. [New] runs the same server for programs, and can keep its data.
//
// What differs from Amazon's S3: keys are file paths, so a key "a" and a key
// "a/b" cannot exist side by side, and a path segment may have 255 bytes at
// most; addressing is path style (http://127.0.0.1:port/bucket/key); there is
// no versioning and no encryption; and pages of the origins of [WithCORSOrigins]
// can read that a bucket does not exist, where S3 has no rules.
//
// Several servers can run in one process, and the process keeps its working
// directory and its standard output. The default credentials are public: do
// not listen on an address that others can reach without [WithCredentials].
package s3test

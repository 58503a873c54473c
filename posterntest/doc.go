// Package posterntest attacks a handler of yours: as it is mounted, with its
// authorizer, its rules and whatever middleware stands around it.
//
//	func TestNobodyGetsThrough(t *testing.T) {
//		s3 := s3test.Start(t)
//		posterntest.Attack(t, newApp(s3), posterntest.Target{
//			S3:       s3,
//			Path:     "/uploads",
//			User:     func(r *http.Request) { r.Header.Set("Authorization", "Bearer of-ada") },
//			Stranger: func(r *http.Request) { r.Header.Set("Authorization", "Bearer of-eve") },
//		})
//	}
//
// Some hundred cases take a few seconds: another tenant's tickets, sizes and types that
// were not granted, replays, swapped bytes, requests of other sites, headers and fields
// that nobody signed, keys made of hostile names, bodies without an end. Each belongs to a
// promise of SECURITY.md. Postern's own tests attack it by the same list.
//
// What cannot be found this way: what the application does beside the handler, what the
// credentials that sign may do elsewhere than in the test, and what another S3 server
// lets pass.
package posterntest

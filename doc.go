// Package postern is a drop-in [http.Handler] that lets browsers upload files
// straight to an S3 bucket. Each grant that it signs was decided by a chain of
// middleware and is bound to one key, one size, one content type, one principal
// and a few minutes. The file's bytes never pass through the server.
//
// The short way is [New]:
//
//	h, err := postern.New(bucket,
//		postern.WithAuthorizer(authorize),
//		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/{date}/{uuid}{ext}")),
//		postern.WithSizeLimit(1, 10<<20),
//		postern.WithContentTypes("image/*", "application/pdf"),
//	)
//	mux.Handle("POST /uploads/", h)
//	mux.Handle("GET /uploads/rules", h)
//
// The same by hand is a chain of ordinary middleware around an [Issuer], with your
// own wherever you want it:
//
//	issuer, err := postern.NewIssuer(bucket)
//	chain := alice.New(
//		postern.Decode(issuer),
//		postern.Authorize(authorize),
//		postern.LimitSize(1, 10<<20),
//		postern.AllowContentTypes("image/*", "application/pdf"),
//		postern.NameKey(policy),
//	)
//	mux.Handle("POST /uploads/sign", chain.Then(postern.SignHandler(issuer)))
//
// A chain fails closed: without Authorize nothing is signed, and where a rule or a
// key policy is missing that of the Issuer holds. [Issuer.Issue] grants without HTTP.
package postern

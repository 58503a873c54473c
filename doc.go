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
//
// The same by hand is a chain of ordinary middleware, with links of your own
// wherever you want them:
//
//	chain := alice.New(
//		postern.SameOrigin(),
//		postern.Decode(),
//		postern.Authorize(authorize),
//		postern.LimitSize(1, 10<<20),
//		postern.AllowContentTypes("image/*", "application/pdf"),
//		postern.NameKey(policy),
//	)
//	mux.Handle("POST /uploads/sign", chain.Then(postern.Sign(issuer)))
//
// A chain fails closed: without Authorize and NameKey in this order, Sign
// refuses; without the other rules it applies safe defaults. Under both stands
// the [Issuer], which knows no HTTP.
package postern

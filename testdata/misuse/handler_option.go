// An Issuer asks nobody: who may upload is decided in its chains.
//
// compiler: missing method issuerOption
package main

import "github.com/postern-go/postern"

func main() {
	_, _ = postern.NewIssuer(postern.Bucket{}, postern.WithAuthorizer(nil))
}

// What one tenant is told must not become what all are told.
//
// compiler: cannot assign to p.Detail
package main

import "github.com/postern-go/postern"

func main() {
	p := postern.ErrForbidden
	p.Detail = "the secret of one tenant"
}

// A typo in an action is found by the compiler, where the constants are used.
//
// compiler: undefined: postern.ActionSing
package main

import "github.com/postern-go/postern"

func main() {
	var h *postern.Handler
	_ = h.Route(postern.ActionSing)
}

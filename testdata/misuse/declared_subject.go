// A browser cannot say who it is.
//
// compiler: unknown field Subject
package main

import "github.com/postern-go/postern"

func main() {
	_ = &postern.Declaration{Filename: "a.png", Subject: "mallory"}
}

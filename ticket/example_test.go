package ticket_test

import (
	"fmt"
	"time"

	"github.com/postern-go/postern/ticket"
)

func ExampleKeyring() {
	ring, err := ticket.NewKeyring(ticket.RandomKey())
	if err != nil {
		panic(err)
	}
	token, err := ring.Seal([]byte("upload 42"), []byte("avatars"), time.Now().Add(time.Hour))
	if err != nil {
		panic(err)
	}
	payload, _, err := ring.Open(token, []byte("avatars"), time.Now())
	fmt.Println(string(payload), err)
	_, _, err = ring.Open(token, []byte("invoices"), time.Now())
	fmt.Println(err)
	// Output:
	// upload 42 <nil>
	// ticket: invalid
}

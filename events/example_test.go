package events_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/postern-go/postern/events"
)

func ExampleNewHandler() {
	// In a program, the Completer is uploads.Issuer(), of the handler that
	// postern.New made, and the secret comes from the configuration.
	hook, err := events.NewHandler(completer, os.Getenv("EVENTS_SECRET"))
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("POST /events", hook)
	// Output: postern: secret: a secret has 16 bytes or more, not 0
}

func ExampleWithObserver() {
	hook, err := events.NewHandler(completer, "a secret of the webhook", events.WithObserver(func(_ context.Context, r events.Report) {
		fmt.Println(r.Outcome, r.Key)
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(
		`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"uploads"},"object":{"key":"staging/7f3a"}}}]}`))
	r.Header.Set("Authorization", "Bearer a secret of the webhook")
	hook.ServeHTTP(httptest.NewRecorder(), r)
	// Output: completed staging/7f3a
}

var completer = &recorder{}

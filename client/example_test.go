package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/postern-go/postern/client"
)

func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("GET /client/", client.Handler())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/client/postern.js", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 text/javascript; charset=utf-8
}

package otelobserve_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/postern-go/postern"
	otelobserve "github.com/postern-go/postern/observe/otel"
)

func ExampleNew() {
	spans := tracetest.NewSpanRecorder() // or an exporter, such as that of OTLP
	tracing := otelobserve.New(
		otelobserve.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		otelobserve.WithTicketLinks(),
	)
	handler, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: credentials},
		postern.WithInstrument(tracing.Instrument()),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject = "ada"
			return nil
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(`{"filename":"a.png","type":"image/png","size":1000}`))
	r.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	for _, span := range spans.Ended() {
		fmt.Println(span.Name())
	}
	// Output:
	// postern sign
}

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
})

package promobserve_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postern-go/postern"
	promobserve "github.com/postern-go/postern/observe/prometheus"
)

func ExampleNew() {
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	metrics, err := promobserve.New(registry,
		promobserve.WithTenantClass(func(tenant string) string {
			if strings.HasPrefix(tenant, "trial-") {
				return "trial"
			}
			return "paid"
		}, 2))
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: credentials},
		postern.WithInstrument(metrics.Instrument()),
		postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
			u.Subject, u.Tenant = "ada", "trial-7"
			return nil
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", handler)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(`{"filename":"a.png","type":"image/png","size":1000}`))
	r.Header.Set("Content-Type", "application/json")
	mux.ServeHTTP(httptest.NewRecorder(), r)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "postern_requests_total") {
			fmt.Print(line)
		}
	}
	// Output:
	// postern_requests_total{action="sign",class="trial",code="none",outcome="granted"} 1
}

var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
})

package postern_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/justinas/alice"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// What follows is wrong, and refused. Each example prints how one is told.

// mistake prints what New says of options.
func mistake(bucket postern.Bucket, opts ...postern.HandlerOption) {
	_, err := postern.New(bucket, opts...)
	fmt.Println(err)
}

// Nobody decides who uploads.
func Example_incorrectNoAuthorizer() {
	mistake(bucket)
	// Output: postern: WithAuthorizer: an authorizer is needed, or AllowAnonymous
}

// Of two limits the last does not win: say one, and narrow it by request.
func Example_incorrectOptionTwice() {
	mistake(bucket, postern.WithAuthorizer(authorize),
		postern.WithSizeLimit(1, 10<<20), postern.WithSizeLimit(1, 5<<30))
	// Output: postern: WithSizeLimit: the option is given twice
}

// An origin is exact: a wildcard would trust every host that anybody can get.
func Example_incorrectWildcardOrigin() {
	mistake(bucket, postern.WithAuthorizer(authorize), postern.WithTrustedOrigins("https://*.example.com"))
	// Output: postern: WithTrustedOrigins: an origin has no wildcard: "https://*.example.com"
}

// A tenant "a" would have the prefix of a tenant "a-b".
func Example_incorrectTenantInASegment() {
	mistake(bucket, postern.WithAuthorizer(authorize),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}-{date}/{uuid}")))
	// Output: postern: WithKeyPolicy: KeyTemplate: {tenant} and {subject} stand between slashes alone: "{tenant}-{date}/{uuid}"
}

// At a server that does not reject what nobody signed, whoever holds a grant could
// copy what the signing credentials can read.
func Example_incorrectSharedCredentials() {
	mistake(
		postern.Bucket{Name: "acme-uploads", Endpoint: "http://127.0.0.1:9000", Provider: postern.MinIO, Credentials: credentials},
		postern.WithAuthorizer(authorize), postern.WithPromotion("staging/"))
	// Output: postern: Bucket.ServiceCredentials: the provider is not known to reject headers that were not signed, so grants must be signed by credentials that may only put objects: set ServiceCredentials for all else, or AllowSharedCredentials
}

// A receipt of a stranger would be nobody's.
func Example_incorrectAnonymousReceipts() {
	mistake(bucket, postern.AllowAnonymous(),
		postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil }))
	// Output: postern: AllowAnonymous: completion needs a subject, or WithQuota
}

// refusal prints how a chain answers.
func refusal(h http.Handler, body string) {
	r := httptest.NewRequest("POST", "/uploads/sign", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var code string
	if found := regexp.MustCompile(`"code":"(\w+)"`).FindStringSubmatch(w.Body.String()); found != nil {
		code = found[1]
	}
	fmt.Println(w.Code, code)
}

const aPhoto = `{"filename":"photo.png","type":"image/png","size":1000}`

// A rule is no decision about who uploads.
func Example_incorrectChainWithoutAuthorize() {
	issuer, _ := postern.NewIssuer(bucket)
	refusal(alice.New(postern.Decode(issuer), postern.Rule(asAda)).Then(postern.SignHandler(issuer)), aPhoto)
	// Output: 500 chain_incomplete
}

// The key of one decision is not that of another.
func Example_incorrectNameBeforeAuthorize() {
	issuer, _ := postern.NewIssuer(bucket)
	refusal(alice.New(
		postern.Decode(issuer),
		postern.NameKey(postern.KeyTemplate("{tenant}/{uuid}")),
		postern.Authorize(asAda),
	).Then(postern.SignHandler(issuer)), aPhoto)
	// Output: 500 chain_incomplete
}

// A chain begins and ends with one Issuer.
func Example_incorrectTwoIssuers() {
	one, _ := postern.NewIssuer(bucket)
	other, _ := postern.NewIssuer(bucket)
	refusal(alice.New(postern.Decode(one), postern.Authorize(asAda)).Then(postern.SignHandler(other)), aPhoto)
	// Output: 500 chain_incomplete
}

// A plan that was never loaded allows nothing.
func Example_incorrectForgottenLimit() {
	h, _ := postern.New(bucket, postern.WithAuthorizer(func(_ *http.Request, u *postern.Upload) error {
		u.Subject = "ada"
		var plan struct{ MaxUpload int64 }
		u.LimitSize(1, plan.MaxUpload)
		return nil
	}))
	refusal(h, aPhoto)
	// Output: 413 size_too_large
}

// An authorizer that forgets to say who it is lets nobody in.
func Example_incorrectNoSubject() {
	h, _ := postern.New(bucket, postern.WithAuthorizer(func(*http.Request, *postern.Upload) error { return nil }))
	refusal(h, aPhoto)
	// Output: 500 subject_missing
}

// TestMisuseDoesNotBuild compiles what the types refuse. Each file says what the
// compiler must say of it.
func TestMisuseDoesNotBuild(t *testing.T) {
	files, err := filepath.Glob("testdata/misuse/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	want := regexp.MustCompile(`(?m)^// compiler: (.*)$`)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			said := want.FindSubmatch(source)
			require.NotNil(t, said)
			output, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(output), string(said[1]))
		})
	}
}

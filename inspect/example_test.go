package inspect_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/inspect"
)

var keys = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, nil
})

// Pictures are measured first, which costs little, and everything is scanned.
func Example() {
	issuer, err := postern.NewIssuer(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: keys},
		postern.WithPromotion("staging/"),
		postern.WithTicketKeys(bytes.Repeat([]byte{7}, 32)),
		postern.WithInspector(inspect.ImageBounds(50_000_000)),
		postern.WithInspector(inspect.Clamd("unix", "/run/clamav/clamd.ctl")),
	)
	fmt.Println(issuer != nil, err)
	// Output: true <nil>
}

// clamd.conf has a StreamMaxLength and a MaxFileSize of 1000M, too.
func ExampleClamd() {
	scan := inspect.Clamd("tcp", "clamav.internal:3310", inspect.ClamdMaxSize(1000<<20))
	_ = postern.WithInspector(scan)
}

// Archives with a password, which nobody can look into, are refused.
func ExampleGuardDuty() {
	scan := inspect.GuardDuty(inspect.GuardDutyStatus(inspect.Unsupported, postern.Rejected(inspect.ErrUnscannable)))
	scanned := postern.Object{}.WithContent(nil, map[string]string{"GuardDutyMalwareScanStatus": "UNSUPPORTED"})
	fmt.Println(scan(context.Background(), scanned))
	fmt.Println(scan(context.Background(), postern.Object{}.WithContent(nil, nil)))
	// Output:
	// rejected: unscannable: The file cannot be checked for malware, and was not kept. <nil>
	// undecided <nil>
}

func ExampleImageBounds() {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1000, 1000))); err != nil {
		panic(err)
	}
	picture := postern.Object{Type: "image/png"}.WithContent(b.Bytes(), nil)
	fmt.Println(inspect.ImageBounds(1_000_000)(context.Background(), picture))
	fmt.Println(inspect.ImageBounds(999_999)(context.Background(), picture))
	// Output:
	// accepted <nil>
	// rejected: image_too_large: The picture has too many pixels. <nil>
}

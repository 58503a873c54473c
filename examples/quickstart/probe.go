package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// probeTimeout bounds what the program waits for a real bucket, and for its
// credentials, before it gives up.
const probeTimeout = 10 * time.Second

// probeKey is a key that no upload has.
const probeKey = "postern-quickstart-probe"

// probe asks the bucket for an object that is not there, at its presigned address.
// The answer tells whether the endpoint is an S3 server that knows the bucket and
// the credentials.
func probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	server := request.URL.Scheme + "://" + request.URL.Host
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", server, unwrapURL(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", server, err)
	}
	var refusal struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
	if xml.Unmarshal(body, &refusal) != nil || refusal.Code == "" {
		return fmt.Errorf("%s does not answer as an S3 server does (%s)", server, response.Status)
	}
	switch refusal.Code {
	case "NoSuchKey", "AccessDenied": // who may not list gets the latter
		return nil
	}
	return fmt.Errorf("%s refuses the bucket or the credentials: %s (%s)", server, refusal.Code, refusal.Message)
}

// unwrapURL takes the address out of an error: it is signed.
func unwrapURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

package posterntest

import (
	"bytes"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// active are types that a browser runs, and others that make it guess.
var active = []string{
	"text/html", "TEXT/HTML", "text/html; charset=utf-7", "text/html ;a=b", " text/html", "application/xhtml+xml", "image/svg+xml", "image/svg+xml; charset=utf-8",
	"text/javascript", "application/javascript", "application/ecmascript", "text/css", "text/xml", "application/xml", "application/rss+xml", "text/xsl",
	"application/x-shockwave-flash", "application/wasm", "application/hta", "text/cache-manifest",
	"*", "*/*", "image/*", "unknown/unknown", "application/unknown", "image/png, text/html", "image/png\r\nX-Evil: 1", "image/png\x00text/html",
	"text/html\x00", "text", "text/", "/html", "text/html/x", "message/rfc822", "multipart/x-mixed-replace",
}

// inert says what is wrong with a type that was granted.
func (a *attack) inert(granted string) error {
	essence, _, err := mime.ParseMediaType(granted)
	if err != nil || strings.ContainsAny(granted, ",\r\n\x00*") {
		return fmt.Errorf("granted was a type that can be read in several ways: %q", granted)
	}
	if slices.Contains(a.rules.Types, essence) {
		return nil // it was allowed by name
	}
	for _, t := range active {
		if t == essence {
			return fmt.Errorf("granted was %q, which a browser runs and no rule names", granted)
		}
	}
	return nil
}

func typeCases() []Case {
	var runs []namedRun
	for _, t := range active {
		runs = append(runs, namedRun{fmt.Sprintf("declared %q", t), func(a *attack) error {
			g, got, err := a.sign(a.user(), with(declared(a.File), "type", t))
			if err != nil || g == nil {
				return refused(got, err)
			}
			if g.Mode == "multipart" {
				return nil
			}
			return a.inert(g.header("Content-Type"))
		}})
	}
	runs = append(runs,
		namedRun{"a page in the clothes of the file", func(a *attack) error {
			page := append([]byte("<!DOCTYPE html><script>alert(1)</script>"), bytes.Repeat([]byte(" "), len(a.File.Content))...)
			f := File{a.File.Name, a.File.Type, page}
			if n := int64(len(page)); a.rules.known && (n > a.rules.MaxSize || n < a.rules.MinSize) {
				f.Content = page[:len(a.File.Content)]
			}
			g, got, err := a.sign(a.user(), declared(f))
			if err != nil || g == nil {
				return refused(got, err)
			}
			if err := a.upload(a.user(), g, f.Content); err != nil {
				return err
			}
			key := g.writeKey(a.S3.Bucket)
			if g.Complete {
				got, err := a.call(a.user(), "complete", ticketOf(g))
				if err != nil {
					return err
				}
				if key = g.Key; got.Status >= 400 {
					out, _, err := a.object(key)
					if err == nil && out != nil {
						err = fmt.Errorf("what was refused is stored at %s", key)
					}
					return err // seen by sniffing
				}
			}
			out, _, err := a.object(key)
			if err != nil || out == nil {
				return err
			}
			return a.inert(aws.ToString(out.ContentType))
		}},
		namedRun{"what is stored has the type that was granted", func(a *attack) error {
			g, err := a.arrived()
			if err != nil {
				return err
			}
			key := g.writeKey(a.S3.Bucket)
			if g.Complete {
				r, err := a.receive(a.user(), g)
				if err != nil {
					return err
				}
				key = r.Key
			}
			out, _, err := a.object(key)
			if err != nil || out == nil {
				return fmt.Errorf("nothing is at %s: %w", key, err)
			}
			if got := aws.ToString(out.ContentType); g.Mode != "multipart" && got != g.header("Content-Type") {
				return fmt.Errorf("stored is %q, granted was %q", got, g.header("Content-Type"))
			}
			return nil
		}},
	)
	return family("type", InertType, "a page that a browser runs at your bucket's address acts as you", sorted(runs)...)
}

package posterntest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// endless is a body that goes on, up to a bound that no handler should read to.
type endless struct {
	begin io.Reader
	fill  byte
	read  atomic.Int64
}

// tooMuch is more than a handler has reason to read, in bytes.
const tooMuch = 64 << 20

func (e *endless) Read(p []byte) (int, error) {
	if e.read.Load() > tooMuch {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := e.begin.Read(p)
	if err != nil {
		n = len(p)
		for k := range p {
			p[k] = e.fill
		}
	}
	e.read.Add(int64(n))
	return n, nil
}

func bodyCases() []Case {
	var runs []namedRun
	for _, road := range append([]string{"sign"}, roads...) {
		for name, begin := range map[string]string{"a text": `{"filename":"`, "a ticket": `{"ticket":"`, "white space": ``} {
			runs = append(runs, namedRun{"without an end: " + road + ", " + name, func(a *attack) error {
				fill := byte('a')
				if begin == "" {
					fill = ' '
				}
				e := &endless{begin: strings.NewReader(begin), fill: fill}
				// The handler may answer and hang up meanwhile: either is a refusal.
				got, err := a.ask(a.user(), http.MethodPost, road, io.NopCloser(e))
				if e.read.Load() > tooMuch {
					return fmt.Errorf("more than %d MiB of a request were read", tooMuch>>20)
				}
				if err != nil {
					return nil
				}
				return refused(got, nil)
			}})
		}
	}
	deep := strings.Repeat("[", 100_000)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "a text": `"x"`, "a number": "1", "broken": `{"filename":`, "two values": `{} {}`,
		"as deep as can be": `{"metadata":` + deep, "deep and valid": `{"filename":"a","size":1,"x":` + deep + strings.Repeat("]", 100_000) + "}",
		"bytes that are not UTF-8": "{\"filename\":\"\xff\xfe\",\"size\":\"\xff\"}", "a mark before it": "\xef\xbb\xbf{}",
		"many files":     `{"files":[` + strings.Repeat(`{},`, 100_000) + `{}]}`,
		"files in files": `{"files":[{"files":[{"files":[]}]}]}`,
		"many members":   `{` + strings.Repeat(`"a":1,`, 100_000) + `"b":1}`,
	} {
		runs = append(runs, namedRun{"hostile: " + name, func(a *attack) error {
			for _, road := range append([]string{"sign"}, roads...) {
				got, err := a.call(a.user(), road, raw(body))
				if err == nil && got.Status == http.StatusOK && len(resultsOf(got)) > 0 && !hasGrant(got) {
					continue // a batch in which each was refused
				}
				if err := refused(got, err); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	runs = append(runs, namedRun{"compressed", func(a *attack) error {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(bytes.Repeat([]byte(" "), 8<<20))
		_ = w.Close()
		return refused(a.ask(a.user(), http.MethodPost, "sign", &b, withHeader("Content-Encoding", "gzip")))
	}})
	return family("body", CleanFailure, "one request takes the memory or the time of all others", sorted(runs)...)
}

package chaos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// The steps at which a browser vanishes.
const (
	afterSign = iota
	midUpload
	afterLastByte  // before S3's answer
	afterUpload    // before it asks to complete
	afterAsking    // before the answer
	never          // it stays until it has its receipt
	vanishingSteps // their number
)

var stepNames = [vanishingSteps]string{"after sign", "mid-upload", "after the last byte", "after the upload", "after asking", "never"}

// upload is what a browser did, and what it knows in the end.
type upload struct {
	n      int
	site   site
	seed   uint64
	size   int
	lies   bool // its bytes are not of the type that it says
	swaps  bool // it writes other bytes while the first are completed
	aborts bool // it gives up once all is there
	steps  int  // where it vanishes

	key, ticket string
	// parts are the sums of what was sent of each part; a file that goes up whole has one.
	parts []map[[32]byte]bool
	// whole: S3 has said that all is there, and the browser has not given up.
	whole   bool
	aborted bool
	receipt *receipt
	ended   string // the code with which the server has ended the upload
}

// receipt is what the browser is told.
type receipt struct {
	ID, Key, ETag string
	Size          int64
}

// grant is what a browser reads.
type grant struct {
	Mode, Key, Method, URL, Ticket string
	Fields, Headers                map[string]string
	PartSize                       int `json:"part_size"`
	Parts                          int
}

// content is a version of the file.
func (u *upload) content(version uint64) []byte {
	b := make([]byte, u.size)
	noise := rand.NewChaCha8([32]byte{byte(u.seed), byte(u.seed >> 8), byte(u.seed >> 16), byte(u.seed >> 24), byte(version)})
	_, _ = noise.Read(b)
	head := "\x89PNG\r\n\x1a\n"
	if u.lies {
		head = "<!DOCTYPE html><html><script>"
	}
	copy(b, head)
	return b
}

// sends writes down what is about to be sent.
func (u *upload) sends(part int, content []byte) {
	for len(u.parts) <= part {
		u.parts = append(u.parts, map[[32]byte]bool{})
	}
	u.parts[part][sha256.Sum256(content)] = true
}

// has reports whether a file is one that was sent, each part in one piece.
func (u *upload) has(content []byte) bool {
	if len(content) != u.size {
		return false
	}
	for n, sent := range u.parts {
		part := content
		if len(u.parts) > 1 {
			part = content[n*partSize : min((n+1)*partSize, len(content))]
		}
		if !sent[sha256.Sum256(part)] {
			return false
		}
	}
	return len(u.parts) > 0
}

// plan decides what a browser does.
func plan(n int, chance *rand.Rand) *upload {
	u := &upload{n: n, seed: chance.Uint64(), size: 64 + chance.IntN(40<<10), steps: chance.IntN(vanishingSteps)}
	u.site = sites[0]
	if chance.IntN(100) < 15 {
		u.site = sites[1]
	}
	if chance.IntN(100) < 10 {
		u.size = partSize + 1 + chance.IntN(1<<20)
	}
	switch n := chance.IntN(100); {
	case n < 5:
		u.lies = true
	case n < 25:
		u.swaps = true
		u.steps = max(u.steps, afterUpload)
	case n < 28:
		u.aborts = true
	}
	return u
}

// browser is the life of one upload's browser.
type browser struct {
	*upload
	api    string // of the proxy in front of the replicas
	client *http.Client
	chance *rand.Rand
	mutex  sync.Mutex // of the upload, where the browser does two things at once
}

// Nothing is kept alive, so that each request goes to the next replica.
var transport = &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second}

func newBrowser(api string, u *upload, seed uint64) *browser {
	return &browser{
		upload: u, api: api + u.site.path, client: &http.Client{Transport: transport, Timeout: time.Minute},
		chance: rand.New(rand.NewPCG(seed, u.seed)),
	}
}

// tries is how often a browser tries what fails. Its pauses are shorter than those of
// the module.
const tries = 25

func (b *browser) pause() {
	time.Sleep(100*time.Millisecond + time.Duration(b.chance.IntN(300))*time.Millisecond)
}

// run is what the browser does until it vanishes or has its receipt.
func (b *browser) run() {
	g, ok := b.sign()
	if !ok || b.steps == afterSign {
		return
	}
	b.key, b.ticket = g.Key, g.Ticket
	if g.Mode == "multipart" {
		b.whole = b.sendParts(g)
	} else {
		b.whole = b.sendWhole(g, 0)
	}
	switch {
	case !b.whole || b.steps <= afterUpload && !b.swaps && !b.aborts:
		return
	case b.aborts:
		b.whole, b.aborted = false, true
		_, _ = b.ask("abort", b.asTicket(), nil)
		return
	case b.swaps:
		b.swap(g)
		return
	}
	b.complete(g)
}

func (b *browser) sign() (g grant, ok bool) {
	request := map[string]any{"filename": fmt.Sprintf("%d.png", b.n), "type": "image/png", "size": b.size}
	for range tries {
		status, err := b.ask("sign", request, &g)
		if err == nil && status == http.StatusCreated {
			return g, true
		}
		b.pause()
	}
	return g, false
}

func (b *browser) asTicket() map[string]any { return map[string]any{"ticket": b.ticket} }

// problem is a refusal.
type problem struct {
	Code  string
	Ended bool
}

// ask asks one of the replicas. into gets the answer if it is no refusal.
func (b *browser) ask(what string, request, into any) (status int, err error) {
	status, answer, err := b.post(context.Background(), what, request)
	if err != nil {
		return 0, err
	}
	if status >= 400 {
		var p problem
		_ = json.Unmarshal(answer, &p)
		if p.Ended {
			b.mutex.Lock()
			b.ended = p.Code
			b.mutex.Unlock()
		}
		return status, errors.New(p.Code)
	}
	if into != nil {
		err = json.Unmarshal(answer, into)
	}
	return status, err
}

func (b *browser) post(ctx context.Context, what string, request any) (status int, answer []byte, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return 0, nil, err
	}
	q, err := http.NewRequestWithContext(ctx, "POST", b.api+"/"+what, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("X-User", fmt.Sprintf("user-%d", b.n%8))
	res, err := b.client.Do(q)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// errVanished: the browser has gone.
var errVanished = errors.New("the browser has vanished")

// vanishing is a body whose sender vanishes after some bytes.
type vanishing struct {
	io.Reader
	left   int
	vanish func()
}

func (v *vanishing) Read(p []byte) (int, error) {
	if v.left == 0 {
		v.vanish()
		return 0, errVanished
	}
	n, err := v.Reader.Read(p[:min(len(p), v.left)])
	v.left -= n
	return n, err
}

// sendWhole sends the file in one request, and reports whether S3 has said that it has
// it.
func (b *browser) sendWhole(g grant, version uint64) bool {
	content := b.content(version)
	b.mutex.Lock()
	b.sends(0, content)
	b.mutex.Unlock()
	header, body := http.Header{}, content
	if g.Method == "POST" {
		var form bytes.Buffer
		m := multipart.NewWriter(&form)
		for name, value := range g.Fields {
			_ = m.WriteField(name, value)
		}
		file, _ := m.CreateFormFile("file", "file")
		_, _ = file.Write(content)
		_ = m.Close()
		body = form.Bytes()
		header.Set("Content-Type", m.FormDataContentType())
	}
	for name, value := range g.Headers {
		header.Set(name, value)
	}
	return b.send(g.Method, g.URL, header, body, version == 0)
}

// send sends something to S3 until that has taken it. The browser may vanish meanwhile.
func (b *browser) send(method, url string, header http.Header, body []byte, vanishes bool) bool {
	for range tries {
		ctx, cancel := context.WithCancel(context.Background())
		var reader io.Reader = bytes.NewReader(body)
		if vanishes {
			switch b.steps {
			case midUpload:
				reader = &vanishing{reader, b.chance.IntN(len(body)), cancel}
			case afterLastByte:
				ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
			}
		}
		status := b.sendOnce(ctx, method, url, header, reader, len(body))
		cancel()
		switch {
		case status >= 200 && status < 300:
			return true
		case vanishes && b.steps <= afterLastByte, status >= 400 && status < 500:
			return false
		}
		b.pause()
	}
	return false
}

func (b *browser) sendOnce(ctx context.Context, method, url string, header http.Header, body io.Reader, size int) (status int) {
	q, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0
	}
	q.Header = header.Clone()
	q.ContentLength = int64(size)
	res, err := b.client.Do(q)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}

// sendParts sends the parts that S3 does not have, and asks it again which these are,
// until it has all.
func (b *browser) sendParts(g grant) bool {
	content := b.content(0)
	stops := -1
	switch b.steps {
	case midUpload:
		stops = b.chance.IntN(g.Parts)
	case afterLastByte:
		stops = g.Parts - 1
	}
	for range tries {
		var list struct{ Parts []struct{ Number int } }
		if _, err := b.ask("list", b.asTicket(), &list); err != nil {
			if b.ended != "" {
				return false
			}
			b.pause()
			continue
		}
		has := map[int]bool{}
		for _, p := range list.Parts {
			has[p.Number] = true
		}
		sent := true
		for n := range g.Parts {
			if !has[n+1] {
				sent = b.sendPart(n, content, n == stops) && sent
			}
			if n == stops {
				return false
			}
		}
		if sent {
			return true
		}
	}
	return false
}

func (b *browser) sendPart(n int, content []byte, vanishes bool) bool {
	var urls struct{ URLs map[string]string }
	number := fmt.Sprint(n + 1)
	if _, err := b.ask("parts", map[string]any{"ticket": b.ticket, "numbers": []int{n + 1}}, &urls); err != nil {
		b.pause()
		return false
	}
	part := content[n*partSize : min((n+1)*partSize, len(content))]
	b.mutex.Lock()
	for n > len(b.parts) {
		b.sends(len(b.parts), nil)
	}
	b.sends(n, part)
	b.mutex.Unlock()
	return b.send("PUT", urls.URLs[number], http.Header{}, part, vanishes)
}

// swap has several replicas complete the upload while it is written again, with other
// bytes.
func (b *browser) swap(g grant) {
	var wg sync.WaitGroup
	var done atomic.Bool
	for range 2 {
		wg.Go(func() {
			defer done.Store(true)
			_, _, _ = b.post(context.Background(), "complete", b.asTicket())
		})
	}
	for version := uint64(1); version < 4; version++ {
		if g.Mode == "multipart" {
			b.sendPart(g.Parts-1, b.content(version), false)
		} else {
			b.sendWhole(g, version)
		}
		if done.Load() {
			break
		}
	}
	wg.Wait()
	if b.steps == never {
		b.complete(g)
	}
}

// complete asks for the receipt until it has it.
func (b *browser) complete(g grant) {
	if b.steps == afterAsking {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(b.chance.IntN(200))*time.Millisecond)
		defer cancel()
		_, _, _ = b.post(ctx, "complete", b.asTicket())
		return
	}
	for range tries {
		var r receipt
		status, err := b.ask("complete", b.asTicket(), &r)
		switch {
		case err == nil && status == http.StatusOK:
			b.receipt = &r
			if b.chance.IntN(10) == 0 && g.Mode != "multipart" {
				b.sendWhole(g, 9) // with the grant that it still has
			}
			return
		case b.ended != "":
			return
		}
		b.pause()
	}
}

package posterntest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// attack is what the cases have in common.
type attack struct {
	Target
	ctx       context.Context
	url, host string
	client    *http.Client

	rules    rules
	large    File // goes up in parts, if there are any
	secret   string
	canary   []byte // what is at the key secret
	complete bool

	mutex   sync.Mutex
	answers []*answer
	granted map[string]bool // keys that grants have named
	writes  map[string]bool // keys to which they write
}

// rules are what GET …/rules says.
type rules struct {
	Types          []string
	MinSize        int64 `json:"min_size"`
	MaxSize        int64 `json:"max_size"`
	Modes          []string
	MultipartAbove int64 `json:"multipart_above"`
	known          bool
}

// person makes a request somebody's.
type person func(*http.Request)

func nobody(*http.Request) {}

func (a *attack) user() person {
	if a.User == nil {
		return nobody
	}
	return a.User
}

// answer is one of the handler's.
type answer struct {
	Road   string
	Status int
	Header http.Header
	Body   []byte
}

func (r *answer) String() string {
	return fmt.Sprintf("%s answered %d %.200s", r.Road, r.Status, r.Body)
}

// raw is a body that is sent as it is.
type raw string

// call asks the handler. body is JSON, or raw.
func (a *attack) call(who person, road string, body any, change ...func(*http.Request)) (*answer, error) {
	var sent []byte
	switch b := body.(type) {
	case raw:
		sent = []byte(b)
	default:
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	return a.ask(who, http.MethodPost, road, bytes.NewReader(sent), change...)
}

func (a *attack) ask(who person, method, road string, body io.Reader, change ...func(*http.Request)) (*answer, error) {
	r, err := http.NewRequestWithContext(a.ctx, method, a.url+"/"+road, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	who(r)
	for _, c := range change {
		c(r)
	}
	res, err := a.client.Do(r)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		// The server has refused a body without reading it all, and hung up.
		return &answer{road, http.StatusRequestEntityTooLarge, http.Header{}, nil}, nil
	}
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return nil, err
	}
	got := &answer{road, res.StatusCode, res.Header, text}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.answers = append(a.answers, got)
	return got, nil
}

func withHeader(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// pair is a field of a form, or a header.
type pair struct{ name, value string }

type pairs []pair

// UnmarshalJSON keeps the order.
func (p *pairs) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*p = append(*p, pair{fmt.Sprint(name), value})
	}
	return nil
}

func (p pairs) get(name string) string {
	for _, f := range p {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// with returns the pairs with one of them replaced, or added.
func (p pairs) with(name, value string) (changed pairs) {
	found := false
	for _, f := range p {
		if strings.EqualFold(f.name, name) {
			f.value, found = value, true
		}
		changed = append(changed, f)
	}
	if !found {
		changed = append(changed, pair{name, value})
	}
	return changed
}

func (p pairs) without(name string) (changed pairs) {
	for _, f := range p {
		if !strings.EqualFold(f.name, name) {
			changed = append(changed, f)
		}
	}
	return changed
}

// grant is what a browser reads.
type grant struct {
	Mode, Key, Method, URL, Ticket string
	Fields, Headers                pairs
	PartSize                       int64 `json:"part_size"`
	Parts                          int
	ExpiresIn                      int64 `json:"expires_in"`
	Complete                       bool
}

// writeKey is where the grant writes: its key, or a staging key. Of parts it is not told.
func (g *grant) writeKey(bucket string) string {
	if g.Mode == "post" {
		return g.Fields.get("key")
	}
	u, err := url.Parse(g.URL)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(u.Path, "/"), bucket+"/")
}

// header is an attribute that the grant signs, such as Content-Type.
func (g *grant) header(name string) string {
	return cmp.Or(g.Fields.get(name), g.Headers.get(name))
}

func declared(f File) map[string]any {
	return map[string]any{"filename": f.Name, "type": f.Type, "size": len(f.Content)}
}

// with returns a declaration with one member changed.
func with(declaration map[string]any, name string, value any) map[string]any {
	changed := maps.Clone(declaration)
	changed[name] = value
	return changed
}

// sign asks for a grant. It is nil if there was none.
func (a *attack) sign(who person, declaration any, change ...func(*http.Request)) (*grant, *answer, error) {
	got, err := a.call(who, "sign", declaration, change...)
	if err != nil || got.Status != http.StatusCreated {
		return nil, got, err
	}
	g := new(grant)
	if err := json.Unmarshal(got.Body, g); err != nil {
		return nil, got, fmt.Errorf("%s: %w", got, err)
	}
	a.note(g)
	return g, got, nil
}

// note remembers which keys were granted.
func (a *attack) note(g *grant) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.granted[g.Key] = true
	if key := g.writeKey(a.S3.Bucket); key != "" {
		a.writes[key] = true
	}
}

// grantOf is a grant that must be given.
func (a *attack) grantOf(who person, f File) (*grant, error) {
	g, got, err := a.sign(who, declared(f))
	if err == nil && g == nil {
		err = fmt.Errorf("a file that may be uploaded was refused: %s", got)
	}
	return g, err
}

// grantBy is a grant of a mode.
func (a *attack) grantBy(mode string) (*grant, error) {
	g, err := a.grantOf(a.user(), a.File)
	if err == nil && g.Mode != mode {
		return nil, leftOut("the handler grants by " + g.Mode)
	}
	return g, err
}

// grantOfParts is a grant of an upload in parts.
func (a *attack) grantOfParts() (*grant, error) {
	if a.large.Content == nil {
		return nil, leftOut("no upload in parts is small enough: set WithMultipartThreshold to 5 MiB, and a size limit above it, in the test")
	}
	g, err := a.grantOf(a.user(), a.large)
	if err == nil && g.Mode != "multipart" {
		return nil, leftOut("a file of " + fmt.Sprint(len(a.large.Content)) + " bytes goes up by " + g.Mode)
	}
	return g, err
}

// s3Answer is one of S3.
type s3Answer struct {
	Status int
	Code   string
	Header http.Header
	Body   string
}

func (r s3Answer) String() string { return fmt.Sprintf("S3 answered %d %.200s", r.Status, r.Body) }

// shot is a request to S3.
type shot struct {
	method, url string
	header      http.Header
	body        io.Reader
}

func (a *attack) fire(s *shot) (s3Answer, error) {
	r, err := http.NewRequestWithContext(a.ctx, s.method, s.url, s.body)
	if err != nil {
		return s3Answer{}, err
	}
	r.Header = s.header
	r.Close = true // what S3 has not read of a body would spoil the next request
	res, err := a.client.Do(r)
	if err != nil {
		return s3Answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return s3Answer{}, err
	}
	var document struct{ Code string }
	if res.StatusCode >= 400 {
		_ = xml.Unmarshal(text, &document)
	}
	return s3Answer{res.StatusCode, document.Code, res.Header, string(text)}, nil
}

// form is the request that a form makes.
func form(address string, fields pairs, content []byte) *shot {
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for _, f := range fields {
		_ = m.WriteField(f.name, f.value)
	}
	file, _ := m.CreateFormFile("file", "file")
	_, _ = file.Write(content)
	_ = m.Close()
	return &shot{http.MethodPost, address, http.Header{"Content-Type": {m.FormDataContentType()}}, &body}
}

// aim makes the request that a grant of a whole file allows.
func aim(g *grant, content []byte) *shot {
	if g.Mode == "post" {
		return form(g.URL, g.Fields, content)
	}
	s := &shot{g.Method, g.URL, http.Header{}, bytes.NewReader(content)}
	for _, h := range g.Headers {
		s.header.Set(h.name, h.value)
	}
	return s
}

// upload sends a file as it was granted to a person.
func (a *attack) upload(who person, g *grant, content []byte) error {
	if g.Mode != "multipart" {
		r, err := a.fire(aim(g, content))
		if err == nil && r.Status >= 300 {
			err = fmt.Errorf("an upload that was granted failed: %s", r)
		}
		return err
	}
	for n := 1; n <= g.Parts; n++ {
		if _, err := a.sendPart(who, g, n, content); err != nil {
			return err
		}
	}
	return nil
}

func (g *grant) part(n int, content []byte) []byte {
	first := int64(n-1) * g.PartSize
	return content[first:min(first+g.PartSize, int64(len(content)))]
}

func (a *attack) sendPart(who person, g *grant, n int, content []byte) (etag string, err error) {
	address, err := a.partURL(who, g, n)
	if err != nil {
		return "", err
	}
	r, err := a.fire(&shot{http.MethodPut, address, http.Header{}, bytes.NewReader(g.part(n, content))})
	if err == nil && r.Status >= 300 {
		err = fmt.Errorf("a part that was granted failed: %s", r)
	}
	return r.Header.Get("ETag"), err
}

func (a *attack) partURL(who person, g *grant, n int) (string, error) {
	got, err := a.call(who, "parts", map[string]any{"ticket": g.Ticket, "numbers": []int{n}})
	if err != nil {
		return "", err
	}
	var parts struct{ URLs map[string]string }
	if err := json.Unmarshal(got.Body, &parts); err != nil || parts.URLs[fmt.Sprint(n)] == "" {
		return "", fmt.Errorf("no URL for a part: %s", got)
	}
	address := parts.URLs[fmt.Sprint(n)]
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.writes[strings.TrimPrefix(strings.TrimPrefix(u.Path, "/"), a.S3.Bucket+"/")] = true
	return address, nil
}

// receipt is what a browser is told.
type receipt struct {
	ID, Key, Type, ETag string
	Size                int64
}

func ticketOf(g *grant) map[string]any { return map[string]any{"ticket": g.Ticket} }

// receive completes an upload that must be completed.
func (a *attack) receive(who person, g *grant) (*receipt, error) {
	for {
		got, err := a.call(who, "complete", ticketOf(g))
		switch {
		case err != nil:
			return nil, err
		case got.Status == http.StatusAccepted:
			continue // it waits for some seconds each time
		case got.Status != http.StatusOK:
			return nil, fmt.Errorf("an upload that arrived was not completed: %s", got)
		}
		r := new(receipt)
		return r, json.Unmarshal(got.Body, r)
	}
}

// object reads what is stored, as root. It is nil if there is nothing.
func (a *attack) object(key string) (*s3.GetObjectOutput, []byte, error) {
	out, err := a.S3.Client().GetObject(a.ctx, &s3.GetObjectInput{Bucket: &a.S3.Bucket, Key: &key})
	if isNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	return out, content, err
}

func isNotFound(err error) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && (coded.ErrorCode() == "NoSuchKey" || coded.ErrorCode() == "NotFound")
}

// prepare finds out what the handler offers, and that it works.
func (a *attack) prepare() error {
	a.granted, a.writes = map[string]bool{}, map[string]bool{}
	a.secret, a.canary = "posterntest-"+rand.Text(), []byte("secret "+rand.Text())
	_, err := a.S3.Client().PutObject(a.ctx, &s3.PutObjectInput{Bucket: &a.S3.Bucket, Key: &a.secret, Body: bytes.NewReader(a.canary)})
	if err != nil {
		return err
	}
	got, err := a.ask(a.user(), http.MethodGet, "rules", nil)
	if err != nil {
		return err
	}
	if got.Status == http.StatusOK {
		a.rules.known = json.Unmarshal(got.Body, &a.rules) == nil
	}
	if a.File.Content == nil {
		if !a.rules.known {
			return fmt.Errorf("Target.File is needed, since GET %s/rules does not tell what may be uploaded: %s", a.Path, got)
		}
		if a.File, err = a.rules.file(); err != nil {
			return err
		}
	}
	for _, who := range []struct {
		name string
		person
	}{{"Target.User", a.user()}, {"Target.Stranger", a.Stranger}} {
		if who.person == nil {
			continue
		}
		g, err := a.grantOf(who.person, a.File)
		if err != nil {
			return fmt.Errorf("%s: %w", who.name, err)
		}
		if err := a.upload(who.person, g, a.File.Content); err != nil {
			return fmt.Errorf("%s: %w", who.name, err)
		}
		if a.complete = g.Complete; g.Complete {
			if _, err := a.receive(who.person, g); err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
		}
	}
	if above := a.rules.MultipartAbove; a.rules.known && above <= 32<<20 && above < a.rules.MaxSize {
		a.large = File{a.File.Name, a.File.Type, append(bytes.Clone(a.File.Content), make([]byte, above+7)...)[:above+7]}
	}
	return nil
}

// file is one that the rules accept.
func (r *rules) file() (File, error) {
	for _, f := range []File{
		{"cat.png", "image/png", png},
		{"report.pdf", "application/pdf", []byte("%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n")},
		{"hello.txt", "text/plain", []byte("hello, bucket: these are some bytes\n")},
		{"data.bin", "application/octet-stream", bytes.Repeat([]byte{0, 1, 2, 3}, 64)},
		{"table.csv", "text/csv", []byte("a,b\n1,2\n")},
		{"talk.mp3", "audio/mpeg", append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), make([]byte, 100)...)},
		{"film.mp4", "video/mp4", append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), make([]byte, 100)...)},
	} {
		for _, pattern := range r.Types {
			family, any := strings.CutSuffix(pattern, "/*")
			if pattern != f.Type && (!any || family != "*" && !strings.HasPrefix(f.Type, family+"/")) {
				continue
			}
			if short := r.MinSize - int64(len(f.Content)); short > 0 && short < 32<<20 {
				f.Content = append(bytes.Clone(f.Content), make([]byte, short)...)
			}
			if n := int64(len(f.Content)); n >= r.MinSize && n <= r.MaxSize {
				return f, nil
			}
		}
	}
	return File{}, fmt.Errorf("Target.File is needed: none is known of the types %v with %d to %d bytes", r.Types, r.MinSize, r.MaxSize)
}

// png is a picture of one pixel.
var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU" +
	"\x00\x00\x00\nIDATx\x9cc\xf8\x0f\x00\x01\x01\x01\x00\x1b\xb6\xeeV\x00\x00\x00\x00IEND\xaeB`\x82")

// other is a file of the same size and type with other bytes.
func other(f File) []byte {
	changed := bytes.Clone(f.Content)
	changed[len(changed)-1] ^= 1
	return changed
}

// isRight holds a receipt against what is stored.
func (a *attack) isRight(r *receipt, contents ...[]byte) error {
	out, stored, err := a.object(r.Key)
	switch {
	case err != nil:
		return err
	case out == nil:
		return fmt.Errorf("there is a receipt, and nothing at %s", r.Key)
	case aws.ToString(out.ETag) != r.ETag || int64(len(stored)) != r.Size || out.Metadata["postern-id"] != r.ID:
		return fmt.Errorf("the receipt says %+v, and stored are %d bytes with %s", r, len(stored), aws.ToString(out.ETag))
	}
	for _, c := range contents {
		if bytes.Equal(c, stored) {
			return nil
		}
	}
	return fmt.Errorf("stored are other bytes than were sent: %.80q", stored)
}

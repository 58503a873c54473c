package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxInput bounds what is read of a paste or a HAR file, in bytes.
const MaxInput = 64 << 20

// ErrNothing means that a text is neither an error document of S3, nor a HAR file with an
// upload that was refused, nor the JSON of an UploadError.
var ErrNothing = errors.New("this is neither an error document of S3, nor a HAR file with a refused upload, nor the JSON of an UploadError")

// Read finds what there is to explain in a text: a HAR file, the JSON of an UploadError,
// or an error document of S3, with anything around it.
func Read(text []byte) ([]Input, error) {
	trimmed := bytes.TrimLeft(text, "\ufeff \t\r\n")
	if bytes.HasPrefix(trimmed, []byte("{")) {
		if all := readHAR(trimmed); len(all) > 0 {
			return all, nil
		}
		if in, ok := readUploadError(trimmed); ok {
			return []Input{in}, nil
		}
	}
	if d, ok := Parse(text); ok {
		return []Input{{Document: d}}, nil
	}
	return nil, ErrNothing
}

// readUploadError reads what JSON.stringify makes of an UploadError.
func readUploadError(text []byte) (in Input, ok bool) {
	var e struct {
		Code, From, Detail string
		Status             int
		RequestID          string
	}
	if json.Unmarshal(text, &e) != nil || e.Code == "" {
		return in, false
	}
	d := Document{Code: e.Code, Message: html.UnescapeString(e.Detail), RequestID: e.RequestID}
	in = Input{Document: d, Status: e.Status}
	switch e.Code {
	case "bucket_unreachable", "blocked_by_policy":
		in.Document.Code, in.Sent = "", &Request{Size: UnknownSize}
	case "clock_wrong":
		in.Document.Code = "RequestTimeTooSkewed"
	}
	return in, true
}

// har is what is read of a HAR file (HTTP Archive 1.2).
type har struct {
	Log struct {
		Entries []harEntry `json:"entries"`
	} `json:"log"`
}

type harEntry struct {
	Started time.Time `json:"startedDateTime"`
	Request struct {
		Method, URL string
		Headers     []harField
		BodySize    *int64
		PostData    *struct {
			MimeType string
			Text     string
			Params   []struct{ Name, Value, FileName string }
		}
	}
	Response struct {
		Status  int
		Headers []harField
		Content struct{ Text, Encoding string }
	}
}

type harField struct{ Name, Value string }

// readHAR finds the uploads that S3 has refused, and their grants.
func readHAR(text []byte) (all []Input) {
	var file har
	if json.Unmarshal(text, &file) != nil {
		return nil
	}
	var grants []*Request
	inParts := map[string]multipartGrant{}
	for _, entry := range file.Log.Entries {
		if found := grantsOf(&entry, inParts); len(found) > 0 {
			grants = append(grants, found...)
			continue
		}
		if !entry.isUpload() || entry.Response.Status/100 == 2 || entry.Response.Status/100 == 3 {
			continue
		}
		in := Input{Status: entry.Response.Status, Sent: entry.sent()}
		in.Document, _ = Parse(entry.body())
		in.Granted = grantOf(grants, in.Sent)
		in.Origin = header(entry.Request.Headers, "Origin")
		all = append(all, in)
	}
	return all
}

func header(fields []harField, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// isUpload reports whether a request goes to S3 with a grant, or what is left of one.
func (e *harEntry) isUpload() bool {
	if e.Request.Method == http.MethodOptions {
		return false
	}
	if strings.Contains(e.Request.URL, "X-Amz-") || bytes.Contains(e.body(), []byte("<Error>")) {
		return true
	}
	for _, name := range []string{"policy", "x-amz-signature", "x-amz-credential", "key"} {
		if _, ok := find(e.fields(), name); ok {
			return true
		}
	}
	return false
}

func (e *harEntry) body() []byte {
	if e.Response.Content.Encoding == "base64" {
		text, _ := base64.StdEncoding.DecodeString(e.Response.Content.Text)
		return text
	}
	return []byte(e.Response.Content.Text)
}

// sent is the request, as the browser sent it.
func (e *harEntry) sent() *Request {
	r := &Request{Method: e.Request.Method, URL: e.Request.URL, Size: UnknownSize, Time: e.Started}
	if at, err := http.ParseTime(header(e.Response.Headers, "Date")); err == nil {
		r.Time = at
	}
	for _, f := range e.Request.Headers {
		if !strings.HasPrefix(f.Name, ":") { // HTTP/2
			r.Header = append(r.Header, Field{strings.ToLower(f.Name), f.Value})
		}
	}
	r.Fields = e.fields()
	if r.isForm() {
		r.Header = nil
		r.Size = e.fileSize()
		return r
	}
	r.Size = e.bodySize()
	return r
}

// parts calls fn with the parts of a form.
func (e *harEntry) parts(fn func(p *multipart.Part)) {
	if e.Request.PostData == nil {
		return
	}
	mediaType, params, err := mime.ParseMediaType(e.Request.PostData.MimeType)
	if err != nil || mediaType != "multipart/form-data" {
		return
	}
	reader := multipart.NewReader(strings.NewReader(e.Request.PostData.Text), params["boundary"])
	for {
		p, err := reader.NextRawPart()
		if err != nil {
			return
		}
		fn(p)
	}
}

// fields are those of the form that a request has; what stands behind the file is none,
// since S3 does not read it.
func (e *harEntry) fields() (all []Field) {
	file := false
	e.parts(func(p *multipart.Part) {
		file = file || p.FormName() == "file" || isFile(p.Header)
		value, _ := io.ReadAll(io.LimitReader(p, 1<<20))
		if !file {
			all = append(all, Field{p.FormName(), string(value)})
		}
	})
	if len(all) > 0 || e.Request.PostData == nil || !strings.HasPrefix(e.Request.PostData.MimeType, "multipart/form-data") {
		return all
	}
	for _, p := range e.Request.PostData.Params {
		if p.FileName != "" || p.Name == "file" {
			break
		}
		all = append(all, Field{p.Name, p.Value})
	}
	return all
}

func isFile(h textproto.MIMEHeader) bool {
	return strings.Contains(strings.ToLower(h.Get("Content-Disposition")), "filename=")
}

// fileSize is that of the file in a form: what the rest of the form leaves of the body.
// Its own bytes do not tell: browsers leave them out, or cannot write them as text.
func (e *harEntry) fileSize() int64 {
	inText := int64(UnknownSize)
	e.parts(func(p *multipart.Part) {
		if inText == UnknownSize && (p.FormName() == "file" || isFile(p.Header)) {
			inText, _ = io.Copy(io.Discard, p)
		}
	})
	whole, text := e.bodySize(), int64(0)
	if e.Request.PostData != nil {
		text = int64(len(e.Request.PostData.Text))
	}
	size := whole - (text - inText)
	if inText == UnknownSize || whole <= 0 || size < 0 || whole == text && inText == 0 {
		return UnknownSize
	}
	return size
}

func (e *harEntry) bodySize() int64 {
	if e.Request.BodySize != nil && *e.Request.BodySize > 0 {
		return *e.Request.BodySize
	}
	if size, err := strconv.ParseInt(header(e.Request.Headers, "Content-Length"), 10, 64); err == nil {
		return size
	}
	return UnknownSize
}

// multipartGrant is an upload in parts, by its ticket.
type multipartGrant struct{ size, partSize, parts int64 }

// part is the length of a part.
func (m multipartGrant) part(number int64) int64 {
	switch {
	case m.partSize <= 0 || number < 1 || number > m.parts:
		return UnknownSize
	case number < m.parts:
		return m.partSize
	}
	return m.size - (m.parts-1)*m.partSize
}

// grantsOf finds the grants in the answer of a handler: one, those of a batch, or the
// URLs of parts. inParts remembers the uploads in parts.
func grantsOf(e *harEntry, inParts map[string]multipartGrant) (all []*Request) {
	if !strings.Contains(header(e.Response.Headers, "Content-Type"), "json") || e.Response.Status/100 != 2 {
		return nil
	}
	var answer any
	if json.Unmarshal(e.body(), &answer) != nil {
		return nil
	}
	asked, sizes := e.asked()
	index := 0
	walk(answer, func(o map[string]any) {
		if urls, ok := o["urls"].(map[string]any); ok {
			all = append(all, partsOf(urls, inParts[asked])...)
		}
		token, _ := o["ticket"].(string)
		grant := grantIn(o)
		if token == "" && grant == nil {
			return
		}
		size := int64(UnknownSize)
		if index < len(sizes) {
			size = sizes[index]
		}
		index++
		if partSize, ok := o["part_size"].(float64); ok && partSize > 0 {
			parts, _ := o["parts"].(float64)
			inParts[token] = multipartGrant{size, int64(partSize), int64(parts)}
		} else if grant != nil {
			grant.Size = size
			all = append(all, grant)
		}
	})
	if index != len(sizes) { // some of a batch were refused: nobody knows whose is which
		for _, g := range all {
			if index > 0 {
				g.Size = UnknownSize
			}
		}
	}
	return all
}

// asked is what the page has sent to the handler: a ticket, or the sizes of files.
func (e *harEntry) asked() (ticket string, sizes []int64) {
	var question any
	if e.Request.PostData == nil || json.Unmarshal([]byte(e.Request.PostData.Text), &question) != nil {
		return "", nil
	}
	walk(question, func(o map[string]any) {
		if token, ok := o["ticket"].(string); ok {
			ticket = token
		}
		if size, ok := o["size"].(float64); ok {
			sizes = append(sizes, int64(size))
		}
	})
	return ticket, sizes
}

// partsOf are the URLs of parts.
func partsOf(urls map[string]any, upload multipartGrant) (all []*Request) {
	for number, value := range urls {
		address, _ := value.(string)
		n, err := strconv.ParseInt(number, 10, 32)
		if address != "" && err == nil {
			all = append(all, &Request{Method: http.MethodPut, URL: address, Size: upload.part(n)})
		}
	}
	return all
}

// walk calls fn with every object in a JSON value, lists in their order.
func walk(value any, fn func(map[string]any)) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			walk(item, fn)
		}
	case map[string]any:
		fn(v)
		for _, item := range v {
			walk(item, fn)
		}
	}
}

func grantIn(o map[string]any) *Request {
	address, _ := o["url"].(string)
	fields, isForm := o["fields"].(map[string]any)
	headers, isPut := o["headers"].(map[string]any)
	if address == "" || !isForm && !isPut {
		return nil
	}
	method, _ := o["method"].(string)
	g := &Request{Method: method, URL: address, Size: UnknownSize}
	for name, value := range fields {
		text, _ := value.(string)
		g.Fields = append(g.Fields, Field{name, text})
	}
	for name, value := range headers {
		text, _ := value.(string)
		g.Header = append(g.Header, Field{strings.ToLower(name), text})
	}
	sortFields(g.Fields)
	sortFields(g.Header)
	return g
}

// grantOf finds the grant that a request was made of: the one with which it has most in
// common.
func grantOf(grants []*Request, sent *Request) (best *Request) {
	most := 0
	for _, g := range grants {
		if score := alike(g, sent); score >= most && score > 0 {
			best, most = g, score
		}
	}
	return best
}

func alike(g, sent *Request) (score int) {
	if g.isForm() != sent.isForm() {
		return 0
	}
	for _, name := range []string{"policy", "x-amz-signature", "key", "x-amz-date"} {
		want, ok := find(g.Fields, name)
		if got, there := find(sent.Fields, name); ok && there && got == want {
			score += 4
		}
	}
	a, err := url.Parse(g.URL)
	b, err2 := url.Parse(sent.URL)
	if err != nil || err2 != nil {
		return score
	}
	if a.Path == b.Path {
		score += 2
	}
	if a.Host == b.Host {
		score++
	}
	for name, values := range a.Query() {
		if b.Query().Get(name) == values[0] {
			score++
		}
		if strings.EqualFold(name, "X-Amz-Signature") && b.Query().Get(name) == values[0] {
			score += 8
		}
	}
	return score
}

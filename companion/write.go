package companion

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/postern-go/postern"
)

func (dialect) WriteGrant(w http.ResponseWriter, r *http.Request, g *postern.Grant) {
	if callOf(r).xml {
		writeXML(w, http.StatusOK, initiateMultipartUploadResult{Bucket: g.Bucket, Key: g.Key, UploadID: g.Ticket})
		return
	}
	if g.Mode == postern.ModeMultipart {
		write(w, http.StatusCreated, struct {
			Key      string `json:"key"`
			UploadID string `json:"uploadId"`
			Bucket   string `json:"bucket"`
		}{g.Key, g.Ticket, g.Bucket})
		return
	}
	fields := make(map[string]string, len(g.Fields))
	for _, f := range g.Fields {
		fields[f.Name] = f.Value
	}
	write(w, http.StatusOK, struct {
		Method  string            `json:"method"`
		URL     string            `json:"url"`
		Fields  map[string]string `json:"fields"`
		Expires int64             `json:"expires"` // seconds
	}{g.Method, g.URL, fields, seconds(g.ExpiresIn)})
}

// WriteParts streams: what it holds in memory does not grow with the number of
// parts.
func (dialect) WriteParts(w http.ResponseWriter, r *http.Request, urls *postern.PartURLs) {
	header(w, contentJSON)
	w.WriteHeader(http.StatusOK) // a router may have set another status already
	b := bufio.NewWriterSize(w, 16<<10)
	// Nothing in a URL needs escaping in JSON.
	if callOf(r).part != "batch" {
		for _, url := range urls.All() {
			_, _ = b.WriteString(`{"url":"`)
			_, _ = b.Write(url)
			_, _ = b.WriteString(`","expires":` + strconv.FormatInt(seconds(urls.ExpiresIn), 10) + `}`)
		}
		_ = b.Flush()
		return
	}
	separator := `{"presignedUrls":{"`
	for number, url := range urls.All() {
		_, _ = b.WriteString(separator + strconv.Itoa(int(number)) + `":"`)
		_, _ = b.Write(url)
		if err := b.WriteByte('"'); err != nil {
			return // the browser is gone
		}
		separator = `,"`
	}
	_, _ = b.WriteString(`}}`)
	_ = b.Flush()
}

type part struct {
	PartNumber int32
	Size       int64
	ETag       string
}

func (dialect) WriteList(w http.ResponseWriter, r *http.Request, parts []postern.Part) {
	list := make([]part, len(parts))
	for k, p := range parts {
		list[k] = part{p.Number, p.Size, p.ETag}
	}
	writeList(w, r, list)
}

func writeList(w http.ResponseWriter, r *http.Request, list []part) {
	if callOf(r).xml {
		writeXML(w, http.StatusOK, listPartsResult{Parts: list})
		return
	}
	write(w, http.StatusOK, list)
}

func (dialect) WriteReceipt(w http.ResponseWriter, r *http.Request, receipt *postern.Receipt) {
	answer := struct {
		Location string `json:"location"`
		Bucket   string `json:"bucket"`
		Key      string `json:"key"`
		Data     any    `json:"data,omitempty"`
	}{receipt.Location, receipt.Bucket, receipt.Key, receipt.Data}
	c := callOf(r)
	switch document := (completeMultipartUploadResult{Location: receipt.Location, Bucket: receipt.Bucket, Key: receipt.Key}); {
	case c.xml && c.begun:
		_ = xml.NewEncoder(w).Encode(document)
	case c.xml:
		writeXML(w, http.StatusOK, document)
	case c.begun:
		_ = json.NewEncoder(w).Encode(answer)
	default:
		write(w, http.StatusOK, answer)
	}
}

// WritePending keeps the request open: Uppy does not ask again. JSON may begin
// with blanks, and so may XML without a declaration.
func (dialect) WritePending(w http.ResponseWriter, r *http.Request, _ time.Duration) postern.Pending {
	if c := callOf(r); !c.begun {
		c.begun = true
		header(w, c.contentType())
		w.WriteHeader(http.StatusOK)
	}
	if _, err := w.Write([]byte{'\n'}); err != nil {
		return postern.Answered // the browser is gone
	}
	_ = http.NewResponseController(w).Flush() // a writer that cannot keeps the blanks
	return postern.KeptOpen
}

func (dialect) WriteAborted(w http.ResponseWriter, r *http.Request) {
	if callOf(r).xml {
		header(w, contentXML)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	write(w, http.StatusOK, struct{}{})
}

// WriteProblem writes a problem document with one more member, which Uppy 5 shows.
func (dialect) WriteProblem(w http.ResponseWriter, r *http.Request, p *postern.Problem) {
	c := callOf(r)
	if c != nil && c.begun {
		panic(http.ErrAbortHandler) // it is too late for another status
	}
	if parts := assembled(r, c, p); parts != nil {
		writeList(w, r, parts)
		return
	}
	if p.Status() == http.StatusMethodNotAllowed && c != nil {
		w.Header().Set("Allow", c.allow)
	}
	p.SetHeader(w.Header())
	if c != nil && c.xml {
		// Uppy shows the code, and nothing else.
		writeXML(w, p.Status(), s3Error{Code: p.Detail(), Message: p.Code()})
		return
	}
	w.WriteHeader(p.Status())
	document, _ := p.MarshalJSON()
	message, _ := json.Marshal(p.Detail())
	document = append(document[:len(document)-1], `,"message":`...)
	_, _ = w.Write(append(append(document, message...), '}'))
}

// assembled lists the parts of an upload that S3 does not know any more. It may
// be complete but for its receipt: Uppy lists before it tries again, and asks for
// completion only once it has an ETag of every part. Completion then tells what
// became of the upload. Without a size nobody knows how many parts there were.
func assembled(r *http.Request, c *call, p *postern.Problem) []part {
	u := postern.UploadFrom(r.Context())
	if c == nil || c.action != postern.ActionList || !errors.Is(p, postern.ErrUploadGone) ||
		u == nil || u.Size <= 0 || u.PartSize <= 0 {
		return nil
	}
	var parts []part
	for first := int64(0); first < u.Size; first += u.PartSize {
		parts = append(parts, part{int32(len(parts) + 1), min(u.PartSize, u.Size-first), `"assembled"`})
	}
	return parts
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

const (
	contentJSON = "application/json"
	contentXML  = "application/xml"
)

func (c *call) contentType() string {
	if c.xml {
		return contentXML
	}
	return contentJSON
}

func write(w http.ResponseWriter, status int, v any) {
	header(w, contentJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func header(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// What S3 answers, as far as Uppy reads it.
type (
	initiateMultipartUploadResult struct {
		XMLName     xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}
	listPartsResult struct {
		XMLName xml.Name `xml:"ListPartsResult"`
		Parts   []part   `xml:"Part"`
	}
	completeMultipartUploadResult struct {
		XMLName               xml.Name `xml:"CompleteMultipartUploadResult"`
		Location, Bucket, Key string
	}
	s3Error struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}
)

func writeXML(w http.ResponseWriter, status int, document any) {
	header(w, contentXML)
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(document)
}

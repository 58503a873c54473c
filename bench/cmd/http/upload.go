package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

// gigabyte is how much is uploaded.
const gigabyte = 1 << 30

// measureUploads uploads a gigabyte past Postern, and through tusd.
func measureUploads(ctx context.Context) ([]figures, error) {
	past, err := uploadPast(ctx)
	if err != nil {
		return nil, fmt.Errorf("upload past Postern: %w", err)
	}
	through, err := uploadThrough(ctx)
	if err != nil {
		return nil, fmt.Errorf("upload through tusd: %w", err)
	}
	return []figures{past, through}, nil
}

// used runs a server, has it used, and tells what that cost the server.
func used(p *process, use func() error) (f figures, err error) {
	before, err := p.usage()
	if err == nil {
		err = use()
	}
	after, usageErr := p.usage()
	f.cpu, f.memory = after.cpu-before.cpu, after.memory
	return f, errors.Join(err, usageErr, p.stop())
}

// uploadPast signs an upload in parts, puts them into an S3 server, and completes
// it. What the S3 server costs is not counted: it is not the application's.
func uploadPast(ctx context.Context) (f figures, err error) {
	dir, err := os.MkdirTemp("", "s3-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	s3, err := startSelf(ctx, "s3", "-dir", dir)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s3.stop()) }()
	p, err := startSelf(ctx, "postern", "-endpoint", s3.address)
	if err != nil {
		return f, err
	}
	f, err = used(p, func() error { return uploadInParts(ctx, p.address+"/uploads/") })
	f.name = "Postern, in parts straight to the bucket"
	return f, err
}

func uploadInParts(ctx context.Context, uploads string) error {
	var grant struct {
		Ticket   string `json:"ticket"`
		PartSize int64  `json:"part_size"`
		Parts    int64  `json:"parts"`
	}
	if err := ask(ctx, uploads+"sign", map[string]any{"filename": "film.mp4", "type": "video/mp4", "size": gigabyte}, &grant); err != nil {
		return err
	}
	numbers := make([]int64, grant.Parts)
	for i := range numbers {
		numbers[i] = int64(i) + 1
	}
	var parts struct {
		URLs map[string]string `json:"urls"`
	}
	if err := ask(ctx, uploads+"parts", map[string]any{"ticket": grant.Ticket, "numbers": numbers}, &parts); err != nil {
		return err
	}
	for _, n := range numbers {
		length := min(grant.PartSize, gigabyte-(n-1)*grant.PartSize)
		if err := send(ctx, "PUT", parts.URLs[strconv.FormatInt(n, 10)], length, nil, http.StatusOK); err != nil {
			return err
		}
	}
	return ask(ctx, uploads+"complete", map[string]any{"ticket": grant.Ticket}, nil)
}

// ask sends a request of the native protocol, and reads the answer.
func ask(ctx context.Context, url string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	text, err := post(ctx, url, string(body))
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// uploadThrough sends the bytes to tusd in one request.
func uploadThrough(ctx context.Context) (f figures, err error) {
	dir, err := os.MkdirTemp("", "tusd-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	p, err := startSelf(ctx, "tusd", "-dir", dir)
	if err != nil {
		return f, err
	}
	f, err = used(p, func() error {
		r, err := http.NewRequestWithContext(ctx, "POST", p.address+"/files/", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Tus-Resumable", "1.0.0")
		r.Header.Set("Upload-Length", strconv.Itoa(gigabyte))
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_ = w.Body.Close()
		return send(ctx, "PATCH", w.Header.Get("Location"), gigabyte, http.Header{
			"Tus-Resumable": {"1.0.0"},
			"Upload-Offset": {"0"},
			"Content-Type":  {"application/offset+octet-stream"},
		}, http.StatusNoContent)
	})
	f.name = "tusd, through the server to its disk"
	return f, err
}

// send uploads zeros.
func send(ctx context.Context, method, url string, length int64, header http.Header, status int) error {
	r, err := http.NewRequestWithContext(ctx, method, url, io.LimitReader(zeros{}, length))
	if err != nil {
		return err
	}
	r.ContentLength = length
	if header != nil {
		r.Header = header
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if w.StatusCode != status {
		body, _ := io.ReadAll(io.LimitReader(w.Body, 4<<10))
		return fmt.Errorf("%s: %s: %s", method, w.Status, body)
	}
	return nil
}

// zeros is a file of any length.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

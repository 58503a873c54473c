package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const signRequest = `{"filename":"photo.png","type":"image/png","size":1000}`

// postScript tells wrk the request for a grant.
const postScript = `wrk.method = "POST"
wrk.body = '` + signRequest + `'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer acme-demo"
`

// load is what wrk does to a server.
type load struct {
	duration    time.Duration
	connections int
}

// warmUp lets a server compile, and fill its pools, before it is measured.
const warmUp = 2 * time.Second

// on puts a server under load.
func (l load) on(ctx context.Context, p *process, script, path string) (figures, error) {
	if _, err := l.wrk(ctx, warmUp, script, p.address+path); err != nil {
		return figures{}, err
	}
	before, err := p.usage()
	if err != nil {
		return figures{}, err
	}
	f, err := l.wrk(ctx, l.duration, script, p.address+path)
	if err != nil {
		return figures{}, err
	}
	after, err := p.usage()
	f.cpu = (after.cpu - before.cpu) / (f.rate * l.duration.Seconds()) * 100_000
	f.memory = after.memory
	return f, err
}

func (l load) wrk(ctx context.Context, d time.Duration, script, url string) (figures, error) {
	args := []string{"-t1", "-c", strconv.Itoa(l.connections), "-d", fmt.Sprintf("%.0fs", d.Seconds()), "--latency", "--timeout", "30s"}
	if script != "" {
		file, err := os.CreateTemp("", "wrk-*.lua")
		if err != nil {
			return figures{}, err
		}
		defer os.Remove(file.Name())
		_, err = file.WriteString(script)
		if err = errors.Join(err, file.Close()); err != nil {
			return figures{}, err
		}
		args = append(args, "-s", file.Name())
	}
	output, err := exec.CommandContext(ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return figures{}, fmt.Errorf("wrk: %w\n%s", err, output)
	}
	return parseWrk(string(output))
}

var (
	rateLine = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p50Line  = regexp.MustCompile(`\s50%\s+(\S+)`)
	p99Line  = regexp.MustCompile(`\s99%\s+(\S+)`)
)

// parseWrk reads what wrk prints. A run with errors is none.
func parseWrk(output string) (f figures, err error) {
	rate, p50, p99 := rateLine.FindStringSubmatch(output), p50Line.FindStringSubmatch(output), p99Line.FindStringSubmatch(output)
	if rate == nil || p50 == nil || p99 == nil || strings.Contains(output, "Non-2xx") || strings.Contains(output, "Socket errors") {
		return figures{}, errors.New("wrk met errors:\n" + output)
	}
	f.p50, f.p99 = p50[1], p99[1]
	f.rate, err = strconv.ParseFloat(rate[1], 64)
	return f, err
}

// answerLength asks Postern for a grant, and returns how long the answer is.
func answerLength(ctx context.Context) (int, error) {
	p, err := startSelf(ctx, "postern")
	if err != nil {
		return 0, err
	}
	body, err := post(ctx, p.address+"/uploads/sign", signRequest)
	return len(body), errors.Join(err, p.stop())
}

// post sends JSON as the demo's user, and returns the answer's body.
func post(ctx context.Context, url, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer acme-demo")
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode/100 != 2 {
		err = fmt.Errorf("POST %s: %s: %s", url, w.Status, answer)
	}
	return answer, err
}

package promobserve_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/postern-go/postern"
	promobserve "github.com/postern-go/postern/observe/prometheus"
)

func TestAlertsFireWhenTheyMustAndNotElse(t *testing.T) {
	out, err := exec.Command("promtool", "test", "rules", "testdata/rules_test.yml").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// Whoever adds an alert adds its test.
	cases, err := os.ReadFile("testdata/rules_test.yml")
	require.NoError(t, err)
	alerts := 0
	for line := range strings.Lines(string(promobserve.Rules)) {
		if _, name, ok := strings.Cut(line, "- alert: "); ok {
			alerts++
			require.Contains(t, string(cases), "alertname: "+name, "no test of the alert")
		}
	}
	require.Greater(t, alerts, 10)
}

// panel is one of the dashboard, as far as it asks Prometheus.
type panel struct {
	Type, Title string
	Targets     []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	var d struct{ Panels []panel }
	require.NoError(t, json.Unmarshal(promobserve.Dashboard, &d))
	return d.Panels
}

// What is measured is on the dashboard, and what is on it is measured.
func TestDashboardShowsEveryMetric(t *testing.T) {
	s := newSite(t)
	require.Equal(t, 200, s.upload("ada@acme", "text/plain", []byte("hello")))
	_, err := s.Issuer().Reconcile(t.Context(), postern.ReconcileOptions{})
	require.NoError(t, err)
	var asked strings.Builder
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			asked.WriteString(target.Expr + "\n")
		}
	}
	families, err := s.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		require.Contains(t, asked.String(), f.GetName())
	}
}

// hour is an hour of load, as a server scrapes it that asks every 15 seconds, made in as
// long as the load takes. Each scrape is a real one, at a moment of its own; the time of
// its samples is moved, and so are those that are times.
type hour struct {
	begin time.Time
	text  bytes.Buffer
	n     int
}

const (
	scrapes  = 240
	interval = 15 * time.Second
)

// scrape takes what the registry says now for the next moment of the hour.
func (h *hour) scrape(t *testing.T, s *site) {
	now, at := time.Now(), h.begin.Add(time.Duration(h.n)*interval)
	h.n++
	families, err := s.registry.Gather()
	assert.NoError(t, err)
	for _, f := range families {
		for _, m := range f.Metric {
			m.TimestampMs = proto.Int64(at.UnixMilli())
			m.Label = append(m.Label, label("job", "shop"), label("instance", "web-1:8080"))
			if strings.HasSuffix(f.GetName(), "_timestamp_seconds") {
				m.Gauge.Value = proto.Float64(m.Gauge.GetValue() + at.Sub(now).Seconds())
			}
		}
		var one bytes.Buffer
		_, err := expfmt.MetricFamilyToOpenMetrics(&one, f)
		assert.NoError(t, err)
		for line := range strings.Lines(one.String()) {
			if h.n == 1 || line[0] != '#' {
				h.text.WriteString(line)
			}
		}
	}
}

func label(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: &name, Value: &value}
}

// makeHour has browsers upload for an hour: more of them in the middle, with all that goes
// wrong in an hour.
func makeHour(t *testing.T) *hour {
	s := newSite(t, promobserve.WithTenantClass(func(tenant string) string {
		return map[string]string{"acme": "enterprise", "globex": "enterprise"}[tenant] + map[string]string{"initech": "free"}[tenant]
	}, 5))
	denied := s.bucket
	denied.ServiceCredentials = wrongSecret(s.srv.AccessKeyID)
	noRights := s.handler(denied)
	inspected := s.handler(s.bucket, postern.WithInspector(func(context.Context, *postern.Object) (postern.Verdict, error) {
		return postern.Accepted(), nil
	}))
	tenants := []string{"ada@acme", "bob@globex", "eve@initech"}
	var n atomic.Int64
	one := func() {
		k := n.Add(1)
		user := tenants[k%3]
		text := bytes.Repeat([]byte("x"), int(1+k%7*1000))
		switch k % 10 {
		case 0:
			s.sign(user, "a.exe", "application/x-msdownload", 5)
			s.sign(user, "a.txt", "text/plain", 2<<20)
		case 1:
			s.upload(user, "image/png", text)
		case 2:
			s.arrive(user, "text/plain", text) // and the browser goes
		case 3:
			report := s.arrive(user, "text/plain", text)
			report["stage"], report["status"], report["code"] = "upload", 403, "AccessDenied"
			send(s, user, "report", report)
		case 4:
			send(inspected, user, "complete", s.arrive(user, "text/plain", text))
		case 5:
			send(noRights, user, "complete", s.arrive(user, "text/plain", text))
		default:
			s.upload(user, "text/plain", text)
		}
	}
	h := &hour{begin: time.Now().Truncate(time.Minute).Add(-time.Hour)}
	for h.n < scrapes {
		s.hookFail.Store(h.n%40 == 39)
		var load sync.WaitGroup
		browsers := 1 + h.n*(scrapes-h.n)/(scrapes*scrapes/8)
		scrape := sync.OnceFunc(func() { h.scrape(t, s) }) // while a completion goes on, if there is one
		s.inHook.Store(&scrape)
		for range browsers {
			load.Go(one)
		}
		load.Wait()
		s.inHook.Store(nil)
		scrape()
		if h.n%8 == 0 {
			_, err := s.Issuer().Reconcile(t.Context(), postern.ReconcileOptions{MinAge: time.Millisecond, CallsPerSecond: 100_000})
			require.NoError(t, err)
		}
	}
	h.text.WriteString("# EOF\n")
	t.Logf("%d uploads were begun, %d bytes of samples", n.Load(), h.text.Len())
	return h
}

// prometheus runs a server with the hour in it, and returns its address.
func (h *hour) prometheus(t *testing.T) string {
	dir := t.TempDir()
	samples := filepath.Join(dir, "samples")
	require.NoError(t, os.WriteFile(samples, h.text.Bytes(), 0o600))
	out, err := exec.Command("promtool", "tsdb", "create-blocks-from", "openmetrics", samples, filepath.Join(dir, "data")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	rules := filepath.Join(dir, "rules.yml")
	require.NoError(t, os.WriteFile(rules, promobserve.Rules, 0o600))
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte("rule_files: ["+rules+"]\n"), 0o600))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	server := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--storage.tsdb.retention.time=30d", "--web.listen-address="+address)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := server.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Server is ready to receive web requests") {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return "http://" + address
		}
	}
	require.Fail(t, "Prometheus does not begin")
	return ""
}

// answer is what Prometheus says.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
			Values [][2]any
		}
	}
}

func query(t *testing.T, address string, q url.Values) (a answer) {
	road := "/api/v1/query"
	if q.Has("start") {
		road += "_range"
	}
	res, err := http.PostForm(address+road, q)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	require.Equal(t, "success", a.Status, "%s: %s", q.Get("query"), a.Error)
	return a
}

// Every query of every panel is asked as Grafana asks it, of a real Prometheus that has
// scraped an hour of real uploads.
func TestEveryPanelHasDataAfterAnHourOfLoad(t *testing.T) {
	h := makeHour(t)
	address := h.prometheus(t)
	end := h.begin.Add((scrapes - 1) * interval)
	as := strings.NewReplacer("$__rate_interval", "1m", "$job", "shop", "$class", ".*")
	queries := 0
	for _, p := range panels(t) {
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			queries++
			expr := as.Replace(target.Expr)
			require.NotContains(t, expr, "$")
			q := url.Values{"query": {expr}}
			if p.Type == "stat" {
				q.Set("time", fmt.Sprint(end.Unix()))
			} else {
				q.Set("start", fmt.Sprint(h.begin.Unix()))
				q.Set("end", fmt.Sprint(end.Unix()))
				q.Set("step", "15")
			}
			numbers := 0
			for _, series := range query(t, address, q).Data.Result {
				for _, v := range append(series.Values, series.Value) {
					if text, ok := v[1].(string); ok && text != "NaN" {
						numbers++
					}
				}
			}
			least := 1
			if p.Type != "stat" {
				least = 20 // an event an hour is no line
			}
			require.GreaterOrEqualf(t, numbers, least, "%s: %s", p.Title, expr)
		}
	}
	require.GreaterOrEqual(t, queries, 40)

	// The hour is plausible.
	is := func(expr string) float64 {
		r := query(t, address, url.Values{"query": {expr}, "time": {fmt.Sprint(end.Unix())}}).Data.Result
		require.Len(t, r, 1, expr)
		var f float64
		_, err := fmt.Sscan(r[0].Value[1].(string), &f)
		require.NoError(t, err)
		return f
	}
	require.Greater(t, is(`max_over_time(postern_completions_in_flight[1h])`), 0.0)
	require.InDelta(t, is(`sum(postern_received_bytes_total)`), is(`sum(postern_completed_bytes_total)`), is(`sum(postern_received_bytes_total)`)/2)
	require.Greater(t, is(`sum(postern_received_bytes_total)`), is(`sum(postern_completed_bytes_total)`))
	require.Greater(t, is(`sum(postern_reconciled_total{done="completed"})`), 10.0)

	// The server has taken the rules, too.
	res, err := http.Get(address + "/api/v1/rules?type=alert")
	require.NoError(t, err)
	defer res.Body.Close()
	var loaded struct {
		Data struct {
			Groups []struct{ Rules []struct{ Name string } }
		}
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&loaded))
	require.Len(t, loaded.Data.Groups, 1)
	require.Len(t, loaded.Data.Groups[0].Rules, strings.Count(string(promobserve.Rules), "- alert: "))
}

package s3_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/observe/audit"
)

// auditSchema is that of the lines, strict: a member that it does not know is a mistake
// here, and a later version elsewhere.
func auditSchema(t *testing.T) *jsonschema.Schema {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(audit.Schema))
	require.NoError(t, err)
	top := document.(map[string]any)
	top["unevaluatedProperties"] = false
	top["properties"].(map[string]any)["reported"].(map[string]any)["additionalProperties"] = false
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", document))
	schema, err := c.Compile("schema.json")
	require.NoError(t, err)
	return schema
}

// ledger keeps the lines of an audit log.
type ledger struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *ledger) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

// take returns the lines since the last time, each of which is valid.
func (l *ledger) take(t *testing.T, schema *jsonschema.Schema) (lines []map[string]any) {
	t.Helper()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for line := range strings.Lines(l.text.String()) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err, line)
		require.NoError(t, schema.Validate(document), line)
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		lines = append(lines, fields)
	}
	l.text.Reset()
	return lines
}

func TestAuditLineOfEveryVerdictIsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t)
	schema, out := auditSchema(t), &ledger{}
	log := audit.New(out, audit.WithDetails(func(context.Context) map[string]string { return map[string]string{"host": "web-1"} }))
	s, g := uploaded(t, srv, postern.WithObserver(log.Observe), postern.WithSniffing())
	verdicts := map[string]bool{}
	// said requires the lines of the last step: kind, verdict and code of each.
	said := func(want ...string) []map[string]any {
		t.Helper()
		var got []string
		lines := out.take(t, schema)
		for _, line := range lines {
			code, _ := line["code"].(string)
			got = append(got, strings.TrimSpace(line["kind"].(string)+" "+line["verdict"].(string)+" "+code))
			verdicts[line["kind"].(string)+" "+line["verdict"].(string)] = true
			require.Equal(t, map[string]any{"host": "web-1"}, line["details"])
		}
		require.Equal(t, want, got)
		return lines
	}
	granted := said("request granted")[0]
	require.Equal(t, g.Key, granted["key"])
	require.Equal(t, srv.Bucket, granted["bucket"])
	require.Equal(t, []any{"ada", "acme", "sign", 201.0}, []any{granted["subject"], granted["tenant"], granted["action"], granted["status"]})

	report := ticketOf(g)
	report["stage"], report["status"], report["code"], report["detail"] = "upload", 403, "AccessDenied", "No."
	require.Equal(t, http.StatusNoContent, call(t, s, "report", report).Status)
	reported := said("request reported")[0]["reported"]
	require.Equal(t, map[string]any{"stage": "upload", "status": 403.0, "code": "AccessDenied"}, reported)

	s.got.fail = errors.New("the database is down")
	require.Equal(t, "completion_failed", completing(t, s, g).Code)
	said("completion failed completion_failed", "request failed completion_failed")
	s.got.fail = nil

	reached, release := s.held()
	leave(t, s, g, reached)
	said("request pending")
	release()
	require.NoError(t, s.Shutdown(t.Context()))
	completed := said("completion completed")[0]
	require.Equal(t, []any{granted["id"], granted["key"], "browser"}, []any{completed["id"], completed["key"], completed["trigger"]})
	s.got.before = nil

	other := s.replica(t, postern.WithObserver(log.Observe), postern.WithSniffing())
	complete(t, other, g.Ticket)
	require.Equal(t, true, said("completion completed", "request granted")[0]["replayed"])

	call(t, other, "nothing", map[string]any{})
	require.NotContains(t, said("request refused not_found")[0], "subject")
	call(t, other, "sign", fileOf(content), "Sec-Fetch-Site", "cross-site")
	said("request refused cross_origin")
	call(t, other, "abort", map[string]any{"ticket": "x"})
	said("request refused ticket_invalid")
	require.Equal(t, http.StatusOK, serve(t, other, "GET", "/uploads/rules", nil).Status)
	said("request granted")

	lie := ask(t, other, picture())
	upload(t, other, lie, htmlFile(len(pngFile())))
	require.Equal(t, "content_mismatch", completing(t, other, lie).Code)
	said("request granted", "completion refused content_mismatch", "request refused content_mismatch")

	alone := ask(t, other, fileOf(content))
	upload(t, other, alone, content)
	_, err := other.Issuer().Reconcile(t.Context(), postern.ReconcileOptions{MinAge: time.Nanosecond})
	require.NoError(t, err)
	require.Equal(t, "reconciler", said("request granted", "completion completed")[1]["trigger"])
	require.Equal(t, http.StatusNoContent, call(t, other, "abort", ticketOf(ask(t, other, fileOf(content)))).Status)
	said("request granted", "request granted")

	inspected := s.replica(t, postern.WithObserver(log.Observe), postern.WithInspector(func(context.Context, *postern.Object) (postern.Verdict, error) {
		return postern.Undecided(), nil
	}))
	waiting := ask(t, inspected, fileOf(content))
	upload(t, inspected, waiting, content)
	require.Equal(t, http.StatusAccepted, call(t, inspected, "complete", ticketOf(waiting)).Status)
	said("request granted", "completion pending", "request pending")

	require.Equal(t, map[string]bool{
		"request granted": true, "request pending": true, "request refused": true, "request failed": true, "request reported": true,
		"completion completed": true, "completion pending": true, "completion refused": true, "completion failed": true,
	}, verdicts, "each that there is")
}

// A schema that lets everything pass would prove nothing.
func TestAuditSchemaRefusesWhatIsNoLine(t *testing.T) {
	schema := auditSchema(t)
	good := `{"v":1,"time":"2026-02-28T12:00:00.000Z","kind":"completion","trigger":"browser","action":"complete","mode":"put","subject":"ada",` +
		`"id":"000102030405060708090a0b0c0d0e0f","bucket":"b","key":"k","size":5,"verdict":"refused","code":"size_mismatch"}`
	valid := func(text string) error {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		return schema.Validate(document)
	}
	require.NoError(t, valid(good))
	for _, change := range [][2]string{
		{`"v":1`, `"v":2`}, {`.000Z`, `+01:00`}, {`"verdict":"refused"`, `"verdict":"granted"`}, {`"code":"size_mismatch"`, `"replayed":true`},
		{`"trigger":"browser",`, ``}, {`"key":"k",`, ``}, {`"size":5`, `"size":-1`}, {`"kind":"completion"`, `"kind":"request"`},
		{`"subject":"ada"`, `"subject":""`}, {`"id":"0001`, `"id":"X001`}, {`"key":"k"`, `"key":"k","surprise":1`},
	} {
		require.Contains(t, good, change[0])
		require.Error(t, valid(strings.Replace(good, change[0], change[1], 1)), change[1])
	}
}

package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/observe/audit"
)

func TestDetailsAreBounded(t *testing.T) {
	var out bytes.Buffer
	log := audit.New(&out, audit.WithDetails(func(context.Context) map[string]string {
		all := map[string]string{"": "nameless", "long": strings.Repeat("é", 200)}
		for k := range 30 {
			all[fmt.Sprint("d", k)] = "\xffx\n"
		}
		return all
	}))
	log.Observe(t.Context(), postern.Decision{Outcome: postern.OutcomeRefused, Code: "not_found", Status: 404, Size: postern.UnknownSize})
	var got struct{ Details map[string]string }
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("\n")))
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Len(t, got.Details, 16)
	for name, value := range got.Details {
		require.NotEmpty(t, name)
		require.Contains(t, []string{"x\n", strings.Repeat("é", 128)}, value)
	}
}

func TestOnlyTheActionsThatAreNamed(t *testing.T) {
	var out bytes.Buffer
	log := audit.New(&out, audit.WithActions(postern.ActionSign))
	for _, action := range []postern.Action{postern.ActionSign, postern.ActionRules, ""} {
		log.Observe(t.Context(), postern.Decision{Action: action, Outcome: postern.OutcomeGranted, Status: 201})
	}
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), `"action":"sign"`)
}

// oneLine accepts whole lines only.
type oneLine struct {
	t     *testing.T
	lines int
}

func (w *oneLine) Write(p []byte) (int, error) {
	require.True(w.t, json.Valid(p))
	require.Equal(w.t, len(p)-1, bytes.IndexByte(p, '\n'))
	w.lines++ // the race detector sees two at once
	return len(p), nil
}

func TestLinesOfManyAreWhole(t *testing.T) {
	w := &oneLine{t: t}
	log := audit.New(w)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 100 {
				log.Observe(t.Context(), postern.Decision{Subject: "ada\n", Outcome: postern.OutcomeGranted, Status: 201})
			}
		})
	}
	running.Wait()
	require.Equal(t, 800, w.lines)
}

type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestLineThatCannotBeWrittenIsTold(t *testing.T) {
	d := postern.Decision{Subject: "ada", Outcome: postern.OutcomeGranted, Status: 201}
	var lost []byte
	audit.New(full{}, audit.WithFailure(func(line []byte, err error) {
		require.ErrorIs(t, err, errFull)
		lost = line
	})).Observe(t.Context(), d)
	require.Contains(t, string(lost), `"subject":"ada"`)
	require.PanicsWithError(t, "audit: no space left on device", func() { audit.New(full{}).Observe(t.Context(), d) })
}

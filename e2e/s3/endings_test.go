package s3_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
)

// A process that ends is no reason to give up what has ended.
func TestReconcilerGivesNothingUpWhileItsProcessEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, foreign.Embedded(t), true)
	upload(t, s, ask(t, s, picture()), pngFile())
	ended := newReplica(t, s.bucket, s.options(inDays(2))...)
	require.NoError(t, ended.Shutdown(context.Background()))
	report := reconcile(t, ended)
	require.Equal(t, postern.ReconcileReport{Left: 1, Why: map[string]int{"shutting_down": 1}}, report)
	require.Equal(t, 1, reconcile(t, newReplica(t, s.bucket, s.options(inDays(2))...)).Completed)
	require.Equal(t, 1, s.got.count())
}

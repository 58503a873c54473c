package postern_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func accepting(context.Context, *postern.Object) (postern.Verdict, error) {
	return postern.Accepted(), nil
}

func TestInspectorsNeedPromotion(t *testing.T) {
	_, err := postern.NewIssuer(bucket, postern.WithInspector(accepting))
	var mistake *postern.ConfigError
	require.ErrorAs(t, err, &mistake)
	require.Equal(t, "WithInspector", mistake.Option)
	_, err = postern.NewIssuer(bucket, postern.WithPromotion("staging/"), postern.WithInspector(accepting), postern.WithInspector(accepting))
	require.NoError(t, err)
	for _, opt := range []postern.Option{
		postern.WithInspector(nil), postern.WithInspectorTimeout(time.Second - 1), postern.WithInspectorTimeout(time.Hour + 1),
	} {
		_, err = postern.NewIssuer(bucket, postern.WithPromotion("staging/"), opt)
		require.ErrorAs(t, err, &mistake)
	}
}

func TestNobodyDecidesWithoutInspectors(t *testing.T) {
	i := newIssuer(t, postern.WithPromotion("staging/"))
	var mistake *postern.ConfigError
	_, err := i.Release(t.Context(), strings.Repeat("a", 32))
	require.ErrorAs(t, err, &mistake)
	require.ErrorAs(t, i.Reject(t.Context(), strings.Repeat("a", 32), nil), &mistake)
}

func TestRejectionIsAProblemThatEndsTheUpload(t *testing.T) {
	cause := errors.New("Eicar")
	for name, tc := range map[string]struct {
		given  *postern.Problem
		status int
		code   string
	}{
		"none":            {nil, 422, "content_rejected"},
		"an empty one":    {&postern.Problem{}, 422, "content_rejected"},
		"one's own":       {postern.NewProblem(403, "virus", "A virus.").WithCause(cause), 403, "virus"},
		"a server's":      {postern.NewProblem(503, "virus", "A virus.").WithRetryAfter(time.Second), 422, "virus"},
		"without a code":  {postern.NewProblem(400, "", "A virus."), 400, "content_rejected"},
		"one of postern":  {postern.ErrForbidden, 403, "forbidden"},
		"one of 10 KiB":   {postern.NewProblem(400, strings.Repeat("c", 10<<10), strings.Repeat("é", 5<<10)), 400, strings.Repeat("c", 128)},
		"one with limits": {postern.ErrSizeTooLarge.WithLimits(1, 2).WithAllowedTypes("image/*"), 413, "size_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			p := postern.Rejected(tc.given).Problem()
			require.Equal(t, tc.status, p.Status())
			require.Equal(t, tc.code, p.Code())
			require.True(t, p.Ended())
			require.Zero(t, p.RetryAfter())
			require.LessOrEqual(t, len(p.Detail()), 1<<10)
			require.True(t, utf8.ValidString(p.Detail()))
		})
	}
	require.ErrorIs(t, postern.Rejected(postern.NewProblem(403, "virus", "").WithCause(cause)).Problem(), cause)
}

func TestVerdictsSayWhatTheyAre(t *testing.T) {
	require.Equal(t, "accepted", postern.Accepted().String())
	require.Equal(t, "undecided", postern.Undecided().String())
	require.Equal(t, "no verdict", postern.Verdict{}.String())
	require.Equal(t, "rejected: virus: A virus.", postern.Rejected(postern.NewProblem(403, "virus", "A virus.")).String())
	require.Nil(t, postern.Accepted().Problem())
}

func TestObjectOfATestReadsItsContent(t *testing.T) {
	o := postern.Object{Type: "text/plain"}.WithContent([]byte("hello"), map[string]string{"by": "ada"})
	require.EqualValues(t, 5, o.Size)
	for _, tc := range []struct {
		offset, length int64
		want           string
	}{{0, 5, "hello"}, {1, 3, "ell"}, {3, 100, "lo"}, {5, 1, ""}, {7, 1, ""}, {0, 0, ""}, {0, -1, ""}} {
		body, err := o.Open(t.Context(), tc.offset, tc.length)
		require.NoError(t, err)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, tc.want, string(got))
	}
	_, err := o.Open(t.Context(), -1, 1)
	require.Error(t, err)
	tags, err := o.Tags(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"by": "ada"}, tags)
	empty := postern.Object{Size: 5}
	_, err = empty.Open(t.Context(), 0, 5)
	require.Error(t, err)
	_, err = empty.Tags(t.Context())
	require.Error(t, err)
}

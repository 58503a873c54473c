package s3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/e2e/internal/foreign"
	"github.com/postern-go/postern/s3test"
)

// What a probe finds is what the server was made to do.
func TestProbeFindsWhatAServerDoes(t *testing.T) {
	t.Parallel()
	strict := postern.Abilities{PostForms: true, RejectsUnsigned: true, PartSums: true}
	for _, tc := range []struct {
		like  postern.Provider
		found postern.Abilities
	}{
		{postern.AmazonS3, with(strict, func(a *postern.Abilities) {
			a.PutIfAbsent, a.CompleteIfAbsent, a.CompleteIfMatch, a.CopyPartIfMatch = true, true, true, true
			a.CopyPartSums, a.DeleteIfMatch, a.CompleteSize = true, true, true
		})},
		{postern.MinIO, with(strict, func(a *postern.Abilities) {
			a.PutIfAbsent, a.CompleteIfAbsent, a.CompleteIfMatch, a.CopyPartIfMatch = true, true, true, true
		})},
		{postern.CloudflareR2, with(strict, func(a *postern.Abilities) {
			a.PutIfAbsent, a.CompleteIfAbsent, a.CompleteIfMatch, a.CopyPartSums = true, true, true, true
		})},
		{postern.DigitalOceanSpaces, with(strict, func(a *postern.Abilities) { a.PutIfAbsent = true })},
		{postern.CephRGW, with(strict, func(a *postern.Abilities) { a.PutIfAbsent, a.CopyPartSums, a.PartSums = true, true, false })},
		{postern.Garage, with(strict, func(a *postern.Abilities) { a.CopyPartIfMatch, a.CopyPartSums = true, true })},
		{postern.BackblazeB2, with(strict, func(a *postern.Abilities) { a.CopyPartIfMatch = true })},
		{postern.GoogleCloudStorage, with(strict, func(a *postern.Abilities) { a.NoPartCopy = true })},
	} {
		t.Run(string(tc.like), func(t *testing.T) {
			t.Parallel()
			srv := foreign.Embedded(t, s3test.Like(tc.like))
			b := twoIdentities(t, srv, "")
			found, err := postern.Probe(t.Context(), b, "staging/", "https://app.example.com")
			require.NoError(t, err)
			require.Equal(t, tc.found, found.Abilities, "%s", found.Notes)
			require.True(t, found.CORS, "%s", found.Notes)
			require.False(t, found.ExpiresStaging, "versitygw has no lifecycle rules")
			site := &site{srv: srv, staging: "staging/", final: "x"}
			require.Empty(t, site.keys(t), "nothing is left")
			require.Zero(t, site.unfinished(t))

			b.Provider, b.Abilities = postern.Generic, &found.Abilities
			_, err = postern.New(b, postern.WithAuthorizer(principal), postern.WithPromotion("staging/"))
			require.NoError(t, err, "they can be pinned")
		})
	}
}

// What a probe finds at a server of others is what the table says of it.
func TestProbeAtServersOfOthers(t *testing.T) {
	t.Parallel()
	want := map[string]postern.Abilities{
		foreign.VersityGW: {PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true, CopyPartSums: true, PartSums: true, DeleteIfMatch: true, CompleteSize: true, RejectsUnsigned: true},
		foreign.MinIO:     {PostForms: true, PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true, PartSums: true},
		foreign.Ceph:      {PutIfAbsent: true, CopyPartSums: true},
		foreign.SeaweedFS: {PutIfAbsent: true, CompleteIfAbsent: true, CompleteIfMatch: true, CopyPartIfMatch: true, CopyPartSums: true, DeleteIfMatch: true, RejectsUnsigned: true},
	}
	srv := foreign.Start(t)
	found, err := postern.Probe(t.Context(), twoIdentities(t, srv, ""), "staging/", "https://app.example.com")
	require.NoError(t, err)
	require.Equal(t, want[srv.Name], found.Abilities, "%s", found.Notes)
	require.True(t, found.CORS, "%s", found.Notes)
	site := &site{srv: srv, staging: "staging/", final: "x"}
	require.Empty(t, site.keys(t), "nothing is left")
}

func with(a postern.Abilities, change func(*postern.Abilities)) postern.Abilities {
	change(&a)
	return a
}

func TestProbeSaysWhatCannotBeUsedAtAll(t *testing.T) {
	t.Parallel()
	srv := foreign.Embedded(t, s3test.WithCORSOrigins())
	b := twoIdentities(t, srv, "")
	found, err := postern.Probe(t.Context(), b, "staging/", "https://app.example.com")
	require.NoError(t, err)
	require.False(t, found.CORS)
	b.Name = "nowhere"
	_, err = postern.Probe(t.Context(), b, "staging/", "")
	require.ErrorContains(t, err, "NoSuchBucket")
	_, err = postern.Probe(t.Context(), b, "staging", "")
	var mistake *postern.ConfigError
	require.ErrorAs(t, err, &mistake)
	require.Equal(t, "Probe", mistake.Option)
}

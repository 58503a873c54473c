package foreign_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/e2e/internal/foreign"
)

func TestLifecycle(t *testing.T) {
	expire := types.LifecycleRule{
		ID: aws.String("expire"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("staging/")},
		Expiration: &types.LifecycleExpiration{Days: aws.Int32(2)},
	}
	abort := types.LifecycleRule{
		ID: aws.String("abort"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(2)},
	}
	both := expire
	both.AbortIncompleteMultipartUpload = abort.AbortIncompleteMultipartUpload
	set := func(rules ...types.LifecycleRule) func(t *testing.T, s *site, _ string) string {
		return func(t *testing.T, s *site, _ string) string {
			_, err := s.root.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
				Bucket: &s.Bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}})
			if err != nil {
				return said(err)
			}
			out, err := s.root.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.Bucket})
			require.NoError(t, err)
			aborts := 0
			for _, rule := range out.Rules {
				if rule.AbortIncompleteMultipartUpload != nil {
					aborts++
				}
			}
			return fmt.Sprintf("200, %d rules, %d abort", len(out.Rules), aborts)
		}
	}
	const no = "501 NotImplemented"
	check(t, []fact{{
		name: "Expiration",
		try:  set(expire),
		want: results{versitygw: no, minio: "200, 1 rules, 0 abort", ceph: "200, 1 rules, 0 abort", seaweedfs: "200, 1 rules, 0 abort"},
	}, {
		name: "AbortIncompleteMultipartUpload",
		try:  set(abort),
		want: results{versitygw: no, minio: "400 InvalidArgument", ceph: "200, 1 rules, 1 abort", seaweedfs: "200, 1 rules, 1 abort"},
	}, {
		name: "both as two rules",
		try:  set(expire, abort),
		want: results{versitygw: no, minio: "400 InvalidArgument", ceph: "200, 2 rules, 1 abort", seaweedfs: "200, 2 rules, 1 abort"},
	}, {
		name: "both in one rule",
		try:  set(both),
		want: results{versitygw: no, minio: "200, 1 rules, 0 abort", ceph: "200, 1 rules, 1 abort", seaweedfs: "200, 1 rules, 1 abort"},
	}})
}

// documents are the providers' in docs/lifecycle.
const documents = "../../docs/lifecycle"

// A server takes the document that is for it, and gives it back.
func TestLifecycleDocumentOfTheProvider(t *testing.T) {
	s := newSite(t)
	doc, err := os.ReadFile(filepath.Join(documents, s.Name+".json"))
	if s.Name == foreign.VersityGW {
		require.ErrorIs(t, err, os.ErrNotExist)
		_, err := s.root.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.Bucket})
		require.Equal(t, "501 NotImplemented", said(err))
		return
	}
	require.NoError(t, err)
	var rules types.BucketLifecycleConfiguration
	read := json.NewDecoder(bytes.NewReader(doc))
	read.DisallowUnknownFields()
	require.NoError(t, read.Decode(&rules))
	_, err = s.root.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &s.Bucket, LifecycleConfiguration: &rules})
	require.NoError(t, err)
	out, err := s.root.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &s.Bucket})
	require.NoError(t, err)
	require.ElementsMatch(t, summaries(rules.Rules), summaries(out.Rules))
}

// summaries say of each rule what counts.
func summaries(rules []types.LifecycleRule) (all []string) {
	for _, r := range rules {
		prefix := "" // which Ceph says by no filter at all
		if r.Filter != nil {
			prefix = aws.ToString(r.Filter.Prefix)
		}
		summary := fmt.Sprintf("%s %s of %q:", *r.ID, r.Status, prefix)
		if r.Expiration != nil {
			summary += fmt.Sprintf(" expire after %d days", aws.ToInt32(r.Expiration.Days))
		}
		if r.AbortIncompleteMultipartUpload != nil {
			summary += fmt.Sprintf(" abort after %d days", aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation))
		}
		all = append(all, summary)
	}
	return all
}

func TestCORS(t *testing.T) {
	const page, elsewhere = "https://app.example.com", "https://elsewhere.example.com"
	rule := func(t *testing.T, s *site) string {
		_, err := s.root.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &s.Bucket, CORSConfiguration: &types.CORSConfiguration{
			CORSRules: []types.CORSRule{{
				AllowedOrigins: []string{page}, AllowedMethods: []string{"POST", "PUT", "GET"},
				AllowedHeaders: []string{"content-type", "if-none-match", "x-amz-*"}, ExposeHeaders: []string{"ETag"},
			}},
		}})
		return said(err)
	}
	allowed := func(a answer) string {
		origin := a.header.Get("Access-Control-Allow-Origin")
		if origin == "" {
			origin = "nobody"
		}
		return a.String() + ", may read: " + origin
	}
	check(t, []fact{{
		name: "a bucket's own rules",
		try:  func(t *testing.T, s *site, _ string) string { return rule(t, s) },
		want: results{versitygw: "200", minio: "501 NotImplemented"},
	}, {
		name: "the preflight of a PUT with conditions and metadata",
		try: func(t *testing.T, s *site, key string) string {
			rule(t, s)
			return allowed(s.preflight(t, key, page, "content-type,if-none-match,x-amz-meta-postern-id"))
		},
		want: results{versitygw: "200, may read: " + page, minio: "204, may read: " + page},
	}, {
		name: "the preflight of a page of another origin",
		try: func(t *testing.T, s *site, key string) string {
			rule(t, s)
			return allowed(s.preflight(t, key, elsewhere, ""))
		},
		want: results{
			versitygw: "403 AccessForbidden, may read: nobody",
			minio:     "204, may read: " + elsewhere,
			ceph:      "403 AccessDenied, may read: nobody",
			seaweedfs: "403 AccessDenied, may read: nobody",
		},
	}, {
		name: "a PUT that is not allowed tells the page so",
		try: func(t *testing.T, s *site, _ string) string {
			rule(t, s)
			return allowed(s.send(t, s.presignedPut("out/a", content).add("Origin", page)))
		},
		want: everywhere("403 AccessDenied, may read: " + page),
	}, {
		name: "a PUT that has expired tells the page so",
		try: func(t *testing.T, s *site, key string) string {
			rule(t, s)
			r := s.presignedPut(key, content).add("Origin", page)
			r.at = time.Now().Add(-2 * time.Minute)
			return allowed(s.send(t, r))
		},
		want: results{versitygw: "403 AccessDenied, may read: " + page, ceph: "403 AccessDenied, may read: nobody"},
	}, {
		name: "a file above a form's range tells the page so",
		try: func(t *testing.T, s *site, key string) string {
			rule(t, s)
			f := s.form(key)
			f.header = map[string]string{"Origin": page}
			return allowed(s.post(t, f, content+"!"))
		},
		want: everywhere("400 EntityTooLarge, may read: " + page),
	}})
}

func (s *site) preflight(t testing.TB, key, origin, headers string) answer {
	r, err := http.NewRequest(http.MethodOptions, s.Endpoint+"/"+s.Bucket+"/"+key, nil)
	require.NoError(t, err)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPut)
	if headers != "" {
		r.Header.Set("Access-Control-Request-Headers", headers)
	}
	return do(t, r)
}

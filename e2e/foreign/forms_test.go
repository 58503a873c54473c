package foreign_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// sent posts a form, and looks at what is there.
func sent(body string, change func(f *form)) func(t *testing.T, s *site, key string) string {
	return func(t *testing.T, s *site, key string) string {
		f := s.form(key)
		change(f)
		return s.post(t, f, body).String() + ", " + s.stored(t, key)
	}
}

func TestForms(t *testing.T) {
	check(t, []fact{{
		name: "a form",
		try:  sent(content, func(*form) {}),
		want: everywhere("204, " + content),
	}, {
		name: "success_action_status",
		try:  sent(content, func(f *form) { f.with("success_action_status", "201") }),
		want: everywhere("201, " + content),
	}, {
		name: "a file above the range",
		try:  sent(content+"!", func(*form) {}),
		want: everywhere("400 EntityTooLarge, nothing"),
	}, {
		name: "a file below the range",
		try:  sent("hello", func(*form) {}),
		want: everywhere("400 EntityTooSmall, nothing"),
	}, {
		name: "an expired form",
		try:  sent(content, func(f *form) { f.expires = time.Now().Add(-time.Minute) }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "metadata that the policy does not name",
		try:  sent(content, func(f *form) { f.add("x-amz-meta-extra", "v") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "any other field that the policy does not name",
		try:  sent(content, func(f *form) { f.add("anything", "v") }),
		want: results{versitygw: "403 AccessDenied, nothing", seaweedfs: "204, " + content},
	}, {
		name: "a type that the policy does not name",
		try:  sent(content, func(f *form) { f.add("Content-Type", "text/html") }),
		want: results{versitygw: "403 AccessDenied, nothing", seaweedfs: "204, " + content},
	}, {
		name: "an ACL that the policy does not name",
		try:  sent(content, func(f *form) { f.add("acl", "public-read") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "a field x-ignore-*, which needs no condition",
		try:  sent(content, func(f *form) { f.add("x-ignore-this", "v") }),
		want: everywhere("204, " + content),
	}, {
		name: "x-minio-fanout-list by a signer who may only put",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).add("x-minio-fanout-list", `{"key":"in/fanned-out"}`)
			return s.post(t, f, content).String() + ", " + s.stored(t, "in/fanned-out")
		},
		want: results{versitygw: "403 AccessDenied, nothing", seaweedfs: "204, nothing"},
	}, {
		name: "x-minio-fanout-list by a signer who may do everything",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).add("x-minio-fanout-list", `{"key":"in/fanned-out"}`)
			f.by = s.shared
			return s.post(t, f, content).String() + ", " + s.stored(t, "in/fanned-out")
		},
		want: results{versitygw: "403 AccessDenied, nothing", minio: "200, " + content, seaweedfs: "204, nothing"},
	}, {
		name: "a key that the signer may not put",
		try: func(t *testing.T, s *site, _ string) string {
			return s.post(t, s.form("out/a"), content).String() + ", " + s.stored(t, "out/a")
		},
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "a key with ${filename}",
		try: func(t *testing.T, s *site, key string) string {
			return s.post(t, s.form(key+"-${filename}"), content).String() + ", " + s.stored(t, key+"-${filename}")
		},
		want: results{versitygw: "204, " + content, minio: "403 AccessDenied, nothing", ceph: "403 AccessDenied, nothing", seaweedfs: "403 AccessDenied, nothing"},
	}, {
		name: "If-None-Match as a field, onto something",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key, "already there")
			return s.post(t, s.form(key).with("If-None-Match", "*"), content).String() + ", " + s.stored(t, key)
		},
		want: results{versitygw: "204, " + content, seaweedfs: "403 AccessDenied, already there"},
	}, {
		name: "a SHA-256 of other bytes",
		try: sent(content, func(f *form) {
			f.with("x-amz-checksum-algorithm", "SHA256").with("x-amz-checksum-sha256", sha256Of("other"))
		}),
		want: results{versitygw: "400 BadDigest, nothing", minio: "400 XAmzContentChecksumMismatch, nothing", ceph: "204, " + content},
	}, {
		name: "the SHA-256 that HEAD tells",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).with("x-amz-checksum-algorithm", "SHA256").with("x-amz-checksum-sha256", sha256Of(content))
			return s.post(t, f, content).String() + ", " + aws.ToString(s.head(t, key).ChecksumSHA256)
		},
		want: results{versitygw: "204, " + sha256Of(content), ceph: "204, "},
	}, {
		name: "the Content-Disposition, Cache-Control and Content-Encoding that HEAD tells",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).with("Content-Disposition", "attachment").with("Cache-Control", "no-store").with("Content-Encoding", "gzip")
			a := s.post(t, f, content)
			o := s.head(t, key)
			return strings.Join([]string{a.String(), aws.ToString(o.ContentDisposition), aws.ToString(o.CacheControl), aws.ToString(o.ContentEncoding)}, ",")
		},
		want: results{versitygw: "204,attachment,no-store,gzip", ceph: "204,,,"},
	}, {
		name: "the type and metadata that HEAD tells",
		try: func(t *testing.T, s *site, key string) string {
			a := s.post(t, s.form(key).with("Content-Type", "image/png").with("x-amz-meta-id", "7"), content)
			o := s.head(t, key)
			return a.String() + ", " + aws.ToString(o.ContentType) + ", " + o.Metadata["id"]
		},
		want: everywhere("204, image/png, 7"),
	}, {
		name: "x-amz-meta-* as a header, which nobody signed",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key)
			f.header = map[string]string{"x-amz-meta-extra": "v"}
			a := s.post(t, f, content)
			return a.String() + ", " + s.head(t, key).Metadata["extra"]
		},
		want: results{versitygw: "204, ", seaweedfs: "204, v"},
	}, {
		name: "x-amz-tagging as a header, which nobody signed",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key)
			f.header = map[string]string{"x-amz-tagging": "a=b"}
			a := s.post(t, f, content)
			return fmt.Sprintf("%s, %d tags", a, aws.ToInt32(s.head(t, key).TagCount))
		},
		want: results{versitygw: "204, 0 tags", seaweedfs: "204, 1 tags"},
	}, {
		name: "tagging as a field with a condition",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).with("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
			return s.post(t, f, content).String() + ", " + s.stored(t, key)
		},
		want: results{versitygw: "204, " + content, seaweedfs: "403 AccessDenied, nothing"},
	}, {
		name: "X-Minio-Source-Mtime as a header, which nobody signed",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key)
			f.header = map[string]string{"X-Minio-Source-Mtime": "2001-02-03T04:05:06Z"}
			a := s.post(t, f, content)
			return a.String() + modified(s.head(t, key).LastModified)
		},
		want: results{versitygw: "204, stored now", minio: "204, stored in 2001"},
	}})
}

func modified(at *time.Time) string {
	if aws.ToTime(at).Year() == 2001 {
		return ", stored in 2001"
	}
	return ", stored now"
}

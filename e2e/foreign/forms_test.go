package foreign_test

import (
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
		name: "a form stores its file",
		try:  sent(content, func(*form) {}),
		want: everywhere("204, " + content),
	}, {
		name: "success_action_status is honoured",
		try:  sent(content, func(f *form) { f.with("success_action_status", "201") }),
		want: everywhere("201, " + content),
	}, {
		name: "a file above the range is refused",
		try:  sent(content+"!", func(*form) {}),
		want: everywhere("400 EntityTooLarge, nothing"),
	}, {
		name: "a file below the range is refused",
		try:  sent("hello", func(*form) {}),
		want: everywhere("400 EntityTooSmall, nothing"),
	}, {
		name: "an expired form is refused",
		try:  sent(content, func(f *form) { f.expires = time.Now().Add(-time.Minute) }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "metadata that the policy does not name is refused",
		try:  sent(content, func(f *form) { f.add("x-amz-meta-extra", "v") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "any field that the policy does not name is refused",
		try:  sent(content, func(f *form) { f.add("anything", "v") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "a type that the policy does not name is refused",
		try:  sent(content, func(f *form) { f.add("Content-Type", "text/html") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "an ACL that the policy does not name is refused",
		try:  sent(content, func(f *form) { f.add("acl", "public-read") }),
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "fields x-ignore-* need no condition",
		try:  sent(content, func(f *form) { f.add("x-ignore-this", "v") }),
		want: everywhere("204, " + content),
	}, {
		name: "x-minio-fanout-list by a signer who may only put",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).add("x-minio-fanout-list", `{"key":"in/fanned-out"}`)
			return s.post(t, f, content).String() + ", " + s.stored(t, "in/fanned-out")
		},
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "x-minio-fanout-list by a signer who may do everything writes other keys",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).add("x-minio-fanout-list", `{"key":"in/fanned-out"}`)
			f.by = s.shared
			return s.post(t, f, content).String() + ", " + s.stored(t, "in/fanned-out")
		},
		want: results{versitygw: "403 AccessDenied, nothing", minio: "200, " + content},
	}, {
		name: "the signer's own rights hold",
		try: func(t *testing.T, s *site, _ string) string {
			return s.post(t, s.form("out/a"), content).String() + ", " + s.stored(t, "out/a")
		},
		want: everywhere("403 AccessDenied, nothing"),
	}, {
		name: "${filename} is replaced, and then is not what was signed",
		try: func(t *testing.T, s *site, key string) string {
			return s.post(t, s.form(key+"-${filename}"), content).String() + ", " + s.stored(t, key+"-${filename}")
		},
		want: results{versitygw: "204, " + content, minio: "403 AccessDenied, nothing", ceph: "403 AccessDenied, nothing"},
	}, {
		name: "If-None-Match is no condition of forms",
		try: func(t *testing.T, s *site, key string) string {
			s.put(t, key, "already there")
			return s.post(t, s.form(key).with("If-None-Match", "*"), content).String() + ", " + s.stored(t, key)
		},
		want: everywhere("204, " + content),
	}, {
		name: "a SHA-256 of other bytes is refused",
		try: sent(content, func(f *form) {
			f.with("x-amz-checksum-algorithm", "SHA256").with("x-amz-checksum-sha256", sha256Of("other"))
		}),
		want: results{versitygw: "400 BadDigest, nothing", minio: "400 XAmzContentChecksumMismatch, nothing", ceph: "204, " + content},
	}, {
		name: "a SHA-256 is kept",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).with("x-amz-checksum-algorithm", "SHA256").with("x-amz-checksum-sha256", sha256Of(content))
			return s.post(t, f, content).String() + ", " + aws.ToString(s.head(t, key).ChecksumSHA256)
		},
		want: results{versitygw: "204, " + sha256Of(content), ceph: "204, "},
	}, {
		name: "Content-Disposition, Cache-Control and Content-Encoding are stored",
		try: func(t *testing.T, s *site, key string) string {
			f := s.form(key).with("Content-Disposition", "attachment").with("Cache-Control", "no-store").with("Content-Encoding", "gzip")
			a := s.post(t, f, content)
			o := s.head(t, key)
			return strings.Join([]string{a.String(), aws.ToString(o.ContentDisposition), aws.ToString(o.CacheControl), aws.ToString(o.ContentEncoding)}, ",")
		},
		want: results{versitygw: "204,attachment,no-store,gzip", ceph: "204,,,"},
	}, {
		name: "type and metadata are stored",
		try: func(t *testing.T, s *site, key string) string {
			a := s.post(t, s.form(key).with("Content-Type", "image/png").with("x-amz-meta-id", "7"), content)
			o := s.head(t, key)
			return a.String() + ", " + aws.ToString(o.ContentType) + ", " + o.Metadata["id"]
		},
		want: everywhere("204, image/png, 7"),
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

package postern

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/postern-go/postern/sigv4"
)

// Bucket is where uploads go.
type Bucket struct {
	// Name is the bucket's name.
	Name string
	// Region is the bucket's region: "eu-central-1". With an Endpoint it may be
	// empty and is then "us-east-1".
	Region string
	// Credentials sign the grants. They need s3:PutObject under the keys that the
	// key policy names, or under the staging prefix, and nothing else. A provider
	// that does not cache is wrapped in [aws.NewCredentialsCache].
	Credentials aws.CredentialsProvider
	// ServiceCredentials make the handler's own calls: to begin, list, complete
	// and abort multipart uploads, to read, copy and delete objects. Without them
	// Credentials do, which [New] refuses where a grant could then do more than it
	// says: see [AllowSharedCredentials].
	ServiceCredentials aws.CredentialsProvider
	// Provider is the S3 implementation; empty means by the endpoint's host.
	Provider Provider

	// Endpoint is where the server finds S3, an http or https URL: "https://minio.internal:9000".
	// Empty means Amazon S3 in the region. A host whose first label is the bucket's
	// name is taken for the bucket's own; if it is not, set PathStyle.
	Endpoint string
	// PublicEndpoint is where the browser finds S3, if that is another address:
	// outside a container network, behind a CDN, "https://s3-accelerate.amazonaws.com".
	// It is the one that is signed.
	PublicEndpoint string
	// PathStyle puts the bucket into the path instead of the host's name. It is
	// implied where a host's name cannot carry the bucket: IP addresses,
	// localhost, and names of buckets that are no single DNS label.
	PathStyle bool
}

// address is a bucket's place at an endpoint, in the pieces that are signed.
type address struct {
	endpoint string // scheme and authority
	prefix   string // path before the key, not escaped, with both slashes: "/" or "/bucket/"
}

// url returns the escaped address of a key; "" gives that of the bucket, which
// ends in a slash.
func (a address) url(key string) string {
	return a.endpoint + sigv4.EscapePath(a.prefix) + sigv4.EscapePath(key)
}

var (
	errNoName        = errors.New("a bucket needs a name")
	errName          = errors.New("the name of a bucket is 3 to 63 letters, digits, dots, hyphens and underscores")
	errNoRegion      = errors.New("a bucket at Amazon S3 needs a region")
	errRegion        = errors.New("a region is made of letters, digits and hyphens")
	errNoCredentials = errors.New("a bucket needs credentials")
	errProvider      = errors.New("no such provider")
	errEndpoint      = errors.New("an endpoint is an absolute http or https URL without user, query and fragment")

	// bucketName is wider than Amazon's rule: other servers allow capitals and
	// underscores.
	bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)
	regionName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	dnsLabel   = regexp.MustCompile(`^[a-z0-9-]+$`)
)

// check returns the bucket with its defaults, and its addresses for the server
// and for the browser.
func (b Bucket) check() (checked Bucket, public address, errs []error) {
	fail := func(field string, err error) { errs = append(errs, &ConfigError{Option: "Bucket." + field, Err: err}) }
	switch {
	case b.Name == "":
		fail("Name", errNoName)
	case !bucketName.MatchString(b.Name) || strings.Contains(b.Name, ".."):
		fail("Name", errName)
	}
	if b.Region == "" && b.Endpoint != "" {
		b.Region = "us-east-1"
	}
	switch {
	case b.Region == "":
		fail("Region", errNoRegion)
	case !regionName.MatchString(b.Region):
		fail("Region", errRegion)
	}
	if b.Credentials == nil {
		fail("Credentials", errNoCredentials)
	}
	amazon := b.Endpoint == ""
	if amazon {
		b.Endpoint = amazonEndpoint(b.Region)
	}
	public, err := b.at(b.Endpoint)
	if err != nil && !amazon { // else the region was the mistake
		fail("Endpoint", err)
	}
	if b.Provider == "" {
		b.Provider = detect(b.Endpoint)
	}
	if _, known := providers[b.Provider]; !known {
		fail("Provider", errProvider)
	}
	if b.PublicEndpoint == "" {
		b.PublicEndpoint = b.Endpoint
	} else if public, err = b.at(b.PublicEndpoint); err != nil {
		fail("PublicEndpoint", err)
	}
	return b, public, errs
}

// at places the bucket at an endpoint.
func (b Bucket) at(endpoint string) (address, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(u.Host, " \\\"<>,;") {
		return address{}, fmt.Errorf("%w: %q", errEndpoint, redactUser(endpoint))
	}
	host := strings.ToLower(u.Hostname())
	port := u.Port()
	if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = "" // a browser sends no default port, and the host is signed
	}
	path := strings.TrimSuffix(u.Path, "/") + "/"
	if b.PathStyle || !hostCarries(b.Name, u.Scheme, host) {
		path += b.Name + "/"
	} else if !strings.HasPrefix(host, b.Name+".") {
		host = b.Name + "." + host
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return address{endpoint: u.Scheme + "://" + host, prefix: path}, nil
}

// forSDK returns the endpoint without the bucket's name, and whether the name
// goes into the path: what the SDK wants to know.
func (b Bucket) forSDK() (endpoint string, pathStyle bool) {
	u, err := url.Parse(b.Endpoint)
	if err != nil {
		return b.Endpoint, b.PathStyle
	}
	host := strings.ToLower(u.Hostname())
	if b.PathStyle || !hostCarries(b.Name, u.Scheme, host) {
		return strings.TrimSuffix(b.Endpoint, "/"), true
	}
	u.Host = strings.TrimPrefix(strings.ToLower(u.Host), b.Name+".")
	return strings.TrimSuffix(u.String(), "/"), false
}

// hostCarries reports whether a bucket can stand in front of a host's name. A
// certificate for *.host matches one label only.
func hostCarries(bucket, scheme, host string) bool {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return false
	}
	return dnsLabel.MatchString(bucket) || scheme == "http" && dnsLabel.MatchString(strings.ReplaceAll(bucket, ".", ""))
}

// partitions maps the beginning of a region's name to the DNS suffix of its
// partition ("AWS General Reference: S3 endpoints"; partitions.json of the SDKs).
var partitions = []struct{ region, suffix string }{
	{"cn-", "amazonaws.com.cn"},
	{"us-gov-", "amazonaws.com"},
	{"us-iso-", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"us-isof-", "csp.hci.ic.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
	{"eusc-", "amazonaws.eu"},
}

func amazonEndpoint(region string) string {
	suffix := "amazonaws.com"
	for _, p := range partitions {
		if strings.HasPrefix(region, p.region) {
			suffix = p.suffix
		}
	}
	return "https://s3." + region + "." + suffix
}

// redactUser takes what may be a password out of an address that is reported.
func redactUser(endpoint string) string {
	if at := strings.LastIndexByte(endpoint, '@'); at >= 0 {
		return "…" + endpoint[at:]
	}
	return endpoint
}

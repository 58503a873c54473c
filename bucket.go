package postern

import (
	"cmp"
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
	// StagingName is the bucket at the same endpoints that browsers write to, with
	// [WithPromotion], if it is another one: Name is then written to by promotion
	// alone.
	StagingName string
	// Region is the bucket's region: "eu-central-1". With an Endpoint it may be
	// empty: it is then the one in the endpoint's host, where the provider has it
	// there, or "us-east-1" at a server of your own.
	Region string
	// Credentials sign the grants. They need s3:PutObject under the keys that the
	// key policy names, or under the staging prefix, and nothing else. What the
	// provider gives is held until it ends, and renewed before that; by the provider
	// inside, if it is an [aws.CredentialsCache]. Each must be safe for concurrent
	// use.
	Credentials aws.CredentialsProvider
	// ServiceCredentials make the handler's own calls: to begin, list, complete
	// and abort multipart uploads, to read, copy and delete objects. Without them
	// Credentials do, which [New] refuses where a grant could then do more than it
	// says: see [AllowSharedCredentials].
	ServiceCredentials aws.CredentialsProvider
	// Provider is the S3 implementation; empty means by the endpoint's host.
	Provider Provider
	// Abilities are what the server can do, if that is known better than by its
	// Provider.
	Abilities *Abilities

	// Endpoint is where the server finds S3, an http or https URL: "https://minio.internal:9000".
	// Empty means Amazon S3 in the region. A host whose first label is the bucket's
	// name, and a path whose last segment is, are taken for the bucket's own; if such
	// a host is not, set PathStyle.
	Endpoint string
	// PublicEndpoint is where the browser finds S3, if that is another address:
	// outside a container network, behind a CDN, "https://s3-accelerate.amazonaws.com".
	// It is the one that is signed.
	PublicEndpoint string
	// PathStyle puts the bucket into the path instead of the host's name. It is
	// implied where a host's name cannot carry the bucket (IP addresses, localhost,
	// names of buckets that are no single DNS label), where the endpoint has a path,
	// and at providers that know no other style.
	PathStyle bool
}

// address is a bucket's place at an endpoint.
type address struct {
	// endpoint and prefix are what is signed: scheme and authority, and the path
	// before the key, not escaped, with both slashes: "/" or "/bucket/".
	endpoint, prefix string
	// base is the endpoint without the bucket, and pathStyle whether that goes into
	// the path: what the SDK wants to know.
	base      string
	pathStyle bool
	// own: the endpoint had the bucket's name already.
	own bool
}

// url returns the escaped address of a key; "" gives that of the bucket, which
// ends in a slash.
func (a address) url(key string) string {
	return a.endpoint + sigv4.EscapePath(a.prefix) + sigv4.EscapePath(key)
}

var (
	errNoName         = errors.New("a bucket needs a name")
	errName           = errors.New("the name of a bucket is 3 to 63 letters, digits, dots, hyphens and underscores")
	errDirectory      = errors.New("directory buckets (S3 Express One Zone) sign by sessions of five minutes, which browsers cannot use")
	errAccessPoint    = errors.New("multi-Region access points need Signature Version 4A, which no browser upload can have: name the bucket")
	errNoRegion       = errors.New("a bucket at Amazon S3 needs a region")
	errRegionOf       = errors.New("a bucket at this provider needs its region, which the endpoint does not tell")
	errRegion         = errors.New("a region is made of letters, digits and hyphens")
	errNoCredentials  = errors.New("a bucket needs credentials")
	errProvider       = errors.New("no such provider")
	errStagingAddress = errors.New("an endpoint that has the bucket's name has no room for another bucket")
	errEndpoint       = errors.New("an endpoint is an absolute http or https URL without user, query and fragment")

	// bucketName is wider than Amazon's rule: other servers allow capitals and
	// underscores.
	bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)
	regionName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	dnsLabel   = regexp.MustCompile(`^[a-z0-9-]+$`)
)

// resolved is a bucket with its defaults, its addresses for the server and for the
// browser, and what its server can do.
type resolved struct {
	Bucket
	server, public, upload address // upload: what browsers write to
	abilities              Abilities
}

// uploadName is the name of the bucket that browsers write to.
func (r *resolved) uploadName() string { return cmp.Or(r.StagingName, r.Name) }

// resolve decides all that an endpoint leaves open.
func (b Bucket) resolve() (r resolved, errs []error) {
	fail := func(field string, err error, value string) {
		if value != "" {
			err = fmt.Errorf("%w, not %q", err, value)
		}
		errs = append(errs, &ConfigError{Option: "Bucket." + field, Err: err})
	}
	switch {
	case b.Name == "":
		fail("Name", errNoName, "")
	case strings.HasSuffix(b.Name, "--x-s3"):
		fail("Name", errDirectory, "")
	case strings.HasSuffix(b.Name, ".mrap") || strings.HasPrefix(b.Name, "arn:"):
		fail("Name", errAccessPoint, "")
	case !bucketName.MatchString(b.Name) || strings.Contains(b.Name, ".."):
		fail("Name", errName, b.Name)
	}
	server, err := parseEndpoint(b.Endpoint)
	amazon := b.Endpoint == ""
	region := ""
	if b.Provider == "" {
		b.Provider, region = detect(server.host)
		if amazon {
			b.Provider = AmazonS3
		}
	} else if detected, found := detect(server.host); detected == b.Provider {
		region = found
	}
	known, ok := providers[b.Provider]
	if !ok {
		fail("Provider", errProvider, string(b.Provider))
	}
	if b.Region == "" {
		b.Region = cmp.Or(known.region, region)
	}
	if b.Region == "" && !amazon {
		if len(known.hosts) > 0 && err == nil && b.Provider != AmazonS3 {
			fail("Region", fmt.Errorf("%w: %q", errRegionOf, b.Endpoint), "")
		}
		b.Region = "us-east-1"
	}
	switch {
	case b.Region == "":
		fail("Region", errNoRegion, "")
	case !regionName.MatchString(b.Region):
		fail("Region", errRegion, b.Region)
	}
	if b.Credentials == nil {
		fail("Credentials", errNoCredentials, "")
	}
	switch {
	case amazon:
		b.Endpoint = amazonEndpoint(b.Region)
		server, _ = parseEndpoint(b.Endpoint) // else the region was the mistake
	case err != nil:
		fail("Endpoint", err, "")
	}
	r.server = server.place(b.Name, b.PathStyle || known.pathStyle)
	public := server
	if b.PublicEndpoint != "" {
		if public, err = parseEndpoint(b.PublicEndpoint); err != nil {
			fail("PublicEndpoint", err, "")
		}
	}
	r.public = public.place(b.Name, b.PathStyle || known.pathStyle)
	r.upload = r.public
	switch {
	case b.StagingName == "":
	case !bucketName.MatchString(b.StagingName) || strings.Contains(b.StagingName, "..") || strings.HasSuffix(b.StagingName, "--x-s3"):
		fail("StagingName", errName, b.StagingName)
	case r.public.own:
		fail("StagingName", errStagingAddress, "")
	default:
		r.upload = public.place(b.StagingName, b.PathStyle || known.pathStyle)
	}
	r.Bucket, r.abilities = b, known.abilities
	if b.Abilities != nil {
		r.abilities = *b.Abilities
	}
	return r, errs
}

// serverURL is an address of S3.
type serverURL struct {
	scheme, host, port string
	path               string // without slashes at its ends
}

func parseEndpoint(s string) (serverURL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(u.Host, " \\\"<>,;") {
		return serverURL{}, fmt.Errorf("%w: %q", errEndpoint, redactUser(s))
	}
	e := serverURL{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port(), path: strings.Trim(u.Path, "/")}
	if e.scheme == "http" && e.port == "80" || e.scheme == "https" && e.port == "443" {
		e.port = "" // a browser sends no default port, and the host is signed
	}
	return e, nil
}

// place puts a bucket at an endpoint: into the path where its name stands there
// already, where there is another path, as behind a proxy, or where the host's name
// cannot carry it; else before the host, unless it stands there already.
func (e serverURL) place(bucket string, pathStyle bool) address {
	inPath := e.path == bucket || strings.HasSuffix(e.path, "/"+bucket)
	if inPath {
		e.path = strings.TrimSuffix(strings.TrimSuffix(e.path, bucket), "/")
	}
	a := address{prefix: "/", own: inPath, pathStyle: pathStyle || inPath || e.path != "" || !hostCarries(bucket, e.scheme, e.host)}
	if e.path != "" {
		a.prefix = "/" + e.path + "/"
	}
	own := e.host
	if a.pathStyle {
		a.base = e.authority(own) + strings.TrimSuffix(a.prefix, "/")
		a.prefix += bucket + "/"
	} else if without, ok := strings.CutPrefix(e.host, bucket+"."); ok {
		a.base, a.own = e.authority(without), true
	} else {
		a.base = e.authority(own)
		own = bucket + "." + own
	}
	a.endpoint = e.authority(own)
	return a
}

func (e serverURL) authority(host string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if e.port != "" {
		host += ":" + e.port
	}
	return e.scheme + "://" + host
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

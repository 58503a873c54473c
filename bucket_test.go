package postern_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func TestEndpointStyles(t *testing.T) {
	for name, tc := range map[string]struct {
		bucket postern.Bucket
		want   string // the address of the bucket
	}{
		"Amazon": {
			postern.Bucket{Name: "acme-uploads", Region: "eu-central-1"},
			"https://acme-uploads.s3.eu-central-1.amazonaws.com/",
		},
		"Amazon in us-east-1": {
			postern.Bucket{Name: "acme-uploads", Region: "us-east-1"},
			"https://acme-uploads.s3.us-east-1.amazonaws.com/",
		},
		"Amazon by path": {
			postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", PathStyle: true},
			"https://s3.eu-central-1.amazonaws.com/acme-uploads/",
		},
		"Amazon in China": {
			postern.Bucket{Name: "acme", Region: "cn-north-1"},
			"https://acme.s3.cn-north-1.amazonaws.com.cn/",
		},
		"Amazon's GovCloud": {
			postern.Bucket{Name: "acme", Region: "us-gov-west-1"},
			"https://acme.s3.us-gov-west-1.amazonaws.com/",
		},
		"Amazon's isolated regions": {
			postern.Bucket{Name: "acme", Region: "us-iso-east-1"},
			"https://acme.s3.us-iso-east-1.c2s.ic.gov/",
		},
		"Amazon's other isolated regions": {
			postern.Bucket{Name: "acme", Region: "us-isob-east-1"},
			"https://acme.s3.us-isob-east-1.sc2s.sgov.gov/",
		},
		"Amazon's European cloud": {
			postern.Bucket{Name: "acme", Region: "eusc-de-east-1"},
			"https://acme.s3.eusc-de-east-1.amazonaws.eu/",
		},
		"a name with dots, which no certificate matches": {
			postern.Bucket{Name: "uploads.acme.com", Region: "eu-central-1"},
			"https://s3.eu-central-1.amazonaws.com/uploads.acme.com/",
		},
		"a name with dots, without encryption": {
			postern.Bucket{Name: "uploads.acme.com", Endpoint: "http://s3.internal.net"},
			"http://uploads.acme.com.s3.internal.net/",
		},
		"a name in capitals, which no host has": {
			postern.Bucket{Name: "Acme_Uploads", Endpoint: "https://s3.internal.net"},
			"https://s3.internal.net/Acme_Uploads/",
		},
		"dual stack": {
			postern.Bucket{Name: "acme", Region: "eu-central-1", Endpoint: "https://s3.dualstack.eu-central-1.amazonaws.com"},
			"https://acme.s3.dualstack.eu-central-1.amazonaws.com/",
		},
		"accelerate": {
			postern.Bucket{Name: "acme", Region: "eu-central-1", PublicEndpoint: "https://s3-accelerate.amazonaws.com"},
			"https://acme.s3-accelerate.amazonaws.com/",
		},
		"another provider": {
			postern.Bucket{Name: "acme", Region: "fra1", Endpoint: "https://fra1.digitaloceanspaces.com"},
			"https://acme.fra1.digitaloceanspaces.com/",
		},
		"another provider by path": {
			postern.Bucket{Name: "acme", Endpoint: "https://minio.example.com/", PathStyle: true},
			"https://minio.example.com/acme/",
		},
		"a host that has the bucket already": {
			postern.Bucket{Name: "acme", Region: "eu-central-1", Endpoint: "https://acme.s3.eu-central-1.amazonaws.com"},
			"https://acme.s3.eu-central-1.amazonaws.com/",
		},
		"a host that only begins like the bucket": {
			postern.Bucket{Name: "acme", Endpoint: "https://acme-s3.example.com"},
			"https://acme.acme-s3.example.com/",
		},
		"an address": {
			postern.Bucket{Name: "acme", Endpoint: "http://127.0.0.1:9000"},
			"http://127.0.0.1:9000/acme/",
		},
		"an address of IPv6": {
			postern.Bucket{Name: "acme", Endpoint: "http://[::1]:9000"},
			"http://[::1]:9000/acme/",
		},
		"an address of IPv6 at the default port": {
			postern.Bucket{Name: "acme", Endpoint: "https://[2001:DB8::1]:443"},
			"https://[2001:db8::1]/acme/",
		},
		"localhost": {
			postern.Bucket{Name: "acme", Endpoint: "http://localhost:9000"},
			"http://localhost:9000/acme/",
		},
		"a name in a container network": {
			postern.Bucket{Name: "acme", Endpoint: "http://minio:9000"},
			"http://minio:9000/acme/",
		},
		"another address for the browser": {
			postern.Bucket{Name: "acme", Endpoint: "http://minio:9000", PublicEndpoint: "https://s3.acme.com", PathStyle: true},
			"https://s3.acme.com/acme/",
		},
		"the default port of https": {
			postern.Bucket{Name: "acme", Endpoint: "https://s3.example.com:443"},
			"https://acme.s3.example.com/",
		},
		"the default port of http": {
			postern.Bucket{Name: "acme", Endpoint: "http://s3.example.com:80"},
			"http://acme.s3.example.com/",
		},
		"the default port of the other scheme": {
			postern.Bucket{Name: "acme", Endpoint: "http://s3.example.com:443"},
			"http://acme.s3.example.com:443/",
		},
		"a host in capitals": {
			postern.Bucket{Name: "acme", Endpoint: "HTTPS://S3.Example.COM"},
			"https://acme.s3.example.com/",
		},
		"a path before the bucket": {
			postern.Bucket{Name: "acme", Endpoint: "https://example.com/storage/s3/", PathStyle: true},
			"https://example.com/storage/s3/acme/",
		},
		"a path before the keys": {
			postern.Bucket{Name: "acme", Endpoint: "https://example.com/storage s3"},
			"https://example.com/storage%20s3/acme/",
		},
		"R2 as its own page shows it": {
			postern.Bucket{Name: "acme-uploads", Endpoint: "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com/acme-uploads"},
			"https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com/acme-uploads/",
		},
		"R2 in a jurisdiction": {
			postern.Bucket{Name: "acme", Endpoint: "https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com"},
			"https://acme.0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com/",
		},
		"Amazon with the bucket in the path": {
			postern.Bucket{Name: "acme-uploads", Endpoint: "https://s3.eu-central-1.amazonaws.com/acme-uploads"},
			"https://s3.eu-central-1.amazonaws.com/acme-uploads/",
		},
		"Supabase knows path style alone": {
			postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Endpoint: "https://abcd.supabase.co/storage/v1/s3"},
			"https://abcd.supabase.co/storage/v1/s3/acme-uploads/",
		},
		"a proxy before S3": {
			postern.Bucket{Name: "acme-uploads", Endpoint: "http://minio:9000", PublicEndpoint: "https://app.example.com/s3"},
			"https://app.example.com/s3/acme-uploads/",
		},
		"a proxy with the bucket in its path": {
			postern.Bucket{Name: "acme-uploads", Endpoint: "http://minio:9000", PublicEndpoint: "https://app.example.com/s3/acme-uploads/"},
			"https://app.example.com/s3/acme-uploads/",
		},
		"a path that only ends like the bucket": {
			postern.Bucket{Name: "uploads", Endpoint: "https://app.example.com/acme-uploads"},
			"https://app.example.com/acme-uploads/uploads/",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.bucket.Credentials = credentials
			i, err := postern.NewIssuer(tc.bucket, postern.AllowAnonymous())
			require.NoError(t, err)
			g, err := i.Issue(t.Context(), &postern.Upload{Filename: "a", Key: "a b/日.png", Size: 1})
			require.NoError(t, err)
			if g.Mode == postern.ModePost {
				require.Equal(t, tc.want, g.URL)
			}
			require.Equal(t, tc.want+"a%20b/%E6%97%A5.png", g.Location)

			read, err := i.PresignGet(t.Context(), "a b/日.png", time.Minute)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(read, g.Location+"?"), read)

			want, err := url.Parse(tc.want)
			require.NoError(t, err)
			require.Equal(t, want.Scheme+"://"+want.Host, i.Origin())
		})
	}
}

func TestRegionOfAnotherServerIsOptional(t *testing.T) {
	b := bucket
	b.Region, b.Endpoint = "", "http://localhost:9000"
	g := granted(t, send(newHandlerFor(t, b), photo))
	require.Contains(t, g.Fields["x-amz-credential"], "/us-east-1/s3/")
}

func TestRegionIsTakenFromTheHost(t *testing.T) {
	for endpoint, region := range map[string]string{
		"https://s3.us-west-004.backblazeb2.com":                       "us-west-004",
		"https://s3.fr-par.scw.cloud":                                  "fr-par",
		"https://s3.eu-central-1.wasabisys.com":                        "eu-central-1",
		"https://s3.gra.io.cloud.ovh.net":                              "gra",
		"https://us-east-1.linodeobjects.com":                          "us-east-1",
		"https://fsn1.your-objectstorage.com":                          "fsn1",
		"https://fra1.digitaloceanspaces.com":                          "fra1",
		"https://acme-uploads.fra1.digitaloceanspaces.com":             "fra1",
		"https://s3.eu-de.cloud-object-storage.appdomain.cloud":        "eu-de",
		"https://s3.eu-central-1.amazonaws.com":                        "eu-central-1",
		"https://s3.dualstack.eu-west-3.amazonaws.com":                 "eu-west-3",
		"https://acme-uploads.s3.ap-south-1.amazonaws.com":             "ap-south-1",
		"https://s3.amazonaws.com":                                     "us-east-1",
		"https://account.r2.cloudflarestorage.com":                     "auto",
		"https://storage.googleapis.com":                               "auto",
		"https://storage.europe-west3.rep.googleapis.com/acme-uploads": "auto",
		"https://t3.storage.dev":                                       "auto",
		"https://minio.example.com":                                    "us-east-1",
	} {
		b := bucket
		b.Region, b.Endpoint = "", endpoint
		h := newHandlerFor(t, b, postern.WithMode(postern.ModePut))
		require.Contains(t, send(h, photo).Body.String(), "%2F"+region+"%2Fs3%2F", endpoint)
	}
}

func TestRegionIsAskedForWhereTheHostDoesNotTell(t *testing.T) {
	for _, endpoint := range []string{"https://s3.wasabisys.com", "https://abcd.supabase.co/storage/v1/s3"} {
		b := bucket
		b.Region, b.Endpoint = "", endpoint
		_, err := postern.New(b, postern.WithAuthorizer(asAda))
		require.Equal(t, []string{"Bucket.Region"}, options(t, err))
	}
}

func TestRegionThatIsSetIsNotThatOfTheHost(t *testing.T) {
	b := bucket
	b.Region, b.Endpoint = "us-east-1", "https://s3.fr-par.scw.cloud"
	require.Contains(t, granted(t, send(newHandlerFor(t, b), photo)).Fields["x-amz-credential"], "/us-east-1/s3/")
}

func TestNewSaysWhatItMadeOfTheAddressOnce(t *testing.T) {
	var log bytes.Buffer
	b := bucket
	b.Region, b.Endpoint, b.PublicEndpoint = "", "http://minio:9000", "https://app.example.com/s3"
	h := newHandlerFor(t, b, postern.WithLogger(zerolog.New(&log)))
	granted(t, send(h, photo))
	line, _, _ := strings.Cut(log.String(), "\n")
	require.JSONEq(t, `{"level":"debug","message":"postern: bucket","bucket":"acme-uploads","region":"us-east-1","provider":"generic",
		"server":"http://minio:9000/acme-uploads/","public":"https://app.example.com/s3/acme-uploads/","path_style":true,"freeze":"lock"}`, line)
	require.Equal(t, 1, strings.Count(log.String(), "postern: bucket"))
}

func TestGrantIsSignedForTheRegion(t *testing.T) {
	b := bucket
	b.Region, b.Endpoint = "auto", "https://storage.example.com"
	g := granted(t, send(newHandlerFor(t, b), photo))
	require.Contains(t, g.Fields["x-amz-credential"], "/auto/s3/")
}

func TestMistakesInABucket(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*postern.Bucket)
		option string
	}{
		"no name":                     {func(b *postern.Bucket) { b.Name = "" }, "Bucket.Name"},
		"a short name":                {func(b *postern.Bucket) { b.Name = "ab" }, "Bucket.Name"},
		"a long name":                 {func(b *postern.Bucket) { b.Name = strings.Repeat("a", 64) }, "Bucket.Name"},
		"a name with a slash":         {func(b *postern.Bucket) { b.Name = "a/b" }, "Bucket.Name"},
		"a name of dots":              {func(b *postern.Bucket) { b.Name = "..." }, "Bucket.Name"},
		"a name with two dots":        {func(b *postern.Bucket) { b.Name = "acme..uploads" }, "Bucket.Name"},
		"a name with a line break":    {func(b *postern.Bucket) { b.Name = "acme\n" }, "Bucket.Name"},
		"an ARN":                      {func(b *postern.Bucket) { b.Name = "arn:aws:s3:::acme" }, "Bucket.Name"},
		"a directory bucket":          {func(b *postern.Bucket) { b.Name = "acme-uploads--use1-az4--x-s3" }, "Bucket.Name"},
		"a multi-Region access point": {func(b *postern.Bucket) { b.Name = "mfzwi23gnjvgw.mrap" }, "Bucket.Name"},
		"no region":                   {func(b *postern.Bucket) { b.Region = "" }, "Bucket.Region"},
		"a region with a slash":       {func(b *postern.Bucket) { b.Region = "eu/central" }, "Bucket.Region"},
		"a region with spaces":        {func(b *postern.Bucket) { b.Region = "eu central 1" }, "Bucket.Region"},
		"no credentials":              {func(b *postern.Bucket) { b.Credentials = nil }, "Bucket.Credentials"},
		"an endpoint without scheme":  {func(b *postern.Bucket) { b.Endpoint = "minio:9000" }, "Bucket.Endpoint"},
		"an endpoint of ftp":          {func(b *postern.Bucket) { b.Endpoint = "ftp://minio" }, "Bucket.Endpoint"},
		"an endpoint without host":    {func(b *postern.Bucket) { b.Endpoint = "https://" }, "Bucket.Endpoint"},
		"an endpoint with a port":     {func(b *postern.Bucket) { b.Endpoint = "https://:9000" }, "Bucket.Endpoint"},
		"an endpoint with a query":    {func(b *postern.Bucket) { b.Endpoint = "https://minio?a=b" }, "Bucket.Endpoint"},
		"an endpoint with a fragment": {func(b *postern.Bucket) { b.Endpoint = "https://minio/#a" }, "Bucket.Endpoint"},
		"an endpoint with two hosts":  {func(b *postern.Bucket) { b.Endpoint = "https://a.example,b.example" }, "Bucket.Endpoint"},
		"an endpoint with a user":     {func(b *postern.Bucket) { b.Endpoint = "https://u:hunter2@minio" }, "Bucket.Endpoint"},
		"a public endpoint":           {func(b *postern.Bucket) { b.PublicEndpoint = "//cdn" }, "Bucket.PublicEndpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			tc.change(&b)
			_, err := postern.NewIssuer(b)
			require.Equal(t, []string{tc.option}, options(t, err))
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestAddressesAreWhatABrowserReads(t *testing.T) {
	i := newIssuer(t, postern.AllowAnonymous())
	for _, key := range []string{"a b+c&d", `%41'"$\`, "日本/😀", "a?b#c", "~a-b_c.d"} {
		g, err := i.Issue(t.Context(), &postern.Upload{Filename: "a", Key: key, Size: 1})
		require.NoError(t, err)
		u, err := url.Parse(g.Location)
		require.NoError(t, err)
		require.Equal(t, "/"+key, u.Path)
		require.Empty(t, u.RawQuery+u.Fragment)
	}
}

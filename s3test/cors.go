package s3test

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3err"
)

// corsMaxAge is how long a browser may remember a preflight's answer, in seconds.
const corsMaxAge = 300

// rules are what buckets allow the pages of some origins.
func rules(origins []string) []types.CORSRule {
	return []types.CORSRule{{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut},
		AllowedHeaders: []string{"*"},
		ExposeHeaders:  []string{"ETag", "Location"},
		MaxAgeSeconds:  aws.Int32(corsMaxAge),
	}}
}

// cors lets pages read every answer, as S3 does. The gateway forgets those that it gives
// before it has looked at the bucket: browsers take such an error for a network that is
// gone.
type cors struct {
	bucket func(ctx context.Context, name string) ([]byte, error)
	server *auth.CORSConfiguration // where there is no bucket
}

func newCORS(be *rootedBackend, origins []string) *cors {
	c := &cors{bucket: be.GetBucketCors, server: &auth.CORSConfiguration{}}
	if len(origins) == 0 {
		return c
	}
	for _, r := range rules(origins) {
		c.server.Rules = append(c.server.Rules, auth.CORSRule{
			AllowedOrigins: as[auth.CORSOrigin](r.AllowedOrigins),
			AllowedMethods: as[auth.CORSHTTPMethod](r.AllowedMethods),
			AllowedHeaders: as[auth.CORSHeader](r.AllowedHeaders),
			ExposeHeaders:  as[auth.CORSHeader](r.ExposeHeaders),
			MaxAgeSeconds:  r.MaxAgeSeconds,
		})
	}
	return c
}

func as[To, From ~string](list []From) (converted []To) {
	for _, s := range list {
		converted = append(converted, To(s))
	}
	return converted
}

// wrap makes all answers of a server readable, those to requests that cannot be parsed
// included.
func (c *cors) wrap(server *fasthttp.Server) {
	handle, fail := server.Handler, server.ErrorHandler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if !c.preflight(ctx) {
			handle(ctx)
		}
		c.allow(ctx)
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) {
		fail(ctx, err)
		c.allowUnread(ctx)
	}
}

// preflight answers for buckets that do not exist, so that pages see that they do not.
func (c *cors) preflight(ctx *fasthttp.RequestCtx) bool {
	if !ctx.IsOptions() || !c.missing(ctx) {
		return false
	}
	return c.add(ctx, c.server)
}

// missing reports whether the bucket that is asked for does not exist.
func (c *cors) missing(ctx *fasthttp.RequestCtx) bool {
	name := bucketOf(ctx)
	if name == "" {
		return false
	}
	_, err := c.bucket(ctx, name)
	return codeOf(err) == "NoSuchBucket"
}

// allow adds the headers that are missing from an answer.
func (c *cors) allow(ctx *fasthttp.RequestCtx) {
	asked := len(ctx.Request.Header.Peek("Origin")) > 0 && !ctx.IsOptions()
	if !asked || len(ctx.Response.Header.Peek("Access-Control-Allow-Origin")) > 0 {
		return
	}
	c.add(ctx, c.rulesFor(ctx))
}

// rulesFor are those of the bucket that is asked for, or the server's where there is none.
func (c *cors) rulesFor(ctx *fasthttp.RequestCtx) *auth.CORSConfiguration {
	name := bucketOf(ctx)
	if name == "" {
		return c.server
	}
	data, err := c.bucket(ctx, name)
	if err != nil {
		if codeOf(err) == "NoSuchCORSConfiguration" {
			return &auth.CORSConfiguration{}
		}
		return c.server
	}
	own, err := auth.ParseCORSOutput(data)
	if err != nil {
		return &auth.CORSConfiguration{}
	}
	return own
}

// add adds the headers of the first rule that fits, if one does.
func (c *cors) add(ctx *fasthttp.RequestCtx, config *auth.CORSConfiguration) bool {
	request := &ctx.Request.Header
	origin, method := string(request.Peek("Origin")), auth.CORSHTTPMethod(request.Peek("Access-Control-Request-Method"))
	if method == "" {
		method = auth.CORSHTTPMethod(request.Method())
	}
	asked, err := auth.ParseCORSHeaders(string(request.Peek("Access-Control-Request-Headers")))
	if origin == "" || err != nil {
		return false
	}
	allowed, err := config.IsAllowed(origin, method, asked, "")
	if err != nil {
		return false
	}
	response := &ctx.Response.Header
	for name, value := range map[string]string{
		"Access-Control-Allow-Origin":      allowed.Origin,
		"Access-Control-Allow-Methods":     allowed.Methods,
		"Access-Control-Allow-Headers":     allowed.AllowHeaders,
		"Access-Control-Allow-Credentials": allowed.AllowCredentials,
		"Access-Control-Expose-Headers":    allowed.ExposedHeaders,
		"Vary":                             "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
	} {
		if value != "" {
			response.Set(name, value)
		}
	}
	return true
}

// allowUnread is for requests of which nothing was understood, not even the origin.
func (c *cors) allowUnread(ctx *fasthttp.RequestCtx) {
	if slices.ContainsFunc(c.server.Rules, func(r auth.CORSRule) bool { return slices.Contains(r.AllowedOrigins, "*") }) {
		ctx.Response.Header.Set("Access-Control-Allow-Origin", "*")
	}
}

func bucketOf(ctx *fasthttp.RequestCtx) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(ctx.Path()), "/"), "/")
	return name
}

func codeOf(err error) string {
	if e, ok := err.(s3err.S3Error); ok {
		return e.BaseError().Code
	}
	return ""
}

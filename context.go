package postern

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// requestContext is the context of a request that a link of ours has seen. It
// has the Upload and, in a Handler, WithLogger's logger for a request that brings
// none.
type requestContext struct {
	context.Context
	upload *Upload
	shared *zerolog.Logger                // of all requests; nil where the request has its own
	own    atomic.Pointer[zerolog.Logger] // this request's copy, once somebody asks
}

type uploadKey struct{}

// Value finds the Upload, and the logger.
func (c *requestContext) Value(key any) any {
	if _, ok := key.(uploadKey); ok {
		return c.upload
	}
	if c.shared != nil && loggers.Value(key) != nil {
		return c.ownLogger()
	}
	return c.Context.Value(key)
}

// ownLogger returns the request's copy of the logger, fields included, so that
// links may call UpdateContext. It is made for those who ask: it has 624 bytes,
// a fifth of what a request takes without it.
func (c *requestContext) ownLogger() *zerolog.Logger {
	if c.own.Load() == nil {
		logger := c.shared.With().Logger()
		c.own.CompareAndSwap(nil, &logger)
	}
	return c.own.Load()
}

// loggers has a value for the key of zerolog's loggers, which is not exported, and
// for no other.
var loggers = zerolog.New(io.Discard).WithContext(context.Background())

// contextLogger returns the logger of the context, or WithLogger's where there
// is none. It is for log lines, and not to be changed.
func contextLogger(ctx context.Context, s *settings) *zerolog.Logger {
	if c, ok := ctx.(*requestContext); ok && c.shared != nil && c.own.Load() == nil {
		return c.shared
	}
	logger := zerolog.Ctx(ctx)
	if logger.GetLevel() == zerolog.Disabled && s.logger != nil {
		return s.logger
	}
	return logger
}

// UploadFrom returns the upload of a request's context, or nil where [Decode]
// has not run.
func UploadFrom(ctx context.Context) *Upload {
	if u := pending(ctx); u != nil && u.decoded {
		return u
	}
	return nil
}

// pending returns the upload even before it is decoded.
func pending(ctx context.Context) *Upload {
	u, _ := ctx.Value(uploadKey{}).(*Upload)
	return u
}

// begin gives the request an Upload, unless an earlier link did.
func begin(r *http.Request, s *settings) (*http.Request, *Upload) {
	if u := pending(r.Context()); u != nil {
		return r, u
	}
	ctx := newContext(r.Context(), s)
	return r.WithContext(ctx), ctx.upload
}

// begin gives the request an Upload of this Handler, also where a SameOrigin
// outside it was first, and WithLogger's logger where it has none.
func (h *Handler) begin(r *http.Request) *http.Request {
	s := &h.config.settings
	var c *requestContext
	if u := pending(r.Context()); u != nil {
		c = &requestContext{Context: r.Context(), upload: u}
		u.settings = s
	} else {
		c = newContext(r.Context(), s)
	}
	if s.logger != nil && contextLogger(r.Context(), s) == s.logger {
		c.shared = s.logger
	}
	return r.WithContext(c)
}

// newContext makes a context and its Upload, in one piece.
func newContext(parent context.Context, s *settings) *requestContext {
	var c struct {
		requestContext
		upload Upload
	}
	c.Context, c.requestContext.upload = parent, &c.upload
	c.upload.Size, c.upload.settings, c.upload.start = UnknownSize, s, time.Now()
	return &c.requestContext
}

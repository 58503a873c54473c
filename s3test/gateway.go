package s3test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

const (
	maxConnections = 1 << 14
	maxParts       = 10_000
	// closePatience bounds how long Close waits for requests that were cut.
	closePatience = 5 * time.Second
	// idleWorker is how long an idle goroutine of the HTTP server may outlive
	// its last connection, and so Close.
	idleWorker = 100 * time.Millisecond
)

// gateway is one versitygw: its storage, its accounts and its HTTP server.
type gateway struct {
	backend  *rootedBackend
	iam      auth.IAMService
	app      *fiber.App
	listener *listener
	events   senders
	served   chan error
}

func newGateway(dir string, cfg *config, ln net.Listener) (*gateway, error) {
	buckets, meta, iamDir := filepath.Join(dir, "buckets"), filepath.Join(dir, "meta"), filepath.Join(dir, "iam")
	for _, d := range []string{buckets, meta, iamDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
	}
	be, err := newRootedBackend(buckets, meta, cfg.profile)
	if err != nil {
		return nil, err
	}
	iam, err := auth.NewInternal(auth.Account{
		Access: cfg.accessKeyID,
		Secret: cfg.secretAccessKey,
		Role:   auth.RoleAdmin,
	}, iamDir)
	if err != nil {
		be.Shutdown()
		return nil, err
	}
	events, err := newSenders(cfg)
	if err != nil {
		be.Shutdown()
		return nil, fmt.Errorf("events: %w", err)
	}
	api, err := s3api.New(be,
		middlewares.RootUserConfig{Access: cfg.accessKeyID, Secret: cfg.secretAccessKey},
		cfg.region, iam, nil, nil, events.sender(), nil,
		s3api.WithQuiet(),
		s3api.WithKeepAlive(),
		s3api.WithMpMaxParts(maxParts),
		s3api.WithConcurrencyLimiter(maxConnections, cfg.maxRequests),
	)
	if err != nil {
		be.Shutdown()
		return nil, errors.Join(err, events.Close())
	}
	app, err := appOf(api)
	if err != nil {
		be.Shutdown()
		return nil, errors.Join(err, events.Close())
	}
	app.Server().MaxIdleWorkerDuration = idleWorker
	newCORS(be, cfg.origins).wrap(app.Server())
	return &gateway{backend: be, iam: iam, app: app, listener: newListener(ln), events: events, served: make(chan error, 1)}, nil
}

// appOf reaches the HTTP server inside the gateway. The gateway's own Serve
// takes addresses only, does not tell which port it got, and waits for idle
// clients when it stops; with the app it can be given a listener.
func appOf(api *s3api.S3ApiServer) (*fiber.App, error) {
	field := reflect.ValueOf(api).Elem().FieldByName("app")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*fiber.App]() || field.IsNil() {
		return nil, errors.New("this release of versitygw is not supported: S3ApiServer has no app")
	}
	return (*fiber.App)(field.UnsafePointer()), nil
}

// serve returns once requests are answered.
func (g *gateway) serve() error {
	ready := make(chan struct{})
	g.app.Hooks().OnListen(func(fiber.ListenData) error {
		close(ready)
		return nil
	})
	go func() {
		g.served <- g.app.Listener(g.listener, fiber.ListenConfig{DisableStartupMessage: true})
	}()
	select {
	case <-ready:
		return nil
	case err := <-g.served:
		return err
	}
}

// close ends all connections, requests in flight included.
func (g *gateway) close() error {
	gone := g.listener.shut(closePatience)
	err := <-g.served
	if !gone {
		err = errors.Join(err, context.DeadlineExceeded)
	}
	err = errors.Join(err, g.iam.Shutdown())
	err = errors.Join(err, g.events.Close())
	g.backend.Shutdown()
	return err
}

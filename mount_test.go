package postern_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

func at(target string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := url.Parse(target)
		if err != nil {
			panic(err)
		}
		r.URL = u
	}
}

func TestHandlerServesTheLastSegmentUnderAnyPrefix(t *testing.T) {
	for _, path := range []string{"/sign", "/uploads/sign", "/v1/a%2Fb/c/sign", "/uploads//sign", "sign", "/sign/sign", "/uploads/sign?x=/y"} {
		t.Run(path, func(t *testing.T) {
			granted(t, send(newHandler(t), photo, at(path)))
		})
	}
}

func TestHandlerKnowsNoOtherAddress(t *testing.T) {
	for _, path := range []string{
		"/", "", "/uploads", "/uploads/", "/uploads/sign//", "/uploads/SIGN", "/uploads/sign.json",
		"/uploads/signs", "/uploads/%73ign", "/uploads%2Fsign", "/uploads/x%2Fsign", "/uploads/sign%2F",
		"/uploads/sign%00", "/uploads/sign;a=b", "/uploads/completed", "/uploads/..", "*",
	} {
		for _, method := range []string{"POST", "GET"} {
			t.Run(method+" "+path, func(t *testing.T) {
				w := send(newHandler(t), photo, at(path), func(r *http.Request) { r.Method = method })
				require.Equal(t, "not_found", refused(t, w).Code)
				require.Equal(t, 404, w.Code)
			})
		}
	}
}

func TestHandlerIsMountedWithoutStrippingThePrefix(t *testing.T) {
	h := newHandler(t)
	for name, mount := range map[string]func(*http.ServeMux){
		"a method and a prefix": func(m *http.ServeMux) { m.Handle("POST /uploads/", h) },
		"a prefix":              func(m *http.ServeMux) { m.Handle("/uploads/", h) },
		"the root":              func(m *http.ServeMux) { m.Handle("/", h) },
		"one address":           func(m *http.ServeMux) { m.Handle("POST /uploads/sign", h) },
		"a wildcard":            func(m *http.ServeMux) { m.Handle("POST /{area}/{action}", h) },
		"a stripped prefix":     func(m *http.ServeMux) { m.Handle("/uploads/", http.StripPrefix("/uploads", h)) },
		"an action of its own":  func(m *http.ServeMux) { m.Handle("POST /uploads/sign", h.Route(postern.ActionSign)) },
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})
			if name == "a prefix" || name == "the root" || name == "a stripped prefix" {
				mux = http.NewServeMux() // the patterns would conflict
			}
			mount(mux)
			granted(t, send(mux, photo))
		})
	}
}

func TestHandlerIsMountedAtSeveralPrefixes(t *testing.T) {
	h := newHandler(t)
	mux := http.NewServeMux()
	mux.Handle("POST /uploads/", h)
	mux.Handle("POST /api/v2/avatars/", h)
	for _, path := range []string{"/uploads/sign", "/api/v2/avatars/sign"} {
		granted(t, send(mux, photo, at(path)))
	}
}

func TestHandlerServesOverARealConnection(t *testing.T) {
	server := httptest.NewServer(newHandler(t))
	defer server.Close()
	response, err := server.Client().Post(server.URL+"/uploads/sign", "application/json", newRequest(photo).Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 201, response.StatusCode)
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
}

func TestSlashThatARouterAddsIsNoOtherAddress(t *testing.T) {
	granted(t, send(newHandler(t), photo, at("/uploads/sign/")))
}

func TestRouteServesOneActionAtAnyAddress(t *testing.T) {
	sign := newHandler(t).Route(postern.ActionSign)
	for _, path := range []string{"/", "/give/me/a/grant", "/uploads/sign/"} {
		granted(t, send(sign, photo, at(path)))
	}
}

func TestRouteAnswersPostOnly(t *testing.T) {
	w := send(newHandler(t).Route(postern.ActionSign), photo, func(r *http.Request) { r.Method = "GET" })
	require.Equal(t, "method_not_allowed", refused(t, w).Code)
	require.Equal(t, "POST", w.Header().Get("Allow"))
}

func TestRouteOfAnotherNamePanics(t *testing.T) {
	for _, name := range []postern.Action{"", "signs", "completed", "/sign"} {
		require.Equal(t, "Route", panicsWithConfigError(t, func() { newHandler(t).Route(name) }).Option)
	}
}

func panicsWithConfigError(t *testing.T, f func()) (mistake *postern.ConfigError) {
	t.Helper()
	defer func() {
		t.Helper()
		err, _ := recover().(error)
		require.Error(t, err, "it must panic with an error")
		require.True(t, errors.As(err, &mistake), "%T", err)
	}()
	f()
	return nil
}

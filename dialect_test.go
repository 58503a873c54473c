package postern_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
)

// textDialect is of a client that a shell script could be: it asks with headers,
// and gets lines.
type textDialect struct{}

func (textDialect) ReadUpload(_ http.ResponseWriter, r *http.Request) (*postern.Declaration, error) {
	if r.Method != http.MethodGet {
		return nil, postern.ErrMethodNotAllowed
	}
	size, err := strconv.ParseInt(r.Header.Get("File-Size"), 10, 64)
	if err != nil {
		return nil, postern.ErrSizeRequired.WithCause(err)
	}
	return &postern.Declaration{
		Filename: r.Header.Get("File-Name"), Type: r.Header.Get("File-Type"), Size: size,
		Mode: postern.ModePut, // curl -T
	}, nil
}

func (textDialect) WriteGrant(w http.ResponseWriter, _ *http.Request, g *postern.Grant) {
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintln(w, g.Method, g.URL)
	for _, h := range g.Headers {
		fmt.Fprintln(w, h.Name+":", h.Value)
	}
}

func (textDialect) WriteProblem(w http.ResponseWriter, _ *http.Request, p *postern.Problem) {
	http.Error(w, p.Detail(), p.Status())
}

// A client of your own keeps its protocol. The rules, the hooks and the log stay
// those of the Handler.
func ExampleDialect() {
	h, err := postern.New(
		postern.Bucket{Name: "acme-uploads", Region: "eu-central-1", Credentials: cfg.Credentials},
		postern.WithAuthorizer(authorize),
		postern.WithKeyPolicy(postern.KeyTemplate("{tenant}/report.pdf")),
		postern.WithContentTypes("application/pdf"),
		postern.WithDialect(textDialect{}), // or h.WithDialect(textDialect{}), beside another one
	)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /upload-url", session.Require(h.Route(postern.ActionSign)))

	for _, contentType := range []string{"application/pdf", "image/png"} {
		r := httptest.NewRequest("GET", "/upload-url", nil)
		r.Header.Set("Authorization", "Bearer ada")
		r.Header.Set("File-Name", "report.pdf")
		r.Header.Set("File-Type", contentType)
		r.Header.Set("File-Size", "1000")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		answer, _, _ := strings.Cut(w.Body.String(), "?")
		fmt.Println(w.Code, answer)
	}
	// Output:
	// 200 PUT https://acme-uploads.s3.eu-central-1.amazonaws.com/acme/report.pdf
	// 415 Files of type image/png are not accepted.
}

// dialect is made of a function that reads; it answers as Native does.
type dialect struct {
	postern.TicketDialect
	read func(r *http.Request) (*postern.Declaration, error)
}

func (d dialect) ReadUpload(_ http.ResponseWriter, r *http.Request) (*postern.Declaration, error) {
	return d.read(r)
}

func reading(read func(r *http.Request) (*postern.Declaration, error)) postern.Dialect {
	return dialect{postern.Native(), read}
}

// declares is a dialect whose browsers declare the same photo, but for a change.
func declares(change func(*postern.Declaration)) postern.Dialect {
	return reading(func(*http.Request) (*postern.Declaration, error) {
		d := &postern.Declaration{Filename: "photo.png", Type: "image/png", Size: 1000}
		change(d)
		return d, nil
	})
}

func TestDialectCannotSayWhoUploadsNorWhatIsAllowed(t *testing.T) {
	// The careless way: whatever the browser sends is written into the declaration.
	careless := reading(func(r *http.Request) (*postern.Declaration, error) {
		d := new(postern.Declaration)
		return d, json.NewDecoder(r.Body).Decode(d)
	})
	const body = `{"Filename":"photo.png","Type":"image/png","Size":1000,"Metadata":{"album":"sea"},
		"Action":"abort","Subject":"mallory","Tenant":"globex","Key":"globex/theirs.png",
		"Attributes":{"ACL":"public-read","Tags":{"paid":"yes"},"Metadata":{"role":"admin"},"Disposition":"inline"},
		"SuccessRedirect":"https://evil.example/"}`
	var seen postern.Upload
	h := newHandler(t, postern.WithDialect(careless), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		seen = *u
		return asAda(r, u)
	}))
	g := granted(t, send(h, body))

	require.Equal(t, postern.ActionSign, seen.Action)
	require.Empty(t, seen.Subject)
	require.Empty(t, seen.Tenant)
	require.Empty(t, seen.Key)
	require.Equal(t, postern.Attributes{}, seen.Attributes)
	require.Empty(t, seen.SuccessRedirect)
	require.Equal(t, map[string]string{"album": "sea"}, seen.Metadata)

	require.True(t, strings.HasPrefix(g.Key, "acme/"), g.Key)
	require.NotContains(t, g.Fields, "acl")
	require.NotContains(t, g.Fields, "success_action_redirect")
	require.Equal(t, g.Fields["success_action_status"], "201")
	require.Contains(t, g.Fields["Content-Disposition"], "attachment")

	// Nor does it help where the authorizer forgets to say.
	h = newHandler(t, postern.WithDialect(careless), postern.WithAuthorizer(refusing(nil)))
	require.Equal(t, "subject_missing", refused(t, send(h, body)).Code)
	// Nor to leave the authorizer out.
	issuer := newIssuer(t, postern.WithDialect(careless))
	chain := postern.Decode(issuer)(postern.SignHandler(issuer))
	require.Equal(t, "chain_incomplete", refused(t, send(chain, body)).Code)
}

func TestWhatADialectReadBeforeItRefusedIsLogged(t *testing.T) {
	var decision postern.Decision
	h := newHandler(t, postern.WithDialect(reading(func(*http.Request) (*postern.Declaration, error) {
		return &postern.Declaration{Type: "image/png", Size: 7}, postern.ErrFilenameRequired
	})), postern.WithObserver(func(_ context.Context, d postern.Decision) { decision = d }))
	require.Equal(t, "filename_required", refused(t, send(h, photo)).Code)
	require.Equal(t, postern.ActionSign, decision.Action)
	require.Equal(t, int64(7), decision.Size)
	require.Equal(t, "image/png", decision.Type)
}

func TestDialectThatReadsNothingAnswers500(t *testing.T) {
	h := newHandler(t, postern.WithDialect(reading(func(*http.Request) (*postern.Declaration, error) { return nil, nil })))
	require.Equal(t, "internal", refused(t, send(h, photo)).Code)
}

func TestWhatADialectReadsIsJudgedLikeAnythingElse(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(d *postern.Declaration)
		code   string
	}{
		"no name":                            {func(d *postern.Declaration) { d.Filename = "/" }, "filename_required"},
		"a type that is none":                {func(d *postern.Declaration) { d.Type = "png" }, "type_invalid"},
		"a type that a browser executes":     {func(d *postern.Declaration) { d.Type = "TEXT/HTML" }, "type_not_allowed"},
		"a size that was forgotten":          {func(d *postern.Declaration) { d.Size = 0 }, "size_too_small"},
		"a size that makes no sense":         {func(d *postern.Declaration) { d.Size = -2 }, "size_invalid"},
		"a size above the limit":             {func(d *postern.Declaration) { d.Size = 1 << 40 }, "size_too_large"},
		"a PUT of an unknown size":           {func(d *postern.Declaration) { d.Mode, d.Size = postern.ModePut, postern.UnknownSize }, "size_required"},
		"a mode that is none":                {func(d *postern.Declaration) { d.Mode = "telepathy" }, "mode_unsupported"},
		"parts where they would not be safe": {func(d *postern.Declaration) { d.Mode = postern.ModeMultipart }, "mode_unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			b.Provider = postern.Generic // with one pair of credentials for all
			h := newHandlerFor(t, b, postern.WithDialect(declares(tc.change)))
			require.Equal(t, tc.code, refused(t, send(h, photo)).Code)
		})
	}
}

func TestNameAndTypeAreCleanedAfterTheDialect(t *testing.T) {
	h := newHandler(t, postern.WithDialect(declares(func(d *postern.Declaration) {
		d.Filename, d.Type, d.Size = "../../pho\u202eto.png", "IMAGE/PNG; x=y", postern.UnknownSize
	})), postern.WithAuthorizer(func(r *http.Request, u *postern.Upload) error {
		require.Equal(t, "photo.png", u.Filename)
		require.Equal(t, "image/png", u.Type)
		require.Equal(t, postern.UnknownSize, u.Size)
		return asAda(r, u)
	}))
	g := granted(t, send(h, photo))
	require.Equal(t, "image/png", g.Fields["Content-Type"])
}

func TestModeOfADialectTakesPrecedence(t *testing.T) {
	h := newHandler(t, postern.WithMode(postern.ModePost), postern.WithDialect(declares(func(d *postern.Declaration) {
		d.Mode = postern.ModePut
	})))
	require.Contains(t, send(h, photo).Body.String(), `"mode":"put"`)
}

func TestDialectMayReadARequestWithoutABody(t *testing.T) {
	h := newHandler(t, postern.WithDialect(textDialect{}))
	ask := func(header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://app.example.com/sign", nil)
		for i, name := range []string{"File-Name", "File-Type", "File-Size"} {
			r.Header.Set(name, []string{"a.png", "image/png", "7"}[i])
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	require.Equal(t, 200, ask().Code)
	require.Equal(t, 200, ask("Sec-Fetch-Site", "same-origin").Code)
	// A GET that signs is not safe.
	require.Equal(t, 403, ask("Sec-Fetch-Site", "cross-site").Code)
	require.Equal(t, 403, ask("Sec-Fetch-Site", "same-site").Code)
	require.Equal(t, 403, ask("Origin", "https://evil.example").Code)
}

func TestFailuresOfADialectCostOneRequest(t *testing.T) {
	var fail func() error
	h := newHandler(t, postern.WithDialect(reading(func(*http.Request) (*postern.Declaration, error) { return nil, fail() })))

	fail = func() error { panic("a nil map") }
	require.Equal(t, "internal", refused(t, send(h, photo)).Code)

	fail = func() error { return errors.New("the password is hunter2") }
	w := send(h, photo)
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "hunter2")

	fail = func() error { return postern.ErrForbidden.WithDetail("Not today.") }
	require.Equal(t, "Not today.", refused(t, send(h, photo)).Detail)
}

func TestNativeHasNoPrivileges(t *testing.T) {
	// Seen from outside, a dialect that passes everything on is the same.
	type borrowed struct{ postern.TicketDialect }
	opts := func() []postern.HandlerOption { return []postern.HandlerOption{postern.WithRandom(zeros{})} }
	native := newHandler(t, opts()...)
	other := newHandler(t, append(opts(), postern.WithDialect(borrowed{postern.Native()}))...)
	for _, body := range []string{photo, `{}`, `{"filename":"a","type":"text/html","size":1}`, `[`} {
		a, b := send(native, body), send(other, body)
		require.Equal(t, a.Code, b.Code)
		require.Equal(t, a.Header(), b.Header())
		var x, y map[string]any
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &x))
		require.NoError(t, json.Unmarshal(b.Body.Bytes(), &y))
		delete(x, "ticket") // sealed with a fresh nonce
		delete(y, "ticket")
		require.Equal(t, x, y)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestHandlerSpeaksTwoDialects(t *testing.T) {
	native := newHandler(t)
	text, err := native.WithDialect(textDialect{})
	require.NoError(t, err)
	granted(t, send(native, photo))
	require.Equal(t, 405, send(text, photo).Code)
	require.Equal(t, "This address answers POST requests only.\n", send(text, photo).Body.String())

	w := httptest.NewRecorder()
	text.ServeHTTP(w, httptest.NewRequest("GET", "/nowhere", nil))
	require.Equal(t, "There is nothing at this address.\n", w.Body.String(), "refusals of requests that were never read")
}

func TestDialectMustNotBeNil(t *testing.T) {
	_, err := postern.New(bucket, postern.WithAuthorizer(asAda), postern.WithDialect(nil))
	require.Equal(t, []string{"WithDialect"}, options(t, err))
	_, err = newHandler(t).WithDialect(nil)
	require.Equal(t, "WithDialect", option(t, err))
}

func option(t *testing.T, err error) string {
	t.Helper()
	var config *postern.ConfigError
	require.ErrorAs(t, err, &config)
	return config.Option
}

// keyed is a client that sends the key along with the ticket.
type keyed struct{ postern.TicketDialect }

func (k keyed) ReadTicket(w http.ResponseWriter, r *http.Request, a postern.Action) (*postern.TicketRequest, error) {
	q, err := k.TicketDialect.ReadTicket(w, r, a)
	if err == nil {
		q.Key = r.Header.Get("Key")
	}
	return q, err
}

func TestKeyThatIsNotTheTicketsIsRefused(t *testing.T) {
	h := newHandler(t, postern.WithPromotion("staging/"), postern.WithDialect(keyed{postern.Native()}))
	g := granted(t, send(h, photo))
	list := func(key string) problem {
		r := newRequest(`{"ticket":`+strconv.Quote(g.Ticket)+`}`, withHeader("Key", key))
		r.URL.Path = "/uploads/list"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return refused(t, w)
	}
	for _, key := range []string{"", g.Key, g.Fields["key"]} {
		require.Equal(t, "not_multipart", list(key).Code, "%q is the ticket's", key)
	}
	for _, key := range []string{"acme/other.png", g.Key + "/", strings.ToUpper(g.Key), "staging/", "/"} {
		require.Equal(t, "ticket_foreign", list(key).Code, key)
	}
}

// claiming is a client that claims what it wants, or nothing at all.
type claiming struct {
	postern.TicketDialect
	request *postern.TicketRequest
}

func (c claiming) ReadTicket(http.ResponseWriter, *http.Request, postern.Action) (*postern.TicketRequest, error) {
	return c.request, nil
}

func TestDialectThatFindsNoTicketIsRefused(t *testing.T) {
	h := newHandler(t, postern.WithDialect(claiming{postern.Native(), nil}))
	require.Equal(t, "ticket_invalid", refused(t, send(h, "", at("/uploads/complete"))).Code)
}

func TestListsAreReadOnceTheTicketWasOpenedForItsOwner(t *testing.T) {
	read := 0
	request := &postern.TicketRequest{Details: func() (*postern.TicketDetails, error) {
		read++
		return &postern.TicketDetails{Parts: make([]postern.Part, 10_001)}, nil
	}}
	h := newHandler(t, postern.WithDialect(claiming{postern.Native(), request}))
	for code, ticket := range map[string]string{
		"ticket_invalid": "x",
		"ticket_foreign": ticketOf(t, "bob", "globex"),
	} {
		request.Ticket = ticket
		require.Equal(t, code, refused(t, send(h, "", at("/uploads/complete"))).Code)
		require.Zero(t, read)
	}
	request.Ticket = ticketOf(t, "ada", "acme")
	require.Equal(t, "parts_invalid", refused(t, send(h, "", at("/uploads/complete"))).Code)
	require.Equal(t, 1, read)
}

// ticketOf returns the ticket of a form.
func ticketOf(t *testing.T, subject, tenant string) string {
	t.Helper()
	g, err := newIssuer(t).Issue(t.Context(), &postern.Upload{
		Subject: subject, Tenant: tenant, Filename: "a.png", Type: "image/png", Size: 1000,
	})
	require.NoError(t, err)
	return g.Ticket
}

func TestNativeReadsNoMorePartsThanS3Has(t *testing.T) {
	const part = `{"number":10000,"etag":"\"d41d8cd98f00b204e9800998ecf8427e\""}`
	for count, code := range map[int]string{10_000: "replayable", 10_001: "parts_invalid", 20_000: "body_too_large"} {
		body := fmt.Sprintf(`{"ticket":%q,"parts":[%s]}`, ticketOf(t, "ada", "acme"), strings.TrimSuffix(strings.Repeat(part+",", count), ","))
		require.Equal(t, code, refused(t, send(newHandler(t), body, at("/uploads/complete"))).Code, count)
	}
}

func TestTicketsAreReadInNativeWhereADialectHasNone(t *testing.T) {
	h := newHandler(t, postern.WithPromotion("staging/"))
	text, err := h.WithDialect(textDialect{})
	require.NoError(t, err)
	g := granted(t, send(h, photo))
	r := newRequest(`{"ticket":` + strconv.Quote(g.Ticket) + `}`)
	r.URL.Path = "/uploads/list"
	w := httptest.NewRecorder()
	text.ServeHTTP(w, r)
	require.Equal(t, postern.ErrNotMultipart.Detail()+"\n", w.Body.String(), "but refusals are the dialect's")
}

func TestCheckMultipartSaysThatPartsNeedASubject(t *testing.T) {
	err := newHandler(t, postern.AllowAnonymous()).CheckMultipart()
	require.ErrorContains(t, err, "multipart uploads need a subject", "and not that completion does: nobody asked for it")
}

func TestCheckMultipartSaysWhatPartsLack(t *testing.T) {
	hook := postern.WithOnComplete(func(context.Context, *postern.Receipt) error { return nil })
	for name, tc := range map[string]struct {
		provider postern.Provider
		opts     []postern.HandlerOption
		option   string
	}{
		"nothing":                         {postern.AmazonS3, nil, ""},
		"nothing with receipts":           {postern.AmazonS3, []postern.HandlerOption{hook}, ""},
		"a subject":                       {postern.AmazonS3, []postern.HandlerOption{postern.AllowAnonymous()}, "AllowAnonymous"},
		"credentials apart":               {postern.MinIO, nil, "Bucket.ServiceCredentials"},
		"nothing, as was said":            {postern.MinIO, []postern.HandlerOption{postern.AllowSharedCredentials()}, ""},
		"a condition on their completion": {postern.Garage, []postern.HandlerOption{postern.WithMode(postern.ModePost), hook}, "WithOnComplete"},
	} {
		t.Run(name, func(t *testing.T) {
			b := bucket
			b.Provider = tc.provider
			err := newHandlerFor(t, b, tc.opts...).CheckMultipart()
			if tc.option == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tc.option, option(t, err))
		})
	}
}

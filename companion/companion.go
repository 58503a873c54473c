// Package companion lets Uppy upload through a [postern.Handler]: it speaks the
// part of Uppy Companion's protocol that the package @uppy/aws-s3 uses, 6.x with
// companionEndpoint and 5.x with endpoint.
//
//	c, err := companion.New(h)
//	mux.Handle("GET /uppy/", c)
//	mux.Handle("POST /uppy/", c)
//	mux.Handle("DELETE /uppy/", c)
//
//	const uppy = new Uppy().use(AwsS3, { companionEndpoint: "/uppy", shouldUseMultipart: true });
//	uppy.on("file-added", (file) => uppy.setFileMeta(file.id, { size: file.size }));
//
// What Uppy calls the uploadId is the ticket of the grant. So every call is bound
// to the upload that was granted and to whom it was granted, and a key that is
// not the ticket's is refused. Golden Retriever resumes uploads after a reload,
// although the server names the keys.
//
// # signRequest
//
// Uppy 6.2 and later can have a function of the page's own say where each request
// goes, and with which headers. Then it sends what S3's own API has, and expects S3's
// XML. With format=xml in the query this package speaks that, so that Uppy uploads in
// parts with a token, and shows why a file is refused:
//
//	const at = "/uppy/s3/multipart", headers = { Authorization: `Bearer ${token}` };
//
//	async function signRequest({ method, key, uploadId, partNumber }) {
//		if (!uploadId) {
//			const { name: filename, type, size } = uppy.getFile(key);
//			return { url: `${at}?${new URLSearchParams({ format: "xml", filename, type, size })}`, headers };
//		}
//		const upload = `${at}/${encodeURIComponent(uploadId)}`;
//		if (partNumber) return (await fetch(`${upload}/${partNumber}`, { headers })).json();
//		return { url: `${upload}${method === "POST" ? "/complete" : ""}?format=xml`, headers };
//	}
//
//	new Uppy().use(AwsS3, { signRequest, generateObjectKey: ({ id }) => id, shouldUseMultipart: ({ size }) => size > 0 });
//
// The file's id stands for the key, which the server names: Uppy learns it in the
// end. Metadata goes as metadata[name] in the query. Single uploads, empty files
// among them, need no package: signRequest may return h's own grant, and a
// postprocessor completes.
//
// # What Uppy can't do
//
// Single uploads never call back. Where the Handler has [postern.WithOnComplete]
// or [postern.WithPromotion] they are refused with completion_required: set
// shouldUseMultipart to true. Empty files can't be uploaded then: they have no
// parts, and Uppy 6 sends them as single uploads nevertheless. A single upload is
// always a form: providers that take none, such as Cloudflare R2, need
// shouldUseMultipart: true as well, or signRequest, which takes grants as they are.
//
// With companionEndpoint Uppy doesn't send the size of a file. Put it into the
// file's meta, as above, and grants bind it. Multipart uploads without it are refused with
// size_required, unless the Handler has [postern.AllowUnboundedParts]. Leave
// getChunkSize as it is: parts of a known size are signed for the exact lengths
// of Uppy's default rule. Where a plugin changes files before they go up, such as
// Compressor, set the size after it, in a preprocessor.
//
// Metadata is text, numbers and booleans: at most 64 entries and 8 KiB. What is
// stored of it is for [postern.WithClientMetadata] to say.
//
// With companionEndpoint Uppy 6 sends no headers of yours, and cookies to its own
// origin only: mount the handler there and authorize by the session. Of a refusal it
// shows the status text alone, which HTTP/2 does not have; the codes are in the
// answers and in the server's log. Uppy 5 shows the message, and so does Uppy 6 with
// signRequest.
//
// Uppy can't ask again for a completion that takes long. The request is kept
// open instead: after 20 s the answer begins with blanks, one every 20 s, so that
// no proxy takes it for dead. A completion that then fails ends the connection,
// which Uppy reports as an error. An http.Server with a WriteTimeout ends it too;
// the completion goes on nevertheless. In Uppy 6 a retry then picks it up, and one
// whose hook failed; Uppy 5 gives up an upload that could not be completed.
//
// What the hook of [postern.WithOnComplete] tells the page, [postern.Receipt.Data], is
// data in the answer. In Uppy 5 it is in file.response.body.data, and in the response of
// upload-success; Uppy 6 keeps location and key of the answer alone.
//
// Uppy 5 gives a part up when its URL expires, and tries it again: a part must be
// through within [postern.WithGrantLifetime].
//
// An upload that is cancelled while it is being created, before Uppy knows its
// ticket, leaves a multipart upload in S3 to the bucket's lifecycle rule.
//
// A ticket in a path is seen by proxies and in access logs. It is worth nothing
// without its owner's session, which is why New refuses
// [postern.AllowAnonymous].
//
// CORS headers are yours to send, outside the handler, for pages of other
// origins. They need [postern.WithTrustedOrigins] too: every call is refused to
// other sites, those that answer GET included.
package companion

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-go/postern"
)

var (
	errNoHandler = errors.New("the handler is nil")
	errAnonymous = errors.New("a ticket in a path is a secret only with a session beside it: uploads need a subject")
)

// New returns a handler that speaks Companion's protocol for h, with the same
// rules, tickets and hooks. It serves, below whatever prefix the router gives it,
//
//	GET    …/s3/params
//	POST   …/s3/multipart
//	GET    …/s3/multipart/{uploadId}
//	DELETE …/s3/multipart/{uploadId}
//	GET    …/s3/multipart/{uploadId}/{partNumber}
//	GET    …/s3/multipart/{uploadId}/batch
//	POST   …/s3/multipart/{uploadId}/complete
//
// and answers 404 to every other address. The error is a [postern.ConfigError]:
// h admits anonymous uploads, or its uploads must be completed and can't be made
// of parts, which leaves no way for Uppy.
func New(h *postern.Handler) (http.Handler, error) {
	switch {
	case h == nil:
		return nil, &postern.ConfigError{Option: "companion.New", Err: errNoHandler}
	case h.Anonymous():
		return nil, &postern.ConfigError{Option: "AllowAnonymous", Err: errAnonymous}
	case h.Completes() && h.CheckMultipart() != nil:
		return nil, h.CheckMultipart()
	}
	in, err := h.WithDialect(dialect{completes: h.Completes()})
	if err != nil {
		return nil, err
	}
	c := &handler{Handler: in, endpoints: map[postern.Action]http.Handler{}}
	for _, action := range []postern.Action{
		postern.ActionSign, postern.ActionParts, postern.ActionList, postern.ActionComplete, postern.ActionAbort,
	} {
		c.endpoints[action] = in.Route(action)
	}
	return c, nil
}

type handler struct {
	*postern.Handler
	endpoints map[postern.Action]http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := parse(r)
	if c == nil {
		// The dialect knows no call, and refuses whatever this is.
		h.Handler.ServeHTTP(w, r)
		return
	}
	h.endpoints[c.action].ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
}

// call is a request of Uppy's, as its address tells.
type call struct {
	action postern.Action
	method string       // that the action has
	allow  string       // every method that the address answers
	mode   postern.Mode // of a grant
	ticket string
	part   string // a number, or "batch"
	xml    bool   // it is answered as by S3

	begun bool // the answer has begun, with blanks
}

type callKey struct{}

func callOf(r *http.Request) *call {
	c, _ := r.Context().Value(callKey{}).(*call)
	return c
}

// parse reads an address from its end: what precedes it is the router's
// business. It returns nil for one that is none of Uppy's.
func parse(r *http.Request) *call {
	// A router may have cut the first slash off.
	path := "/" + r.URL.EscapedPath()
	var last [4]string // the last segment comes first
	for i := range last {
		k := strings.LastIndexByte(path, '/')
		if k < 0 {
			break
		}
		path, last[i] = path[:k], path[k+1:]
	}
	c := new(call)
	switch {
	case last[1] == "s3" && last[0] == "params":
		c.action, c.mode, c.method = postern.ActionSign, postern.ModePost, http.MethodGet
	case last[1] == "s3" && last[0] == "multipart":
		c.action, c.mode, c.method = postern.ActionSign, postern.ModeMultipart, http.MethodPost
	case last[2] == "s3" && last[1] == "multipart":
		c.ticket, c.allow = last[0], "GET, DELETE"
		if c.action, c.method = postern.ActionList, http.MethodGet; r.Method == http.MethodDelete {
			c.action, c.method = postern.ActionAbort, http.MethodDelete
		}
	case last[3] == "s3" && last[2] == "multipart" && last[0] == "complete":
		c.ticket, c.action, c.method = last[1], postern.ActionComplete, http.MethodPost
	case last[3] == "s3" && last[2] == "multipart" && (last[0] == "batch" || digits(last[0])):
		c.ticket, c.part, c.action, c.method = last[1], last[0], postern.ActionParts, http.MethodGet
	default:
		return nil
	}
	if c.allow == "" {
		c.allow = c.method
	}
	// S3's API has no address for a form, and none for the URLs of parts.
	c.xml = c.mode != postern.ModePost && c.action != postern.ActionParts && r.URL.Query().Get("format") == "xml"
	if c.action == postern.ActionSign {
		return c
	}
	var err error
	if c.ticket, err = url.PathUnescape(c.ticket); err != nil || c.ticket == "" {
		return nil
	}
	return c
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

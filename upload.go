package postern

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"github.com/postern-go/postern/internal/mediatype"
)

// Action is what a request wants with an upload.
type Action string

// The actions: sign asks for a grant; the others show its ticket, to ask for the
// URLs of parts, for the parts that have arrived, for completion, or to give up.
const (
	ActionSign     Action = "sign"
	ActionParts    Action = "parts"
	ActionList     Action = "list"
	ActionComplete Action = "complete"
	ActionAbort    Action = "abort"
)

// UnknownSize as [Upload.Size] means that the browser did not tell. The grant
// then permits any size within the limits.
const UnknownSize int64 = -1

// Upload is what a browser asks for, and what the chain decides about it. It is
// the one value that travels the chain: [Decode] makes it, [UploadFrom] finds it,
// every rule judges or narrows it. It belongs to one request and must not be used
// by two goroutines at once.
//
// An application that issues grants itself, for a form that it renders, fills one
// and passes it to [Issuer.Issue].
type Upload struct {
	// Action is what the request wants.
	Action Action

	// Filename is what the browser calls the file, cleaned: the last segment in
	// NFKC without control, format and invisible characters and separators, at
	// most 255 bytes.
	Filename string
	// Type is the exact media type that is granted, rebuilt by the server from
	// what the browser declared. It never names the type of bytes that someone
	// has looked at.
	Type string
	// Size is the declared size in bytes, or UnknownSize.
	Size int64
	// SHA256 is set when the browser sent the checksum of the file: the grant then
	// permits these bytes only.
	SHA256 *[32]byte
	// PartChecksums means that the browser will send the SHA-256 of every part of
	// a multipart upload.
	PartChecksums bool
	// Mode is the only mode that the client can do, if it says so; PartSize the
	// only size of parts, in bytes.
	Mode     Mode
	PartSize int64
	// Metadata is what the browser sent along. Only names that
	// [WithClientMetadata] lists are stored with the object.
	Metadata map[string]string

	// Subject is the principal who uploads, Tenant the customer they belong to.
	// The authorizer sets them; the browser never does, and neither does a ticket.
	Subject, Tenant string

	// MinSize and MaxSize, in bytes, narrow what the rules allow; 0 leaves it as
	// it is, a negative MaxSize refuses every file.
	MinSize, MaxSize int64
	// AllowedTypes narrows what the rules allow: patterns as for
	// [AllowContentTypes]. nil leaves it as it is.
	AllowedTypes []string

	// Key names the object. [NameKey] sets it.
	Key string
	// Attributes are stored with the object. What is not set here is as
	// [WithAttributes] says.
	Attributes Attributes
	// SuccessRedirect is where the bucket sends the browser after an upload by a
	// form without JavaScript: an absolute http or https URL. Without it the
	// bucket answers 201.
	SuccessRedirect string

	settings *settings
	start    time.Time // when the request came, for durations
	now      time.Time // the clock's time of the request

	ticket *openedTicket // of a ticket request

	originChecked bool
	decoded       bool
	authorized    bool
	named         bool
	limited       bool             // a size rule ran
	limits        limits           // what the size rules allow
	types         []*mediatype.Set // what every type rule allows
}

// Time returns when the request came, in UTC. Key policies use it, so that one
// upload has one date.
func (u *Upload) Time() time.Time {
	if u.now.IsZero() {
		u.now = u.settingsOrDefault().clock()
	}
	return u.now.UTC()
}

// Random returns the source of randomness for this upload.
func (u *Upload) Random() io.Reader { return u.settingsOrDefault().random }

// readRandom fills b, which stays off the heap where the source is the usual one.
func (u *Upload) readRandom(b []byte) error {
	source := u.Random()
	if source == rand.Reader {
		_, err := rand.Read(b)
		return err
	}
	read := make([]byte, len(b))
	if _, err := io.ReadFull(source, read); err != nil {
		return fmt.Errorf("read randomness: %w", err)
	}
	copy(b, read)
	return nil
}

// BodyLimit returns how large the body of a request for a grant may be, in bytes:
// see [WithBodyLimit].
func (u *Upload) BodyLimit() int64 { return u.settingsOrDefault().bodyLimit }

// SHA256Hex returns the checksum in hexadecimal, as keys have it, or "".
func (u *Upload) SHA256Hex() string {
	if u.SHA256 == nil {
		return ""
	}
	return hex.EncodeToString(u.SHA256[:])
}

// SHA256Base64 returns the checksum in base64, as S3 has it, or "".
func (u *Upload) SHA256Base64() string {
	if u.SHA256 == nil {
		return ""
	}
	return checksumOf(u.SHA256[:])
}

func (u *Upload) settingsOrDefault() *settings {
	if u == nil || u.settings == nil {
		return &defaultSettings
	}
	return u.settings
}

// settings is what every link needs to know of its surroundings.
type settings struct {
	clock     func() time.Time
	random    io.Reader
	bodyLimit int64
	dialect   Dialect
	observers []func(context.Context, Decision)
	logger    *zerolog.Logger
}

const defaultBodyLimit = 16 << 10

var defaultSettings = settings{clock: time.Now, random: rand.Reader, bodyLimit: defaultBodyLimit, dialect: native{}}

package s3test

import (
	"errors"
	"io"

	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// wholeBody reads an upload's body, and fails if it ends before its declared
// length. The server would take what has arrived of an upload that was cut off for
// the whole of it, where S3 stores nothing. read is called at the end, unless it is nil.
func wholeBody(body io.Reader, length *int64, read func()) io.Reader {
	if body == nil || length == nil {
		return body
	}
	if _, form := body.(utils.MpFileReader); form {
		return body // the file in a form ends with its boundary
	}
	// The server asks a body for the checksum in its trailer.
	return middlewares.NewChecksumReader(body, &whole{body, *length, read})
}

type whole struct {
	body io.Reader
	left int64
	read func()
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.left -= int64(n)
	if errors.Is(err, io.EOF) && w.left > 0 {
		err = s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	if err != nil && w.read != nil {
		w.read()
	}
	return n, err
}

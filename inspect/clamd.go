package inspect

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/postern-go/postern"
)

// ClamdOption configures [Clamd].
type ClamdOption func(*clamd)

type clamd struct {
	network, address string
	maxSize          int64
	tooLarge         postern.Verdict
}

// defaultMaxSize is clamd's own default of StreamMaxLength and of MaxFileSize.
const defaultMaxSize = 100 << 20

// ClamdMaxSize sets the largest file in bytes that is scanned: 100 MiB by default. Let
// it not exceed StreamMaxLength and MaxFileSize of clamd.conf: clamd refuses what is
// larger than the one, and takes for harmless, unseen, what is larger than the other.
func ClamdMaxSize(n int64) ClamdOption {
	check("ClamdMaxSize", n > 0, errors.New("the largest size is at least 1 byte"))
	return func(c *clamd) { c.maxSize = n }
}

// ClamdTooLarge sets the verdict of files that are larger: by default they are rejected
// as [ErrUnscannable].
func ClamdTooLarge(v postern.Verdict) ClamdOption {
	checkVerdict("ClamdTooLarge", v)
	return func(c *clamd) { c.tooLarge = v }
}

// Clamd has the daemon of ClamAV scan each object, which is streamed to it by its
// command INSTREAM, over a connection of its own: network and address are those of
// [net.Dial], "unix" and "/run/clamav/clamd.ctl" on Debian. An object in which it finds
// something is rejected as [ErrMalware]. Whatever else it says is an error.
//
// The connection is neither encrypted nor authenticated: whoever can be in its place
// decides about uploads. It panics with a [postern.ConfigError] if it has no address.
func Clamd(network, address string, opts ...ClamdOption) Inspector {
	check("Clamd", network != "" && address != "", errEmpty)
	c := &clamd{network: network, address: address, maxSize: defaultMaxSize, tooLarge: postern.Rejected(ErrUnscannable)}
	for _, opt := range opts {
		opt(c)
	}
	return c.inspect
}

func (c *clamd) inspect(ctx context.Context, o *postern.Object) (postern.Verdict, error) {
	if o.Size > c.maxSize {
		return c.tooLarge, nil
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, c.network, c.address)
	if err != nil {
		return postern.Verdict{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	content, err := o.Open(ctx, 0, o.Size)
	if err != nil {
		return postern.Verdict{}, err
	}
	defer content.Close()
	sendErr := stream(conn, content, o.Size)
	if sendErr != nil && !errors.Is(sendErr, errConnection) {
		return postern.Verdict{}, sendErr
	}
	// It may have said why it hung up.
	reply, err := readReply(conn)
	switch {
	case ctx.Err() != nil:
		return postern.Verdict{}, ctx.Err()
	case err != nil:
		return postern.Verdict{}, errors.Join(sendErr, err)
	}
	return judge(reply)
}

// chunkSize is that of the chunks that are sent, in bytes.
const chunkSize = 64 << 10

var errConnection = errors.New("clamd has hung up")

// stream sends a command and the content: each chunk after its length, and an empty one
// at the end (clamd(8)). Without that clamd says nothing, so that content which breaks
// off is not taken for the whole.
func stream(conn io.Writer, content io.Reader, size int64) error {
	const command = "zINSTREAM\x00"
	buffer := make([]byte, len(command)+4+chunkSize)
	head := copy(buffer, command)
	var sent int64
	for {
		n, err := io.ReadFull(content, buffer[head+4:head+4+chunkSize])
		sent += int64(n)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("reading the object: %w", err)
		}
		if end := err != nil; end && sent != size {
			return fmt.Errorf("reading the object: it ended after %d of %d bytes: %w", sent, size, io.ErrUnexpectedEOF)
		}
		// The end is the empty chunk.
		binary.BigEndian.PutUint32(buffer[head:], uint32(n))
		if _, err := conn.Write(buffer[:head+4+n]); err != nil {
			return fmt.Errorf("%w: %w", errConnection, err)
		}
		if head = 0; n == 0 {
			return nil
		}
	}
}

// maxReply bounds what clamd says in bytes.
const maxReply = 4 << 10

// readReply reads what clamd says, which ends as the command does.
func readReply(conn io.Reader) (string, error) {
	reply, err := bufio.NewReader(io.LimitReader(conn, maxReply)).ReadString(0)
	if err != nil {
		return "", fmt.Errorf("clamd has not answered: %w", err)
	}
	return strings.TrimSuffix(reply, "\x00"), nil
}

// judge makes a verdict of what clamd says.
func judge(reply string) (postern.Verdict, error) {
	if reply == "stream: OK" {
		return postern.Accepted(), nil
	}
	found, isStream := strings.CutPrefix(reply, "stream: ")
	if name, ok := strings.CutSuffix(found, " FOUND"); ok && isStream {
		return postern.Rejected(ErrMalware.WithCause(errors.New(name))), nil
	}
	return postern.Verdict{}, fmt.Errorf("clamd says %q", reply)
}

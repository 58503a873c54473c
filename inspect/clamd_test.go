package inspect_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern"
	"github.com/postern-go/postern/inspect"
)

// speaker is a server that speaks as clamd does when something is wrong with it. The
// tests in e2e have a real one.
func speaker(t *testing.T, speak func(conn net.Conn)) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			speak(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// received reads what is streamed, up to the empty chunk.
func received(conn net.Conn) (content []byte, err error) {
	r := bufio.NewReader(conn)
	command, err := r.ReadString(0)
	if err != nil || command != "zINSTREAM\x00" {
		return nil, errors.New("another command: " + command)
	}
	for {
		var size uint32
		if err := binary.Read(r, binary.BigEndian, &size); err != nil {
			return content, err
		}
		if size == 0 {
			return content, nil
		}
		chunk := make([]byte, size)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return content, err
		}
		content = append(content, chunk...)
	}
}

func TestClamdIsToldTheWholeObjectInChunks(t *testing.T) {
	for _, size := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000} {
		content := make([]byte, size)
		for k := range content {
			content[k] = byte(k * 7 / 3)
		}
		var got []byte
		address := speaker(t, func(conn net.Conn) {
			got, _ = received(conn)
			_, _ = io.WriteString(conn, "stream: OK\x00")
		})
		v, err := inspect.Clamd("tcp", address)(context.Background(), postern.Object{}.WithContent(content, nil))
		require.NoError(t, err)
		require.Equal(t, postern.Accepted(), v)
		require.Equal(t, len(content), len(got))
		require.True(t, string(content) == string(got))
	}
}

func TestWhateverElseClamdSaysIsAnError(t *testing.T) {
	for _, reply := range []string{
		"", "stream: OK", "stream: OK\n", "OK\x00", "stream: OK \x00", "stream: X FOUND", "X FOUND\x00", "stream: \x00", "UNKNOWN COMMAND\x00",
		"INSTREAM size limit exceeded. ERROR\x00", "stream: Can't allocate memory ERROR\x00", "COMMAND READ TIMED OUT\x00",
	} {
		address := speaker(t, func(conn net.Conn) {
			_, _ = received(conn)
			_, _ = io.WriteString(conn, reply)
		})
		v, err := inspect.Clamd("tcp", address)(context.Background(), postern.Object{}.WithContent([]byte("hello"), nil))
		require.Error(t, err, reply)
		require.Equal(t, postern.Verdict{}, v)
	}
	address := speaker(t, func(conn net.Conn) {
		_, _ = received(conn)
		_, _ = io.WriteString(conn, "stream: Some.Virus FOUND\x00")
	})
	v, err := inspect.Clamd("tcp", address)(context.Background(), postern.Object{}.WithContent([]byte("hello"), nil))
	require.NoError(t, err)
	require.ErrorIs(t, v.Problem(), inspect.ErrMalware)
	require.NotContains(t, v.Problem().Detail(), "Some.Virus")
	require.ErrorContains(t, v.Problem(), "Some.Virus", "for the log")
}

func TestClamdThatHangsEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	address := speaker(t, func(conn net.Conn) {
		_, _ = received(conn)
		cancel()
		_, _ = conn.Read(make([]byte, 1))
	})
	_, err := inspect.Clamd("tcp", address)(ctx, postern.Object{}.WithContent([]byte("hello"), nil))
	require.ErrorIs(t, err, context.Canceled)
}

func TestClamdThatDoesNotReadEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	address := speaker(t, func(net.Conn) { <-ctx.Done() })
	_, err := inspect.Clamd("tcp", address)(ctx, postern.Object{}.WithContent(make([]byte, 50<<20), nil))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestContentThatBreaksOffIsNotJudged(t *testing.T) {
	for _, size := range []int{100, 64 << 10, 100_000} {
		address := speaker(t, func(conn net.Conn) {
			if _, err := received(conn); err == nil {
				_, _ = io.WriteString(conn, "stream: OK\x00")
			}
		})
		short := postern.Object{}.WithContent(make([]byte, size), nil)
		short.Size++
		_, err := inspect.Clamd("tcp", address)(context.Background(), short)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}

func TestClamdThatIsNotThereIsAnError(t *testing.T) {
	_, err := inspect.Clamd("unix", t.TempDir()+"/none")(context.Background(), postern.Object{}.WithContent(nil, nil))
	require.Error(t, err)
}

func TestFilesThatAreTooLargeForClamdAreNotSent(t *testing.T) {
	large := postern.Object{}.WithContent(make([]byte, 101), nil)
	v, err := inspect.Clamd("unix", "/nowhere", inspect.ClamdMaxSize(100))(context.Background(), large)
	require.NoError(t, err)
	require.ErrorIs(t, v.Problem(), inspect.ErrUnscannable)
	v, err = inspect.Clamd("unix", "/nowhere", inspect.ClamdMaxSize(100), inspect.ClamdTooLarge(postern.Undecided()))(context.Background(), large)
	require.NoError(t, err)
	require.Equal(t, postern.Undecided(), v)
}

func TestMistakesPanic(t *testing.T) {
	for name, mistake := range map[string]func(){
		"no network":          func() { inspect.Clamd("", "x") },
		"no address":          func() { inspect.Clamd("unix", "") },
		"no size":             func() { inspect.ClamdMaxSize(0) },
		"no verdict":          func() { inspect.ClamdTooLarge(postern.Verdict{}) },
		"no pixels":           func() { inspect.ImageBounds(0) },
		"no verdict of it":    func() { inspect.ImageUnreadable(postern.Verdict{}) },
		"a status that is no": func() { inspect.GuardDutyStatus("THREATS_FOUND", postern.Accepted()) },
		"a status of nothing": func() { inspect.GuardDutyStatus(inspect.Failed, postern.Verdict{}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { require.IsType(t, &postern.ConfigError{}, recover()) }()
			mistake()
			require.Fail(t, "no panic")
		})
	}
}

func TestGuardDutyReadsItsTag(t *testing.T) {
	const tag = "GuardDutyMalwareScanStatus"
	for _, tc := range []struct {
		tags    map[string]string
		want    postern.Verdict
		problem error
		fails   bool
	}{
		{nil, postern.Undecided(), nil, false},
		{map[string]string{"other": "NO_THREATS_FOUND"}, postern.Undecided(), nil, false},
		{map[string]string{tag: "NO_THREATS_FOUND"}, postern.Accepted(), nil, false},
		{map[string]string{tag: "THREATS_FOUND"}, postern.Rejected(inspect.ErrMalware), inspect.ErrMalware, false},
		{map[string]string{tag: "UNSUPPORTED"}, postern.Verdict{}, nil, true},
		{map[string]string{tag: "ACCESS_DENIED"}, postern.Verdict{}, nil, true},
		{map[string]string{tag: "FAILED"}, postern.Verdict{}, nil, true},
		{map[string]string{tag: ""}, postern.Verdict{}, nil, true},
		{map[string]string{tag: "SOMETHING_NEW"}, postern.Verdict{}, nil, true},
	} {
		v, err := inspect.GuardDuty()(context.Background(), postern.Object{}.WithContent(nil, tc.tags))
		require.Equal(t, tc.fails, err != nil, "%v", tc.tags)
		require.Equal(t, tc.want.String(), v.String(), "%v", tc.tags)
		if tc.problem != nil {
			require.ErrorIs(t, v.Problem(), tc.problem)
		}
	}
	v, err := inspect.GuardDuty(inspect.GuardDutyStatus(inspect.Unsupported, postern.Rejected(inspect.ErrUnscannable)))(
		context.Background(), postern.Object{}.WithContent(nil, map[string]string{tag: "UNSUPPORTED"}))
	require.NoError(t, err)
	require.ErrorIs(t, v.Problem(), inspect.ErrUnscannable)
	_, err = inspect.GuardDuty()(context.Background(), &postern.Object{})
	require.Error(t, err)
}

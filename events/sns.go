package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// confirmTimeout bounds a confirmation, and maxConfirmation how much is read of its
// answer, in bytes.
const (
	confirmTimeout  = 5 * time.Second
	maxConfirmation = 64 << 10
)

var (
	errUnconfirmed = errors.New("events: the subscription is not confirmed")
	errForeign     = fmt.Errorf("%w: its address is not SNS's", ErrMalformed)
)

// snsHost is a host of SNS in one region.
var snsHost = regexp.MustCompile(`^sns\.[a-z]{2}(-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(\.cn)?$`)

// checkSubscribeURL keeps the handler from asking anybody but SNS for anything but to
// confirm a subscription.
func checkSubscribeURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errForeign
	}
	confirms := u.Query().Get("Action") == "ConfirmSubscription"
	if u.Scheme != "https" || u.User != nil || !snsHost.MatchString(u.Host) || u.Path != "/" || u.Fragment != "" || !confirms {
		return nil, errForeign
	}
	return u, nil
}

// bounded is a client that ends, and goes nowhere else.
func bounded(c *http.Client) *http.Client {
	own := *c
	own.Timeout = confirmTimeout
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// confirm tells SNS that this is who subscribed. Its errors hold no token.
func (h *Handler) confirm(ctx context.Context, address string) error {
	u, err := checkSubscribeURL(address)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return errForeign
	}
	res, err := h.client.Do(r)
	if err != nil {
		if failed := (*url.Error)(nil); errors.As(err, &failed) {
			err = failed.Err // without the address
		}
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxConfirmation)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: SNS answers %s", errUnconfirmed, res.Status)
	}
	return nil
}

package events_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/postern-go/postern/events"
)

const snsName = "sns.eu-central-1.amazonaws.com"

// confirmed runs a server in the place of SNS, with a certificate for its name, and
// returns a client that finds it there, and what is asked of it.
func confirmed(t *testing.T, answer http.HandlerFunc) (*http.Client, <-chan string) {
	t.Helper()
	asked := make(chan string, 10)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host + r.URL.RequestURI()
		answer(w, r)
	}))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{snsName}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)

	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, asked
}

func TestSubscriptionIsConfirmedAtSNS(t *testing.T) {
	client, asked := confirmed(t, func(http.ResponseWriter, *http.Request) {})
	h := newHandler(t, &recorder{}, events.WithClient(client))
	res := serve(h, request(confirmation("https://"+snsName+"/?Action=ConfirmSubscription&TopicArn=arn&Token=2336")))
	require.Equal(t, http.StatusNoContent, res.StatusCode)
	require.Equal(t, "GET "+snsName+"/?Action=ConfirmSubscription&TopicArn=arn&Token=2336", <-asked)
}

func TestNobodyButSNSIsAsked(t *testing.T) {
	client, asked := confirmed(t, func(http.ResponseWriter, *http.Request) {})
	h := newHandler(t, &recorder{}, events.WithClient(client))
	const query = "/?Action=ConfirmSubscription&Token=2336"
	for _, address := range []string{
		"http://" + snsName + query,
		"https://" + snsName + ".example.com" + query,
		"https://example.com" + query,
		"https://evil." + snsName + query,
		"https://sns.amazonaws.com" + query,
		"https://snsXeu-central-1.amazonaws.com" + query,
		"https://sns.eu-central-1.amazonaws.com.cn.example" + query,
		"https://" + snsName + ":8443" + query,
		"https://user@" + snsName + query,
		"https://" + snsName + "@example.com" + query,
		"https://example.com#" + snsName + query,
		"https://" + snsName + "\n" + query,
		"https://" + snsName + "/?Action=Publish&Message=x",
		"https://" + snsName + "/other" + query,
		"https://169.254.169.254" + query,
		"//" + snsName + query,
	} {
		require.Equal(t, http.StatusBadRequest, serve(h, request(confirmation(address))).StatusCode, address)
	}
	require.Empty(t, asked)
	anonymous := request(confirmation("https://" + snsName + query))
	anonymous.Header.Del("Authorization")
	require.Equal(t, http.StatusUnauthorized, serve(h, anonymous).StatusCode)
	require.Empty(t, asked)
}

func TestUnconfirmedSubscriptionIsToComeAgain(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"redirected": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"cut off":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		client, asked := confirmed(t, answer)
		seen := &reports{}
		h := newHandler(t, &recorder{}, events.WithClient(client), events.WithObserver(seen.observe))
		res := serve(h, request(confirmation("https://"+snsName+"/?Action=ConfirmSubscription&Token=2336")))
		require.Equal(t, http.StatusBadGateway, res.StatusCode, name)
		<-asked
		require.Empty(t, asked, name)
		require.Equal(t, events.Failed, seen.all[0].Outcome, name)
		require.NotContains(t, seen.all[0].Err.Error(), "2336", name)
	}
}

func TestChinaHasItsOwnSNS(t *testing.T) {
	client, _ := confirmed(t, func(http.ResponseWriter, *http.Request) {})
	h := newHandler(t, &recorder{}, events.WithClient(client))
	// The server's certificate is for another name: it is asked, and not believed.
	for _, host := range []string{"sns.cn-northwest-1.amazonaws.com.cn", "sns.us-gov-west-1.amazonaws.com"} {
		res := serve(h, request(confirmation("https://"+host+"/?Action=ConfirmSubscription&Token=2336")))
		require.Equal(t, http.StatusBadGateway, res.StatusCode)
	}
}

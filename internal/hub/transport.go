package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
)

// The headers by which a hub describes a file, also where it redirects to the storage that has it.
const (
	headerCommit       = "X-Repo-Commit"
	headerLinkedETag   = "X-Linked-Etag"
	headerLinkedSize   = "X-Linked-Size"
	headerErrorCode    = "X-Error-Code"
	headerErrorMessage = "X-Error-Message"
)

const (
	maxRedirects  = 10
	maxAttempts   = 6                // without a byte received in between
	maxDials      = 3                // of these, when no connection comes about
	maxPause      = 10 * time.Second // between two attempts
	maxRetryAfter = time.Minute      // a hub that asks for more is not waited for
	noticed       = time.Second      // pauses from this length on are announced
)

// errSilent ends a connection over which nothing came for Client.Timeout.
var errSilent = errors.New("nothing came for too long")

// lineError is a failure of the line: trying again may help.
type lineError struct{ err error }

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// statusError is an answer that is not the one asked for.
type statusError struct {
	code    int
	reason  string // the hub's word for it, such as RepoNotFound
	message string // the hub's sentence about it
	host    string
	after   time.Duration // how long the hub asks to wait
	token   bool          // it was the answer to a request with a token
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.host, e.code, http.StatusText(e.code))
	if e.message != "" {
		text += ": " + badfile.Quote(e.message)
	}
	if e.after > maxRetryAfter {
		text += fmt.Sprintf("; it asks to wait %v", e.after)
	}
	return text
}

// temporary reports whether the same request may succeed later.
func temporary(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		switch status.code {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return status.after <= maxRetryAfter
		}
		return false
	}
	_, line := errors.AsType[*lineError](err)
	return line && !lasting(err)
}

// lasting reports whether a failure of the line is one of how it is set up, which no other try changes: no such host, a
// certificate or a protocol that does not fit.
func lasting(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true // alerts of TLS
	}
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, address := errors.AsType[*net.AddrError](err)
	_, header := errors.AsType[textproto.ProtocolError](err)
	return certificate || record || address || header || errors.Is(err, http.ErrSchemeMismatch) ||
		strings.Contains(err.Error(), "malformed HTTP") // an error without a type: what answers is not a web server
}

// unreachable reports whether the hub gave no answer that says anything about the repository.
func unreachable(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.code >= 500 || status.code == http.StatusTooManyRequests
	}
	_, line := errors.AsType[*lineError](err)
	return line
}

// pause waits before retry n, counted from 1, at least as long as err asks for.
func (c *Client) pause(ctx context.Context, n int, err error) error {
	wait := min(c.Backoff<<(n-1), maxPause)
	wait += time.Duration(rand.Int64N(int64(wait)/4 + 1)) // so that many clients do not come back at once
	if status, ok := errors.AsType[*statusError](err); ok {
		wait = max(wait, status.after)
	}
	if c.Waiting != nil && (wait >= noticed || errors.Is(err, errSilent)) {
		c.Waiting(c.discreet(err), wait)
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(wait):
		return nil
	}
}

// answer is a response of the hub, or of the storage that it redirected to.
type answer struct {
	*http.Response
	commit string // as the hub named it on the way
	etag   string
	size   int64 // of the whole file; -1 if not said

	host    string          // that was asked last
	ctx     context.Context // ends when the connection falls silent
	stop    context.CancelCauseFunc
	quiet   *time.Timer
	timeout time.Duration
}

// Read reads the body. A connection that breaks or falls silent is a lineError.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.Body.Read(p)
	if n > 0 {
		a.quiet.Reset(a.timeout)
	}
	if err != nil && err != io.EOF {
		err = a.broken(fmt.Errorf("%s: %w", a.Request.URL.Host, err))
	}
	return n, err
}

// broken explains an error of the connection.
func (a *answer) broken(err error) error {
	if errors.Is(context.Cause(a.ctx), errSilent) {
		return &lineError{fmt.Errorf("%s: %w", a.host, errSilent)}
	}
	return &lineError{plain(err)}
}

// Close ends the exchange.
func (a *answer) Close() error {
	a.quiet.Stop()
	a.stop(nil)
	if a.Response == nil {
		return nil
	}
	return a.Body.Close()
}

// request sends a request and follows redirects. The token goes with it only as long as the address is of the
// endpoint's own origin. One that the hub does not take is left out, if the answer comes without it.
// HEAD stops at a redirect to elsewhere that says all about the file already.
// Errors: *statusError, *lineError, or what the address is to blame for.
func (c *Client) request(ctx context.Context, method, address string, header http.Header) (*answer, error) {
	token, err := c.offered()
	if err != nil {
		return nil, err
	}
	a, err := c.follow(ctx, method, address, header, token)
	if status, ok := errors.AsType[*statusError](err); ok && status.code == http.StatusUnauthorized && status.token {
		without, e := c.follow(ctx, method, address, header, "")
		if e == nil {
			c.refused()
			return without, nil
		}
	}
	return a, err
}

func (c *Client) follow(ctx context.Context, method, address string, header http.Header, token string) (_ *answer, err error) {
	a := &answer{size: -1, timeout: c.Timeout}
	a.ctx, a.stop = context.WithCancelCause(ctx)
	a.quiet = time.AfterFunc(c.Timeout, func() { a.stop(errSilent) })
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	for range maxRedirects {
		next, err := c.send(a, method, address, header, token)
		if err != nil {
			return nil, err
		}
		if next == nil || method == http.MethodHead && a.commit != "" && a.etag != "" && origin(next) != origin(a.Request.URL) {
			return a, nil
		}
		a.Body.Close()
		address = next.String()
	}
	return nil, fmt.Errorf("%s: redirected %d times without end", a.Request.URL.Host, maxRedirects)
}

// client leaves redirects to request. Its connections are shared by all clients.
var client = http.Client{
	Transport:     transport(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// transport is the usual one, but for a proxy that refuses: its answer is known as such.
func transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode/100 == 2 {
			return nil
		}
		return &statusError{code: resp.StatusCode, host: "the proxy " + proxy.Host}
	}
	return t
}

// send makes one exchange of a request and returns where it redirects to, if it does.
func (c *Client) send(a *answer, method, address string, header http.Header, token string) (next *url.URL, err error) {
	req, err := http.NewRequestWithContext(a.ctx, method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s is not an address", badfile.Quote(withoutUser(address)))
	}
	if _, err := http.ProxyFromEnvironment(req); err != nil {
		return nil, fmt.Errorf("%s: the proxy that the environment names is not an address; check HTTPS_PROXY and HTTP_PROXY", req.URL.Host)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are of the file itself
	endpoint, err := url.Parse(c.Endpoint)
	own := err == nil && origin(req.URL) == origin(endpoint)
	if token != "" && own {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	a.host = req.URL.Host
	resp, err := client.Do(req)
	if err != nil {
		return nil, a.broken(fmt.Errorf("%s: %w", req.URL.Host, plain(err)))
	}
	a.Response = resp
	if kind := resp.Header.Get("Content-Encoding"); kind != "" && kind != "identity" && resp.StatusCode/100 == 2 && method == http.MethodGet {
		return nil, fmt.Errorf("%s sends %s, though asked for the file as it is; something on the way changes it",
			req.URL.Host, badfile.Quote(kind))
	}
	a.note(resp, own)
	switch {
	case resp.StatusCode/100 == 2:
		return nil, nil
	case resp.StatusCode/100 != 3 || resp.Header.Get("Location") == "":
		status := c.refusal(resp)
		status.token = token != "" && own
		return nil, status
	}
	next, err = resp.Location()
	if err != nil {
		to, _, _ := strings.Cut(c.clean(resp.Header.Get("Location")), "?") // what follows may be a signature
		return nil, fmt.Errorf("%s redirects to %s, which is not an address", req.URL.Host, badfile.Quote(to))
	}
	if next.Scheme != "http" && next.Scheme != "https" {
		return nil, fmt.Errorf("%s redirects to an address of the scheme %s, expected https", req.URL.Host, badfile.Quote(next.Scheme))
	}
	if req.URL.Scheme == "https" && next.Scheme != "https" {
		return nil, fmt.Errorf("%s redirects to %s without encryption, which is refused", req.URL.Host, next.Host)
	}
	return next, nil
}

// origin is the scheme, host and port of an address.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// plain takes the address off an error: one of the storage holds a signature that is nobody's business.
func plain(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}

// note keeps what a response says about the file. The hub itself has the last word, the storage fills what it left open.
func (a *answer) note(resp *http.Response, own bool) {
	h := resp.Header
	take := func(p *string, said string) {
		if said != "" && (own || *p == "") {
			*p = said
		}
	}
	take(&a.commit, h.Get(headerCommit))
	take(&a.etag, strings.Trim(strings.TrimPrefix(first(h.Get(headerLinkedETag), h.Get("ETag")), "W/"), `"`))
	size := h.Get(headerLinkedSize)
	if size == "" && resp.StatusCode == http.StatusOK {
		size = h.Get("Content-Length")
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 && (own || a.size < 0) {
		a.size = n
	}
}

// refusal describes an answer that is neither the thing asked for nor a redirect to it.
func (c *Client) refusal(resp *http.Response) *statusError {
	h := resp.Header
	e := &statusError{code: resp.StatusCode, reason: h.Get(headerErrorCode), message: c.clean(h.Get(headerErrorMessage)), host: resp.Request.URL.Host}
	after := h.Get("Retry-After")
	if limit := rateLimit().FindStringSubmatch(h.Get("RateLimit")); after == "" && limit != nil {
		after = limit[1]
	}
	if seconds, err := strconv.Atoi(after); err == nil && seconds >= 0 {
		e.after = time.Duration(min(seconds, 1<<20)) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		e.after = max(0, time.Until(at))
	}
	return e
}

// rateLimit is how the hub says when there are requests left again: "api";r=0;t=55.
var rateLimit = lazy.Regexp(`;\s*r=0\s*;\s*t=([0-9]{1,9})\b`)

// retrying does what may be tried again until it succeeds, fails for good, or has failed too often.
func (c *Client) retrying(ctx context.Context, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		if err == nil || n == maxAttempts || !temporary(err) || ctx.Err() != nil || n == maxDials && dialling(err) {
			return err
		}
		if err := c.pause(ctx, n, err); err != nil {
			return err
		}
	}
}

// dialling reports whether no connection was made: most often there is no network, which shows at once.
func dialling(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect")
}

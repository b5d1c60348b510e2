package hub

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
)

// refusedTokens are those that a hub did not take though its answer came without them, each with the endpoint.
var refusedTokens sync.Map

type refusedToken struct{ endpoint, token string }

// offered returns the token that goes with a request: none once the hub has refused it.
func (c *Client) offered() (string, error) {
	if c.tokenRefused() {
		return "", nil
	}
	if at := strings.IndexFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }); at >= 0 {
		return "", fmt.Errorf("the token%s cannot be one: it holds a space, a line break or another odd character at byte %d", c.tokenFrom(), at+1)
	}
	return c.Token, nil
}

func (c *Client) tokenRefused() bool {
	_, refused := refusedTokens.Load(refusedToken{c.Endpoint, c.Token})
	return refused && c.Token != ""
}

// refused notes that the token is not taken.
func (c *Client) refused() {
	if _, again := refusedTokens.LoadOrStore(refusedToken{c.Endpoint, c.Token}, true); !again && c.Warn != nil {
		c.Warn(c.invalidToken() + "; going on without it")
	}
}

// invalidToken says what is wrong with the token.
func (c *Client) invalidToken() string {
	return fmt.Sprintf("the hub does not accept the token%s: it is not valid, or not any more", c.tokenFrom())
}

func (c *Client) tokenFrom() string {
	if c.TokenFrom == "" {
		return ""
	}
	return " from " + c.TokenFrom
}

// Site is the endpoint for messages, without the name and password of a user.
func (c *Client) Site() string { return withoutUser(c.Endpoint) }

// withoutUser takes the name and password of a user off an address, also off one that is not well formed.
func withoutUser(address string) string {
	if at, err := url.Parse(address); err == nil && at.Host != "" {
		at.User = nil
		return at.String()
	}
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return "…" + address[i+1:]
	}
	return address
}

// minSecret is how long a text must be to be taken for a secret: shorter ones are in many words.
const minSecret = 3

// secrets are what no message may show: the token, and the passwords of the endpoint and of proxies.
func (c *Client) secrets() (all []string) {
	add := func(secret string) {
		if len(secret) >= minSecret {
			all = append(all, secret)
		}
	}
	add(c.Token)
	for _, address := range []string{
		c.Endpoint, os.Getenv("HTTPS_PROXY"), os.Getenv("https_proxy"), os.Getenv("HTTP_PROXY"), os.Getenv("http_proxy"),
	} {
		if at, err := url.Parse(address); err == nil && at.User != nil {
			password, _ := at.User.Password()
			add(password)
			add(url.PathEscape(password))
		}
	}
	return all
}

// clean blots secrets out of a text.
func (c *Client) clean(text string) string {
	for _, secret := range c.secrets() {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// discreetError is an error whose text held a secret.
type discreetError struct {
	text string
	err  error
}

func (e *discreetError) Error() string { return e.text }
func (e *discreetError) Unwrap() error { return e.err }

// discreet returns err, with the secrets in its text blotted out.
func (c *Client) discreet(err error) error {
	if err == nil {
		return nil
	}
	if text := c.clean(err.Error()); text != err.Error() {
		return &discreetError{text, err}
	}
	return err
}

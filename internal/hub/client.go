package hub

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Client asks a hub and keeps the cache. Its fields are set before the first use; its methods may be called from many
// goroutines.
type Client struct {
	Endpoint  string        // the hub's address, such as https://huggingface.co, without a slash at the end
	Token     string        // sent to the endpoint and to no other origin; may be empty
	TokenFrom string        // where the token comes from, for messages
	TokenHow  string        // how a user gives a token to this program beside HF_TOKEN and hf auth login, for messages; may be empty
	Cache     string        // folder of all cached repositories
	Offline   bool          // ask nothing, use what the cache has
	NoLinks   bool          // copy files into snapshots where links cannot or must not be made
	Timeout   time.Duration // how long a connection may be silent
	UserAgent string

	// Backoff is the pause before the first retry, doubled for each further one.
	Backoff time.Duration

	// Waiting is called before the pause after a failed request that is tried again, from many goroutines. It may be nil.
	Waiting func(err error, pause time.Duration)
	// Warn is called, from many goroutines, with what the user should know though it stops nothing. It may be nil.
	Warn func(text string)
}

const (
	defaultEndpoint = "https://huggingface.co"
	defaultTimeout  = 10 * time.Second
	defaultBackoff  = 500 * time.Millisecond
)

// FromEnv returns a client with the settings that huggingface_hub takes from the environment (constants.py and
// utils/_auth.py): HF_ENDPOINT; HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME; HF_TOKEN, HF_TOKEN_PATH and the file that a
// login leaves; HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS, HF_HUB_DISABLE_IMPLICIT_TOKEN and HF_HUB_DOWNLOAD_TIMEOUT.
func FromEnv() (*Client, error) {
	home, err := huggingFaceHome()
	if err != nil {
		return nil, err
	}
	c := &Client{
		Endpoint:  strings.TrimRight(first(os.Getenv("HF_ENDPOINT"), defaultEndpoint), "/"),
		Cache:     expand(first(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub"))),
		Offline:   isTrue(first(os.Getenv("HF_HUB_OFFLINE"), os.Getenv("TRANSFORMERS_OFFLINE"))),
		NoLinks:   isTrue(os.Getenv("HF_HUB_DISABLE_SYMLINKS")),
		Timeout:   defaultTimeout,
		Backoff:   defaultBackoff,
		UserAgent: "gomamba",
	}
	if at, err := url.Parse(c.Endpoint); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("HF_ENDPOINT %q: expected an address such as %s", withoutUser(c.Endpoint), defaultEndpoint)
	}
	if text := os.Getenv("HF_HUB_DOWNLOAD_TIMEOUT"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 {
			return nil, fmt.Errorf("HF_HUB_DOWNLOAD_TIMEOUT %q: expected a number of seconds", text)
		}
		c.Timeout = time.Duration(seconds) * time.Second
	}
	if !isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		c.Token, c.TokenFrom = findToken(home)
	}
	return c, nil
}

// findToken takes the token of the environment, or else of the file that `hf auth login` writes.
func findToken(home string) (token, from string) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if token := strings.TrimSpace(os.Getenv(name)); token != "" {
			return token, name
		}
	}
	// Without the file, or the right to read it, there is no token: most repositories do not need one.
	path := expand(first(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home, "token")))
	data, err := os.ReadFile(path)
	if err != nil {
		return "", ""
	}
	return strings.TrimSpace(string(data)), path
}

// huggingFaceHome is the folder of everything that Hugging Face libraries keep.
func huggingFaceHome() (string, error) {
	if home := os.Getenv("HF_HOME"); home != "" {
		return expand(home), nil
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(expand(cache), "huggingface"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no place for the cache of the hub: %w; set HF_HOME", err)
	}
	return filepath.Join(user, ".cache", "huggingface"), nil
}

// expand replaces a leading ~ and $VARIABLES, as huggingface_hub does in paths.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if user, err := os.UserHomeDir(); err == nil {
			path = user + rest
		}
	}
	return os.ExpandEnv(path)
}

// isTrue reads a switch of the environment.
func isTrue(value string) bool {
	switch strings.ToUpper(value) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// first returns the first value that is not empty.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

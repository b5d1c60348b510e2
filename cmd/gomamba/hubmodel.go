package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/layouts"
)

// newHubClient makes a client of the hub by the environment. What the user should know meanwhile appears above bars.
func newHubClient(cmd *cobra.Command, bars *downloadBars) (*hub.Client, error) {
	client, err := hub.FromEnv()
	if err != nil {
		return nil, err
	}
	client.UserAgent = "gomamba/" + version()
	client.TokenHow = "--token"
	w := cmd.ErrOrStderr()
	client.Warn = func(text string) { bars.above(w, warning(w, text)) }
	client.Waiting = sayWaits(func(text string) { bars.above(w, text) })
	return client, nil
}

// sayWaits says why a request waits and for how long. Of several that wait for the same reason it says so once.
func sayWaits(say func(text string)) func(err error, pause time.Duration) {
	var mu sync.Mutex
	until := map[string]time.Time{}
	return func(err error, pause time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		why, now := oneLine(err), time.Now()
		if now.Before(until[why]) {
			return
		}
		until[why] = now.Add(pause)
		say(fmt.Sprintf("gomamba: %s; trying again in %v", why, pause.Round(time.Second)))
	}
}

// modelPath returns where MODEL is. What exists is a path, and so is box, the model in the program; OWNER/NAME and an
// address of the hub are a repository there, taken from the cache or downloaded.
func modelPath(cmd *cobra.Command, model string) (string, error) {
	return hubPath(cmd, model, layouts.Files)
}

// hubPath returns the path of something that may be on the hub; choose says which of the repository's files are needed.
func hubPath(cmd *cobra.Command, arg string, choose hub.Select) (string, error) {
	bars := newDownloadBars(cmd, false)
	defer bars.stop()
	f := &find.Finder{
		Client: func() (*hub.Client, error) { return newHubClient(cmd, bars) },
		Fetching: func(client *hub.Client, repo string, missing *hub.Result) {
			say(cmd, "gomamba: %s is not here: fetching %s from %s", repo, toFetch(missing), client.Site())
			bars.start(missing.Bytes())
		},
		Progress: bars.show,
	}
	path, err := f.Path(cmd.Context(), arg, choose)
	if bad, ok := errors.AsType[*find.AddressError](err); ok {
		return "", &usageError{bad}
	}
	return path, err
}

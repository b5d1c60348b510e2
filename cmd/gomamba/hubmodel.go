package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/hub"
)

// newHubClient makes a client of the hub by the environment.
func newHubClient() (*hub.Client, error) {
	client, err := hub.FromEnv()
	if err != nil {
		return nil, err
	}
	client.UserAgent = "gomamba/" + version()
	return client, nil
}

// modelPath returns where MODEL is. What exists is a path; else box is the model in the program, and OWNER/NAME a
// repository on the hub, taken from the cache or downloaded.
func modelPath(cmd *cobra.Command, model string) (string, error) {
	return hubPath(cmd, model, hub.ModelFiles)
}

// hubPath returns the path of something that may be on the hub; choose says which of the repository's files are needed.
func hubPath(cmd *cobra.Command, arg string, choose hub.Select) (string, error) {
	if _, err := os.Lstat(arg); err == nil {
		return arg, nil
	}
	if arg == boxName {
		return boxPath(cmd)
	}
	ref, ok := hub.ParseRef(arg)
	if !ok {
		return "", &notHere{arg}
	}
	client, err := newHubClient()
	if err != nil {
		return "", err
	}
	bars := newDownloadBars(cmd, false)
	defer bars.stop()
	path, err := client.Locate(cmd.Context(), ref, choose, func(res *hub.Result) {
		fmt.Fprintf(cmd.ErrOrStderr(), "gomamba: %s is not here: fetching %s from %s\n", arg, toFetch(res), client.Endpoint)
		bars.start(res.Bytes())
	}, bars.show)
	if err != nil {
		return "", fmt.Errorf("%s: no such file or folder here%s, and not to be had from the hub: %w", arg, hereToo(arg), err)
	}
	return path, nil
}

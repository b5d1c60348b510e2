package main

import (
	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/hub"
)

// addAdapterFlag gives a command --adapter.
func addAdapterFlag(cmd *cobra.Command, s *settings) {
	fileVar(cmd.Flags(), &s.adapter, "adapter", "", "PEFT adapter to apply: a folder or OWNER/NAME")
}

// baseOf returns the base model of what is an adapter, and the adapter. Other paths it returns as they are.
func baseOf(cmd *cobra.Command, path string) (base, adapter string, err error) {
	bars := newDownloadBars(cmd, false)
	f := &find.Finder{Client: func() (*hub.Client, error) { return newHubClient(cmd, bars) }}
	base, name, err := f.Base(cmd.Context(), path)
	if err != nil || base == "" {
		return path, "", err
	}
	say(cmd, "gomamba: %s is an adapter for %s: %s", badfile.Printable(path), badfile.Quote(name), base)
	return base, path, nil
}

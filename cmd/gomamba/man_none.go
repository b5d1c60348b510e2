//go:build !man

package main

import "github.com/spf13/cobra"

// packagerCommands are none: what writes manual pages would make the binary a megabyte larger.
func packagerCommands() []*cobra.Command { return nil }

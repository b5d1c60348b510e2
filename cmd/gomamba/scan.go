package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// scanValue is the flag that chooses how the selective scan is divided among threads.
type scanValue struct{ parallel *bool }

// addScanFlag gives a command --scan.
func addScanFlag(cmd *cobra.Command, s *settings) {
	cmd.Flags().Var(scanValue{&s.parallelScan}, "scan",
		"selective scan: sequential, or parallel in time, for many cores and few channels (docs/parallel-scan.md)")
}

func (v scanValue) String() string {
	if v.parallel != nil && *v.parallel {
		return "parallel"
	}
	return "sequential"
}

// Set implements pflag.Value.
func (v scanValue) Set(text string) error {
	if text != "sequential" && text != "parallel" {
		return errors.New("expected sequential or parallel")
	}
	*v.parallel = text == "parallel"
	return nil
}

// Type implements pflag.Value.
func (v scanValue) Type() string { return "string" }

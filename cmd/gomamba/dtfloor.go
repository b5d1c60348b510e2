package main

import "github.com/spf13/cobra"

// addFloorFlag gives a command --dt-floor.
func addFloorFlag(cmd *cobra.Command, s *settings) {
	cmd.Flags().BoolVar(&s.dtFloor, "dt-floor", false,
		"raise dt to time_step_min, as transformers does in passes of Nemotron-H and Zamba2")
}

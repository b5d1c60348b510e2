//go:build (amd64 || arm64) && !purego

package kernel

import "github.com/gomamba/gomamba/internal/codebook"

// tables are where assembly finds the rows of IQ1, IQ2 and IQ3.
//
//lint:ignore U1000 only assembly reads it
var tables = &codebook.Tables

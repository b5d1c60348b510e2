//go:build !purego

package kernel

import "github.com/gomamba/gomamba/internal/codebook"

// planes are where assembly finds rows of IQ2 and IQ3 64 at a time.
//
//lint:ignore U1000 only assembly reads it
var planes = codebook.Planes

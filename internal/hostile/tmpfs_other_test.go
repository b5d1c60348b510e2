//go:build unix && !linux && !purego

package hostile

import "testing"

func fullFileSystems(t *testing.T, _ *victim) { t.Log("small file systems are made on Linux only") }

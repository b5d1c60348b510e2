package kernel

import "testing"

// eachISA runs a test in every instruction set that this machine has, plain Go among them.
func eachISA(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	best := cpu
	defer func() { cpu = best }()
	for _, set := range all() {
		cpu = set
		t.Run(set.name, test)
	}
}

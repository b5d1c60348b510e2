package badfile

import "testing"

func TestCount(t *testing.T) {
	for _, c := range []struct {
		n    int
		noun string
		want string
	}{
		{1, "byte", "1 byte"}, {0, "byte", "0 bytes"}, {2, "more problem", "2 more problems"}, {2, "entry", "2 entries"}, {1, "entry", "1 entry"},
		{3, "matrix", "3 matrices"}, {1, "matrix", "1 matrix"}, {2, "infinity", "2 infinities"},
	} {
		if got := Count(c.n, c.noun); got != c.want {
			t.Errorf("Count(%d, %q) = %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}

package scheme_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// TestMLXOfOddGroups codes groups that drawn weights do not have, to what mx.quantize of mlx 0.32.4 gives for them on a CPU.
func TestMLXOfOddGroups(t *testing.T) {
	group := func(n int, values ...float32) []float32 { return append(values, make([]float32, n-len(values))...) }
	for _, test := range []struct {
		name   string
		mode   string
		of     tensor.DType
		values []float32
		scales []byte
		first  byte // code, or two of 4 bits
	}{
		{"zeros", "mxfp4", tensor.F32, group(32), []byte{127}, 0},
		{"zeros", "nvfp4", tensor.BF16, group(16), []byte{0}, 0},
		{"zeros", "mxfp8", tensor.F16, group(32), []byte{127}, 0},
		{"a power of two", "mxfp4", tensor.F32, group(32, 6, 2.5), []byte{127}, 4<<4 | 7}, // halfway: the first of the nearest
		{"just above one", "mxfp4", tensor.F32, group(32, math.Nextafter32(6, 7)), []byte{128}, 5},
		{"large", "mxfp4", tensor.F32, group(32, 3e38), []byte{253}, 6},
		{"beyond E4M3", "nvfp4", tensor.F32, group(16, 3e5, -3e5), []byte{0x7e}, 15<<4 | 7},
		{"below E4M3", "nvfp4", tensor.F32, group(16, 1e-5), []byte{0}, 0},
		{"negative", "mxfp8", tensor.F32, group(32, -448), []byte{127}, 0xfe},
	} {
		m, err := scheme.ParseMLX(test.mode, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		scales, codes := make([]byte, 1), make([]byte, len(test.values)*m.Bits/8)
		for part, dst := range map[scheme.Part][]byte{scheme.Scales: scales, scheme.Codes: codes} {
			if err := m.Encode(dst, part, test.values, test.of); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(scales, test.scales) || codes[0] != test.first {
			t.Errorf("%s in %s: scale %d and code %#x, want %d and %#x", test.name, m, scales, codes[0], test.scales, test.first)
		}
	}
}

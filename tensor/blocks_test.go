package tensor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// drawn is what testdata/widened.json has of a dtype: where the F16 scales of its blocks lie, and the sum of their values.
type drawn struct {
	Halves []int
	SHA256 string
}

// TestWidenedBlocks holds every dtype of blocks to the bits that llama.cpp and gguf-py make of the same: random bytes, and
// scales that are 0, -0, subnormal, the largest, infinite or NaN.
func TestWidenedBlocks(t *testing.T) {
	data, err := os.ReadFile("testdata/widened.json")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]drawn{}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for d := range DTypes() {
		if !d.Quantized() {
			continue
		}
		x := Tensor{DType: d, Data: drawBlocks(d, want[d.String()].Halves)}
		double := Float64s(x)
		var wide []byte
		for i, v := range Float32s(x) {
			if v != v {
				v, double[i] = float32(math.NaN()), 0
			} else if math.Float64bits(float64(v)) != math.Float64bits(double[i]) {
				t.Fatalf("%v: element %d is %v in float32, %v in float64", d, i, v, double[i])
			}
			wide = binary.LittleEndian.AppendUint32(wide, math.Float32bits(v))
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(wide)); got != want[d.String()].SHA256 {
			t.Errorf("%v: the values have SHA-256 %s, want %q", d, got, want[d.String()].SHA256)
		}
	}
}

// drawBlocks returns the blocks that testdata/generate.py draws for d.
func drawBlocks(d DType, halves []int) []byte {
	_, size := d.Block()
	var data []byte
	for i := 0; len(data) < 2048*size; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%v %d", d, i))
		data = append(data, sum[:]...)
	}
	data = data[:2048*size]
	special := []uint16{0, 0x8000, 1, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x7e00}
	for i, scale := range special {
		block := data[i*size:]
		for k, at := range halves {
			binary.LittleEndian.PutUint16(block[at:], special[(i+k)%len(special)])
		}
		if d == IQ1_M { // in the high four bits of four words
			for k := range 4 {
				word := &block[49+2*k]
				*word = *word&15 | byte(scale>>(4*k)<<4)
			}
		}
	}
	return data
}

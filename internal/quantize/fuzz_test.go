package quantize

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzRow encodes one block of any type from any bytes as values and importance. What is not finite is refused; what is
// encoded is finite when it is read, and the same block when it is encoded once more.
func FuzzRow(f *testing.F) {
	types := slices.Collect(quantized)
	x, importance := draw(1)
	for i := range types {
		scale := []float32{0, 1e-42, 1, 3e38}[i%4]
		var data []byte
		for i := range 256 {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x[i]*scale))
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(importance[i]))
		}
		f.Add(byte(i), i%2 == 0, data)
	}
	f.Fuzz(func(t *testing.T, kind byte, weighted bool, data []byte) {
		d := types[int(kind)%len(types)]
		var x, importance [256]float32
		finite := true
		for i := 0; i < len(x) && len(data) >= 8; i, data = i+1, data[8:] {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data))
			importance[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4:]))
			finite = finite && x[i]-x[i] == 0 && (!weighted || importance[i] >= 0 && importance[i]-importance[i] == 0)
		}
		h := importance[:]
		if !weighted {
			h = nil
		}
		first, second := make([]byte, d.Bytes(256)), make([]byte, d.Bytes(256))
		if err := Row(first, d, x[:], h); (err == nil) != finite {
			t.Fatalf("%v: error %v, finite %v", d, err, finite)
		} else if err != nil {
			return
		}
		for i, v := range widen(d, first) {
			if v-v != 0 {
				t.Fatalf("%v: element %d, %v, became %v", d, i, x[i], v)
			}
		}
		if err := Row(second, d, x[:], h); err != nil || string(first) != string(second) {
			t.Fatalf("%v: encoded again it is another block: %v", d, err)
		}
	})
}

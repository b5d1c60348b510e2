package quantize

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

const columns = 1024

// draw returns the weights and the importance of columns that fixtures/quantize.py draws.
func draw(rows int) (x, importance []float32) {
	var u []uint16
	for i := 0; len(u) < 5*rows*columns+columns; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "weights %d", i))
		for j := 0; j < len(sum); j += 2 {
			u = append(u, binary.LittleEndian.Uint16(sum[j:]))
		}
	}
	for i := range rows * columns {
		p := u[5*i:]
		v := (float64(p[0]) + float64(p[1]) + float64(p[2]) + float64(p[3]) - 131070) / 65536 / 32
		if p[4] < 4096 && i/columns%2 == 1 {
			v *= 4
		}
		x = append(x, float32(v))
	}
	for _, v := range u[5*rows*columns:][:columns] {
		h := (float64(v) + 1) / 65536
		importance = append(importance, float32(h*h))
	}
	return x, importance
}

// encodeRows returns the blocks of rows.
func encodeRows(t *testing.T, d tensor.DType, x, importance []float32) []byte {
	t.Helper()
	size := d.Bytes(columns)
	dst := make([]byte, len(x)/columns*size)
	for i := range len(x) / columns {
		if err := Row(dst[i*size:][:size], d, x[i*columns:][:columns], importance); err != nil {
			t.Fatalf("%v: %v", d, err)
		}
	}
	return dst
}

// widen returns the values of blocks.
func widen(d tensor.DType, blocks []byte) []float32 {
	elems, size := d.Block()
	x := make([]float32, len(blocks)/size*elems)
	tensor.WidenF32(x, d, blocks)
	return x
}

// relativeError is the root of the weighted mean square of y-x over that of x.
func relativeError(x, y, importance []float32) float64 {
	var lost, all float64
	for i := range x {
		w := 1.0
		if importance != nil {
			w = float64(importance[i%columns])
		}
		d := float64(y[i]) - float64(x[i])
		lost += w * d * d
		all += w * float64(x[i]) * float64(x[i])
	}
	return math.Sqrt(lost / all)
}

func quantized(yield func(tensor.DType) bool) {
	for d := range tensor.DTypes() {
		if d.Quantized() && !yield(d) {
			return
		}
	}
}

// TestError holds every type to the error of llama.cpp on the same weights, with importance and without, and to the same bytes
// on every machine. fixtures/quantize.py --record measures the one and makes the other.
func TestError(t *testing.T) {
	data, err := os.ReadFile("testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]struct {
		Plain, Weighted float64
		SHA256          string
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	x, importance := draw(8)
	for d := range quantized {
		want, ok := recorded[d.String()]
		if !ok || !Supports(d) {
			t.Errorf("%v: recorded %v, supported %v", d, ok, Supports(d))
			continue
		}
		plain, weighted := encodeRows(t, d, x, nil), encodeRows(t, d, x, importance)
		// llama.cpp sums in float32: where both choose the same, that much may lie between them.
		if got := relativeError(x, widen(d, plain), nil); got > want.Plain*(1+1e-6) {
			t.Errorf("%v: the error is %.6f, llama.cpp's %.6f", d, got, want.Plain)
		}
		if got := relativeError(x, widen(d, weighted), importance); got > want.Weighted*(1+1e-6) {
			t.Errorf("%v: the error by importance is %.6f, llama.cpp's %.6f", d, got, want.Weighted)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(append(plain, weighted...))); got != want.SHA256 {
			t.Errorf("%v: the blocks have SHA-256 %s, recorded is %s", d, got, want.SHA256)
		}
	}
}

// TestBlocksAreIndependent encodes block by block, on many threads, in any order.
func TestBlocksAreIndependent(t *testing.T) {
	x, importance := draw(1)
	for d := range quantized {
		want := encodeRows(t, d, x, importance)
		elems, size := d.Block()
		got := make([]byte, len(want))
		var wg sync.WaitGroup
		for i := len(x)/elems - 1; i >= 0; i-- {
			wg.Go(func() {
				if err := Row(got[i*size:][:size], d, x[i*elems:][:elems], importance[i*elems:][:elems]); err != nil {
					t.Errorf("%v: %v", d, err)
				}
			})
		}
		wg.Wait()
		if !bytes.Equal(got, want) {
			t.Errorf("%v: blocks on their own differ from those of a row", d)
		}
	}
}

// TestExact: values that a block with one scale can hold come back as they are.
func TestExact(t *testing.T) {
	for d, values := range map[tensor.DType][]float32{
		tensor.Q8_0:   {-127, -64, -3, 0, 1, 50, 126, 127},
		tensor.Q4_0:   {-8, -7, -4, -1, 0, 2, 5, 7},
		tensor.Q5_0:   {-16, -15, -9, -2, 0, 3, 11, 15},
		tensor.Q4_1:   {-2, -1, 0, 3, 5, 6, 12, 13},
		tensor.Q5_1:   {7, 9, 10, 15, 22, 30, 37, 38},
		tensor.IQ4_NL: {-127, -104, -49, -10, 1, 25, 69, 113},
		tensor.MXFP4:  {-12, -6, -2, -1, 0, 1, 4, 12},
		tensor.NVFP4:  {-12, -6, -2, -1, 0, 1, 4, 12},
		tensor.TQ1_0:  {-1, 0, 1, 0, 0, 1, 1, -1},
		tensor.TQ2_0:  {-1, 0, 1, 0, 0, 1, 1, -1},
		tensor.Q2_0:   {-1, 0, 1, 2, 0, 1, 2, -1},
		tensor.Q1_0:   {-1, 1, 1, -1, 1, 1, 1, -1},
	} {
		for _, scale := range []float32{0.25, -0.25} {
			x := make([]float32, columns)
			for i := range x {
				x[i] = values[(i+i/32)%len(values)] * scale
			}
			got := widen(d, encodeRows(t, d, x, nil))
			for i, v := range got {
				if v != x[i] {
					t.Errorf("%v: element %d is %v, was %v", d, i, v, x[i])
					break
				}
			}
		}
	}
}

// TestExtremes: whatever is finite stays finite, and zeros stay zeros.
func TestExtremes(t *testing.T) {
	fill := func(f func(i int) float32) []float32 {
		x := make([]float32, columns)
		for i := range x {
			x[i] = f(i)
		}
		return x
	}
	sign := func(i int) float32 { return float32(1 - 2*(i%2)) }
	negativeZero := float32(math.Copysign(0, -1))
	for name, x := range map[string][]float32{
		"zeros":          fill(func(int) float32 { return 0 }),
		"negative zeros": fill(func(int) float32 { return negativeZero }),
		"subnormal":      fill(func(i int) float32 { return sign(i/3) * float32(i%7) * math.SmallestNonzeroFloat32 }),
		"largest":        fill(func(i int) float32 { return sign(i/3) * math.MaxFloat32 }),
		"beyond F16":     fill(func(i int) float32 { return sign(i/3) * float32(i) * 1e5 }),
		"one of many":    fill(func(i int) float32 { return float32(i%256/255) * 3e38 }),
		"all sizes":      fill(func(i int) float32 { return sign(i/3) * float32(math.Ldexp(1, i%250-125)) }),
	} {
		for d := range quantized {
			for _, importance := range [][]float32{
				nil,
				fill(func(i int) float32 { return float32(i % 2) }),
				fill(func(int) float32 { return math.MaxFloat32 }),
				fill(func(int) float32 { return 0 }),
			} {
				for i, v := range widen(d, encodeRows(t, d, x, importance)) {
					if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || strings.HasSuffix(name, "zeros") && v != 0 {
						t.Errorf("%s in %v: element %d became %v", name, d, i, v)
						break
					}
				}
			}
		}
	}
}

// TestLargest: values as large as a type can hold keep their share of the error.
func TestLargest(t *testing.T) {
	x, _ := draw(1)
	most := float32(0)
	for _, v := range x {
		most = max(most, float32(math.Abs(float64(v))))
	}
	for d := range quantized {
		scaled := make([]float32, len(x))
		for i, v := range x {
			scaled[i] = v / most * float32(Largest(d))
		}
		want := relativeError(x, widen(d, encodeRows(t, d, x, nil)), nil)
		if got := relativeError(scaled, widen(d, encodeRows(t, d, scaled, nil)), nil); !(got < 1.02*want) {
			t.Errorf("%v: the error of values up to %g is %.4f, of small ones %.4f", d, Largest(d), got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	x, importance := draw(1)
	dst := make([]byte, tensor.Q4_K.Bytes(columns))
	for want, change := range map[string]func() (*float32, float32){
		"element 300 is NaN":               func() (*float32, float32) { return &x[300], float32(math.NaN()) },
		"element 1023 is -Inf":             func() (*float32, float32) { return &x[1023], float32(math.Inf(-1)) },
		"importance of column 1 is -0.5":   func() (*float32, float32) { return &importance[1], -0.5 },
		"importance of column 600 is +Inf": func() (*float32, float32) { return &importance[600], float32(math.Inf(1)) },
	} {
		at, bad := change()
		old := *at
		*at = bad
		err := Row(dst, tensor.Q4_K, x, importance)
		*at = old
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %q, want %q", err, want)
		}
	}
}

func BenchmarkRow(b *testing.B) {
	x, importance := draw(1)
	for d := range quantized {
		dst := make([]byte, d.Bytes(columns))
		for name, importance := range map[string][]float32{"plain": nil, "importance": importance} {
			b.Run(fmt.Sprintf("%v/%s", d, name), func(b *testing.B) {
				b.SetBytes(columns) // so that MB/s are million elements a second
				for b.Loop() {
					if err := Row(dst, d, x, importance); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

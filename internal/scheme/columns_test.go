package scheme_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/internal/scheme"
	"github.com/gomamba/gomamba/tensor"
)

// transposed are the tensors of a weight of GPTQ or AWQ with random codes, and its values by the formula.
func transposed(rng *rand.Rand, awq bool, bits, rows, cols, groups int, actOrder bool) (list []tensor.Tensor, values []float32) {
	at := func(name string, d tensor.DType, shape ...int) tensor.Tensor {
		x := shaped(d, shape...)
		x.Name = "x." + name
		list = append(list, x)
		return x
	}
	shape := []int{cols * bits / 32, rows}
	if awq {
		shape = []int{cols, rows / 8}
	}
	codes := at("qweight", tensor.I32, shape...)
	zeros, scales := at("qzeros", tensor.I32, groups, rows*bits/32), at("scales", tensor.F16, groups, rows)
	for _, x := range []tensor.Tensor{codes, zeros} {
		for i := range x.Data {
			x.Data[i] = byte(rng.Uint32())
		}
	}
	for i := 0; i < len(scales.Data); i += 2 {
		binary.LittleEndian.PutUint16(scales.Data[i:], uint16(0x2000+rng.IntN(1<<12))) // finite
	}
	group := func(k int) int { return k / (cols / groups) }
	if actOrder {
		index := at("g_idx", tensor.I32, cols)
		for i := range cols {
			binary.LittleEndian.PutUint32(index.Data[4*i:], uint32(rng.IntN(groups)))
		}
		group = func(k int) int { return int(binary.LittleEndian.Uint32(index.Data[4*k:])) }
	}
	// field returns the bits from number at on of every stride-th word, from word first on.
	field := func(words []byte, first, stride, at int) (q int) {
		for b := range bits {
			word := binary.LittleEndian.Uint32(words[4*(first+(at+b)/32*stride):])
			q |= int(word>>((at+b)%32)&1) << b
		}
		return q
	}
	order := []int{0, 4, 1, 5, 2, 6, 3, 7}
	for o := range rows {
		for k := range cols {
			g := group(k)
			q, z := 0, 0
			if awq {
				q, z = field(codes.Data, k*rows/8+o/8, 1, 4*order[o%8]), field(zeros.Data, g*rows/8+o/8, 1, 4*order[o%8])
			} else {
				q, z = field(codes.Data, o, rows, k*bits), field(zeros.Data, g*rows*bits/32, 1, o*bits)+1
			}
			values = append(values, float32(q-z)*tensor.F16ToF32(binary.LittleEndian.Uint16(scales.Data[2*(g*rows+o):])))
		}
	}
	return list, values
}

// multiplied multiplies a weight, and parts of it that are whole rows, with vectors, as a matrix of its values is.
func multiplied(t *testing.T, rng *rand.Rand, w tensor.Tensor, values []float32) {
	rows, cols := w.Shape[0], w.Shape[1]
	pool := parallel.NewPool(3)
	defer pool.Close()
	for _, part := range [][2]int{{0, rows}, {8, rows}, {3, rows - 21}, {rows - 5, rows}} {
		n, tokens := part[1]-part[0], 1+rng.IntN(2)
		x, got, want := make([]float32, tokens*cols), make([]float32, tokens*n), make([]float32, tokens*n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		piece := w.Piece(part[0]*cols, part[1]*cols)
		piece.Shape = []int{n, cols}
		wide := shaped(tensor.F32, n, cols)
		for i, v := range values[part[0]*cols : part[1]*cols] {
			binary.NativeEndian.PutUint32(wide.Data[4*i:], math.Float32bits(v))
		}
		coded, plain := kernel.NewMatrix(piece), kernel.NewMatrix(wide)
		kernel.MatMul(pool, got, &coded, x, cols, tokens)
		kernel.MatMul(pool, want, &plain, x, cols, tokens)
		for i, v := range got {
			if math.Float32bits(v) != math.Float32bits(want[i]) {
				t.Fatalf("%s, rows %v: product %d of %d is %v, want %v", w.Type(), part, i, len(got), v, want[i])
			}
		}
	}
}

// TestTransposed widens weights that are stored by columns, whole and in parts of rows and of several rows, and multiplies them.
func TestTransposed(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	for _, test := range []struct {
		awq, actOrder bool
		bits, cols    int
	}{{false, false, 2, 1248}, {false, false, 3, 96}, {false, true, 4, 1248}, {false, false, 4, 2080}, {false, false, 8, 1248}, {true, false, 4, 1300}} {
		const rows, groups = 288, 13
		count := groups
		if test.cols%groups != 0 {
			count = 1
		}
		list, values := transposed(rng, test.awq, test.bits, rows, test.cols, count, test.actOrder)
		settings := map[bool]string{true: `{"quant_method": "awq"}`, false: `{"quant_method": "gptq"}`}[test.awq]
		r, err := scheme.Assemble(list, scheme.Stated{Config: settings})
		if err != nil || len(r.Tensors) != 1 {
			t.Fatal(r, err)
		}
		w := r.Tensors[0]
		multiplied(t, rng, w, values)
		for i := range 60 {
			first := rng.IntN(len(values))
			n := 1 + rng.IntN(min(len(values)-first, 20*test.cols))
			if i == 0 {
				first, n = 0, len(values)
			}
			part := make([]float32, n)
			w.Piece(first, first+n).Widen32(part)
			for j, v := range part {
				if v != values[first+j] {
					t.Fatalf("%s: element %d of those from %d on is %v, want %v", fmt.Sprint(test), j, first, v, values[first+j])
				}
			}
		}
	}
}

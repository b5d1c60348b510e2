package scheme_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

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

// TestTransposed widens weights that are stored by columns, whole and in parts of rows and of several rows.
func TestTransposed(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	for _, test := range []struct {
		awq, actOrder bool
		bits, cols    int
	}{{false, false, 2, 1248}, {false, false, 3, 96}, {false, true, 4, 1248}, {false, false, 4, 2080}, {false, false, 8, 1248}, {true, false, 4, 1300}} {
		const rows, groups = 64, 13
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
		for i := range 60 {
			first := rng.IntN(len(values))
			n := 1 + rng.IntN(min(len(values)-first, 40*test.cols))
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

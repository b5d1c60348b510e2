package kernel

import (
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// TestTreeOfLanes adds lanes of which two cancel, so that only the tree of the package comment gives the right sum: what is
// added to 2^80 before -2^80 is, is lost. Lanes of ordinary numbers have the same sum in any order.
func TestTreeOfLanes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(31, 32))
		pool := parallel.NewPool(1)
		defer pool.Close()
		otherwise := 0
		for _, dtype := range tensor.Floats() {
			for _, cols := range []int{16, 32, 45, 96, 384, 512} {
				if block, _ := dtype.Block(); cols%block != 0 {
					continue
				}
				for _, rows := range []int{1, 3, 4, 9} { // alone, and four at a time with a rest
					for _, tokens := range []int{1, 2, 3, 4, 5, 6, 13} { // tiles of every width
						otherwise += testLanes(t, pool, rng, dtype, rows, cols, tokens)
					}
				}
			}
		}
		if otherwise < 5000 {
			t.Errorf("only %d sums depend on the tree", otherwise)
		}
	})
}

// testLanes multiplies rows, in which some weights are equal, with tokens of which one part of 16 columns is not zero: two
// large values that cancel in one row, and powers of 2, of which the sum shows each that was lost. It returns how many of the
// sums another order would have changed.
func testLanes(t *testing.T, pool *parallel.Pool, rng *rand.Rand, dtype tensor.DType, rows, cols, tokens int) (otherwise int) {
	t.Helper()
	stored := tensor.Tensor{DType: dtype, Shape: []int{rows, cols}}
	if dtype.Quantized() {
		stored.Data = randomBlocks(rng, dtype, rows*cols)
	} else {
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = 127 * float32(1-2*(i/cols%2))
		}
		stored.Data = make([]byte, dtype.Bytes(rows*cols))
		tensor.NarrowF32(stored.Data, dtype, w)
	}
	w := tensor.Float32s(stored)
	x := make([]float32, tokens*cols)
	for token := range tokens {
		from := rng.IntN((cols+15)/16) * 16
		part, row := x[token*cols:][from:min(from+16, cols)], w[rng.IntN(rows)*cols+from:]
		for i := range part {
			part[i] = pow2(i)
		}
		lanes := rng.Perm(len(part))
		for i, lane := range lanes[1:] {
			if first := lanes[i]; row[first] == row[lane] && row[lane] != 0 {
				part[first], part[lane] = pow2(80), -pow2(80)
				break
			}
		}
	}
	m := NewMatrix(stored)
	y := make([]float32, tokens*rows)
	MatMul(pool, y, &m, x, cols, tokens)
	for token := range tokens {
		for r := range rows {
			row, values := w[r*cols:][:cols], x[token*cols:][:cols]
			want := dotByTheBook(row, values)
			if got := y[token*rows+r]; !sameFloat(got, want) {
				t.Fatalf("%v [%d, %d] × %d tokens: y[%d, %d] = %v, want %v", dtype, rows, cols, tokens, token, r, got, want)
			}
			sum := 0.0
			for i, v := range values {
				sum += float64(row[i] * v)
			}
			if float32(sum) != want && want == want {
				otherwise++
			}
		}
	}
	return otherwise
}

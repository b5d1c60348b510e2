package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// codesOf are all kinds of codes, and what a code of each stands for.
func codesOf() (kinds []*Codes, values []func(q byte) float32) {
	for bits := 1; bits <= 8; bits++ {
		kinds, values = append(kinds, Integers(bits)), append(values, func(q byte) float32 { return float32(q) })
	}
	levels := [16]float32{0, .5, -1.25, 3e38, 1e-45, float32(math.Inf(1)), 7, float32(math.Copysign(0, -1)), -.1, .3, 17, -6, 12, 1e-30, 5, -4}
	for _, highFirst := range []bool{false, true} {
		kinds, values = append(kinds, Levels(&levels, highFirst)), append(values, func(q byte) float32 { return levels[q] })
	}
	kinds, values = append(kinds, Int8), append(values, func(q byte) float32 { return float32(int8(q)) })
	return append(kinds, E4M3), append(values, func(q byte) float32 {
		v := math.Ldexp(1+float64(q&7)/8, int(q>>3&15)-7)
		switch {
		case q&0x7f == 0x7f:
			v = math.NaN()
		case q&0x78 == 0:
			v = math.Ldexp(float64(q&7), -9)
		}
		return float32(math.Copysign(v, float64(int8(q))))
	})
}

// TestCodes widens parts of streams of every kind, with groups of many sizes, up to the last byte.
func TestCodes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(41, 42))
		kinds, values := codesOf()
		for k, c := range kinds {
			for range 400 {
				size := []int{1, 3, 16, 32, 48, 100, 128, 4096}[rng.IntN(8)]
				count := 8 * (1 + rng.IntN(100))
				src := make([]byte, count*c.bits/8)
				randomize(rng, src)
				first := rng.IntN(count)
				n, within := min(1+rng.IntN(count-first), 200*size), rng.IntN(size)
				if rng.IntN(2) == 0 {
					first, within = first&^15, 0
				}
				g := Groups{Size: size, Within: within}
				for range (within+n-1)/size + 1 {
					g.Scales = append(g.Scales, special[rng.IntN(len(special))])
					g.Zeros = append(g.Zeros, float32(rng.IntN(17)-8))
					g.Biases = append(g.Biases, special[rng.IntN(len(special))])
				}
				if c == E4M3 || rng.IntN(3) == 0 {
					g.Zeros, g.Biases = nil, nil
				}
				got := make([]float32, n)
				c.Widen(got, src, first, g)
				for i, v := range got {
					want := values[k](codeByTheBook(src, first+i, c))
					group := (within + i) / size
					if g.Zeros != nil {
						want = float32(float32(want-g.Zeros[group])*g.Scales[group]) + g.Biases[group]
					} else {
						want *= g.Scales[group]
					}
					if !sameFloat(v, want) {
						t.Fatalf("kind %d, elements %d to %d of %d, groups of %d: element %d is %v, want %v", k, first, first+n, count, size, i, v, want)
					}
				}
			}
		}
	})
}

// codeByTheBook returns a code bit by bit.
func codeByTheBook(src []byte, i int, c *Codes) (q byte) {
	at := i * c.bits
	if c.bits == 4 && c.layout.shifts[0] == 4 {
		at = 4 * (i ^ 1)
	}
	for b := range c.bits {
		q |= src[(at+b)/8] >> ((at + b) % 8) & 1 << b
	}
	return q
}

// coding is a tensor of codes. Zeros and biases are scales of later groups.
type coding struct {
	*Codes
	codes          []byte
	scales         []float32
	group          int
	cols, rowBytes int // as in Stream
	zeros, biases  bool
}

func (c coding) String() string  { return "codes" }
func (c coding) Parts() [][]byte { return [][]byte{c.codes} }
func (c coding) Stream() Stream {
	return Stream{Codes: c.Codes, Data: c.codes, Group: c.group, Zeros: c.zeros, Biases: c.biases, Cols: c.cols, RowBytes: c.rowBytes}
}
func (c coding) Widen(dst []float32, first int) { WidenStream(dst, c, first) }
func (c coding) Groups(scales, zeros, biases []float32, first int) {
	group := first / c.group
	if c.cols != 0 {
		group = first/c.cols*((c.cols-1)/c.group+1) + first%c.cols/c.group
	}
	copy(scales, c.scales[group:])
	copy(zeros, c.scales[group+1:])
	copy(biases, c.scales[group+2:])
}

func randomCoding(rng *rand.Rand, c *Codes, elems, group int) coding {
	w := coding{Codes: c, codes: make([]byte, (elems*c.bits+7)/8), scales: make([]float32, elems+3), group: group}
	for i := range w.codes {
		w.codes[i] = byte(rng.Uint32()) &^ 0x40 // an E4M3 is a number
	}
	for i := range w.scales {
		w.scales[i] = float32(rng.NormFloat64())
	}
	return w
}

// TestMatMulOfCodes multiplies with matrices that are coded as testMatMul does, and with those that follow another in one tensor.
func TestMatMulOfCodes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(43, 44))
		pool := parallel.NewPool(3)
		defer pool.Close()
		kinds, _ := codesOf()
		for _, c := range kinds {
			for _, shape := range [][2]int{{1, 32}, {5, 16}, {7, 1040}, {33, 47}, {133, 96}} {
				rows, cols := shape[0], shape[1]
				for _, group := range []int{16, 40, 128, cols, 2 * rows * cols} {
					w := randomCoding(rng, c, 2*rows*cols, group)
					if c != E4M3 {
						w.zeros, w.biases = rng.IntN(2) == 0, rng.IntN(2) == 0
					}
					if rng.IntN(2) == 0 {
						w.cols, w.rowBytes = cols, (cols*w.bits+31)/32*4
						w.codes = append(w.codes, w.codes...)
					}
					both := tensor.OfCoding("w", w, []int{2, rows, cols}, "")
					for first := range 2 {
						one := both.Piece(first*rows*cols, (first+1)*rows*cols)
						one.Shape = shape[:]
						testCoded(t, pool, rng, one, 1+6*rng.IntN(2))
					}
				}
			}
		}
	})
}

func testCoded(t *testing.T, pool *parallel.Pool, rng *rand.Rand, w tensor.Tensor, tokens int) {
	rows, cols := w.Shape[0], w.Shape[1]
	wide, m := tensor.Float32s(w), NewMatrix(w)
	x, y := vectors(rng, tokens*cols, "normal"), make([]float32, tokens*rows)
	MatMul(pool, y, &m, x, cols, tokens)
	for i, got := range y {
		if want := dotByTheBook(wide[i%rows*cols:][:cols], x[i/rows*cols:][:cols]); !sameFloat(got, want) {
			t.Fatalf("%v × %d tokens: y[%d] = %v, want %v", w.Shape, tokens, i, got, want)
		}
	}
}

// BenchmarkCodes measures the product of coded rows with one vector, on one thread.
func BenchmarkCodes(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const rows, cols = 4096, 1536
	x, y := vectors(rng, cols, "normal"), make([]float32, rows)
	for _, kind := range []struct {
		name  string
		codes *Codes
		group int
	}{{"e4m3", E4M3, cols}, {"int8", Int8, cols}, {"4", Integers(4), 16}, {"5", Integers(5), 64}, {"8", Integers(8), 64}} {
		w := NewMatrix(tensor.OfCoding("w", randomCoding(rng, kind.codes, rows*cols, kind.group), []int{rows, cols}, ""))
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				w.mulVec(y, x, 0)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/rows/cols*1e12, "ps/weight")
		})
	}
}

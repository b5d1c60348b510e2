package kernel

import (
	"fmt"
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
				if c.table != nil || rng.IntN(3) == 0 {
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

// coding is a tensor of codes with one scale for 32 of them.
type coding struct {
	*Codes
	codes  []byte
	scales []float32
}

func (c coding) String() string  { return "codes" }
func (c coding) Parts() [][]byte { return [][]byte{c.codes} }
func (c coding) Widen(dst []float32, first int) {
	for len(dst) > 0 {
		n := min(len(dst), 4096)
		c.Codes.Widen(dst[:n], c.codes, first, Groups{Size: 32, Within: first % 32, Scales: c.scales[first/32:]})
		dst, first = dst[n:], first+n
	}
}

func randomCoding(rng *rand.Rand, c *Codes, elems int) coding {
	w := coding{c, make([]byte, (elems*c.bits+7)/8), make([]float32, elems/32+1)}
	for i := range w.codes {
		w.codes[i] = byte(rng.Uint32()) &^ 0x40 // an E4M3 is a number
	}
	for i := range w.scales {
		w.scales[i] = float32(rng.NormFloat64())
	}
	return w
}

// TestMatMulOfCodes multiplies with matrices that are coded as testMatMul does.
func TestMatMulOfCodes(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(43, 44))
		pool := parallel.NewPool(3)
		defer pool.Close()
		for _, c := range []*Codes{E4M3, Integers(4)} {
			for _, shape := range [][2]int{{1, 32}, {4, 16}, {7, 1040}, {33, 47}, {133, 256}} {
				w := tensor.OfCoding("w", randomCoding(rng, c, shape[0]*shape[1]), shape[:], "")
				wide, m := tensor.Float32s(w), NewMatrix(w)
				for _, tokens := range []int{1, 2, 7} {
					x, y := vectors(rng, tokens*shape[1], "normal"), make([]float32, tokens*shape[0])
					MatMul(pool, y, &m, x, shape[1], tokens)
					for i, got := range y {
						if want := dotByTheBook(wide[i%shape[0]*shape[1]:][:shape[1]], x[i/shape[0]*shape[1]:][:shape[1]]); !sameFloat(got, want) {
							t.Fatalf("%v × %d tokens: y[%d] = %v, want %v", shape, tokens, i, got, want)
						}
					}
				}
			}
		}
	})
}

// BenchmarkCodes measures the product of coded rows with one vector, on one thread.
func BenchmarkCodes(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const rows, cols = 4096, 1536
	x, y := vectors(rng, cols, "normal"), make([]float32, rows)
	for _, kind := range []struct {
		name  string
		codes *Codes
	}{{"e4m3", E4M3}, {"int8", Int8}, {"4", Integers(4)}, {"5", Integers(5)}, {"8", Integers(8)}} {
		w := NewMatrix(tensor.OfCoding("w", randomCoding(rng, kind.codes, rows*cols), []int{rows, cols}, ""))
		b.Run(fmt.Sprint(kind.name), func(b *testing.B) {
			for b.Loop() {
				w.mulVec(y, x, 0)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/rows/cols*1e12, "ps/weight")
		})
	}
}

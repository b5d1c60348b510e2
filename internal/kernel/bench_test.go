package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// BenchmarkMatMul measures the projections of mamba-130m for one token and for many.
func BenchmarkMatMul(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	pool := parallel.NewPool(0)
	defer pool.Close()
	for _, dt := range tensor.Floats() {
		if dt == tensor.F64 {
			continue // is rounded to F32 once
		}
		for _, shape := range [][2]int{{3072, 768}, {768, 1536}, {80, 1536}, {50280, 768}} {
			for _, tokens := range []int{1, 4, 256} {
				if shape[0] > 50000 && tokens > 1 {
					continue
				}
				rows, cols := shape[0], shape[1]
				var data []byte
				if dt.Quantized() {
					data = randomBlocks(rng, dt, rows*cols)
				} else {
					data = make([]byte, dt.Bytes(rows*cols))
					tensor.NarrowF32(data, dt, vectors(rng, rows*cols, "normal"))
				}
				w := NewMatrix(tensor.Tensor{DType: dt, Shape: []int{rows, cols}, Data: data})
				x, y := vectors(rng, tokens*cols, "normal"), make([]float32, tokens*rows)
				b.Run(fmt.Sprintf("%v/%dx%d/T=%d", dt, rows, cols, tokens), func(b *testing.B) {
					for b.Loop() {
						MatMul(pool, y, &w, x, cols, tokens)
					}
					sec := b.Elapsed().Seconds() / float64(b.N)
					b.ReportMetric(2*float64(rows)*float64(cols)*float64(tokens)/sec/1e9, "GFLOP/s")
					b.ReportMetric(float64(len(data))/sec/1e9, "GB/s")
				})
			}
		}
	}
}

// BenchmarkDot measures one token on one thread, with rows from a second-level cache and from memory, beside reading alone.
func BenchmarkDot(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const cols = 1536
	x := vectors(rng, cols, "normal")
	for _, bytes := range []int{1 << 19, 1 << 27} {
		run := func(name string, size int, f func()) {
			b.Run(fmt.Sprintf("%s/%dKiB", name, bytes>>10), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GB/s")
			})
		}
		for _, dt := range tensor.Floats() {
			if !dt.Quantized() {
				continue
			}
			rows := bytes / dt.Bytes(cols) &^ 3
			part := randomBlocks(rng, dt, 64*cols)
			data := make([]byte, 0, rows*dt.Bytes(cols)+len(part))
			for len(data) < rows*dt.Bytes(cols) {
				data = append(data, part...)
			}
			w := NewMatrix(tensor.Tensor{DType: dt, Shape: []int{rows, cols}, Data: data[:rows*dt.Bytes(cols)]})
			y := make([]float32, rows)
			run(dt.String(), len(w.data), func() { w.mulVec(y, x, 0) })
			if bytes > 1<<20 {
				run(dt.String()+"/read", len(w.data), func() { xor(w.data) })
			}
		}
	}
}

// BenchmarkScan compares the sequential scan, divided by channels, with the one that is divided by time too.
func BenchmarkScan(b *testing.B) {
	const tokens, states = 1024, 16
	for _, channels := range []int{16, 64, 128, 256, 1536} {
		s, r := randomScan(channels, states, tokens)
		for i := range s.Rate { // as models begin: A from -1 to -16
			s.Rate[i] = float32(math.Log(float64(1 + i%states)))
		}
		DecayRates(s.Rate, s.Rate)
		for i := range r.Dt {
			r.Dt[i] /= 20
		}
		h, carry := make([]float32, channels*states), NewCarry(channels, states)
		for _, threads := range []int{1, 2} {
			pool := parallel.NewPool(threads)
			run := func(name string, scan func()) {
				b.Run(fmt.Sprintf("channels=%d/threads=%d/%s", channels, threads, name), func(b *testing.B) {
					for b.Loop() {
						scan()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(channels*states*tokens), "ns/state")
				})
			}
			run("sequential", func() { pool.Run(channels, 64, func(lo, hi int) { s.Run(r, h, lo, hi) }) })
			run("parallel", func() { RunParallel(pool, s, r, h, &carry) })
			pool.Close()
		}
	}
}

// BenchmarkHeadScan measures the recurrence of Mamba-2 with the heads of mamba2-130m.
func BenchmarkHeadScan(b *testing.B) {
	pool := parallel.NewPool(0)
	defer pool.Close()
	const heads, dim, states, tokens = 24, 64, 128, 256
	s, r := randomHeads(heads, dim, 1, states, tokens)
	h := make([]float32, heads*dim*states)
	for b.Loop() {
		pool.Run(heads*dim, 64, func(lo, hi int) { s.Run(r, h, lo, hi) })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(heads*dim*states*tokens), "ns/state")
}

func BenchmarkNarrow(b *testing.B) {
	src := vectors(rand.New(rand.NewPCG(1, 1)), 1<<17, "normal")
	for _, dt := range []tensor.DType{tensor.F16, tensor.BF16} {
		dst := make([]byte, dt.Bytes(len(src)))
		b.Run(dt.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(src)))
			for b.Loop() {
				Narrow(dst, dt, src)
			}
		})
	}
}

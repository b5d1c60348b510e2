package kernel

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// exactInputs draws n float32 values from -4 to 4 by integer arithmetic, so that every machine draws the same.
func exactInputs(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.Int32()>>8-1<<22) / (1 << 20)
	}
	return v
}

// hash is FNV-1a over the little-endian bits of v.
func hash[F float32 | float64](v []F) uint64 {
	h := fnv.New64a()
	for _, x := range v {
		if x != x {
			x = F(math.NaN()) // processors have different ones
		}
		binary.Write(h, binary.LittleEndian, x) // a hash never fails
	}
	return h.Sum64()
}

// TestSameBitsEverywhere compares with hashes that every build on every processor must reproduce.
// A compiler that fuses a multiply with an add, or one sum in another order, changes them.
func TestSameBitsEverywhere(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.NewPool(2)
		defer pool.Close()
		check := func(what string, got, want uint64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: hash %#016x, want %#016x", what, got, want)
			}
		}
		rng := rand.New(rand.NewPCG(1, 2))

		const rows, cols, tokens = 21, 203, 7
		x, y := exactInputs(rng, tokens*cols), make([]float32, tokens*rows)
		multiply := func(dtype tensor.DType, cols int, x []float32, want uint64) {
			t.Helper()
			w := tensor.Tensor{DType: dtype, Shape: []int{rows, cols}}
			if rng := rand.New(rand.NewPCG(3, 4)); dtype.Quantized() {
				w.Data = randomBlocks(rng, dtype, rows*cols)
			} else {
				w.Data = make([]byte, dtype.Bytes(rows*cols))
				tensor.NarrowF32(w.Data, dtype, exactInputs(rng, rows*cols))
			}
			m := NewMatrix(w)
			MatMul(pool, y, &m, x, cols, tokens)
			check("MatMul of "+dtype.String(), hash(y), want)
		}
		for dtype, want := range map[tensor.DType]uint64{tensor.F32: 0x6b815423a32facf1, tensor.F16: 0xe28c8e3620056c06, tensor.BF16: 0x17c4f8502c71fa00} {
			multiply(dtype, cols, x, want)
		}
		blocks := exactInputs(rand.New(rand.NewPCG(5, 6)), tokens*1024)
		for dtype, want := range map[tensor.DType]uint64{
			tensor.Q8_0: 0xb0c361e9bb581e08, tensor.Q4_0: 0x3e3868d95bde9252, tensor.Q4_1: 0x26f9f7623ff49cf1, tensor.Q5_0: 0x8c807c1e5c8a0432, tensor.Q5_1: 0x209bdb8a266b13aa,
			tensor.Q2_K: 0x39b606cbde6dd657, tensor.Q3_K: 0xd8acd69acce903ef, tensor.Q4_K: 0xe75e8c1eb3262bd4, tensor.Q5_K: 0x49a7b94d6c6c347a, tensor.Q6_K: 0x3874af8454514155,
			tensor.IQ4_NL: 0x8fa00ef83a59a9a2, tensor.IQ4_XS: 0x3c024b8767472514, tensor.IQ3_S: 0x9dbd96d75c9bab96, tensor.IQ3_XXS: 0xd927c4dce1512a29, tensor.IQ2_S: 0xd3a5e1f1cb731e84,
			tensor.IQ2_XS: 0x37c650a88238550c, tensor.IQ2_XXS: 0x82c7325cebb2eaea, tensor.IQ1_M: 0x22cb4441a4c8b922, tensor.IQ1_S: 0xea7409abec399170, tensor.TQ2_0: 0xc44dcfdf2ab98ec2,
			tensor.TQ1_0: 0x98188d0d9e93db4b, tensor.MXFP4: 0x25b6660467a5fd9a, tensor.NVFP4: 0x07d9702da6b35221, tensor.Q2_0: 0xb4ff16d02844fabf, tensor.Q1_0: 0xf550ac5983385d4f,
		} {
			multiply(dtype, 1024, blocks, want)
		}

		norm := make([]float32, cols)
		RMSNorm(norm, x[:cols], x[cols:2*cols], 1e-5)
		check("RMSNorm", hash(norm), 0x728356efebc7cb14)

		wide := exactInputs(rng, 4096)
		var e, sp, si []float64
		for _, v := range wide {
			e = append(e, exp(4*float64(v)))
			sp = append(sp, softplus(4*float64(v)))
			si = append(si, silu(4*float64(v)))
		}
		check("exp", hash(e), 0xd1c6f2b5869d8106)
		check("softplus", hash(sp), 0x1bb157a8f28c043b)
		check("silu", hash(si), 0xf3397fc4db71c328)

		const channels, states, taps, steps = 9, 16, 4, 50
		conv := NewConv(exactInputs(rng, channels*taps), exactInputs(rng, channels), channels)
		out, window := make([]float32, steps*channels), exactInputs(rng, channels*taps)
		conv.Run(out, channels, exactInputs(rng, steps*channels), channels, window, steps, 0, channels)
		check("Conv", hash(append(out, window...)), 0xa8dad74f3391b447)

		scan := Scan{States: states, Rate: exactInputs(rng, channels*states), D: exactInputs(rng, channels)}
		DecayRates(scan.Rate, scan.Rate)
		r := ScanRows{
			Tokens: steps,
			X:      exactInputs(rng, steps*channels), XStride: channels,
			Dt: exactInputs(rng, steps*channels), DtStride: channels,
			Z: exactInputs(rng, steps*channels), ZStride: channels,
			B: exactInputs(rng, steps*states), BStride: states,
			C: exactInputs(rng, steps*states), CStride: states,
			Y: make([]float32, steps*channels), YStride: channels,
		}
		softplusRows(r.Dt, channels, exactInputs(rng, channels), steps, 0, channels)
		h := make([]float32, channels*states)
		scan.Run(&r, h, 0, channels)
		check("Scan", hash(append(h, r.Y...)), 0x77877b310c6ba770)
		copy(h, exactInputs(rand.New(rand.NewPCG(7, 8)), channels*states))
		carry := NewCarry(channels, states)
		carry.Tokens, carry.Start = ScanBlock-10, slices.Clone(h)
		RunParallel(pool, &scan, &r, h, &carry)
		check("parallel Scan", hash(append(h, r.Y...)), 0xc3e3fb4751ad96f3)

		heads := HeadScan{
			Heads: 4, HeadDim: 5, Groups: 2, States: states, DtMin: 0.25, DtMax: 2,
			A: exactInputs(rng, 4), D: exactInputs(rng, 20), DtBias: exactInputs(rng, 4),
		}
		NegExp(heads.A, heads.A)
		r2 := ScanRows{
			Tokens: steps,
			X:      exactInputs(rng, steps*20), XStride: 20,
			Dt: exactInputs(rng, steps*4), DtStride: 4,
			Z: exactInputs(rng, steps*20), ZStride: 20,
			B: exactInputs(rng, steps*2*states), BStride: 2 * states,
			C: exactInputs(rng, steps*2*states), CStride: 2 * states,
			Y: make([]float32, steps*20), YStride: 20,
		}
		h = make([]float32, 20*states)
		heads.Run(&r2, h, 0, 20)
		check("HeadScan", hash(append(h, r2.Y...)), 0x0d18099a47d9a5a1)

		check("Trapezoid", hash(exactTrapezoid(1)), 0x933a8a85fd40eb81)
		check("Trapezoid of rank 2", hash(exactTrapezoid(2)), 0x328612d269815cf9)

		const dim, group = 24, 3
		attention := Attention{Dim: dim, Group: group, Scale: 0.05}
		var keys, values [][]float32
		for range 3 {
			keys, values = append(keys, exactInputs(rng, PageTokens*dim)), append(values, exactInputs(rng, PageTokens*dim))
		}
		q := exactInputs(rng, 50*group*dim)
		attention.Run(q, group*dim, 50, 100, 0, keys, values)
		check("Attention", hash(q), 0xc6f3ccf678333053)

		for _, v := range slices.Concat(r.Y, r2.Y, q) {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatal("the inputs left the finite numbers, where bits show little")
			}
		}
	})
}

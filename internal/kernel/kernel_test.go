package kernel

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// special are float32 values at which arithmetic tends to go wrong.
var special = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 3, 1.0000001, 16777217, 5.9604645e-8, -2.9802322e-8,
	1e-45, -1e-45, 1.17549435e-38, -1.1754942e-38, 3e-20, -2.5e-20, 7e-24, 1e-30, 3.4028235e38, -3.4028235e38,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

// bigFMA rounds w·x + c once, by arbitrary precision.
func bigFMA(w, x, c float32) float32 {
	exact := new(big.Float).SetPrec(1000).Mul(big.NewFloat(float64(w)), big.NewFloat(float64(x)))
	exact.Add(exact, big.NewFloat(float64(c)))
	r, _ := exact.Float32()
	return r
}

func TestFMARoundsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(w, x, c float32) {
		t.Helper()
		got := float32(fma32(single(w), single(x), single(c)))
		if isSpecial(w) || isSpecial(x) || isSpecial(c) {
			want := float32(math.FMA(float64(w), float64(x), float64(c)))
			if !sameFloat(got, want) {
				t.Fatalf("fma32(%g, %g, %g) = %g, want %g", w, x, c, got, want)
			}
			return
		}
		if want := bigFMA(w, x, c); got != want {
			t.Fatalf("fma32(%g, %g, %g) = %g (%#x), want %g (%#x)", w, x, c, got, math.Float32bits(got), want, math.Float32bits(want))
		}
	}
	for _, w := range special {
		for _, x := range special {
			for _, c := range special {
				check(w, x, c)
			}
		}
	}
	for range 300_000 {
		// Few significant bits make exact ties between float32 values common, also among subnormals.
		w := float32(rng.IntN(1<<13)-1<<12) * pow2(rng.IntN(60)-70)
		x := float32(rng.IntN(1<<13)-1<<12) * pow2(rng.IntN(60)-70)
		p := float64(w) * float64(x)
		c := float32(p*float64(uint32(1)<<rng.IntN(31))) + float32(rng.IntN(3)-1)*1e-45
		check(w, x, c)
	}
	for range 100_000 {
		check(math.Float32frombits(rng.Uint32()), math.Float32frombits(rng.Uint32()), math.Float32frombits(rng.Uint32()))
	}
}

// TestFMAAtMidpoints aims at the sums that a float64 rounds onto a float32 midpoint, where rounding twice is wrong.
func TestFMAAtMidpoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	differed := 0
	for range 200_000 {
		c := math.Float32frombits(0x3f800000 | rng.Uint32()&0x7fffff)
		// w·x is half an ulp of c, less by a part that a float64 cannot hold beside c.
		d := pow2(-15 - rng.IntN(2))
		w, x := pow2(-24)*(1+d), 1-d
		if rng.IntN(2) == 0 {
			w = -w
		}
		got, want := float32(fma32(single(w), single(x), single(c))), bigFMA(w, x, c)
		if got != want {
			t.Fatalf("fma32(%g, %g, %g) = %#x, want %#x", w, x, c, math.Float32bits(got), math.Float32bits(want))
		}
		if float32(float64(w)*float64(x)+float64(c)) != want {
			differed++
		}
	}
	if differed == 0 {
		t.Fatal("no case needed the second look: the test does not test it")
	}
}

func pow2(e int) float32 { return float32(math.Ldexp(1, e)) }

func isSpecial(v float32) bool { return v != v || math.IsInf(float64(v), 0) }

// sameFloat compares bits, taking all NaNs for one.
func sameFloat(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// dotByTheBook is the package comment's summation order, spelled out with exact fused multiply-adds.
func dotByTheBook(w, x []float32) float32 {
	var lane [16]float32
	for j := 0; j < (len(w)+15)/16*16; j++ {
		var a, b float32
		if j < len(w) {
			a, b = w[j], x[j]
		}
		lane[j%16] = float32(fma32(single(a), single(b), single(lane[j%16])))
	}
	var wide [16]float64
	for i, v := range lane {
		wide[i] = float64(v)
	}
	for width := 8; width > 0; width /= 2 {
		for i := range width {
			wide[i] += wide[i+width]
		}
	}
	return float32(wide[0])
}

// vectors returns n values of the given kind, misaligned by one element.
func vectors(rng *rand.Rand, n int, kind string) []float32 {
	v := make([]float32, n+1)[1:]
	for i := range v {
		switch kind {
		case "normal":
			v[i] = float32(rng.NormFloat64())
		case "ties":
			v[i] = float32(rng.IntN(1<<13)-1<<12) * pow2(-12*rng.IntN(3))
		case "tiny":
			v[i] = float32(rng.NormFloat64()) * pow2(-70-rng.IntN(10))
		case "special":
			v[i] = special[rng.IntN(len(special)-3)] // no Inf, no NaN: they would hide the rest
		}
	}
	return v
}

func TestDotOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 101 {
		for _, kind := range []string{"normal", "ties", "tiny", "special"} {
			w, x := vectors(rng, n, kind), vectors(rng, n, kind)
			if got, want := dotGeneric(w, x), dotByTheBook(w, x); !sameFloat(got, want) {
				t.Fatalf("dotGeneric, %s, length %d: %x, want %x", kind, n, got, want)
			}
		}
	}
}

// TestMatMulOrder holds every route through a matrix product to the one summation order.
func TestMatMulOrder(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 8))
		pool := parallel.NewPool(3)
		defer pool.Close()
		for _, dt := range tensor.Floats() {
			for _, cols := range []int{1, 5, 15, 16, 17, 31, 32, 48, 100, 160, 256} {
				if block, _ := dt.Block(); cols%block != 0 {
					continue
				}
				for _, rows := range []int{1, 2, 3, 4, 5, 9, 33} {
					for _, tokens := range []int{1, 2, 3, 4, 7} {
						for _, kind := range []string{"normal", "ties"} {
							testMatMul(t, pool, rng, dt, rows, cols, tokens, kind)
						}
					}
				}
			}
		}
		// large enough for pieces of several sizes
		testMatMul(t, pool, rng, tensor.F32, 1021, 256, 1, "normal")
		testMatMul(t, pool, rng, tensor.F32, 1021, 256, 2, "normal")
		testMatMul(t, pool, rng, tensor.F32, 12001, 256, 1, "normal")
	})
}

// randomBlocks returns n elements of a quantized dtype: blocks of random bits, of which every element is finite.
func randomBlocks(rng *rand.Rand, dt tensor.DType, n int) []byte {
	elems, size := dt.Block()
	data, wide := make([]byte, dt.Bytes(n)), make([]float32, elems)
	for b := data; len(b) > 0; b = b[size:] {
		for ok := false; !ok; ok = !slices.ContainsFunc(wide, isSpecial) {
			randomize(rng, b[:size])
			tensor.WidenF32(wide, dt, b[:size])
		}
	}
	return data
}

func randomize(rng *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

func testMatMul(t *testing.T, pool *parallel.Pool, rng *rand.Rand, dt tensor.DType, rows, cols, tokens int, kind string) {
	t.Helper()
	wt := tensor.Tensor{Name: "w", DType: dt, Shape: []int{rows, cols}}
	if dt.Quantized() {
		wt.Data = randomBlocks(rng, dt, rows*cols)
	} else {
		wt.Data = make([]byte, dt.Bytes(rows*cols))
		tensor.NarrowF32(wt.Data, dt, vectors(rng, rows*cols, kind))
	}
	w := NewMatrix(wt)
	wide := tensor.Float32s(wt)
	const gap = 3 // elements between rows of x that belong to someone else
	x := vectors(rng, tokens*(cols+gap), kind)
	y := make([]float32, tokens*rows+2)
	guard := math.Float32frombits(0x7fc0dead)
	y[0], y[len(y)-1] = guard, guard
	MatMul(pool, y[1:len(y)-1], &w, x, cols+gap, tokens)
	for i := range tokens {
		for r := range rows {
			want := dotByTheBook(wide[r*cols:][:cols], x[i*(cols+gap):][:cols])
			if got := y[1+i*rows+r]; !sameFloat(got, want) {
				t.Fatalf("%v [%d, %d] × %d tokens, %s: y[%d, %d] = %x, want %x", dt, rows, cols, tokens, kind, i, r, got, want)
			}
		}
	}
	if math.Float32bits(y[0]) != 0x7fc0dead || math.Float32bits(y[len(y)-1]) != 0x7fc0dead {
		t.Fatalf("%v [%d, %d] × %d tokens: wrote outside y", dt, rows, cols, tokens)
	}
}

// TestInfiniteScales multiplies blocks of one byte repeated, so that not every sum has both infinities, in which infinity stands at
// one place after the other.
func TestInfiniteScales(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.NewPool(2)
		defer pool.Close()
		rng := rand.New(rand.NewPCG(7, 8))
		for _, dt := range tensor.Floats() {
			if !dt.Quantized() {
				continue
			}
			elems, size := dt.Block()
			rows, cols := size/2*3, max(256, elems)
			wt := tensor.Tensor{DType: dt, Shape: []int{rows, cols}, Data: randomBlocks(rng, dt, rows*cols)}
			for r := range rows {
				for i := range wt.Data[r*dt.Bytes(cols):][:size] {
					wt.Data[r*dt.Bytes(cols)+i] = []byte{0x11, 0x5a, 0x77}[r%3]
				}
				binary.LittleEndian.PutUint16(wt.Data[r*dt.Bytes(cols)+r/3*2:], 0x7c00)
			}
			w, wide := NewMatrix(wt), tensor.Float32s(wt)
			x, y := vectors(rng, cols, "normal"), make([]float32, rows)
			for i := range x {
				x[i] = max(x[i], -x[i])
			}
			MatMul(pool, y, &w, x, cols, 1)
			for r, got := range y {
				if want := dotByTheBook(wide[r*cols:][:cols], x); !sameFloat(got, want) {
					t.Errorf("%v, row %d: %x, want %x", dt, r, got, want)
				}
			}
		}
	})
}

// TestWiden decodes every pattern of 16 bits, every scale of a block with every element, and blocks of random bits.
func TestWiden(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		bits := make([]byte, 2<<16)
		for i := range 1 << 16 {
			binary.LittleEndian.PutUint16(bits[2*i:], uint16(i))
		}
		for _, d := range []tensor.DType{tensor.F16, tensor.BF16} {
			for _, n := range []int{1 << 16, 1<<16 - 5} {
				sameWidened(t, d, bits[:2*n])
			}
		}
		const block = 34
		blocks := make([]byte, 8*block)
		for scale := range 1 << 16 {
			for i := range blocks {
				blocks[i] = byte(i/block*32 + i%block - 2)
			}
			for b := range 8 {
				binary.LittleEndian.PutUint16(blocks[b*block:], uint16(scale))
			}
			sameWidened(t, tensor.Q8_0, blocks)
		}
		rng := rand.New(rand.NewPCG(13, 14))
		for _, d := range tensor.Floats() {
			if d.Quantized() { // any scale, and more blocks than a multiple of what assembly may take at a time
				data := make([]byte, d.Bytes(1<<18+256))
				randomize(rng, data)
				sameWidened(t, d, data)
			}
		}
	})
}

// sameWidened compares what the instruction set in use makes of stored elements with what package tensor does.
func sameWidened(t *testing.T, d tensor.DType, src []byte) {
	t.Helper()
	n := tensor.Tensor{DType: d, Data: src}.Elems()
	got, want := make([]float32, n), make([]float32, n)
	Widen(got, d, src)
	tensor.WidenF32(want, d, src)
	if !slices.EqualFunc(got, want, sameFloat) {
		t.Fatalf("%v, %d elements from %#02x: differ", d, n, src[:2])
	}
}

// TestNarrow encodes patterns of every kind, around every length.
func TestNarrow(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		var all []float32
		for h := range 1 << 16 { // every half, what lies between it and the next, and the same in bfloat16
			f := math.Float32bits(tensor.F16ToF32(uint16(h)))
			for _, b := range []uint32{f, f + 0x0fff, f + 0x1000, f + 0x1001, uint32(h) << 16, uint32(h)<<16 + 0x7fff, uint32(h)<<16 + 0x8000, uint32(h)<<16 + 0x8001} {
				all = append(all, math.Float32frombits(b))
			}
		}
		for range 1 << 16 {
			all = append(all, math.Float32frombits(rng.Uint32()))
		}
		for _, kind := range []string{"normal", "ties", "tiny", "special"} {
			all = append(all, vectors(rng, 1<<14, kind)...)
		}
		for range 1 << 12 { // blocks of one magnitude each, down to where the inverse of the scale is infinite
			e := rng.IntN(270) - 150
			for range 32 {
				all = append(all, float32(math.Ldexp(float64(rng.IntN(255)-127)/2, e)))
			}
		}
		for _, dt := range tensor.Floats() {
			if !dt.Narrows() {
				continue
			}
			check := func(v []float32) {
				t.Helper()
				got, want := make([]byte, dt.Bytes(len(v))), make([]byte, dt.Bytes(len(v)))
				Narrow(got, dt, v)
				tensor.NarrowF32(want, dt, v)
				if i := slices.Compare(got, want); i != 0 {
					t.Fatalf("%v, %d values: other bytes", dt, len(v))
				}
			}
			check(all)
			block, _ := dt.Block()
			for n := 0; n < 100; n += block {
				check(all[len(all)-n:])
			}
		}
		for n := range 100 {
			v := vectors(rng, n, "special")
			want := float32(0)
			for _, x := range v {
				want = max(want, float32(math.Abs(float64(x))))
			}
			if got := MaxAbs(v); got != want {
				t.Fatalf("MaxAbs(%v) = %v", v, got)
			}
			if n > 0 {
				v[rng.IntN(n)] = -special[len(special)-1]
				if got := MaxAbs(v); got == got {
					t.Fatalf("MaxAbs(%v) = %v, want NaN", v, got)
				}
			}
		}
	})
}

// ulps returns how far got is from the real value want, in units of the last place of float32 at want.
func ulps(got float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(got)-want) / math.Ldexp(1, max(e, -125)-24)
}

// sweep calls f with float32 values from the whole range, a few million of them.
func sweep(f func(x float32)) {
	for b := uint64(0); b < 1<<32; b += 977 {
		if x := math.Float32frombits(uint32(b)); !isSpecial(x) {
			f(x)
		}
	}
	for _, x := range special {
		if !isSpecial(x) {
			f(x)
		}
	}
}

func TestExpAccuracy(t *testing.T) {
	worst, at := 0.0, float32(0)
	sweep(func(x float32) {
		want := math.Exp(float64(x))
		if want > math.MaxFloat32 {
			if got := float32(exp(float64(x))); !math.IsInf(float64(got), 1) && got != math.MaxFloat32 {
				t.Fatalf("exp(%g) = %g", x, got)
			}
			return
		}
		if e := ulps(float32(exp(float64(x))), want); e > worst {
			worst, at = e, x
		}
	})
	t.Logf("exp: worst %.5f ulp at %g", worst, at)
	if worst > 0.5001 {
		t.Errorf("exp(%g) is %.4f ulp off", at, worst)
	}
	if got := exp(math.NaN()); got == got {
		t.Errorf("exp(NaN) = %g", got)
	}
}

// TestSoftplusOfSumAccuracy holds the float32 softplus to what its comment says, where a bias cancels most of dt too.
func TestSoftplusOfSumAccuracy(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	var all []float64
	check := func(a, b float32) {
		x := float64(a) + float64(b)
		want := math.Log1p(math.Exp(-math.Abs(x))) + max(x, 0)
		if x > 20 {
			want = x
		}
		all = append(all, ulps(softplusOfSum(a, b), want))
	}
	for range 300_000 {
		x := 8 * rng.NormFloat64()
		b := float32(x * rng.NormFloat64())
		check(float32(x-float64(b)), b)
	}
	slices.Sort(all)
	if half := all[len(all)/2]; half > 0.3 {
		t.Errorf("half of the results are off by more than %.3f ulp", half)
	}
	sweep(func(x float32) { check(x, 0) })
	if worst := slices.Max(all); worst > 2.5 {
		t.Errorf("off by %.3f ulp at worst", worst)
	}
	for _, x := range []float32{float32(math.Inf(1)), float32(math.NaN()), float32(math.Inf(-1))} {
		if got, want := softplusOfSum(x, 0), max(x, 0); got != want && want == want {
			t.Errorf("softplus(%g) = %g", x, got)
		}
	}
}

func TestSoftplusAndSiLUAccuracy(t *testing.T) {
	worst, at := [2]float64{}, [2]float32{}
	sweep(func(x float32) {
		v := float64(x)
		want := v
		if v <= 20 {
			want = math.Log1p(math.Exp(v))
		}
		if e := ulps(float32(softplus(v)), want); e > worst[0] {
			worst[0], at[0] = e, x
		}
		if e := ulps(float32(silu(v)), v/(1+math.Exp(-v))); e > worst[1] {
			worst[1], at[1] = e, x
		}
	})
	t.Logf("softplus: worst %.5f ulp at %g; silu: worst %.5f ulp at %g", worst[0], at[0], worst[1], at[1])
	for i, name := range []string{"softplus", "silu"} {
		if worst[i] > 0.5001 {
			t.Errorf("%s(%g) is %.4f ulp off", name, at[i], worst[i])
		}
	}
	if got := softplus(math.NaN()); got == got {
		t.Errorf("softplus(NaN) = %g", got)
	}
	if got := silu(math.Inf(1)); !math.IsInf(got, 1) {
		t.Errorf("silu(+Inf) = %g", got)
	}
}

func TestRMSNormAccuracy(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(9, 10))
		for _, n := range []int{1, 2, 7, 8, 9, 31, 32, 100, 768} {
			x, w := vectors(rng, n, "normal"), vectors(rng, n, "normal")
			sum := 0.0
			for _, v := range x {
				sum += float64(v) * float64(v)
			}
			ones, bare := slices.Repeat([]float32{1}, n), slices.Clone(x)
			RMSNorm(ones, x, ones, 1e-5)
			RMSNorm(bare, bare, nil, 1e-5)
			if !slices.Equal(ones, bare) {
				t.Fatalf("length %d: no weight gives other bits than ones", n)
			}
			y := slices.Clone(x)
			RMSNorm(y, y, w, 1e-5) // in place
			for i, v := range x {
				want := float64(v) / math.Sqrt(sum/float64(n)+1e-5) * float64(w[i])
				if e := ulps(y[i], want); e > 0.5001 {
					t.Fatalf("length %d, element %d: %g, want %g (%.3f ulp)", n, i, y[i], want, e)
				}
			}
		}
	})
}

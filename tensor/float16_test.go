package tensor

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/x448/float16"
)

// halfValue computes what 16 bits stand for by plain arithmetic, from the definition of the formats:
// expBits exponent bits and manBits mantissa bits, bias 2^(expBits-1)-1.
func halfValue(h uint16, expBits, manBits int) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exp := int(h>>manBits) & (1<<expBits - 1)
	man := float64(h & (1<<manBits - 1))
	bias := 1<<(expBits-1) - 1
	scale := math.Ldexp(1, -manBits)
	switch exp {
	case 1<<expBits - 1:
		if man != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	case 0:
		return sign * math.Ldexp(man*scale, 1-bias)
	}
	return sign * math.Ldexp(1+man*scale, exp-bias)
}

var halfFormats = []struct {
	name             string
	expBits, manBits int
	widen            func(uint16) float32
	narrow           func(float32) uint16
	quiet            uint16 // the mantissa's top bit
}{
	{"f16", 5, 10, F16ToF32, F32ToF16, 0x0200},
	{"bf16", 8, 7, BF16ToF32, F32ToBF16, 0x0040},
}

// TestHalfAll runs all 65,536 bit patterns both ways against arithmetic.
func TestHalfAll(t *testing.T) {
	for _, f := range halfFormats {
		t.Run(f.name, func(t *testing.T) {
			for i := range 1 << 16 {
				h := uint16(i)
				got, want := f.widen(h), halfValue(h, f.expBits, f.manBits)
				if want != want {
					if got == got || math.Signbit(float64(got)) != (h&0x8000 != 0) {
						t.Fatalf("%#04x widens to %v, want a NaN of the same sign", h, got)
					}
				} else if float64(got) != want || math.Signbit(float64(got)) != math.Signbit(want) {
					t.Fatalf("%#04x widens to %v, want %v", h, got, want)
				}
				back := h
				if want != want {
					back |= f.quiet
				}
				if n := f.narrow(got); n != back {
					t.Fatalf("%#04x comes back as %#04x, want %#04x", h, n, back)
				}
			}
		})
	}
}

// TestF16Oracle compares with github.com/x448/float16: all halves, and floats around every rounding boundary.
func TestF16Oracle(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		want := math.Float32bits(float16.Frombits(h).Float32())
		if got := math.Float32bits(F16ToF32(h)); got != want {
			t.Fatalf("%#04x widens to %#08x, want %#08x", h, got, want)
		}
	}
	check := func(b uint32) {
		f := math.Float32frombits(b)
		if got, want := F32ToF16(f), float16.Fromfloat32(f).Bits(); got != want {
			t.Fatalf("%#08x (%v) narrows to %#04x, want %#04x", b, f, got, want)
		}
	}
	for b := uint64(0); b < 1<<32; b += 1 << 12 { // every multiple of half a step of a normal half
		for d := range uint32(5) {
			check(uint32(b) + d - 2)
		}
	}
	for i := uint32(0); i < 1<<12; i++ { // ties of subnormals, to both sides
		tie := math.Float32bits(float32(math.Ldexp(float64(i)+0.5, -24)))
		check(tie - 1)
		check(tie)
		check(tie + 1)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1 << 18 {
		check(r.Uint32())
	}
}

// TestNarrowTies checks the documented rounding at named points.
func TestNarrowTies(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := []struct {
		f        float32
		f16, b16 uint16
	}{
		{0, 0, 0},
		{float32(math.Copysign(0, -1)), 0x8000, 0x8000},
		{1, 0x3c00, 0x3f80},
		{1 + 0x1p-11, 0x3c00, 0x3f80},                 // f16 tie to even, down
		{1 + 0x3p-11, 0x3c02, 0x3f80},                 // f16 tie to even, up
		{1 + 0x1p-8, 0x3c04, 0x3f80},                  // bf16 tie, down
		{1 + 0x3p-8, 0x3c0c, 0x3f82},                  // bf16 tie, up
		{1 + 0x1p-8 + 0x1p-20, 0x3c04, 0x3f81},        // just above a bf16 tie
		{65504, 0x7bff, 0x4780},                       // largest half
		{65519.996, 0x7bff, 0x4780},                   // last float that is not infinite as a half
		{65520, 0x7c00, 0x4780},                       // tie between largest half and infinity
		{-65520, 0xfc00, 0xc780},                      //
		{0x1p-14, 0x0400, 0x3880},                     // smallest normal half
		{0x1p-24, 0x0001, 0x3380},                     // smallest half
		{0x1p-25, 0x0000, 0x3300},                     // tie with zero
		{0x1.000002p-25, 0x0001, 0x3300},              // just above
		{math.SmallestNonzeroFloat32, 0x0000, 0x0000}, //
		{0x1p-134, 0x0000, 0x0000},                    // tie with zero in bf16
		{0x3p-134, 0x0000, 0x0002},                    // tie to even in bf16's subnormals
		{math.MaxFloat32, 0x7c00, 0x7f80},
		{inf, 0x7c00, 0x7f80},
		{-inf, 0xfc00, 0xff80},
		{math.Float32frombits(0x7f800001), 0x7e00, 0x7fc0}, // a signalling NaN whose payload is cut off
		{math.Float32frombits(0xffa02000), 0xff01, 0xffe0}, // sign and upper payload stay
	}
	for _, c := range tests {
		if got := F32ToF16(c.f); got != c.f16 {
			t.Errorf("F32ToF16(%v) = %#04x, want %#04x", c.f, got, c.f16)
		}
		if got := F32ToBF16(c.f); got != c.b16 {
			t.Errorf("F32ToBF16(%v) = %#04x, want %#04x", c.f, got, c.b16)
		}
	}
}

// TestBF16Nearest checks random floats against the two neighbouring bfloat16 in exact arithmetic.
func TestBF16Nearest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 1 << 16 {
		b := r.Uint32() &^ 0x80000000
		if b >= 0x7f7f0000 { // the last finite bfloat16 has no finite neighbour
			continue
		}
		if r.IntN(4) == 0 {
			b = b&^0xffff | 0x8000 // a tie
		}
		f := math.Float32frombits(b)
		low, high := uint16(b>>16), uint16(b>>16)+1
		exact := func(x float32) *big.Float { return new(big.Float).SetPrec(400).SetFloat64(float64(x)) }
		down := new(big.Float).Sub(exact(f), exact(BF16ToF32(low)))
		up := new(big.Float).Sub(exact(BF16ToF32(high)), exact(f))
		want := low
		if c := down.Cmp(up); c > 0 || c == 0 && low&1 == 1 {
			want = high
		}
		if got := F32ToBF16(f); got != want {
			t.Fatalf("%#08x narrows to %#04x, want %#04x", b, got, want)
		}
	}
}

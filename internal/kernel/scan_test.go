package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
)

// randomScan returns a scan and inputs of lively values: decays from near 0 to near 1.
func randomScan(channels, states, tokens int) (*Scan, *ScanRows) {
	rng := rand.New(rand.NewPCG(uint64(channels), uint64(states)))
	s := &Scan{States: states, Rate: make([]float32, channels*states), D: vectors(rng, channels, "normal")}
	for i := range s.Rate {
		s.Rate[i] = float32(2 * rng.NormFloat64())
	}
	DecayRates(s.Rate, s.Rate)
	dt := vectors(rng, tokens*channels, "normal")
	softplusRows(dt, channels, make([]float32, channels), tokens, 0, channels)
	return s, &ScanRows{
		Tokens: tokens,
		X:      vectors(rng, tokens*channels, "normal"), XStride: channels,
		Dt: dt, DtStride: channels,
		Z: vectors(rng, tokens*channels, "normal"), ZStride: channels,
		B: vectors(rng, tokens*states, "normal"), BStride: states,
		C: vectors(rng, tokens*states, "normal"), CStride: states,
		Y: make([]float32, tokens*channels), YStride: channels,
	}
}

// scanTextbook is the recurrence in float64, its state never rounded.
func scanTextbook(s *Scan, r *ScanRows, channels int) (y, h []float64) {
	y, h = make([]float64, r.Tokens*channels), make([]float64, channels*s.States)
	for t := range r.Tokens {
		for c := range channels {
			dt, x, z := float64(r.Dt[t*r.DtStride+c]), float64(r.X[t*r.XStride+c]), float64(r.Z[t*r.ZStride+c])
			sum := float64(s.D[c]) * x
			for n := range s.States {
				i := c*s.States + n
				h[i] = math.Exp2(dt*float64(s.Rate[i]))*h[i] + dt*float64(r.B[t*r.BStride+n])*x
				sum += h[i] * float64(r.C[t*r.CStride+n])
			}
			y[t*channels+c] = sum * z / (1 + math.Exp(-z))
		}
	}
	return y, h
}

func closeTo(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	for i, v := range want {
		if d := math.Abs(float64(got[i]) - v); !(d <= 3e-7*scale) {
			t.Fatalf("%s[%d] = %g, want %g, off by %.2g of the largest", what, i, got[i], v, d/scale)
		}
	}
}

func TestScanAgainstTextbook(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.NewPool(4)
		defer pool.Close()
		for _, size := range [][3]int{{1, 1, 1}, {3, 7, 5}, {5, 16, 100}, {33, 16, 64}, {2, 24, 301}, {4, 16, 3}} {
			channels, states, tokens := size[0], size[1], size[2]
			s, r := randomScan(channels, states, tokens)
			wantY, wantH := scanTextbook(s, r, channels)

			h := make([]float32, channels*states)
			s.Run(r, h, 0, channels)
			closeTo(t, "y", r.Y, wantY)
			closeTo(t, "h", h, wantH)

			clear(h)
			clear(r.Y)
			carry := NewCarry(channels, states)
			RunParallel(pool, s, r, h, &carry)
			closeTo(t, "parallel y", r.Y, wantY)
			closeTo(t, "parallel h", h, wantH)
		}
	})
}

// TestScanCutAnywhere runs a sequence in two pieces and by channel ranges: the same bits each time.
func TestScanCutAnywhere(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const channels, states, tokens = 6, 16, 20
		s, r := randomScan(channels, states, tokens)
		h := make([]float32, channels*states)
		s.Run(r, h, 0, channels)
		wantY, wantH := slices.Clone(r.Y), slices.Clone(h)
		for cut := range tokens + 1 {
			clear(h)
			clear(r.Y)
			for _, piece := range []ScanRows{r.slice(0, cut), r.slice(cut, tokens)} {
				s.Run(&piece, h, 4, channels)
				s.Run(&piece, h, 0, 4)
			}
			if !slices.Equal(r.Y, wantY) || !slices.Equal(h, wantH) {
				t.Fatalf("cut at %d: other bits", cut)
			}
		}
	})
}

// TestScanStepsMatchGeneric holds the fast step to the bits of the plain one, special values included.
func TestScanStepsMatchGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(21, 22))
		for _, states := range []int{1, 7, 8, 16, 24, 48, 128} {
			for _, kind := range []string{"normal", "tiny", "special", "nan"} {
				channels := 1 + rng.IntN(stepChannels)
				size := channels * states
				h, a := vectors(rng, size, kind), vectors(rng, size, kind)
				b, c := vectors(rng, states, kind), vectors(rng, states, kind)
				dt, x := vectors(rng, channels, kind), vectors(rng, channels, kind)
				if kind == "nan" {
					copy(a, special)
					copy(dt, special[len(special)-3:])
				}
				gotH, got, want := slices.Clone(h), make([]float64, channels), make([]float64, channels)
				scanSteps(got, gotH, a, b, c, dt, x)
				scanStepsGeneric(want, h, a, b, c, dt, x)
				same64 := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
				if !slices.EqualFunc(gotH, h, sameFloat) || !slices.EqualFunc(got, want, same64) {
					t.Fatalf("%d states, %d channels, %s: other bits than the plain step", states, channels, kind)
				}
			}
		}
	})
}

// TestScanOfSeveralTokensMatchesSteps holds the scan that keeps states in registers to the bits of plain steps.
func TestScanOfSeveralTokensMatchesSteps(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(23, 24))
		for _, kind := range []string{"normal", "tiny", "special", "nan"} {
			for range 20 {
				channels, states, tokens := 1+rng.IntN(stepChannels), 8*(1+rng.IntN(3)), 1+rng.IntN(stepTokens)
				s := Scan{States: states, Rate: vectors(rng, channels*states, kind)}
				r := &ScanRows{
					Tokens: tokens,
					X:      vectors(rng, tokens*(channels+3), kind), XStride: channels + 3,
					Dt: vectors(rng, tokens*(channels+1), kind), DtStride: channels + 1,
					B: vectors(rng, tokens*(states+2), kind), BStride: states + 2,
					C: vectors(rng, tokens*(states+5), kind), CStride: states + 5,
				}
				for i, v := range r.Dt { // as softplus gives it
					r.Dt[i] = max(v, -v)
				}
				h := vectors(rng, channels*states, kind)
				gotH, got, want := slices.Clone(h), make([]float64, stepTokens*stepChannels), make([]float64, stepTokens*stepChannels)
				run := s.begin(gotH, stepTokens)
				run.take(0, channels)
				run.step(r, &ScanRows{}, got)
				run.put()
				run.end()
				for i := range tokens {
					scanStepsGeneric(want[i*stepChannels:][:channels], h, s.Rate, r.B[i*r.BStride:][:states], r.C[i*r.CStride:][:states],
						r.Dt[i*r.DtStride:][:channels], r.X[i*r.XStride:][:channels])
				}
				same64 := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
				if !slices.EqualFunc(gotH, h, sameFloat) || !slices.EqualFunc(got, want, same64) {
					t.Fatalf("%d channels, %d states, %d tokens, %s: other bits than plain steps", channels, states, tokens, kind)
				}
			}
		}
	})
}

func TestConvCutAnywhere(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(11, 12))
		for _, k := range []int{1, 2, 3, 4, 7} {
			const channels, tokens, inStride, outStride = 5, 12, 9, 6
			for _, bias := range [][]float32{nil, vectors(rng, channels, "normal")} {
				weight := vectors(rng, channels*k, "normal")
				c := NewConv(weight, bias, channels)
				in := vectors(rng, tokens*inStride, "normal")
				whole := make([]float32, tokens*outStride)
				state := make([]float32, channels*k)
				c.Run(whole, outStride, in, inStride, state, tokens, 0, channels)
				for ch := range channels {
					for i := range k { // the last k inputs, oldest first
						if state[ch*k+i] != in[(tokens-k+i)*inStride+ch] {
							t.Fatalf("K %d: state [%d, %d] is not the input", k, ch, i)
						}
					}
					for _, at := range []int{0, 1, tokens - 1} {
						if want := convTextbook(weight, bias, k, in, inStride, at, ch); math.Abs(float64(whole[at*outStride+ch])-want) > 3e-7*max(1, math.Abs(want)) {
							t.Fatalf("K %d: output [%d, %d] = %g, want %g", k, at, ch, whole[at*outStride+ch], want)
						}
					}
				}
				for cut := range tokens + 1 {
					out, st := make([]float32, tokens*outStride), make([]float32, channels*k)
					c.Run(out, outStride, in, inStride, st, cut, 0, channels)
					if cut < tokens {
						c.Run(out[cut*outStride:], outStride, in[cut*inStride:], inStride, st, tokens-cut, 0, channels)
					}
					if !slices.Equal(out, whole) || !slices.Equal(st, state) {
						t.Fatalf("K %d cut at %d: other bits", k, cut)
					}
				}
			}
		}
	})
}

func convTextbook(weight, bias []float32, k int, in []float32, stride, t, ch int) float64 {
	sum := 0.0
	if bias != nil {
		sum = float64(bias[ch])
	}
	for i := range k {
		if at := t - k + 1 + i; at >= 0 {
			sum += float64(weight[ch*k+i]) * float64(in[at*stride+ch])
		}
	}
	return sum / (1 + math.Exp(-sum))
}

// TestActivationsMatchGeneric holds the fast activations to the bits of the plain ones, over the whole range.
func TestActivationsMatchGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(41, 42))
		check := func(what string, got, want []float32) {
			t.Helper()
			if !slices.EqualFunc(got, want, sameFloat) {
				t.Fatalf("%s: other bits than the plain one", what)
			}
		}
		for round := range 2000 {
			n := 1 + rng.IntN(70)
			v := func() []float32 {
				x := vectors(rng, n, "normal")
				for i := range x {
					switch rng.IntN(4) {
					case 0:
						x[i] = math.Float32frombits(rng.Uint32()) // anything, NaN and Inf among it
					case 1:
						x[i] *= 30
					}
				}
				if round < len(special) {
					x[0] = special[round]
				}
				return x
			}
			x, b, c, z := v(), v(), v(), v()
			got, want := slices.Clone(x), slices.Clone(x)
			softplusRow(got, b)
			softplusRowGeneric(want, b)
			check("softplus", got, want)
			NegExp(got, x)
			negExpGeneric(want, x)
			check("-exp", got, want)
			sums := make([]float64, n)
			for i := range sums {
				sums[i] = float64(c[i]) * float64(z[i])
			}
			gate(got, sums, b, x, z)
			gateGeneric(want, sums, b, x, z)
			check("gate", got, want)
			rows := [][]float32{x, c, z}[:1+rng.IntN(3)]
			taps := append(append(v(), v()...), v()...)
			convRow(got, rows, taps, n, b)
			convRowGeneric(want, rows, taps, n, b, 0)
			check("conv", got, want)
		}
	})
}

func TestReadSeesEveryByte(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		pool := parallel.NewPool(2)
		defer pool.Close()
		rng := rand.New(rand.NewPCG(31, 32))
		var parts [][]byte
		var want uint64
		for _, n := range []int{0, 8, 504, 512, 520, 1<<20 + 8, 0, 1 << 18, 3<<20 + 520, 0} {
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(rng.Uint32())
			}
			parts, want = append(parts, data), want^xorGeneric(data)
			if got := Read(pool, parts); got != want {
				t.Errorf("%d parts, the last of %d bytes: %#x, want %#x", len(parts), n, got, want)
			}
		}
	})
}

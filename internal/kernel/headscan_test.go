package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
)

// randomHeads returns a scan of lively values, and inputs laid out as the model lays them out: x, B and C side by side
// in one array, z and dt in another.
func randomHeads(heads, dim, groups, states, tokens int) (*HeadScan, *ScanRows) {
	rng := rand.New(rand.NewPCG(uint64(heads*dim), uint64(states)))
	inner, bc := heads*dim, groups*states
	s := &HeadScan{
		Heads: heads, HeadDim: dim, Groups: groups, States: states,
		A: vectors(rng, heads, "normal"), D: vectors(rng, inner, "normal"), DtBias: vectors(rng, heads, "normal"),
		DtMin: 0.3, DtMax: 1.5,
	}
	for i, v := range s.A {
		s.A[i] = -float32(math.Exp(2 * float64(v)))
	}
	conv, proj := vectors(rng, (tokens+1)*(inner+2*bc), "normal"), vectors(rng, (tokens+1)*(inner+heads), "normal")
	return s, &ScanRows{
		Tokens: tokens,
		X:      conv, XStride: inner + 2*bc,
		B: conv[inner:], BStride: inner + 2*bc,
		C: conv[inner+bc:], CStride: inner + 2*bc,
		Z: proj, ZStride: inner + heads,
		Dt: proj[inner:], DtStride: inner + heads,
		Y: make([]float32, tokens*inner), YStride: inner,
	}
}

// headsTextbook is the recurrence in float64, its state never rounded.
func headsTextbook(s *HeadScan, r *ScanRows) (y, h []float64) {
	inner := s.Heads * s.HeadDim
	y, h = make([]float64, r.Tokens*inner), make([]float64, inner*s.States)
	for t := range r.Tokens {
		for c := range inner {
			head := c / s.HeadDim
			group := head / (s.Heads / s.Groups)
			dt := math.Log1p(math.Exp(float64(r.Dt[t*r.DtStride+head]) + float64(s.DtBias[head])))
			dt = min(max(dt, s.DtMin), s.DtMax)
			x, z := float64(r.X[t*r.XStride+c]), float64(r.Z[t*r.ZStride+c])
			sum := float64(s.D[c]) * x
			for n := range s.States {
				i := c*s.States + n
				h[i] = math.Exp(dt*float64(s.A[head]))*h[i] + dt*x*float64(r.B[t*r.BStride+group*s.States+n])
				sum += h[i] * float64(r.C[t*r.CStride+group*s.States+n])
			}
			y[t*inner+c] = sum * z / (1 + math.Exp(-z))
		}
	}
	return y, h
}

func TestHeadScanAgainstTextbook(t *testing.T) {
	pool := parallel.NewPool(3)
	defer pool.Close()
	eachISA(t, func(t *testing.T) {
		for _, size := range [][5]int{{1, 1, 1, 1, 1}, {3, 5, 3, 7, 20}, {8, 6, 4, 8, 60}, {4, 64, 1, 128, 90}, {6, 33, 2, 24, 40}} {
			s, r := randomHeads(size[0], size[1], size[2], size[3], size[4])
			wantY, wantH := headsTextbook(s, r)
			h := make([]float32, len(wantH))
			s.Run(r, h, 0, s.Heads*s.HeadDim)
			closeTo(t, fmt.Sprintf("%v: y", size), r.Y, wantY)
			closeTo(t, fmt.Sprintf("%v: h", size), h, wantH)

			clear(h)
			carry := NewCarry(s.Heads*s.HeadDim, s.States)
			RunParallel(pool, s, r, h, &carry)
			closeTo(t, fmt.Sprintf("%v: parallel y", size), r.Y, wantY)
			closeTo(t, fmt.Sprintf("%v: parallel h", size), h, wantH)
		}
	})
}

// TestHeadScanCutAnywhere runs a sequence in two pieces and by channel ranges, which no head needs to respect.
func TestHeadScanCutAnywhere(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		const tokens, inner = 20, 6 * 7
		s, r := randomHeads(6, 7, 2, 16, tokens)
		h := make([]float32, inner*16)
		s.Run(r, h, 0, inner)
		wantY, wantH := slices.Clone(r.Y), slices.Clone(h)
		for cut := range tokens + 1 {
			clear(h)
			clear(r.Y)
			for _, piece := range []ScanRows{r.slice(0, cut), r.slice(cut, tokens)} {
				s.Run(&piece, h, cut, inner)
				s.Run(&piece, h, 0, cut)
			}
			if !slices.Equal(r.Y, wantY) || !slices.Equal(h, wantH) {
				t.Fatalf("cut at %d: other bits", cut)
			}
		}
	})
}

// TestStepHeadMatchesGeneric holds the fast step to the bits of the plain one, special values included.
func TestStepHeadMatchesGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(51, 52))
		for _, states := range []int{1, 7, 8, 16, 24, 48, 128} {
			for channels := range 10 {
				for _, kind := range []string{"normal", "tiny", "special", "nan"} {
					h, x := vectors(rng, channels*states+2, kind), vectors(rng, channels, kind)
					b, c := vectors(rng, states, kind), vectors(rng, states, kind)
					high, low, dt := vectors(rng, 1, kind)[0], float32(rng.NormFloat64()*0x1p-25), rng.Float64()
					if kind == "nan" {
						copy(h[1:], special)
						copy(c, special[len(special)-3:])
					}
					gotH, got, want := slices.Clone(h), make([]float64, channels), make([]float64, channels)
					stepHead(got, gotH[1:len(h)-1], dt, high, low, x, b, c)
					stepHeadGeneric(want, h[1:len(h)-1], dt, high, low, x, b, c)
					same64 := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
					if !slices.EqualFunc(gotH, h, sameFloat) || !slices.EqualFunc(got, want, same64) {
						t.Fatalf("%d states, %d channels, %s: other bits than the plain step", states, channels, kind)
					}
				}
			}
		}
	})
}

// TestHeadScanOfSeveralTokensMatchesSteps holds the scan that keeps states in registers to the bits of plain steps.
func TestHeadScanOfSeveralTokensMatchesSteps(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(53, 54))
		for _, kind := range []string{"normal", "tiny", "special", "nan"} {
			for range 20 {
				channels, states, tokens := 1+rng.IntN(9), 64*(1+rng.IntN(2)), 1+rng.IntN(stepTokens)
				s := HeadScan{States: states}
				r := &ScanRows{
					Tokens: tokens,
					X:      vectors(rng, tokens*(channels+3), kind), XStride: channels + 3,
					B: vectors(rng, tokens*(states+2), kind), BStride: states + 2,
					C: vectors(rng, tokens*(states+5), kind), CStride: states + 5,
				}
				var steps headSteps
				copy(steps.high[:], vectors(rng, tokens, kind))
				for i := range tokens {
					steps.dt[i], steps.low[i] = rng.Float64(), float32(rng.NormFloat64()*0x1p-25)
				}
				h := vectors(rng, channels*states, kind)
				gotH, got, want := slices.Clone(h), make([]float64, stepTokens*stepChannels), make([]float64, stepTokens*stepChannels)
				s.steps(&steps, r, &ScanRows{}, got, gotH, 0, channels)
				for i := range tokens {
					stepHeadGeneric(want[i*stepChannels:][:channels], h, steps.dt[i], steps.high[i], steps.low[i],
						r.X[i*r.XStride:][:channels], r.B[i*r.BStride:][:states], r.C[i*r.CStride:][:states])
				}
				same64 := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
				if !slices.EqualFunc(gotH, h, sameFloat) || !slices.EqualFunc(got, want, same64) {
					t.Fatalf("%d channels, %d states, %d tokens, %s: other bits than plain steps", channels, states, tokens, kind)
				}
			}
		}
	})
}

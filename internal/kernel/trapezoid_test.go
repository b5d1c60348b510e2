package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
)

// randomTrapezoid returns a recurrence of lively values and rows of that many tokens, their turns set.
func randomTrapezoid(m Trapezoid, mixed, normed bool, tokens int) (*Trapezoid, *TrapezoidRows) {
	rng := rand.New(rand.NewPCG(uint64(m.Heads*m.HeadDim), uint64(m.States)))
	normal := func(n int) []float32 { return vectors(rng, n, "normal") }
	perRank := m.Heads * m.Rank * m.HeadDim
	m.DtBias, m.D, m.Floor, m.NormEps = normal(m.Heads), normal(m.Heads), 1e-4, 1e-5
	m.BBias, m.CBias = normal(m.Heads*m.Rank*m.States), normal(m.Heads*m.Rank*m.States)
	if mixed {
		m.MixX, m.MixZ, m.MixY = normal(perRank), normal(perRank), normal(perRank)
	}
	if normed {
		m.Norm = normal(m.Heads * m.HeadDim)
	}
	m.Ready()
	width := 2*m.Heads*m.HeadDim + 2*m.Rank*m.Groups*m.States + 3*m.Heads + m.Angles
	r := &TrapezoidRows{Tokens: tokens, Rows: normal(tokens * width), Stride: width, Turns: make([]float32, 2*tokens*m.Angles)}
	m.TurnRates(r, 0, m.Angles)
	return &m, r
}

func (m *Trapezoid) newState() *TrapezoidState {
	return &TrapezoidState{
		Angle: make([]float32, m.Heads*m.Angles), SSM: make([]float32, m.Heads*m.HeadDim*m.States),
		K: make([]float32, m.Rank*m.Heads*m.States), X: make([]float32, m.Heads*m.HeadDim),
	}
}

// exactTrapezoid runs a recurrence on exactInputs, and returns its rows and states.
func exactTrapezoid(rank int) []float32 {
	const heads, dim, groups, states, tokens, angles = 4, 5, 2, 32, 50, 8
	rng := rand.New(rand.NewPCG(9, 10))
	m := &Trapezoid{
		Heads: heads, HeadDim: dim, Groups: groups, States: states, Rank: rank, Angles: angles, Halves: rank > 1,
		DtBias: exactInputs(rng, heads), Floor: 0.25, D: exactInputs(rng, heads),
		BBias: exactInputs(rng, heads*rank*states), CBias: exactInputs(rng, heads*rank*states),
	}
	if rank > 1 {
		m.MixX, m.MixZ, m.MixY = exactInputs(rng, heads*rank*dim), exactInputs(rng, heads*rank*dim), exactInputs(rng, heads*rank*dim)
	}
	m.Ready()
	const inner = heads * dim
	width := 2*inner + 2*rank*groups*states + 3*heads + angles
	r := &TrapezoidRows{Tokens: tokens, Rows: exactInputs(rng, tokens*width), Stride: width, Turns: make([]float32, 2*tokens*angles)}
	m.TurnRates(r, 0, angles)
	s := m.newState()
	m.Run(r, s, 0, heads)
	return slices.Concat(r.Rows, s.Angle, s.SSM, s.K, s.X)
}

// TestTrapezoidOneBitPattern runs sequences whole and in pieces, heads apart, in every instruction set: the bits of plain Go.
func TestTrapezoidOneBitPattern(t *testing.T) {
	const tokens = 39
	for _, c := range []struct {
		Trapezoid
		mixed, normed bool
	}{
		{Trapezoid{Heads: 2, HeadDim: 64, Groups: 1, States: 128, Rank: 1, Angles: 32}, false, false},
		{Trapezoid{Heads: 4, HeadDim: 9, Groups: 2, States: 48, Rank: 1, Angles: 24}, false, true},
		{Trapezoid{Heads: 2, HeadDim: 64, Groups: 1, States: 128, Rank: 4, Angles: 32, Halves: true}, true, false},
		{Trapezoid{Heads: 2, HeadDim: 7, Groups: 1, States: 32, Rank: 3, Angles: 13, Halves: true}, true, true},
		{Trapezoid{Heads: 2, HeadDim: 5, Groups: 2, States: 20, Rank: 5, Angles: 10, Halves: true}, true, false},
	} {
		m, fresh := randomTrapezoid(c.Trapezoid, c.mixed, c.normed, tokens)
		run := func(head int, cuts ...int) []float32 {
			rows, s, from := *fresh, m.newState(), 0
			rows.Rows = slices.Clone(fresh.Rows)
			for _, to := range append(cuts, tokens) {
				piece := rows.slice(m, from, to)
				m.Run(&piece, s, head, m.Heads)
				m.Run(&piece, s, 0, head)
				from = to
			}
			return slices.Concat(rows.Rows, s.Angle, s.SSM, s.K, s.X)
		}
		best := cpu
		cpu = &generic
		want := run(0)
		cpu = best
		name := fmt.Sprintf("%d states, rank %d", m.States, m.Rank)
		if i := slices.IndexFunc(want, func(v float32) bool { return v != v }); i >= 0 {
			t.Fatalf("%s: NaN at %d", name, i)
		}
		eachISA(t, func(t *testing.T) {
			for cut := 0; cut <= tokens; cut += 3 {
				if got := run(cut%m.Heads, cut); !slices.EqualFunc(got, want, sameFloat) {
					t.Fatalf("%s, cut at %d: other bits", name, cut)
				}
			}
		})
	}
}

// TestStepTrapezoidMatchesGeneric holds the fast steps to the bits of the plain one, special values included.
func TestStepTrapezoidMatchesGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(61, 62))
		for rank := 1; rank <= 5; rank++ {
			for _, states := range []int{7, 16, 48, 128} {
				for channels := 1; channels < 6; channels++ {
					for _, kind := range []string{"normal", "tiny", "special"} {
						s := trapezoidSteps{rank: rank, channels: channels, states: states}
						tokens := 1 + rng.IntN(stepTokens)
						copy(s.high[:], vectors(rng, tokens, kind))
						for i := range tokens {
							s.low[i] = float32(rng.NormFloat64() * 0x1p-25)
						}
						s.in, s.k = vectors(rng, 2*tokens*rank*channels, kind), vectors(rng, (tokens+1)*rank*states, kind)
						s.q = vectors(rng, tokens*rank*states, kind)
						h, want := vectors(rng, channels*states, kind), make([]float64, tokens*rank*channels)
						gotH, got := slices.Clone(h), slices.Clone(want)
						s.run(got, gotH, tokens)
						for i := range tokens {
							stepTrapezoidGeneric(want[i*rank*channels:][:rank*channels], h, s.high[i], s.low[i],
								s.in[2*i*rank*channels:], s.k[i*rank*states:], s.q[i*rank*states:][:rank*states], rank, 0)
						}
						same64 := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b }
						if !slices.EqualFunc(gotH, h, sameFloat) || !slices.EqualFunc(got, want, same64) {
							t.Fatalf("rank %d, %d states, %d channels, %s: other bits than plain steps", rank, states, channels, kind)
						}
					}
				}
			}
		}
	})
}

// TestTurnMatchesGeneric holds angles and gates to the bits of plain Go, from small steps to many turns at once.
func TestTurnMatchesGeneric(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(63, 64))
		for n := range 40 {
			angles, rates, low := vectors(rng, n, "normal"), vectors(rng, n, "normal"), vectors(rng, n, "tiny")
			for i := range angles {
				angles[i] = float32(rng.Float64() * 2 * math.Pi)
			}
			got, cos, sin := slices.Clone(angles), make([]float64, n), make([]float64, n)
			wantCos, wantSin := make([]float64, n), make([]float64, n)
			dt := math.Exp(4*rng.NormFloat64() - 4)
			turn(got, rates, low, dt, cos, sin)
			turnGeneric(angles, rates, low, dt, wantCos, wantSin)
			if !slices.Equal(got, angles) || !slices.Equal(cos, wantCos) || !slices.Equal(sin, wantSin) {
				t.Fatalf("%d angles: other bits than plain Go", n)
			}
			for i, a := range angles {
				if a < 0 || a > 2*math.Pi || math.Abs(sin[i]-math.Sin(float64(a))) > 0x1p-40 || math.Abs(cos[i]-math.Cos(float64(a))) > 0x1p-40 {
					t.Fatalf("angle %v: sine %v and cosine %v", a, sin[i], cos[i])
				}
			}
		}
	})
}

// BenchmarkTrapezoid measures the recurrence of Mamba-3 with the heads of the smallest published models, on one thread.
func BenchmarkTrapezoid(b *testing.B) {
	const tokens = 256
	for name, c := range map[string]Trapezoid{
		"SISO": {Heads: 24, HeadDim: 64, Groups: 1, States: 128, Rank: 1, Angles: 32},
		"MIMO": {Heads: 24, HeadDim: 64, Groups: 1, States: 128, Rank: 4, Angles: 32, Halves: true},
	} {
		m, r := randomTrapezoid(c, c.Halves, false, tokens)
		s, rows := m.newState(), slices.Clone(r.Rows)
		pool := parallel.NewPool(1)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				copy(r.Rows, rows)
				pool.Run(m.Heads, 1, func(lo, hi int) { m.Run(r, s, lo, hi) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(m.Heads*m.HeadDim*m.States*tokens), "ns/state")
		})
		pool.Close()
	}
}

package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// maxRank is the largest rank of Mamba-3 that has functions of its own.
const maxRank = 4

// trapezoid generates one token's step of the recurrence of Mamba-3 for adjacent channels of one head.
type trapezoid struct {
	isa    string
	rank   int
	at     int // channels side by side
	vector func() VecVirtual
	parts  [][]int64 // where the vectors of 16 states begin, in bytes, that are summed in one pass over the states
}

// trapezoidAVX2 takes half of the lanes at a time from rank 3 on, as there are 16 registers: enough for two channels of rank 1.
func trapezoidAVX2(rank, at int) {
	parts := [][]int64{{0, 32}}
	if rank > 2 {
		parts = [][]int64{{32}, {0}}
	}
	(&trapezoid{"AVX2", rank, at, func() VecVirtual { return YMM() }, parts}).generate()
}

func trapezoidAVX512(rank int) {
	(&trapezoid{"AVX512", rank, 2, func() VecVirtual { return ZMM() }, [][]int64{{0}}}).generate()
}

// rankRows addresses rows that are a register's bytes apart; three is three times that.
type rankRows struct{ base, one, three Register }

func (r rankRows) row(i int, disp int64) Mem {
	m := Mem{Base: r.base, Disp: int(disp)}
	switch i {
	case 1, 2:
		m.Index, m.Scale = r.one, uint8(i)
	case 3:
		m.Index, m.Scale = r.three, 1
	}
	return m
}

func (g *trapezoid) generate() {
	name := fmt.Sprintf("trapezoid%dx%d%s", g.rank, g.at, g.isa)
	TEXT(name, NOSPLIT, "func(sums *float64, h *float32, high, low float32, in, k, q *float32, states, pitch, rounds int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s does what stepTrapezoidGeneric does for %d·rounds channels and rank %d; sums and in have rows of pitch.", name, g.at, g.rank),
		"states is a positive multiple of 16, rounds is positive.")
	sums, in := Load(Param("sums"), GP64()), Load(Param("in"), GP64())
	high, low := g.vector(), g.vector()
	VBROADCASTSS(paramMem("high"), high)
	VBROADCASTSS(paramMem("low"), low)
	one, three, pitch := Load(Param("states"), GP64()), GP64(), Load(Param("pitch"), GP64())
	SHLQ(U8(2), one)
	LEAQ(Mem{Base: one, Index: one, Scale: 2}, three)
	SHLQ(U8(2), pitch)
	h, last := rankRows{Load(Param("h"), GP64()), one, three}, rankRows{Load(Param("k"), GP64()), one, three}
	now, q := rankRows{GP64(), one, three}, rankRows{Load(Param("q"), GP64()), one, three}
	rounds := Load(Param("rounds"), GP64())
	if g.rank == 3 {
		LEAQ(Mem{Base: last.base, Index: three, Scale: 1}, now.base)
	} else {
		LEAQ(Mem{Base: last.base, Index: one, Scale: uint8(g.rank)}, now.base)
	}

	Label("channels")
	input := make([][]VecVirtual, 2*g.rank)
	at := GP64()
	MOVQ(in, at)
	for i := range input {
		for c := range g.at {
			input[i] = append(input[i], g.vector())
			VBROADCASTSS(Mem{Base: at, Disp: 4 * c}, input[i][c])
		}
		ADDQ(pitch, at)
	}
	var kept []Mem // lanes of the first pass
	var acc [][][]VecVirtual
	for pass, parts := range g.parts {
		acc = nil
		for r := range g.rank {
			acc = append(acc, nil)
			for c := range g.at {
				acc[r] = append(acc[r], nil)
				for range parts {
					v := g.vector()
					acc[r][c] = append(acc[r][c], v)
					if g.isa == "AVX2" {
						VXORPS(v, v, v)
					} else {
						VPXORD(v, v, v)
					}
				}
			}
		}
		left := GP64()
		MOVQ(one, left)
		label := fmt.Sprintf("states%d", pass)
		Label(label)
		for part, disp := range parts {
			g.states(h, last, now, q, disp, high, low, input, acc, part)
		}
		for _, r := range []rankRows{h, last, now, q} {
			ADDQ(U8(64), r.base)
		}
		SUBQ(U8(64), left)
		JNZ(LabelRef(label))
		for _, r := range []rankRows{h, last, now, q} {
			SUBQ(one, r.base)
		}
		if pass+1 < len(g.parts) {
			for r := range acc {
				kept = append(kept, AllocLocal(32))
				VMOVUPS(acc[r][0][0], kept[r])
			}
		}
	}
	LEAQ(Mem{Base: h.base, Index: one, Scale: uint8(g.at)}, h.base)

	MOVQ(sums, at)
	for r := range acc {
		switch {
		case g.isa == "AVX512":
			sumTwo([headChannels]VecVirtual{acc[r][0][0], acc[r][1][0]}, at)
		case kept != nil:
			high := YMM()
			VMOVUPS(kept[r], high)
			VMOVSD(sumLanes64([2]VecVirtual{acc[r][0][0], high}), Mem{Base: at})
		default:
			for c, lanes := range acc[r] {
				VMOVSD(sumLanes64([2]VecVirtual(lanes)), Mem{Base: at, Disp: 8 * c})
			}
		}
		LEAQ(Mem{Base: at, Index: pitch, Scale: 2}, at)
	}
	ADDQ(U8(8*g.at), sums)
	ADDQ(U8(4*g.at), in)
	DECQ(rounds)
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// states moves one vector of states of each channel.
func (g *trapezoid) states(h, last, now, q rankRows, disp int64, high, low VecVirtual, input [][]VecVirtual, acc [][][]VecVirtual, part int) {
	state, next := make([]VecVirtual, g.at), make([]VecVirtual, g.at)
	for c := range g.at {
		state[c], next[c] = g.vector(), g.vector()
		VMOVUPS(h.row(c, disp), state[c])
		VMULPS(low, state[c], next[c])
	}
	// add adds the products of a row with a factor of each channel.
	add := func(row Mem, factor, sum []VecVirtual) {
		if g.at == 1 {
			VFMADD231PS(row, factor[0], sum[0])
			return
		}
		v := g.vector()
		VMOVUPS(row, v)
		for c := range g.at {
			VFMADD231PS(v, factor[c], sum[c])
		}
	}
	add(last.row(0, disp), input[0], next)
	for c := range g.at {
		VFMADD213PS(next[c], high, state[c])
	}
	for r := 1; r < g.rank; r++ {
		add(last.row(r, disp), input[r], state)
	}
	for r := range g.rank {
		add(now.row(r, disp), input[g.rank+r], state)
	}
	for c := range g.at {
		VMOVUPS(state[c], h.row(c, disp))
	}
	for r := range g.rank {
		sums := make([]VecVirtual, g.at)
		for c := range g.at {
			sums[c] = acc[r][c][part]
		}
		add(q.row(r, disp), state, sums)
	}
}

// trapezoidBlock generates the recurrence of Mamba-3 of rank 1 for two channels of one head, with 128 states each, over some tokens.
func trapezoidBlock(*constants) {
	TEXT("trapezoidBlockAVX512", NOSPLIT, "func(h, high, low, in, k, q *float32, sums *float64, tokens, pitch int)")
	Pragma("noescape")
	Doc("trapezoidBlockAVX512 moves the states h [2, 128] of 2 channels of one head over some tokens, as stepTrapezoidGeneric does,",
		"and sets sums[t·pitch + i] to its sum for channel i and token t. in is [tokens, 2, pitch], k [tokens + 1, 128], that of the token",
		"before the first in front, and q [tokens, 128]. tokens is positive.")
	h := Load(Param("h"), GP64())
	high, low := Load(Param("high"), GP64()), Load(Param("low"), GP64())
	var state [headChannels][headStates / 16]VecVirtual
	for i := range state {
		for j := range state[i] {
			state[i][j] = ZMM()
			VMOVUPS(Mem{Base: h, Disp: 4*headStates*i + 64*j}, state[i][j])
		}
	}
	in, k, q := Load(Param("in"), GP64()), Load(Param("k"), GP64()), Load(Param("q"), GP64())
	sums, pitch, tokens := Load(Param("sums"), GP64()), Load(Param("pitch"), GP64()), Load(Param("tokens"), GP64())
	SHLQ(U8(2), pitch)

	Label("token")
	highV, lowV := ZMM(), ZMM()
	VBROADCASTSS(Mem{Base: high}, highV)
	VBROADCASTSS(Mem{Base: low}, lowV)
	var before, now, lane [headChannels]VecVirtual
	for i := range lane {
		before[i], now[i], lane[i] = ZMM(), ZMM(), ZMM()
		VBROADCASTSS(Mem{Base: in, Disp: 4 * i}, before[i])
		VBROADCASTSS(Mem{Base: in, Index: pitch, Scale: 1, Disp: 4 * i}, now[i])
		VPXORD(lane[i], lane[i], lane[i])
	}
	for j := range headStates / 16 {
		var row [3]VecVirtual
		for i, m := range []Mem{{Base: k, Disp: 64 * j}, {Base: k, Disp: 4*headStates + 64*j}, {Base: q, Disp: 64 * j}} {
			row[i] = ZMM()
			VMOVUPS(m, row[i])
		}
		for i := range state {
			input := ZMM()
			VMULPS(lowV, state[i][j], input)
			VFMADD231PS(row[0], before[i], input)
			VFMADD213PS(input, highV, state[i][j])
			VFMADD231PS(row[1], now[i], state[i][j])
			VFMADD231PS(row[2], state[i][j], lane[i])
		}
	}
	sumTwo(lane, sums)
	LEAQ(Mem{Base: sums, Index: pitch, Scale: 2}, sums)
	LEAQ(Mem{Base: in, Index: pitch, Scale: 2}, in)
	for _, p := range []Register{k, q} {
		ADDQ(I32(4*headStates), p)
	}
	for _, p := range []Register{high, low} {
		ADDQ(U8(4), p)
	}
	DECQ(tokens)
	JNZ(LabelRef("token"))

	for i := range state {
		for j := range state[i] {
			VMOVUPS(state[i][j], Mem{Base: h, Disp: 4*headStates*i + 64*j})
		}
	}
	VZEROUPPER()
	RET()
}

// gateRank generates the gate of one rank.
func gateRank(k *constants) {
	TEXT("gateRank"+k.isa, NOSPLIT, "func(out, sums *float64, d, x, z, mixZ, mixY *float32, n int)")
	Pragma("noescape")
	Doc("gateRank"+k.isa+" adds (sums[i] + d[i]·x[i]) · silu(z[i]·mixZ[i]) · mixY[i] to out[i] for i < n, as gateRankGeneric does.",
		"n is a positive multiple of "+k.multiple())
	out, sums := Load(Param("out"), GP64()), Load(Param("sums"), GP64())
	d, x, z := Load(Param("d"), GP64()), Load(Param("x"), GP64()), Load(Param("z"), GP64())
	mixZ, mixY, n := Load(Param("mixZ"), GP64()), Load(Param("mixY"), GP64()), Load(Param("n"), GP64())
	k.forVectors(n, func(i Register) {
		v, g := k.load(d, i), k.load(z, i)
		VMULPD(k.load(x, i), v, v)
		VADDPD(Mem{Base: sums, Index: i, Scale: 8}, v, v)
		VMULPD(k.load(mixZ, i), g, g)
		VMULPD(siluPD(k, g), v, v)
		VMULPD(k.load(mixY, i), v, v)
		VADDPD(Mem{Base: out, Index: i, Scale: 8}, v, v)
		VMOVUPD(v, Mem{Base: out, Index: i, Scale: 8})
	})
}

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
	parts  [][]int // where the vectors of 16 states begin, in bytes, that are summed in one pass over the states

	h, last, now, q rankRows // states of channels; keys of the token before, of this one, and queries, of ranks
	one, pitch      Register // bytes of a row of states, and of a row of inputs
	high, low       VecVirtual
}

// trapezoidAVX2 takes half of the lanes at a time from rank 3 on, as there are 16 registers: enough for two channels of rank 1.
func trapezoidAVX2(rank, at int) {
	parts := [][]int{{0, 32}}
	if rank > 2 {
		parts = [][]int{{32}, {0}}
	}
	(&trapezoid{isa: "AVX2", rank: rank, at: at, vector: func() VecVirtual { return YMM() }, parts: parts}).generate()
}

func trapezoidAVX512(rank int) {
	(&trapezoid{isa: "AVX512", rank: rank, at: 2, vector: func() VecVirtual { return ZMM() }, parts: [][]int{{0}}}).generate()
}

// rankRows addresses rows that are a register's bytes apart; three is three times that.
type rankRows struct{ base, one, three Register }

func (r rankRows) row(i, disp int) Mem {
	m := Mem{Base: r.base, Disp: disp}
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
	g.load()
	rounds := Load(Param("rounds"), GP64())
	var spilled Register
	if g.folds() {
		spilled = spill(2 * maxRank)
	}

	Label("channels")
	input, at := make([][]VecVirtual, 2*g.rank), GP64()
	MOVQ(in, at)
	for i := range input {
		input[i] = g.vectors()
		for c, v := range input[i] {
			VBROADCASTSS(Mem{Base: at, Disp: 4 * c}, v)
		}
		ADDQ(g.pitch, at)
	}
	var kept []Mem // lanes of the first pass
	var acc [][][]VecVirtual
	for pass, parts := range g.parts {
		acc = g.pass(fmt.Sprintf("states%d", pass), parts, input)
		if pass+1 < len(g.parts) {
			for r := range acc {
				kept = append(kept, AllocLocal(32))
				VMOVUPS(acc[r][0][0], kept[r])
			}
		}
	}
	LEAQ(Mem{Base: g.h.base, Index: g.one, Scale: uint8(g.at)}, g.h.base)
	MOVQ(sums, at)
	if g.folds() {
		g.sumMany(acc, at, spilled)
	} else {
		g.sum(acc, kept, at)
	}
	ADDQ(U8(8*g.at), sums)
	ADDQ(U8(4*g.at), in)
	DECQ(rounds)
	JNZ(LabelRef("channels"))
	VZEROUPPER()
	RET()
}

// load loads what all channels share.
func (g *trapezoid) load() {
	g.high, g.low = g.vector(), g.vector()
	VBROADCASTSS(paramMem("high"), g.high)
	VBROADCASTSS(paramMem("low"), g.low)
	three := GP64()
	g.one, g.pitch = Load(Param("states"), GP64()), Load(Param("pitch"), GP64())
	SHLQ(U8(2), g.one)
	LEAQ(Mem{Base: g.one, Index: g.one, Scale: 2}, three)
	SHLQ(U8(2), g.pitch)
	rows := func(base Register) rankRows { return rankRows{base, g.one, three} }
	g.h, g.last, g.q = rows(Load(Param("h"), GP64())), rows(Load(Param("k"), GP64())), rows(Load(Param("q"), GP64()))
	g.now = rows(GP64())
	if g.rank == 3 {
		LEAQ(Mem{Base: g.last.base, Index: three, Scale: 1}, g.now.base)
	} else {
		LEAQ(Mem{Base: g.last.base, Index: g.one, Scale: uint8(g.rank)}, g.now.base)
	}
}

// vectors returns one for each channel.
func (g *trapezoid) vectors() (v []VecVirtual) {
	for range g.at {
		v = append(v, g.vector())
	}
	return v
}

// pass goes once over all states, at parts of each 16, and returns lanes of each rank, channel and part.
func (g *trapezoid) pass(label string, parts []int, input [][]VecVirtual) (acc [][][]VecVirtual) {
	for r := range g.rank {
		acc = append(acc, make([][]VecVirtual, g.at))
		for c := range acc[r] {
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
	MOVQ(g.one, left)
	Label(label)
	for part, disp := range parts {
		g.step(disp, input, acc, part)
	}
	all := []Register{g.h.base, g.last.base, g.now.base, g.q.base}
	for _, p := range all {
		ADDQ(U8(64), p)
	}
	SUBQ(U8(64), left)
	JNZ(LabelRef(label))
	for _, p := range all {
		SUBQ(g.one, p)
	}
	return acc
}

// step moves one vector of states of each channel.
func (g *trapezoid) step(disp int, input [][]VecVirtual, acc [][][]VecVirtual, part int) {
	state, next := g.vectors(), g.vectors()
	for c := range g.at {
		VMOVUPS(g.h.row(c, disp), state[c])
		VMULPS(g.low, state[c], next[c])
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
	add(g.last.row(0, disp), input[0], next)
	for c := range g.at {
		VFMADD213PS(next[c], g.high, state[c])
	}
	for r := 1; r < g.rank; r++ {
		add(g.last.row(r, disp), input[r], state)
	}
	for r := range g.rank {
		add(g.now.row(r, disp), input[g.rank+r], state)
	}
	for c := range g.at {
		VMOVUPS(state[c], g.h.row(c, disp))
	}
	for r := range g.rank {
		var sums []VecVirtual
		for c := range g.at {
			sums = append(sums, acc[r][c][part])
		}
		add(g.q.row(r, disp), state, sums)
	}
}

// sum stores the sums of the channels for each rank; kept has the lanes of a first pass, the upper half.
func (g *trapezoid) sum(acc [][][]VecVirtual, kept []Mem, at Register) {
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
		LEAQ(Mem{Base: at, Index: g.pitch, Scale: 2}, at)
	}
}

// spill returns where n vectors may be stored.
func spill(n int) Register {
	at := GP64()
	LEAQ(AllocLocal(64*n+64), at)
	ADDQ(U8(63), at)
	ANDQ(I8(-64), at)
	return at
}

// foldSpilled is fold by way of memory: what is loaded is widened without the shuffles that it takes in registers, which would
// keep the multiply-adds waiting.
func foldSpilled(acc VecVirtual, at Mem) VecVirtual {
	high := ZMM()
	VMOVUPS(acc, at)
	VCVTPS2PD(at, acc)
	VCVTPS2PD(at.Offset(32), high)
	VADDPD(high, acc, acc)
	return acc
}

// folds reports whether there are so many sums that they are made by way of memory.
func (g *trapezoid) folds() bool { return g.isa == "AVX512" && g.rank > 2 }

// sumMany is sum for two channels of maxRank ranks, or one less.
func (g *trapezoid) sumMany(acc [][][]VecVirtual, at, spilled Register) {
	var quads [2]VecVirtual
	for c := range quads {
		var folded [maxRank]VecVirtual
		for r := range folded {
			if r < g.rank {
				folded[r] = foldSpilled(acc[r][c][0], Mem{Base: spilled, Disp: 64 * (maxRank*c + r)})
				continue
			}
			folded[r] = ZMM()
			VPXORD(folded[r], folded[r], folded[r])
		}
		quads[c] = sumQuads(folded)
	}
	low := ZMM()
	VUNPCKLPD(quads[1], quads[0], low)
	VUNPCKHPD(quads[1], quads[0], quads[0])
	VADDPD(quads[0], low, low)
	VMOVUPD(low.AsX(), Mem{Base: at})
	for r := 1; r < g.rank; r++ {
		LEAQ(Mem{Base: at, Index: g.pitch, Scale: 2}, at)
		VEXTRACTF64X2(U8(r), low, Mem{Base: at})
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

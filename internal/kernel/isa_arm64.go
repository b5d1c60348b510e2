//go:build !purego

package kernel

import (
	"sync"

	"github.com/gomamba/gomamba/tensor"
)

// available returns the instruction sets that this CPU has beside plain Go. NEON is part of arm64, with conversions of half
// precision.
func available() []*isa { return []*isa{&neon} }

var neon = func() isa {
	s := generic
	s.name = "neon"
	s.formats = newFormats(map[tensor.DType]format{
		tensor.F32:     {dotFour: dotFourF32NEON, dotOne: dotOneF32NEON, few: 4},
		tensor.F16:     {dotFourF16NEON, dotOneF16NEON, widenF16NEON, narrowF16NEON, 4},
		tensor.BF16:    {dotFourBF16NEON, dotOneBF16NEON, widenBF16NEON, narrowBF16NEON, 4},
		tensor.Q8_0:    {nil, dotOneQ8NEON, widenQ8NEON, nil, 1},
		tensor.Q4_0:    {nil, dotOneQ4NEON, widenQ4NEON, nil, 1},
		tensor.Q4_1:    {nil, dotOneQ41NEON, widenQ41NEON, nil, 1},
		tensor.Q5_0:    {nil, dotOneQ50NEON, widenQ50NEON, nil, 1},
		tensor.Q5_1:    {nil, dotOneQ51NEON, widenQ51NEON, nil, 1},
		tensor.Q2_K:    {nil, dotOneQ2KNEON, widenQ2KNEON, nil, 1},
		tensor.Q3_K:    {nil, dotOneQ3KNEON, widenQ3KNEON, nil, 1},
		tensor.Q4_K:    {nil, dotOneQ4KNEON, widenQ4KNEON, nil, 1},
		tensor.Q5_K:    {nil, dotOneQ5KNEON, widenQ5KNEON, nil, 1},
		tensor.Q6_K:    {nil, dotOneQ6KNEON, widenQ6KNEON, nil, 1},
		tensor.IQ4_NL:  {nil, dotOneIQ4NLNEON, widenIQ4NLNEON, nil, 1},
		tensor.IQ4_XS:  {nil, dotOneIQ4XSNEON, widenIQ4XSNEON, nil, 1},
		tensor.IQ3_S:   {nil, dotOneIQ3SNEON, widenIQ3SNEON, nil, 1},
		tensor.IQ3_XXS: {nil, dotOneIQ3XXSNEON, widenIQ3XXSNEON, nil, 1},
		tensor.IQ2_S:   {nil, dotOneIQ2SNEON, widenIQ2SNEON, nil, 1},
		tensor.IQ2_XS:  {nil, dotOneIQ2XSNEON, widenIQ2XSNEON, nil, 1},
		tensor.IQ2_XXS: {nil, dotOneIQ2XXSNEON, widenIQ2XXSNEON, nil, 1},
		tensor.IQ1_M:   {nil, dotOneIQ1MNEON, widenIQ1MNEON, nil, 1},
		tensor.IQ1_S:   {nil, dotOneIQ1SNEON, widenIQ1SNEON, nil, 1},
		tensor.TQ2_0:   {nil, dotOneTQ2NEON, widenTQ2NEON, nil, 1},
		tensor.TQ1_0:   {nil, dotOneTQ1NEON, widenTQ1NEON, nil, 1},
		tensor.MXFP4:   {nil, dotOneMXFP4NEON, widenMXFP4NEON, nil, 1},
		tensor.NVFP4:   {nil, dotOneNVFP4NEON, widenNVFP4NEON, nil, 1},
		tensor.Q2_0:    {nil, dotOneQ20NEON, widenQ20NEON, nil, 1},
		tensor.Q1_0:    {nil, dotOneQ10NEON, widenQ10NEON, nil, 1},
	})
	s.tiling = tiling{
		rows: 4, tokens: 6, block: blockOfCache,
		tile: []tileFunc{1: tile4x1NEON, 2: tile4x2NEON, 3: tile4x3NEON, 4: tile4x4NEON, 5: tile4x5NEON, 6: tile4x6NEON},
	}
	s.maxAbsBits = maxAbsBitsNEON

	s.scanStep = scanStep{one: scanStepNEON}
	s.headStep = headStep{two: stepHeadTwoNEON, one: stepHeadOneNEON}
	s.trapezoid = [5]trapezoidStep{
		1: {one: trapezoid1NEON}, 2: {one: trapezoid2NEON}, 3: {one: trapezoid3NEON}, 4: {one: trapezoid4NEON},
	}
	s.gateRank, s.turn, s.rotateNeighbours, s.rotateHalves = gateRankNEON, turnNEON, rotateNeighboursNEON, rotateHalvesNEON
	s.conv, s.gate, s.softplus, s.negExp = convNEON, gateNEON, softplusNEON, negExpNEON
	s.squares = func(x *float32, n int) (lane [8]float64) {
		addSquaresNEON(&lane[0], x, n)
		return lane
	}
	s.scaleRow, s.addTo = scaleRowNEON, addToNEON
	s.addRows, s.weigh = addRowsNEON, weighNEON
	s.codes = [codeKinds]codeLeaf{
		levelCodes: {widen: widenLevelsNEON}, affineLevelCodes: {widen: widenLevelsNEON}, integerCodes: {widen: widenIntegersNEON},
		int8Codes: {widen: widenInt8NEON}, e4m3Codes: {widen: widenE4M3NEON},
	}
	s.times = timesNEON
	s.roundTrials = func(t *Trials, x, w *float32, n int, lo, hi float32) { roundTrialsNEON(&t.S[0], x, w, n, lo, hi) }
	s.scanTrials = func(t *Trials, x, w, wx *float32, n int, lo, hi float32) {
		scanTrialsNEON(&t.S[0], x, w, wx, n, lo, hi)
	}

	s.xor = func(data *byte, eighth int) uint64 { return xorNEON(data, 2*eighth) }
	s.multiplyAdd = func(n int) { multiplyAddNEON(n / (2 * 4 * 24)) }
	return s
}()

// blockOfCache leaves a fifth of what a core has of its second-level cache: 512 KiB on a Cortex-A76, 1 MiB on a Neoverse N1 or V1,
// 3 MiB on an Apple M1, where four cores share 12.
var blockOfCache = sync.OnceValue(func() int {
	cache := secondLevelCache()
	if cache == 0 {
		return block1M()
	}
	return min(max(cache, 256<<10), 4<<20) / 5 * 4
})

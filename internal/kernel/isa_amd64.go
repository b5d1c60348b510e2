//go:build !purego

package kernel

import (
	"slices"

	x86 "golang.org/x/sys/cpu"

	"github.com/gomamba/gomamba/tensor"
)

// available returns the instruction sets that this CPU has beside plain Go, the best first.
// GODEBUG=cpu.avx512vbmi=off, cpu.avx512f=off or cpu.avx2=off in the environment takes one away.
func available() []*isa {
	has := &x86.X86
	if !has.HasAVX2 || !has.HasFMA || !has.HasF16C {
		return nil
	}
	if !has.HasBMI2 || !has.HasAVX512F || !has.HasAVX512DQ || !has.HasAVX512VL || !has.HasAVX512BW {
		return []*isa{&avx2}
	}
	if !has.HasAVX512VBMI || !has.HasAVX512GFNI {
		return []*isa{&avx512, &avx2}
	}
	return []*isa{&vbmi, &avx512, &avx2}
}

var avx2 = isa{
	name: "avx2+fma",
	formats: newFormats(map[tensor.DType]format{
		tensor.F32:     {dotFour: dotFourF32AVX2, dotOne: dotOneF32AVX2, few: 4},
		tensor.F16:     {dotFourF16AVX2, dotOneF16AVX2, widenF16AVX2, narrowF16AVX2, 4},
		tensor.BF16:    {dotFourBF16AVX2, dotOneBF16AVX2, widenBF16AVX2, narrowBF16AVX2, 4},
		tensor.Q8_0:    {dotFourQ8AVX2, dotOneQ8AVX2, widenQ8AVX2, nil, 3},
		tensor.Q4_0:    {dotFourQ4AVX2, dotOneQ4AVX2, widenQ4AVX2, nil, 3},
		tensor.Q4_1:    {dotFourQ41AVX2, dotOneQ41AVX2, widenQ41AVX2, nil, 3},
		tensor.Q5_0:    {dotFourQ50AVX2, dotOneQ50AVX2, widenQ50AVX2, nil, 3},
		tensor.Q5_1:    {dotFourQ51AVX2, dotOneQ51AVX2, widenQ51AVX2, nil, 3},
		tensor.Q2_K:    {dotFourQ2KAVX2, dotOneQ2KAVX2, widenQ2KAVX2, nil, 3},
		tensor.Q3_K:    {dotFourQ3KAVX2, dotOneQ3KAVX2, widenQ3KAVX2, nil, 3},
		tensor.Q4_K:    {dotFourQ4KAVX2, dotOneQ4KAVX2, widenQ4KAVX2, nil, 3},
		tensor.Q5_K:    {dotFourQ5KAVX2, dotOneQ5KAVX2, widenQ5KAVX2, nil, 3},
		tensor.Q6_K:    {dotFourQ6KAVX2, dotOneQ6KAVX2, widenQ6KAVX2, nil, 3},
		tensor.IQ4_NL:  {dotFourIQ4NLAVX2, dotOneIQ4NLAVX2, widenIQ4NLAVX2, nil, 3},
		tensor.IQ4_XS:  {dotFourIQ4XSAVX2, dotOneIQ4XSAVX2, widenIQ4XSAVX2, nil, 3},
		tensor.IQ3_S:   {dotFourIQ3SAVX2, dotOneIQ3SAVX2, widenIQ3SAVX2, nil, 3},
		tensor.IQ3_XXS: {dotFourIQ3XXSAVX2, dotOneIQ3XXSAVX2, widenIQ3XXSAVX2, nil, 3},
		tensor.IQ2_S:   {dotFourIQ2SAVX2, dotOneIQ2SAVX2, widenIQ2SAVX2, nil, 3},
		tensor.IQ2_XS:  {dotFourIQ2XSAVX2, dotOneIQ2XSAVX2, widenIQ2XSAVX2, nil, 3},
		tensor.IQ2_XXS: {dotFourIQ2XXSAVX2, dotOneIQ2XXSAVX2, widenIQ2XXSAVX2, nil, 3},
		tensor.IQ1_M:   {dotFourIQ1MAVX2, dotOneIQ1MAVX2, widenIQ1MAVX2, nil, 3},
		tensor.IQ1_S:   {dotFourIQ1SAVX2, dotOneIQ1SAVX2, widenIQ1SAVX2, nil, 3},
		tensor.TQ2_0:   {dotFourTQ2AVX2, dotOneTQ2AVX2, widenTQ2AVX2, nil, 3},
		tensor.TQ1_0:   {dotFourTQ1AVX2, dotOneTQ1AVX2, widenTQ1AVX2, nil, 3},
		tensor.MXFP4:   {dotFourMXFP4AVX2, dotOneMXFP4AVX2, widenMXFP4AVX2, nil, 3},
		tensor.NVFP4:   {dotFourNVFP4AVX2, dotOneNVFP4AVX2, widenNVFP4AVX2, nil, 3},
		tensor.Q2_0:    {dotFourQ20AVX2, dotOneQ20AVX2, widenQ20AVX2, nil, 3},
		tensor.Q1_0:    {dotFourQ10AVX2, dotOneQ10AVX2, widenQ10AVX2, nil, 3},
	}),
	tiling:     tiling{rows: 2, tokens: 3, tile: []tileFunc{3: tileAVX2}, block: block1M},
	maxAbsBits: maxAbsBitsAVX2,

	scanStep: scanStep{one: scanStepAVX2},
	headStep: headStep{two: stepHeadTwoAVX2, one: stepHeadOneAVX2},
	trapezoid: [5]trapezoidStep{
		1: {two: trapezoid1x2AVX2, one: trapezoid1x1AVX2}, 2: {one: trapezoid2x1AVX2}, 3: {one: trapezoid3x1AVX2}, 4: {one: trapezoid4x1AVX2},
	},
	conv:             convAVX2,
	gate:             gateAVX2,
	gateRank:         gateRankAVX2,
	turn:             turnAVX2,
	rotateNeighbours: rotateNeighboursAVX2,
	rotateHalves:     rotateHalvesAVX2,
	softplus:         softplusAVX2,
	negExp:           negExpAVX2,
	squares: func(x *float32, n int) (lane [8]float64) {
		addSquaresAVX2(&lane[0], x, n)
		return lane
	},
	scaleRow: scaleRowAVX2,
	addTo:    addToAVX2,
	addRows:  addRowsAVX2,
	weigh:    weighAVX2,

	roundTrials: func(t *Trials, x, w *float32, n int, lo, hi float32) { roundTrialsAVX2(&t.S[0], x, w, n, lo, hi) },
	scanTrials: func(t *Trials, x, w, wx *float32, n int, lo, hi float32) {
		scanTrialsAVX2(&t.S[0], x, w, wx, n, lo, hi)
	},

	codes: [codeKinds]codeLeaf{
		levelCodes:       {widenLevelsAVX2, dotLevelsAVX2},
		affineLevelCodes: {widenAffineLevelsAVX2, dotAffineLevelsAVX2},
		integerCodes:     {widenIntegersAVX2, dotIntegersAVX2},
		int8Codes:        {widenInt8AVX2, dotInt8AVX2},
		affineInt8Codes:  {widenAffineInt8AVX2, dotAffineInt8AVX2},
		e4m3Codes:        {widenE4M3AVX2, dotE4M3AVX2},
	},
	codeRows: 1,
	columns: columnLeaves{
		bits:       [9]columnLeaf{2: {16, columns2AVX2}, 3: {16, columns3AVX2}, 4: {16, columns4AVX2}, 8: {16, columns8AVX2}},
		rowsInWord: columnLeaf{64, rowsInWordAVX2},
		sum:        sumColumnsAVX2,
	},
	times: timesAVX2,

	xor:         xorAVX2,
	multiplyAdd: func(n int) { multiplyAddAVX2(n / (2 * 8 * 12)) },
}

// tileAVX2 is tile2x3AVX2, whose rows lie one after the other.
func tileAVX2(y *float32, yStride int, w *float32, _ int, x *float32, xStride int, cols int) {
	tile2x3AVX2(y, yStride, w, x, xStride, cols)
}

// avx512 has what avx2 has if it says nothing else: conversions, for one, are bound by memory.
var avx512 = func() isa {
	s := avx2
	s.name = "avx512"
	s.formats = newFormats(map[tensor.DType]format{
		tensor.F32:     {dotFour: dotFourF32AVX512, dotOne: dotOneF32AVX512, few: 4},
		tensor.F16:     {dotFourF16AVX512, dotOneF16AVX512, widenF16AVX2, narrowF16AVX2, 4},
		tensor.BF16:    {dotFourBF16AVX512, dotOneBF16AVX512, widenBF16AVX2, narrowBF16AVX2, 4},
		tensor.Q8_0:    {dotFourQ8AVX512, dotOneQ8AVX512, widenQ8AVX512, nil, 3},
		tensor.Q4_0:    {by256(dotFourQ4EightAVX512, dotFourQ4AVX512), by256(dotOneQ4EightAVX512, dotOneQ4AVX512), widenQ4AVX512, nil, 3},
		tensor.Q4_1:    {by256(dotFourQ41EightAVX512, dotFourQ41AVX512), by256(dotOneQ41EightAVX512, dotOneQ41AVX512), widenQ41AVX512, nil, 3},
		tensor.Q5_0:    {by256(dotFourQ50EightAVX512, dotFourQ50AVX512), by256(dotOneQ50EightAVX512, dotOneQ50AVX512), widenQ50AVX512, nil, 3},
		tensor.Q5_1:    {by256(dotFourQ51EightAVX512, dotFourQ51AVX512), by256(dotOneQ51EightAVX512, dotOneQ51AVX512), widenQ51AVX512, nil, 3},
		tensor.Q2_K:    {dotFourQ2KAVX512, dotOneQ2KAVX512, widenQ2KAVX512, nil, 3},
		tensor.Q3_K:    {dotFourQ3KAVX512, dotOneQ3KAVX512, widenQ3KAVX512, nil, 3},
		tensor.Q4_K:    {dotFourQ4KAVX512, dotOneQ4KAVX512, widenQ4KAVX512, nil, 3},
		tensor.Q5_K:    {dotFourQ5KAVX512, dotOneQ5KAVX512, widenQ5KAVX512, nil, 3},
		tensor.Q6_K:    finite(tensor.Q6_K, format{dotFourQ6KAVX512, dotOneQ6KAVX512, widenQ6KAVX512, nil, 3}, dotOneF32AVX512),
		tensor.IQ4_NL:  {by256(dotFourIQ4NLEightAVX512, dotFourIQ4NLAVX512), by256(dotOneIQ4NLEightAVX512, dotOneIQ4NLAVX512), widenIQ4NLAVX512, nil, 3},
		tensor.IQ4_XS:  {dotFourIQ4XSAVX512, dotOneIQ4XSAVX512, widenIQ4XSAVX512, nil, 3},
		tensor.IQ3_S:   {dotFourIQ3SAVX512, dotOneIQ3SAVX512, widenIQ3SAVX512, nil, 3},
		tensor.IQ3_XXS: {dotFourIQ3XXSAVX512, dotOneIQ3XXSAVX512, widenIQ3XXSAVX512, nil, 3},
		tensor.IQ2_S:   {dotFourIQ2SAVX512, dotOneIQ2SAVX512, widenIQ2SAVX512, nil, 3},
		tensor.IQ2_XS:  {dotFourIQ2XSAVX512, dotOneIQ2XSAVX512, widenIQ2XSAVX512, nil, 3},
		tensor.IQ2_XXS: {dotFourIQ2XXSAVX512, dotOneIQ2XXSAVX512, widenIQ2XXSAVX512, nil, 3},
		tensor.IQ1_M:   finite(tensor.IQ1_M, format{dotFourIQ1MAVX512, dotOneIQ1MAVX512, widenIQ1MAVX512, nil, 3}, dotOneF32AVX512),
		tensor.IQ1_S:   finite(tensor.IQ1_S, format{dotFourIQ1SAVX512, dotOneIQ1SAVX512, widenIQ1SAVX512, nil, 3}, dotOneF32AVX512),
		tensor.TQ2_0:   {dotFourTQ2AVX512, dotOneTQ2AVX512, widenTQ2AVX512, nil, 3},
		tensor.TQ1_0:   {dotFourTQ1AVX512, dotOneTQ1AVX512, widenTQ1AVX512, nil, 3},
		tensor.MXFP4:   {by256(dotFourMXFP4EightAVX512, dotFourMXFP4AVX512), by256(dotOneMXFP4EightAVX512, dotOneMXFP4AVX512), widenMXFP4AVX512, nil, 3},
		tensor.NVFP4:   {by256(dotFourNVFP4FourAVX512, dotFourNVFP4AVX512), by256(dotOneNVFP4FourAVX512, dotOneNVFP4AVX512), widenNVFP4AVX512, nil, 3},
		tensor.Q2_0:    {dotFourQ20AVX512, dotOneQ20AVX512, widenQ20AVX512, nil, 3},
		tensor.Q1_0:    {dotFourQ10AVX512, dotOneQ10AVX512, widenQ10AVX512, nil, 3},
	})
	s.tiling = tiling{
		rows: 4, tokens: 6, block: block1M,
		tile:  []tileFunc{1: tile4x1AVX512, 2: tile4x2AVX512, 3: tile4x3AVX512, 4: tile4x4AVX512, 5: tile4x5AVX512, 6: tile4x6AVX512},
		chain: &chain{least: 368, most: 1024, multiply: lanes4x6AVX512, sum: sums4x6AVX512},
	}
	s.scanStep.four = scanStepAVX512
	s.scanBlock = scanBlock{channels: 16, states: 16, tokens: 8, run: scanBlockAVX512}
	s.headBlock = headBlock{channels: 2, states: 128, run: headBlockAVX512}
	for rank, two := range []func(*float64, *float32, float32, float32, *float32, *float32, *float32, int, int, int){
		1: trapezoid1x2AVX512, 2: trapezoid2x2AVX512, 3: trapezoid3x2AVX512, 4: trapezoid4x2AVX512,
	} {
		s.trapezoid[rank].two = two
	}
	s.trapezoidBlock = trapezoidBlock{channels: 2, states: 128, run: trapezoidBlockAVX512}
	s.gateRank, s.turn, s.rotateNeighbours, s.rotateHalves = gateRankAVX512, turnAVX512, rotateNeighboursAVX512, rotateHalvesAVX512
	s.conv, s.convBlock = convAVX512, convBlock{channels: 16, taps: 4, run: convBlockAVX512}
	s.gate, s.softplus, s.negExp = gateAVX512, softplusAVX512, negExpAVX512
	s.squares = func(x *float32, n int) (lane [8]float64) {
		addSquaresAVX512(&lane[0], x, n)
		return lane
	}
	s.scaleRow, s.addTo = scaleRowAVX512, addToAVX512
	s.roundTrials = func(t *Trials, x, w *float32, n int, lo, hi float32) { roundTrialsAVX512(&t.S[0], x, w, n, lo, hi) }
	s.scanTrials = func(t *Trials, x, w, wx *float32, n int, lo, hi float32) {
		scanTrialsAVX512(&t.S[0], x, w, wx, n, lo, hi)
	}
	s.addRows, s.weigh = addRowsAVX512, weighAVX512
	s.codes = [codeKinds]codeLeaf{
		levelCodes:       {widenLevelsAVX512, dotLevelsAVX512},
		affineLevelCodes: {widenAffineLevelsAVX512, dotAffineLevelsAVX512},
		integerCodes:     {widenIntegersAVX512, dotIntegersAVX512},
		int8Codes:        {widenInt8AVX512, dotInt8AVX512},
		affineInt8Codes:  {widenAffineInt8AVX512, dotAffineInt8AVX512},
		e4m3Codes:        {widenE4M3AVX512, dotE4M3AVX512},
	}
	s.codeRows = 4
	s.columns = columnLeaves{
		bits:       [9]columnLeaf{2: {16, columns2AVX512}, 3: {16, columns3AVX512}, 4: {16, columns4AVX512}, 8: {16, columns8AVX512}},
		rowsInWord: columnLeaf{128, rowsInWordAVX512},
		sum:        sumColumnsAVX512,
	}
	s.times = timesAVX512
	s.fetch, s.fetchRows = prefetchAVX512, prefetchRowsAVX512
	s.multiplyAdd = func(n int) { multiplyAddAVX512(n / (2 * 16 * 24)) }
	return s
}()

// vbmi is avx512 with operations that move bytes and bits anywhere in a register, VBMI and GFNI: Ice Lake and Zen 4 were the first.
var vbmi = func() isa {
	s := avx512
	s.name = "avx512+vbmi"
	s.formats = slices.Clone(s.formats)
	for d, f := range map[tensor.DType]format{
		tensor.IQ3_S:   {dotFourIQ3SVBMI, dotOneIQ3SVBMI, widenIQ3SVBMI, nil, 3},
		tensor.IQ3_XXS: {dotFourIQ3XXSVBMI, dotOneIQ3XXSVBMI, widenIQ3XXSVBMI, nil, 3},
		tensor.IQ2_XXS: {dotFourIQ2XXSVBMI, dotOneIQ2XXSVBMI, widenIQ2XXSVBMI, nil, 3},
	} {
		s.formats[d] = f
	}
	return s
}()

// by256 returns what multiplies rows: those whose length is a multiple of 256 by one function, which takes as many weights at once, and
// others by another.
func by256(many, others dotRows) dotRows {
	return func(y *float32, w *byte, x *float32, cols, rows int) {
		if cols%256 == 0 {
			many(y, w, x, cols, rows)
			return
		}
		others(y, w, x, cols, rows)
	}
}

// finite returns f, of dtype d, whose dot products are NaN if a scale of the row is not finite. Then they are computed again, from
// a row that is widened first, by dot, which takes float32.
func finite(d tensor.DType, f format, dot dotRows) format {
	again := func(blocks dotRows, streams int) dotRows {
		return func(y *float32, w *byte, x *float32, cols, rows int) {
			blocks(y, w, x, cols, rows)
			for i, v := range at(y, streams*rows) {
				if v != v {
					row, size := buffer(cols), d.Bytes(cols)
					f.widen(&(*row)[0], &at(w, (i+1)*size)[i*size], cols)
					dot(&at(y, i+1)[i], &stored(*row)[0], x, cols, 1)
					buffers.Put(row)
				}
			}
		}
	}
	f.dotFour, f.dotOne = again(f.dotFour, 4), again(f.dotOne, 1)
	return f
}

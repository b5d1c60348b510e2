//go:build !purego

package kernel

import "github.com/gomamba/gomamba/tensor"

// available returns the instruction sets that this CPU has beside plain Go. NEON is part of arm64, with conversions of half
// precision.
func available() []*isa { return []*isa{&neon} }

var neon = func() isa {
	s := generic
	s.name = "neon"
	s.formats = newFormats(map[tensor.DType]format{
		tensor.F32:  {dotFour: dotFourF32NEON, dotOne: dotOneF32NEON, few: 4},
		tensor.F16:  {dotFourF16NEON, dotOneF16NEON, widenF16NEON, narrowF16NEON, 4},
		tensor.BF16: {dotFourBF16NEON, dotOneBF16NEON, widenBF16NEON, narrowBF16NEON, 4},
	})
	s.tiling = tiling{
		rows: 4, tokens: 6,
		tile: []tileFunc{1: tile4x1NEON, 2: tile4x2NEON, 3: tile4x3NEON, 4: tile4x4NEON, 5: tile4x5NEON, 6: tile4x6NEON},
	}
	s.maxAbsBits = maxAbsBitsNEON

	s.scanStep = scanStep{one: scanStepNEON}
	s.headStep = headStep{two: stepHeadTwoNEON, one: stepHeadOneNEON}
	s.conv, s.gate, s.softplus, s.negExp = convNEON, gateNEON, softplusNEON, negExpNEON
	s.squares = func(x *float32, n int) (lane [8]float64) {
		addSquaresNEON(&lane[0], x, n)
		return lane
	}
	s.scaleRow, s.addTo = scaleRowNEON, addToNEON

	s.xor = xorNEON
	s.multiplyAdd = func(n int) { multiplyAddNEON(n / (2 * 4 * 24)) }
	return s
}()

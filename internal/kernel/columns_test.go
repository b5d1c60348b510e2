package kernel

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// columnCoding is a tensor that is stored by columns, and its elements by the formula.
type columnCoding struct {
	columns               Columns
	scales, zeros, values []float32 // of groups [Groups, Rows], and of elements
}

func (c *columnCoding) String() string                 { return "columns" }
func (c *columnCoding) Parts() [][]byte                { return [][]byte{c.columns.Data} }
func (c *columnCoding) Columns() Columns               { return c.columns }
func (c *columnCoding) Widen(dst []float32, first int) { copy(dst, c.values[first:]) }
func (c *columnCoding) Shared(scales, zeros []float32, row, group int) {
	at := group*c.columns.Rows + row
	copy(scales, c.scales[at:])
	for i := range zeros {
		zeros[i] = CodeBase + c.zeros[at+i]
	}
}

// randomColumns codes random columns; those of scales that special has are anything.
func randomColumns(rng *rand.Rand, k Columns) *columnCoding {
	k.Data = make([]byte, k.Rows*k.Cols*k.Bits/8)
	randomize(rng, k.Data)
	c := &columnCoding{columns: k}
	for range k.Groups * k.Rows {
		scale := float32(rng.NormFloat64())
		if rng.IntN(50) == 0 {
			scale = special[rng.IntN(len(special))]
		}
		c.scales, c.zeros = append(c.scales, scale), append(c.zeros, float32(rng.IntN(1<<k.Bits+1)))
	}
	for row := range k.Rows {
		for col := range k.Cols {
			code := 0
			for b := range k.Bits {
				at := col*k.Bits + b
				word, bit := at/32*k.Rows+row, at%32
				if k.RowsInWord != nil {
					word, bit = col*k.Rows/8+row/8, 4*k.RowsInWord[row%8]+b
				}
				code |= int(binary.LittleEndian.Uint32(k.Data[4*word:])>>bit&1) << b
			}
			group := col / k.Group
			if k.Index != nil {
				group = int(binary.LittleEndian.Uint32(k.Index[4*col:]))
			}
			at := group*k.Rows + row
			c.values = append(c.values, (float32(code)-c.zeros[at])*c.scales[at])
		}
	}
	return c
}

// TestMatMulOfColumns multiplies with matrices that are stored by columns, and with those that follow another in one tensor.
func TestMatMulOfColumns(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(45, 46))
		pool := parallel.NewPool(3)
		defer pool.Close()
		order := [8]int{0, 4, 1, 5, 2, 6, 3, 7}
		for _, k := range []Columns{
			{Bits: 2, Rows: 72, Cols: 48, Group: 5}, {Bits: 3, Rows: 34, Cols: 96, Group: 96}, {Bits: 4, Rows: 308, Cols: 1040, Group: 130},
			{Bits: 4, Rows: 8, Cols: 16, Group: 1}, {Bits: 8, Rows: 50, Cols: 80, Group: 16},
			{Bits: 4, Rows: 1100, Cols: 144, Group: 48}, {Bits: 4, Rows: 1096, Cols: 144, Group: 48, RowsInWord: &order}, // several spans
			{Bits: 4, Rows: 408, Cols: 80, Group: 7, RowsInWord: &order}, {Bits: 4, Rows: 144, Cols: 1040, Group: 1040, RowsInWord: &order},
		} {
			k.Groups = (k.Cols-1)/k.Group + 1
			for _, indexed := range []bool{false, true} {
				if indexed {
					for range k.Cols {
						k.Index = binary.LittleEndian.AppendUint32(k.Index, uint32(rng.IntN(k.Groups)))
					}
				}
				all := tensor.OfCoding("w", randomColumns(rng, k), []int{k.Rows, k.Cols}, "")
				for _, rows := range [][2]int{{0, k.Rows}, {3, k.Rows - 2}} {
					one := all.Piece(rows[0]*k.Cols, rows[1]*k.Cols)
					one.Shape = []int{rows[1] - rows[0], k.Cols}
					testCoded(t, pool, rng, one, 1+6*rng.IntN(2))
				}
			}
		}
	})
}

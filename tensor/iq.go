package tensor

// The types of this file and those beside it named for IQ1, IQ2 and IQ3 store, for a few weights together, the number of a
// row of a table (package codebook), and scales and signs beside it.

// signed sets x, of eight or four elements as row, to the elements of row times d, element j negative if bit j of signs is set.
func signed[F float32 | float64](x []F, row []float32, d F, signs byte) {
	factor := [2]F{d, -d}
	for ; len(x) >= 4 && len(row) >= 4; signs >>= 4 {
		x[0] = F(row[0]) * factor[signs&1]
		x[1] = F(row[1]) * factor[signs>>1&1]
		x[2] = F(row[2]) * factor[signs>>2&1]
		x[3] = F(row[3]) * factor[signs>>3&1]
		x, row = x[4:], row[4:]
	}
}

// nibble returns the low four bits of b for an even i, the high four for an odd one.
func nibble(b byte, i int) byte { return b >> (4 * (i & 1)) & 15 }

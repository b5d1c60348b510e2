package kernel

// mulTile sets y[t·yStride + r] to the dot product of row r of w [rows, cols] with x[t·xStride:][:cols]. next is what is
// needed after that, or nothing.
func mulTile(y []float32, yStride int, w, x []float32, xStride, cols, rows, tokens int, next []byte) {
	if cols%lanes != 0 {
		padded := roundUp(cols)
		wRows, xRows := padColumns(w, cols, cols, padded, rows), padColumns(x, xStride, cols, padded, tokens)
		defer buffers.Put(wRows)
		defer buffers.Put(xRows)
		w, x, cols, xStride = *wRows, *xRows, padded, padded
	}
	k := &cpu.tiling
	wholeRows, wholeTokens := rows/k.rows*k.rows, 0
	if k.chain != nil && cols >= k.chain.least {
		wholeTokens = tokens / k.tokens * k.tokens
		mulChained(y, yStride, w, x, xStride, cols, wholeRows, wholeTokens, next)
	}
	for t := 0; t < tokens; t += k.tokens {
		n := min(k.tokens, tokens-t)
		if t >= wholeTokens {
			fetchAfter(y, yStride, t+n, min(k.tokens, tokens-t-n))
		}
		out := y[t*yStride:][:(n-1)*yStride+rows]
		v := x[t*xStride:][:(n-1)*xStride+cols]
		done := 0
		switch {
		case t < wholeTokens:
			done = wholeRows
		case n < len(k.tile) && k.tile[n] != nil:
			for ; done < wholeRows; done += k.rows {
				k.tile[n](&out[done], yStride, &w[done*cols], cols, &v[0], xStride, cols)
			}
		}
		if done < rows {
			for i := range n {
				mulFloats(out[i*yStride+done:i*yStride+rows], w[done*cols:], v[i*xStride:][:cols])
			}
		}
	}
}

// fetchAfter brings what is stored next into a cache, n rows of y from row t on: a store that misses it stalls those behind it.
func fetchAfter(y []float32, yStride, t, n int) {
	if n > 0 && cpu.fetchRows != nil {
		cpu.fetchRows(&y[t*yStride], yStride, n)
	}
}

func roundUp(cols int) int { return (cols + lanes - 1) / lanes * lanes }

// padColumns copies rows of cols values, stride apart, to rows of padded values that end in zeros, in a buffer.
func padColumns(src []float32, stride, cols, padded, rows int) *[]float32 {
	dst := buffer(rows * padded)
	for r := range rows {
		n := copy((*dst)[r*padded:][:cols], src[r*stride:])
		clear((*dst)[r*padded+n : (r+1)*padded])
	}
	return dst
}

package kernel

import (
	"slices"

	"github.com/gomamba/gomamba/tensor"
)

// format is what an instruction set does with rows of one dtype, in the bytes that tensors have. n and cols are whole blocks
// of it.
type format struct {
	// dotFour and dotOne set y[r] to the dot product of row r of w [rows, cols] with x [cols], as dotGeneric does. dotFour
	// takes 4·rows rows in as many streams, which keeps more of the memory busy; nil: dotOne is as good.
	dotFour, dotOne dotRows
	// widen sets dst[:n] to the elements of src, exactly; narrow encodes src[:n] as tensor.NarrowF32 does. nil: package
	// tensor does.
	widen  func(dst *float32, src *byte, n int)
	narrow func(dst *byte, src *float32, n int)
	// few is the most tokens for which it is faster to widen rows again for each than once for all.
	few int
}

type dotRows func(y *float32, w *byte, x *float32, cols, rows int)

// formats are the formats of an instruction set, by dtype.
type formats []format

// newFormats returns a format for every dtype of weights: that of own or, if it does not have one, what package tensor and
// the dot product for F32 do, which own must have.
func newFormats(own map[tensor.DType]format) formats {
	floats := tensor.Floats()
	all := make(formats, slices.Max(floats)+1)
	for _, d := range floats {
		all[d] = widened(d, own[tensor.F32].dotOne)
	}
	for d, f := range own {
		all[d] = f
	}
	return all
}

// widened is the format of a dtype whose rows package tensor widens, one at a time, for dot, which takes float32.
func widened(d tensor.DType, dot dotRows) format {
	return format{few: 1, dotOne: func(y *float32, w *byte, x *float32, cols, rows int) {
		size := d.Bytes(cols)
		out, all := at(y, rows), at(w, rows*size)
		row := buffer(cols)
		defer buffers.Put(row)
		for r := range out {
			tensor.WidenF32(*row, d, all[r*size:][:size])
			dot(&out[r], &stored(*row)[0], x, cols, 1)
		}
	}}
}

// Widen sets dst to the elements of src, which are of dtype d, as tensor.WidenF32 does.
func Widen(dst []float32, d tensor.DType, src []byte) {
	n := 0
	if leaf := cpu.formats[d].widen; leaf != nil {
		if n = whole(len(dst)); n > 0 {
			leaf(&dst[0], &src[:d.Bytes(n)][0], n)
		}
	}
	if n < len(dst) {
		tensor.WidenF32(dst[n:], d, src[d.Bytes(n):])
	}
}

// Narrow encodes src as little-endian elements of dtype d into dst, as tensor.NarrowF32 does.
func Narrow(dst []byte, d tensor.DType, src []float32) {
	n := 0
	if leaf := cpu.formats[d].narrow; leaf != nil {
		if n = whole(len(src)); n > 0 {
			leaf(&dst[:d.Bytes(n)][0], &src[0], n)
		}
	}
	if n < len(src) {
		tensor.NarrowF32(dst[d.Bytes(n):], d, src[n:])
	}
}

// mulRows sets y to the dot products of rows of w, size bytes each, with x: most of them in four streams, the rest in one.
func mulRows(f *format, y []float32, w []byte, x []float32, size int) {
	if len(y) == 0 {
		return
	}
	w, done := w[:len(y)*size], 0
	if each := len(y) / 4; each > 0 && f.dotFour != nil {
		f.dotFour(&y[0], &w[0], &x[0], len(x), each)
		done = 4 * each
	}
	if done < len(y) {
		f.dotOne(&y[done], &w[done*size], &x[0], len(x), len(y)-done)
	}
}

// mulFloats is mulRows for rows of float32, as long as x.
func mulFloats(y, w, x []float32) {
	mulRows(&cpu.formats[tensor.F32], y, stored(w), x, 4*len(x))
}

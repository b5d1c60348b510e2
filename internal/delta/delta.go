// Package delta holds what a fine-tuning changes in a weight beside storing another one: low-rank products that are added
// (LoRA, Hu and others 2021, arXiv:2106.09685), norms of rows or columns that are set (DoRA, Liu and others 2024,
// arXiv:2402.09353), and single rows with other values. It knows neither names nor files.
//
// A change is applied in float32 and rounded as a product of matrices on a CPU rounds it: each element of a product is one chain
// of fused multiply-adds over the rank, which is then multiplied with the scale and added.
package delta

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/parallel"
	"github.com/gomamba/gomamba/tensor"
)

// Delta changes a weight of one or more matrices [Rows, Cols], which lie one after the other.
type Delta struct {
	Rows, Cols int
	// Products are added, one to each matrix; empty: none.
	Products []Product
	// Norms, unless nil, are what the rows have after that, [Rows], or with ByColumn the columns, [Cols]. It is of one matrix.
	Norms    []float32
	ByColumn bool
	// Rows with other values, [len(Replaced), Cols], after all else.
	Replaced []int // ascending
	Values   []float32

	once    sync.Once
	factors []float32 // that give the Norms
	failed  error
}

// Product is Scale · Left·Right.
type Product struct {
	Rank  int
	Left  []float32 // [Rows, Rank]
	Right []float32 // [Rank, Cols]
	Scale float32
}

// Factors returns what the rows, or columns, of base are multiplied with after the products are added, so that they have the
// Norms; nil without these. The first call reads all of base.
func (d *Delta) Factors(base tensor.Tensor) ([]float32, error) {
	if d == nil || d.Norms == nil {
		return nil, nil
	}
	d.once.Do(func() { d.factors, d.failed = d.newFactors(base) })
	return d.factors, d.failed
}

func (d *Delta) newFactors(base tensor.Tensor) ([]float32, error) {
	squares := make([]float64, len(d.Norms))
	pool := parallel.NewPool(0)
	defer pool.Close()
	if d.ByColumn {
		row := make([]float32, d.Cols)
		for r := range d.Rows {
			d.row(row, base, r)
			for c, v := range row {
				squares[c] += float64(float64(v) * float64(v))
			}
		}
	} else {
		pool.Run(d.Rows, 16, func(lo, hi int) {
			row := make([]float32, d.Cols)
			for r := lo; r < hi; r++ {
				d.row(row, base, r)
				for _, v := range row {
					squares[r] += float64(float64(v) * float64(v))
				}
			}
		})
	}
	factors := make([]float32, len(squares))
	for i, s := range squares {
		factors[i] = d.Norms[i] / float32(math.Sqrt(s))
		if f := float64(factors[i]); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("a magnitude of %v is set for values whose norm is %v", d.Norms[i], math.Sqrt(s))
		}
	}
	return factors, nil
}

// row sets dst to row r of base with the products added.
func (d *Delta) row(dst []float32, base tensor.Tensor, r int) {
	base.Piece(r*d.Cols, (r+1)*d.Cols).Widen32(dst)
	d.add(dst, make([]float32, d.Cols), r, 0)
}

// add adds the products to values, which begin in column col of row r, counted over all matrices. sum is as long.
func (d *Delta) add(values, sum []float32, r, col int) {
	if len(d.Products) == 0 {
		return
	}
	p := &d.Products[r/d.Rows]
	left := p.Left[r%d.Rows*p.Rank:][:p.Rank]
	sum = sum[:len(values)]
	clear(sum)
	for k, w := range left {
		kernel.FusedAdd(sum, p.Right[k*d.Cols+col:][:len(values)], w)
	}
	for c, v := range sum {
		values[c] += float32(v * p.Scale)
	}
}

// Apply changes values, which are the elements of base from first on. A nil Delta changes nothing. It fails if a value ceases
// to be finite, with the index of the first.
func (d *Delta) Apply(values []float32, base tensor.Tensor, first int) error {
	if d == nil {
		return nil
	}
	factors, err := d.Factors(base)
	if err != nil {
		return err
	}
	sum := make([]float32, min(d.Cols, len(values)))
	for at := 0; at < len(values); {
		r, col := (first+at)/d.Cols, (first+at)%d.Cols
		row := values[at:min(at+d.Cols-col, len(values))]
		if i, ok := slices.BinarySearch(d.Replaced, r); ok {
			copy(row, d.Values[i*d.Cols+col:])
			at += len(row)
			continue
		}
		finite := allFinite(row)
		d.add(row, sum, r, col)
		for c := range row {
			switch {
			case factors == nil:
			case d.ByColumn:
				row[c] *= factors[col+c]
			default:
				row[c] *= factors[r]
			}
		}
		if finite && !allFinite(row) {
			i := slices.IndexFunc(row, func(v float32) bool { return !isFinite(v) })
			return fmt.Errorf("element %d becomes %v with the adapter, whose scale or values are too large", first+at+i, row[i])
		}
		at += len(row)
	}
	return nil
}

// Widen sets dst to the elements of base from first on, as d changes them, which may be nil.
func (d *Delta) Widen(dst []float32, base tensor.Tensor, first int) error {
	base.Piece(first, first+len(dst)).Widen32(dst)
	return d.Apply(dst, base, first)
}

// Merged returns all of base as d changes it, in float64 arithmetic.
func (d *Delta) Merged(base tensor.Tensor) (tensor.Tensor, error) {
	values := make([]float64, base.Elems())
	base.Widen64(values)
	factors, err := d.Factors(base)
	if err != nil {
		return base, err
	}
	for r := range len(values) / d.Cols {
		row := values[r*d.Cols:][:d.Cols]
		if i, ok := slices.BinarySearch(d.Replaced, r); ok {
			for c := range row {
				row[c] = float64(d.Values[i*d.Cols+c])
			}
			continue
		}
		d.addWide(row, r)
		for c := range row {
			switch {
			case factors == nil:
			case d.ByColumn:
				row[c] *= float64(factors[c])
			default:
				row[c] *= float64(factors[r])
			}
		}
	}
	t := tensor.Of(base.Name, values, base.Shape...)
	t.File = base.File
	return t, nil
}

// addWide is add for a whole row in float64.
func (d *Delta) addWide(row []float64, r int) {
	if len(d.Products) == 0 {
		return
	}
	p := &d.Products[r/d.Rows]
	for k, w := range p.Left[r%d.Rows*p.Rank:][:p.Rank] {
		scaled := float64(w) * float64(p.Scale)
		for c, v := range p.Right[k*d.Cols:][:d.Cols] {
			row[c] += float64(scaled * float64(v))
		}
	}
}

func allFinite(values []float32) bool {
	return !slices.ContainsFunc(values, func(v float32) bool { return !isFinite(v) })
}

func isFinite(v float32) bool { return v-v == 0 }

package quantize

import "math"

// vectors is a table of vectors whose elements are few levels, arranged for finding the one that costs least if every element
// has a cost for each level. Rows are sorted by their last elements, as codebook has them.
type vectors struct {
	levels int
	width  int
	groups []group
	digits [][8]uint8 // levels of every row
	low    []uint8    // of every row, the first half of its elements as a number in base levels
}

// group are the rows with the same second half of elements, which is the number high.
type group struct {
	high     uint8
	from, to int
}

// costs has the costs of one half of a vector's elements by their number.
type costs [81]float64

// newVectors arranges n rows; digit is the level of element j of a row.
func newVectors(n, width, levels int, digit func(row, j int) int) *vectors {
	v := &vectors{levels: levels, width: width}
	number := func(row, from int) uint8 {
		n := 0
		for j := from + width/2 - 1; j >= from; j-- {
			n = n*levels + digit(row, j)
		}
		return uint8(n)
	}
	for row := range n {
		var digits [8]uint8
		for j := range width {
			digits[j] = uint8(digit(row, j))
		}
		v.digits = append(v.digits, digits)
		v.low = append(v.low, number(row, 0))
		high := number(row, width/2)
		if last := len(v.groups) - 1; last >= 0 && v.groups[last].high == high {
			v.groups[last].to++
			continue
		}
		v.groups = append(v.groups, group{high, row, row + 1})
	}
	return v
}

// find returns the row of the least sum of its halves' costs, and that sum.
func (v *vectors) find(low, high *costs) (row int, cost float64) {
	least := math.Inf(1)
	for _, c := range low[:v.numbers()] {
		least = min(least, c)
	}
	first, cost := 0, math.Inf(1)
	for i, g := range v.groups {
		if c := high[g.high]; c < cost {
			first, cost = i, c
		}
	}
	row, cost = v.findIn(first, low, high, 0, math.Inf(1))
	for i, g := range v.groups {
		if high[g.high]+least < cost {
			row, cost = v.findIn(i, low, high, row, cost)
		}
	}
	return row, cost
}

// findIn is find among the rows of one group, if any costs less than row.
func (v *vectors) findIn(i int, low, high *costs, row int, cost float64) (int, float64) {
	g := v.groups[i]
	h := high[g.high]
	for k, l := range v.low[g.from:g.to] {
		if c := h + low[l]; c < cost {
			row, cost = g.from+k, c
		}
	}
	return row, cost
}

func (v *vectors) numbers() int {
	if v.width == 8 {
		return 81
	}
	return 64
}

// price fills c for half a vector: the cost of value v for element x of weight w is w·v·(v - 2x), its squared error less what
// no choice changes. values are those of the levels.
func (v *vectors) price(c *costs, x, w, values []float64) {
	n := 1
	for j, xj := range x {
		if j == 0 {
			for l, value := range values {
				c[l] = float64(w[j] * float64(value*(value-(xj+xj))))
			}
			n = v.levels
			continue
		}
		for l := v.levels - 1; l >= 0; l-- {
			cost := float64(w[j] * float64(values[l]*(values[l]-(xj+xj))))
			for k, before := range c[:n] {
				c[l*n+k] = before + cost
			}
		}
		n *= v.levels
	}
}

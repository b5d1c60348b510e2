package quantize

import "sort"

// nearby is how many rows are looked at if none is the best for sure.
const nearby = 16

// vectors is a table of vectors whose elements are few levels, arranged for finding the row next to any vector.
//
// If each element is rounded to its nearest level and that happens to be a row, no row is nearer, whatever the weights of the
// elements. If not, the rows next to the rounded vector are looked at.
type vectors struct {
	width int
	rows  [][8]float64 // 8 or 4 elements
	cells []cell       // by the number of a rounded vector: its levels are digits, element 0 the least significant
}

// cell has the rows next to a vector of levels, the nearest first: just one if it is that vector.
type cell struct {
	count int
	rows  [nearby]uint16
}

// newVectors arranges rows of width elements that are levels.
func newVectors(rows [][8]float64, width int, levels []float64) *vectors {
	v := &vectors{width: width, rows: rows}
	count := 1
	for range width {
		count *= len(levels)
	}
	v.cells = make([]cell, count)
	for n := range v.cells {
		var at [8]float64
		rest := n
		for j := range width {
			at[j] = levels[rest%len(levels)]
			rest /= len(levels)
		}
		v.cells[n] = newCell(rows, &at)
	}
	return v
}

func newCell(rows [][8]float64, at *[8]float64) (c cell) {
	var distances [nearby]float64
	for i := range rows {
		row, d := &rows[i], 0.0
		for j, x := range at {
			d += float64((x - row[j]) * (x - row[j]))
		}
		if d == 0 {
			return cell{1, [nearby]uint16{uint16(i)}}
		}
		if c.count == nearby && d >= distances[nearby-1] {
			continue
		}
		k := sort.Search(c.count, func(k int) bool { return distances[k] > d })
		copy(distances[k+1:], distances[k:])
		copy(c.rows[k+1:], c.rows[k:])
		distances[k], c.rows[k] = d, uint16(i)
		c.count = min(c.count+1, nearby)
	}
	return c
}

// find returns the row with the least weighted squared distance to y, of those in a cell.
func (v *vectors) find(number int, y, w *[8]float64) int {
	c := &v.cells[number]
	best := int(c.rows[0])
	if c.count == 1 {
		return best
	}
	least := 1e300
	for _, r := range c.rows[:c.count] {
		row := &v.rows[r]
		a, b, c, d := row[0]-y[0], row[1]-y[1], row[2]-y[2], row[3]-y[3]
		cost := float64(float64(a*a)*w[0]) + float64(float64(b*b)*w[1]) + float64(float64(c*c)*w[2]) + float64(float64(d*d)*w[3])
		if v.width == 8 && cost < least {
			a, b, c, d = row[4]-y[4], row[5]-y[5], row[6]-y[6], row[7]-y[7]
			cost += float64(float64(a*a)*w[4]) + float64(float64(b*b)*w[5]) + float64(float64(c*c)*w[6]) + float64(float64(d*d)*w[7])
		}
		if cost < least {
			best, least = int(r), cost
		}
	}
	return best
}

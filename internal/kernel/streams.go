package kernel

import "github.com/gomamba/gomamba/tensor"

// Streams is a tensor.Coding whose codes lie one after the other.
type Streams interface {
	tensor.Coding
	// Stream returns what it stores.
	Stream() Stream
	// Groups sets scales, and zeros and biases if there are any, to those of as many groups as scales has, the first of which is
	// that of element number first.
	Groups(scales, zeros, biases []float32, first int)
}

// Stream are codes, of which Group in a row share what they are widened with.
type Stream struct {
	Codes         *Codes
	Data          []byte
	Group         int
	Zeros, Biases bool // whether there are any
	// If Cols is not 0, each Cols elements begin a group, and their codes another RowBytes of Data.
	Cols, RowBytes int
}

// mostCodes is how many codes are widened at a time.
const mostCodes = 4096

// WidenStream sets dst to the elements from number first on.
func WidenStream(dst []float32, w Streams, first int) {
	s := w.Stream()
	room := buffer(3 * MostGroups)
	defer buffers.Put(room)
	for len(dst) > 0 {
		n, at, src := min(len(dst), mostCodes), first, s.Data
		if s.Cols != 0 {
			src, at = src[first/s.Cols*s.RowBytes:], first%s.Cols
			n = min(n, s.Cols-at)
		}
		g := Groups{Size: s.Group, Within: at % s.Group}
		if s.Group < mostCodes {
			n = min(n, s.Group*(MostGroups-1)-g.Within)
		}
		g.Scales, g.Zeros, g.Biases = s.room(*room, (g.Within+n-1)/s.Group+1)
		w.Groups(g.Scales, g.Zeros, g.Biases, first)
		s.Codes.Widen(dst[:n], src, at, g)
		dst, first = dst[n:], first+n
	}
}

// room divides room among the numbers of n groups. What there is none of is nil.
func (s *Stream) room(room []float32, n int) (scales, zeros, biases []float32) {
	scales = room[:n]
	if s.Zeros {
		zeros = room[n : 2*n]
	}
	if s.Biases {
		biases = room[2*n : 3*n]
	}
	return scales, zeros, biases
}

// streamRows are the rows of a matrix of which each can be multiplied as it is stored.
type streamRows struct {
	Streams
	Stream
	first  int // row of the tensor with which the matrix begins
	perRow int // groups
}

// rowsOf returns the rows of a matrix if each begins with a group, or lies in one; nil if they do not.
func rowsOf(c tensor.Coding, cols int) *streamRows {
	whole, first := tensor.Whole(c)
	w, ok := whole.(Streams)
	if !ok || cols%lanes != 0 || first%cols != 0 {
		return nil
	}
	s := w.Stream()
	if s.Codes == nil {
		return nil
	}
	if s.Cols == 0 {
		s.RowBytes = cols * s.Codes.bits / 8
	}
	inGroup := s.Group%cols == 0
	begins := s.Group%lanes == 0 && (s.Cols == cols || cols%s.Group == 0)
	if s.Cols != 0 && s.Cols != cols || !inGroup && !begins {
		return nil
	}
	return &streamRows{w, s, first / cols, (cols-1)/s.Group + 1}
}

// mulVecStreams is mulVec for as many rows as there is a leaf for, and returns how many.
func (m *Matrix) mulVecStreams(y, x []float32, lo int) int {
	r := m.streams
	abreast := cpu.codeRows
	if r == nil || abreast == 0 {
		return 0
	}
	data := r.Data[(r.first+lo)*r.RowBytes:]
	readable := (len(data) + r.Codes.layout.step - codeBytes) / r.RowBytes // a leaf loads more than the last codes of a row
	each := min(len(y), readable) / abreast
	if each <= 0 {
		return 0
	}
	n := abreast * r.perRow
	room := buffer(3 * n)
	defer buffers.Put(room)
	g := Groups{Scales: (*room)[:n], Zeros: (*room)[n : 2*n], Biases: (*room)[2*n : 3*n]}
	for i := range n {
		g.Zeros[i], g.Biases[i] = noZeros[0], noBiases[0]
	}
	for i := range each {
		for k := range abreast {
			r.groups(&g, k, (r.first+lo+i+k*each)*m.Cols)
		}
		leaf := r.Codes.leaf(g.Scales, r.Zeros || r.Biases)
		if leaf.dot == nil {
			for k := range abreast {
				at := i + k*each
				m.mulVecCoded(y[at:at+1], x, lo+at)
			}
			continue
		}
		leaf.dot(&y[i], each, &data[i*r.RowBytes], each*r.RowBytes, &r.Codes.layout.shuffle[0], &x[0],
			&g.Scales[0], &g.Zeros[0], &g.Biases[0], r.perRow, m.Cols, r.Group)
	}
	return each * abreast
}

// groups sets what the groups of row k of those in g are widened with; the row begins with an element.
func (r *streamRows) groups(g *Groups, k, first int) {
	lo, hi := k*r.perRow, (k+1)*r.perRow
	var zeros, biases []float32
	if r.Zeros {
		zeros = g.Zeros[lo:hi]
	}
	if r.Biases {
		biases = g.Biases[lo:hi]
	}
	r.Groups(g.Scales[lo:hi], zeros, biases, first)
}

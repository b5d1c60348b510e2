package plot

import "math"

// Frame is the area inside the axes of a chart.
type Frame struct{ Left, Top, Width, Height float64 }

func (f Frame) right() float64  { return f.Left + f.Width }
func (f Frame) bottom() float64 { return f.Top + f.Height }

// Mark is a value of a chart. NaN stands for none.
type Mark struct {
	Value float64
	Class string // in place of the series' own
	Title string // shows where a pointer rests on it
}

// Series are values that belong together, one for each place of a chart.
type Series struct {
	Class string // ours, theirs; or limit, a line without marks
	Ring  bool   // marks are rings, so that those beneath can be seen
	Marks []Mark
}

// Layers is a chart of series on a logarithmic axis, over the layers of a network one beside the other.
type Layers struct {
	Frame
	Names  []string // of the places
	Series []Series
	Range  []float64 // more values that the axis shall have room for

	Flag     int // the place of a vertical line with a label; ignored without one
	FlagText string
}

// Draw draws the chart into a picture. Labels need 50 pixels to the left of the frame, 20 below, and 16 above for the flag.
func (c Layers) Draw(p *Picture) {
	values := c.Range
	for _, s := range c.Series {
		for _, m := range s.Marks {
			values = append(values, m.Value)
		}
	}
	y := NewLog(values, c.bottom(), c.Top)
	c.rules(p, y)
	step := c.Width / float64(len(c.Names))
	x := func(i int) float64 { return c.Left + float64((float64(i)+0.5)*step) }
	c.labels(p, x)
	if c.FlagText != "" {
		p.Line("bad-line", [2]float64{x(c.Flag), c.Top - 4}, [2]float64{x(c.Flag), c.bottom()})
		anchor := "middle"
		if half := halfWidth(c.FlagText, 11); x(c.Flag)-half < c.Left {
			anchor = "start"
		} else if x(c.Flag)+half > c.right() {
			anchor = "end"
		}
		p.Text(x(c.Flag), c.Top-8, "bad small strong "+anchor, c.FlagText)
	}
	radius := min(3.5, max(1.8, step*0.4))
	for _, s := range c.Series {
		s.line(p, x, y)
		if s.Class == "limit" {
			continue
		}
		for i, m := range s.Marks {
			if !math.IsNaN(m.Value) {
				p.Dot(x(i), y.At(m.Value), radius, s.class(m), m.Title)
			}
		}
	}
}

// rules draws the powers of ten, across.
func (f Frame) rules(p *Picture, y Log) {
	for _, t := range y.Decades() {
		p.Line("grid", [2]float64{f.Left, t.At}, [2]float64{f.right(), t.At})
		p.Text(f.Left-7, t.At+4, "dim small end", t.Text)
	}
	p.Line("axis", [2]float64{f.Left, f.bottom()}, [2]float64{f.right(), f.bottom()})
}

// labels names as many places as there is room for, the last one always. There is some to spare: a page for small
// screens may write larger.
func (c Layers) labels(p *Picture, x func(int) float64) {
	const size, gap = 16, 8
	last := len(c.Names) - 1
	widest := 0.0
	for _, name := range c.Names[:last] {
		widest = max(widest, TextWidth(name, size)+gap)
	}
	every := 1
	for float64(every)*c.Width < widest*float64(len(c.Names)) {
		every *= 2
	}
	free := x(last) - halfWidth(c.Names[last], size) - gap
	for i, name := range c.Names {
		if i == last && x(i)+halfWidth(name, size) > c.right() {
			p.Text(c.right(), c.bottom()+15, "dim small end", name)
			continue
		}
		if i == last || i%every == 0 && x(i)+halfWidth(name, size) < free {
			p.Text(x(i), c.bottom()+15, "dim small middle", name)
		}
	}
}

func (s Series) class(m Mark) string {
	class := s.Class
	if m.Class != "" {
		class = m.Class
	}
	if s.Ring {
		return class + "-line ring"
	}
	return class
}

// line joins the values of neighbours.
func (s Series) line(p *Picture, x func(int) float64, y Log) {
	class := s.Class + "-line fine"
	if s.Class == "limit" {
		class = s.Class
	}
	var run [][2]float64
	for i, m := range s.Marks {
		if !math.IsNaN(m.Value) {
			run = append(run, [2]float64{x(i), y.At(m.Value)})
		}
		if (math.IsNaN(m.Value) || i == len(s.Marks)-1) && len(run) > 0 {
			if len(run) > 1 {
				p.Line(class, run...)
			}
			run = nil
		}
	}
}

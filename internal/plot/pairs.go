package plot

// Pairs is a chart of points on two logarithmic axes of the same range, with the diagonal: below it, y is the smaller.
type Pairs struct {
	Frame
	Points       []Pair
	XName, YName string // of the axes
	Below, Above string // what it means to lie there
}

// Pair is a point.
type Pair struct {
	X, Y         float64
	Class, Title string
}

// Draw draws the chart into a picture. Labels need 50 pixels to the left of the frame, 36 below, and 20 above.
func (c Pairs) Draw(p *Picture) {
	var values []float64
	for _, point := range c.Points {
		values = append(values, point.X, point.Y)
	}
	x, y := NewLog(values, c.Left, c.right()), NewLog(values, c.bottom(), c.Top)
	c.rules(p, y)
	for _, t := range x.Decades() {
		p.Line("grid", [2]float64{t.At, c.Top}, [2]float64{t.At, c.bottom()})
		anchor := "middle"
		if t.At+halfWidth(t.Text, 11) > c.right() {
			anchor = "end"
		}
		p.Text(t.At, c.bottom()+15, "dim small "+anchor, t.Text)
	}
	p.Text(c.Left+float64(c.Width/2), c.bottom()+32, "dim small middle", c.XName)
	p.Text(c.Left-7, c.Top-9, "dim small", c.YName)
	p.Line("limit", [2]float64{c.Left, c.bottom()}, [2]float64{c.right(), c.Top})
	for _, point := range c.Points {
		p.Dot(x.At(point.X), y.At(point.Y), 2.6, point.Class+" faint", point.Title)
	}
	p.Text(c.right()-8, c.bottom()-10, "dim small strong end", c.Below)
	p.Text(c.Left+8, c.Top+18, "dim small strong", c.Above)
}

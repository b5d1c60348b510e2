package plot

// Curves is a chart of curves on two logarithmic axes.
type Curves struct {
	Frame
	XTicks []Tick // At is a value here
	YTicks []Tick // as XTicks; powers of ten where there are none
	Curves []Curve
}

// Curve has points in the order of x.
type Curve struct {
	Class  string
	Points []Pair
	Name   string   // written beside the last point
	Notes  []string // and lines below that
}

// Draw draws the chart into a picture. Labels need 70 pixels to the left of the frame and 20 below, names of curves their
// width to the right of their last points.
func (c Curves) Draw(p *Picture) {
	var xs, ys []float64
	for _, curve := range c.Curves {
		for _, point := range curve.Points {
			xs, ys = append(xs, point.X), append(ys, point.Y)
		}
	}
	for _, t := range c.XTicks {
		xs = append(xs, t.At)
	}
	for _, t := range c.YTicks {
		ys = append(ys, t.At)
	}
	x, y := NewLog(xs, c.Left, c.right()), NewLog(ys, c.bottom(), c.Top)
	for _, t := range c.YTicks {
		p.Line("grid", [2]float64{c.Left, y.At(t.At)}, [2]float64{c.right(), y.At(t.At)})
		p.Text(c.Left-7, y.At(t.At)+4, "dim small end", t.Text)
	}
	for _, t := range c.XTicks {
		p.Line("grid", [2]float64{x.At(t.At), c.Top}, [2]float64{x.At(t.At), c.bottom()})
		p.Text(x.At(t.At), c.bottom()+16, "dim small middle", t.Text)
	}
	p.Line("axis", [2]float64{c.Left, c.bottom()}, [2]float64{c.right(), c.bottom()})
	for _, curve := range c.Curves {
		var line [][2]float64
		for _, point := range curve.Points {
			line = append(line, [2]float64{x.At(point.X), y.At(point.Y)})
		}
		p.Line(curve.Class+"-line", line...)
		for i, point := range curve.Points {
			p.Dot(line[i][0], line[i][1], 3.5, curve.Class, point.Title)
		}
		end := line[len(line)-1]
		p.Text(end[0]+12, end[1]+1, "strong "+curve.Class, curve.Name)
		for i, note := range curve.Notes {
			p.Text(end[0]+12, end[1]+16+float64(14*i), "dim small", note)
		}
	}
}

package main

import "github.com/gomamba/gomamba/internal/plot"

// newPicture returns a card with a heading and a line below it.
func newPicture(height float64, heading, line string) *plot.Picture {
	pic := plot.New(width, height)
	pic.Rect(0.5, 0.5, width-1, height-1, 8, "card", "")
	pic.Text(24, 38, "text heading", heading)
	pic.Text(24, 60, "dim", line)
	return pic
}

// legend writes names behind dots, from pairs of class and name.
func legend(pic *plot.Picture, x, y float64, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		pic.Dot(x+4, y-4, 4, pairs[i], "")
		pic.Text(x+14, y, "text", pairs[i+1])
		x += 14 + plot.TextWidth(pairs[i+1], 12) + 18
	}
}

// A badge is a label and a value side by side.
func badge(label, value, title string) []byte {
	const height, size, pad = 22, 11.0, 8.0
	left, right := plot.TextWidth(label, size)+2*pad, plot.TextWidth(value, size)+2*pad
	pic := plot.New(left+right, height)
	pic.Rect(0, 0, left+right, height, 4, "badge-label", "")
	pic.Rect(left, 0, right, height, 4, "badge-value", "")
	pic.Rect(left, 0, 6, height, 0, "badge-value", "")
	pic.FittedText(pad, 15, left-2*pad, "badge-text small", label)
	pic.FittedText(left+pad, 15, right-2*pad, "badge-text small strong", value)
	return pic.File(label+": "+value, title)
}

package main

import (
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/plot"
)

// picture shows the peaks over the length of the prompt.
func (m *memoryFile) picture() []byte {
	const height = 400
	ours := m.Runs[0].Points
	first, last := ours[0], ours[len(ours)-1]
	least, most := extremes(ours)
	heading := fmt.Sprintf("%s tokens in %s of memory", count(last.Tokens), megabytes(last.Bytes))
	pic := newPicture(height, heading,
		fmt.Sprintf("Peak anonymous memory while %s takes in a prompt, whose ids, 8 bytes each, are part of it; %d threads", m.Model, m.Threads))
	c := plot.Curves{Frame: plot.Frame{Left: 90, Top: 90, Width: 545, Height: 250}}
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		c.XTicks = append(c.XTicks, plot.Tick{At: float64(n), Text: count(n)})
	}
	c.YTicks = []plot.Tick{{At: 1e6, Text: "1 MB"}, {At: 1e7, Text: "10 MB"}, {At: 1e8, Text: "100 MB"}, {At: 1e9, Text: "1 GB"}, {At: 1e10, Text: "10 GB"}}
	for i, run := range m.Runs {
		curve := plot.Curve{Class: [...]string{"ours", "theirs"}[i], Name: run.Program}
		for _, point := range run.Points {
			curve.Points = append(curve.Points, plot.Pair{X: float64(point.Tokens), Y: float64(point.Bytes),
				Title: fmt.Sprintf("%s, %s tokens: %s", run.Program, count(point.Tokens), megabytes(point.Bytes))})
		}
		end := run.Points[len(run.Points)-1]
		curve.Notes = []string{megabytes(end.Bytes) + " at " + count(end.Tokens) + " tokens", megabytes(run.Start) + " at a single one"}
		if run.Version != "" {
			curve.Name += " " + run.Version
		}
		c.Curves = append(c.Curves, curve)
	}
	c.Draw(pic)
	pic.Text(c.Left+float64(c.Width/2), 376, "dim small middle", "tokens of the prompt")
	pic.Text(width-24, 376, "dim small end", m.Machine+", "+m.Date)
	return pic.File("gomamba: "+heading, fmt.Sprintf("gomamba's peak anonymous memory lies between %s and %s for prompts of %s to %s tokens. "+
		"That of transformers grows with the prompt.", megabytes(least), megabytes(most), count(first.Tokens), count(last.Tokens)))
}

func extremes(points []memoryPoint) (least, most int64) {
	smaller := func(a, b memoryPoint) int { return int(a.Bytes - b.Bytes) }
	return slices.MinFunc(points, smaller).Bytes, slices.MaxFunc(points, smaller).Bytes
}

// count spells a number of tokens.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return count(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

func megabytes(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e8:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

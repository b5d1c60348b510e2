package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/plot"
)

// speedFile is fixtures/measured/peers.json, as far as it is drawn.
type speedFile struct {
	Date    string       `json:"date"`
	Machine string       `json:"machine"`
	Threads int          `json:"threads"`
	Rounds  int          `json:"rounds"`
	Shapes  []speedShape `json:"shapes"`
}

// speedShape is a model shape with what ran it.
type speedShape struct {
	Shape         string        `json:"shape"`
	PrefillTokens int           `json:"prefill_tokens"`
	DecodeTokens  int           `json:"decode_tokens"`
	Read          spread        `json:"read_gb_s"`
	Results       []speedResult `json:"results"`
}

type speedResult struct {
	Peer    string  `json:"peer"`
	Version string  `json:"version"`
	DType   string  `json:"dtype"`
	Decode  *spread `json:"decode_tok_s"`
	Prefill *spread `json:"prefill_tok_s"`
}

// spread is a figure over several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// self is our own name among the peers.
const self = "gomamba"

// Measures of the bars.
const (
	rowHeight           = 24
	decodeLeft          = 212
	prefillLeft         = 516
	longestBar          = 240
	aboveRows, belowRow = 54, 30
)

// picture shows decode and prefill of all peers as bars, shape by shape and dtype by dtype.
func (s *speedFile) picture() []byte {
	height := 84.0
	for _, shape := range s.Shapes {
		height += aboveRows + belowRow
		for _, group := range shape.byDType() {
			height += rowHeight * float64(len(group)+1)
		}
	}
	pic := newPicture(height+20, "Tokens per second, side by side",
		fmt.Sprintf("One sequence, %d threads: bars are medians of %d rounds in turns, whiskers the slowest and the fastest round", s.Threads, s.Rounds))
	y := 84.0
	var names []string
	for _, shape := range s.Shapes {
		y = shape.draw(pic, y)
		names = append(names, shape.Shape)
	}
	pic.Text(width-24, y+2, "dim small end", s.Machine+", "+s.Date)
	return pic.File("Speed of gomamba and its peers", fmt.Sprintf("Decode and prefill in tokens per second, for %s, on %s, %s.",
		strings.Join(names, " and "), s.Machine, s.Date))
}

// byDType groups the results by dtype, in the order of the file, the fastest decoder first.
func (s *speedShape) byDType() [][]speedResult {
	var groups [][]speedResult
	for _, r := range s.Results {
		i := slices.IndexFunc(groups, func(g []speedResult) bool { return g[0].DType == r.DType })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], r)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b speedResult) int { return cmp.Compare(median0(b.Decode), median0(a.Decode)) })
	}
	return groups
}

func median0(s *spread) float64 {
	if s == nil {
		return 0
	}
	return s.Median
}

// draw draws a shape from y on, and returns where it ends.
func (s *speedShape) draw(pic *plot.Picture, y float64) float64 {
	decodeMost, prefillMost := 0.0, 0.0
	for _, r := range s.Results {
		if r.Decode != nil {
			decodeMost = max(decodeMost, r.Decode.Max)
		}
		if r.Prefill != nil {
			prefillMost = max(prefillMost, r.Prefill.Max)
		}
	}
	pic.Text(24, y+24, "text subject", s.Shape)
	pic.Text(decodeLeft, y+24, "text strong", "decode")
	pic.Text(decodeLeft, y+40, "dim small", fmt.Sprintf("%d tokens, one at a time", s.DecodeTokens))
	pic.Text(prefillLeft, y+24, "text strong", "prefill")
	pic.Text(prefillLeft, y+40, "dim small", fmt.Sprintf("a prompt of %d tokens", s.PrefillTokens))
	y += aboveRows
	for _, group := range s.byDType() {
		pic.Text(24, y+16, "dim strong", strings.ToLower(group[0].DType))
		pic.Line("grid", [2]float64{70, y + 12}, [2]float64{width - 24, y + 12})
		y += rowHeight
		for _, r := range group {
			class, weight := "other", "text end"
			if r.Peer == self {
				class, weight = "ours", "ours strong end"
			}
			pic.Text(decodeLeft-12, y+15, weight, strings.TrimSpace(r.Peer+" "+shorten(r.Version)))
			bar(pic, decodeLeft, y, class, r.Decode, decodeMost)
			bar(pic, prefillLeft, y, class, r.Prefill, prefillMost)
			y += rowHeight
		}
	}
	return y + belowRow
}

// shorten leaves the part of a version that tells releases apart.
func shorten(version string) string {
	if len(version) > 9 {
		version, _, _ = strings.Cut(version, "-")
		return version[:min(len(version), 9)]
	}
	return version
}

// bar draws a median with its spread and its figure; most is the longest one.
func bar(pic *plot.Picture, x, y float64, class string, s *spread, most float64) {
	if s == nil {
		pic.Text(x+4, y+15, "dim small", "none")
		return
	}
	at := func(v float64) float64 { return x + longestBar*v/most }
	pic.Rect(x, y+4, longestBar*s.Median/most, 14, 2, class, fmt.Sprintf("%s, from %s to %s", speed(s.Median), speed(s.Min), speed(s.Max)))
	pic.Line("whisker", [2]float64{at(s.Min), y + 11}, [2]float64{at(s.Max), y + 11})
	for _, v := range []float64{s.Min, s.Max} {
		pic.Line("whisker", [2]float64{at(v), y + 8}, [2]float64{at(v), y + 14})
	}
	weight := "text"
	if class == "ours" {
		weight = "ours strong"
	}
	pic.Text(at(max(s.Max, s.Median))+8, y+15, weight, speed(s.Median))
}

func speed(v float64) string {
	if v >= 100 {
		return count(int(v + 0.5))
	}
	return fmt.Sprintf("%.1f", v)
}

// badge tells how many times as fast as llama.cpp we are, on the first shape and dtype that both ran.
func (s *speedFile) badge() []byte {
	const peer = "llama.cpp"
	for _, shape := range s.Shapes {
		for _, group := range shape.byDType() {
			ours := slices.IndexFunc(group, func(r speedResult) bool { return r.Peer == self })
			theirs := slices.IndexFunc(group, func(r speedResult) bool { return r.Peer == peer })
			if ours < 0 || theirs < 0 {
				continue
			}
			a, b := group[ours], group[theirs]
			if a.Prefill == nil || b.Prefill == nil {
				continue
			}
			return badge(fmt.Sprintf("speed over %s, %s", peer, strings.ToLower(a.DType)),
				fmt.Sprintf("prefill %.1f×, decode %.1f×", a.Prefill.Median/b.Prefill.Median, a.Decode.Median/b.Decode.Median),
				fmt.Sprintf("Medians of %d rounds on %s, %s, %s.", s.Rounds, shape.Shape, s.Machine, s.Date))
		}
	}
	return badge("speed", "not compared with "+peer, "No shape and dtype was run by both.")
}

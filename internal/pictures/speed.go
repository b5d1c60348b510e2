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
	Shapes []speedShape `json:"shapes"`
}

// speedShape is a model shape with what ran it.
type speedShape struct {
	Shape         string        `json:"shape"`
	Date          string        `json:"date"`
	Machine       string        `json:"machine"`
	Rounds        int           `json:"rounds"`
	PrefillTokens int           `json:"prefill_tokens"`
	DecodeTokens  int           `json:"decode_tokens"`
	Read          *spread       `json:"read_gb_s"`
	Results       []speedResult `json:"results"`
}

type speedResult struct {
	Peer    string  `json:"peer"`
	Version string  `json:"version"`
	DType   string  `json:"dtype"`
	Decode  *spread `json:"decode_tok_s"`
	Prefill *spread `json:"prefill_tok_s"`
	Note    string  `json:"note"` // clauses between semicolons

	WeightBytes float64 `json:"weight_bytes"`
	OfBandwidth float64 `json:"share_of_bandwidth"`
	DecodeOver  float64 `json:"decode_over_llama"`
	PrefillOver float64 `json:"prefill_over_llama"`
}

// spread is a figure over several rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// self is our own name among the peers, and headline the shape of the badge.
const self, headline = "gomamba", "mamba-130m"

// Measures of the bars and of the lines below them.
const (
	rowHeight, lineHeight = 24, 16
	decodeLeft            = 212
	prefillLeft           = 516
	longestBar            = 240
)

// pictures draws each shape, by the name of its file.
func (s *speedFile) pictures() map[string][]byte {
	pictures := map[string][]byte{}
	for _, shape := range s.Shapes {
		pictures["speed-"+shape.Shape+".svg"] = shape.picture()
	}
	return pictures
}

// picture shows decode and prefill of all peers as bars, dtype by dtype, the fastest decoder first.
func (s *speedShape) picture() []byte {
	const top = 132
	groups, lines := s.byDType(), s.footnotes()
	height := top + float64(rowHeight*(len(groups)+len(s.Results))) + 24 + float64(lineHeight*len(lines))
	heading := "Tokens per second, " + s.Shape
	pic := newPicture(height, heading, fmt.Sprintf("One sequence; bars are medians of %d rounds in turns, whiskers the slowest and the fastest of them", s.Rounds))
	pic.Text(decodeLeft, 94, "text strong", "decode")
	pic.Text(decodeLeft, 110, "dim small", fmt.Sprintf("%d tokens, one at a time", s.DecodeTokens))
	pic.Text(prefillLeft, 94, "text strong", "prefill")
	pic.Text(prefillLeft, 110, "dim small", fmt.Sprintf("a prompt of %d tokens", s.PrefillTokens))
	y := s.bars(pic, groups, top) + 24
	for i, line := range lines {
		pic.Text(24, y+float64(lineHeight*i), "dim small", line)
	}
	return pic.File(heading, fmt.Sprintf("Decode and prefill of gomamba and its peers in tokens per second, measured on %s on %s.", s.Machine, s.Date))
}

// footnotes name the machine, versions and what was noted of peers, in lines that fit.
func (s *speedShape) footnotes() []string {
	first := s.Machine + ", " + s.Date
	if s.Read != nil {
		first += fmt.Sprintf("; read bandwidth %.3g GB/s, from %.3g to %.3g", s.Read.Median, s.Read.Min, s.Read.Max)
	}
	lines := wrap(first)
	var peers []string
	notes := map[string][]string{}
	for _, r := range s.Results {
		if notes[r.Peer] == nil {
			peers = append(peers, r.Peer)
			notes[r.Peer] = []string{r.Version}
		}
		for clause := range strings.SplitSeq(r.Note, "; ") {
			if clause != "" && !slices.Contains(notes[r.Peer], clause) {
				notes[r.Peer] = append(notes[r.Peer], clause)
			}
		}
	}
	for _, peer := range peers {
		lines = append(lines, wrap(peer+": "+strings.Join(notes[peer], "; "))...)
	}
	return lines
}

// wrap breaks text into lines as wide as a picture.
func wrap(text string) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && plot.TextWidth(line+" "+word, 11) > width-48 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
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

// bars draws the rows from y on, and returns where they end.
func (s *speedShape) bars(pic *plot.Picture, groups [][]speedResult, y float64) float64 {
	decodeMost, prefillMost := 0.0, 0.0
	for _, r := range s.Results {
		if r.Decode != nil {
			decodeMost = max(decodeMost, r.Decode.Max)
		}
		if r.Prefill != nil {
			prefillMost = max(prefillMost, r.Prefill.Max)
		}
	}
	for _, group := range groups {
		pic.Text(24, y+16, "dim strong", strings.ToLower(group[0].DType))
		pic.Line("grid", [2]float64{70, y + 12}, [2]float64{width - 24, y + 12})
		y += rowHeight
		for _, r := range group {
			class, label := "other", "text end"
			if r.Peer == self {
				class, label = "ours", "ours strong end"
			}
			pic.Text(decodeLeft-12, y+15, label, r.Peer)
			bar(pic, decodeLeft, y, class, r.Decode, decodeMost)
			bar(pic, prefillLeft, y, class, r.Prefill, prefillMost)
			y += rowHeight
		}
	}
	return y
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

// badge shows how many times as fast as llama.cpp we are, on the first dtype of the headline that both ran.
func (s *speedFile) badge() []byte {
	const peer = "llama.cpp"
	for _, shape := range s.Shapes {
		if shape.Shape != headline {
			continue
		}
		for _, group := range shape.byDType() {
			var ours, theirs *speedResult
			for i := range group {
				switch r := &group[i]; {
				case r.Decode == nil || r.Prefill == nil:
				case r.Peer == self:
					ours = r
				case r.Peer == peer:
					theirs = r
				}
			}
			if ours != nil && theirs != nil {
				return badge(fmt.Sprintf("speed over %s, %s", peer, strings.ToLower(ours.DType)),
					fmt.Sprintf("prefill %.1f×, decode %.1f×", ours.Prefill.Median/theirs.Prefill.Median, ours.Decode.Median/theirs.Decode.Median),
					fmt.Sprintf("Medians of %d rounds on %s, %s, %s.", shape.Rounds, shape.Shape, shape.Machine, shape.Date))
			}
		}
	}
	return badge("speed over "+peer, "not measured", "peers.json holds no dtype that both ran on "+headline+".")
}

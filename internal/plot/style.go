package plot

import (
	"fmt"
	"strings"
)

// inks are the colours of classes, on a light and on a dark ground.
var inks = []struct{ class, property, light, dark string }{
	{"card", "fill", "#ffffff", "#0d1117"},
	{"card", "stroke", "#d1d9e0", "#30363d"},
	{"text", "fill", "#1f2328", "#f0f6fc"},
	{"dim", "fill", "#59636e", "#9198a1"},
	{"grid", "stroke", "#e4e8ec", "#262c36"},
	{"axis", "stroke", "#8c959f", "#656c76"},
	{"limit", "stroke", "#8c959f", "#656c76"},
	{"ours", "fill", "#0969da", "#4493f8"},
	{"ours-line", "stroke", "#0969da", "#4493f8"},
	{"theirs", "fill", "#bc4c00", "#f0883e"},
	{"theirs-line", "stroke", "#bc4c00", "#f0883e"},
	{"other", "fill", "#afb8c1", "#656c76"},
	{"whisker", "stroke", "#1f2328", "#f0f6fc"},
	{"bad", "fill", "#cf222e", "#ff6b64"},
	{"bad-line", "stroke", "#cf222e", "#ff6b64"},
	{"badge-label", "fill", "#424a53", "#30363d"},
	{"badge-value", "fill", "#0969da", "#1f6feb"},
	{"badge-text", "fill", "#ffffff", "#ffffff"},
}

// forms are what classes look like beside their colours.
const forms = `.plot text{font:12px -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;font-variant-numeric:tabular-nums}
.plot .heading{font-size:17px;font-weight:600}
.plot .subject{font-size:13px;font-weight:600}
.plot .strong{font-weight:600}
.plot .small{font-size:11px}
.plot .middle{text-anchor:middle}
.plot .end{text-anchor:end}
.plot path{fill:none}
.plot .limit{stroke-dasharray:5 4}
.plot .ours-line,.plot .theirs-line{stroke-width:1.5}
.plot .fine{stroke-width:1;stroke-opacity:.45}
.plot .ring{fill:none;stroke-width:1.5}
.plot .faint{fill-opacity:.55}
.plot .whisker{stroke-width:1.2}
`

// Style returns the style sheet of all pictures.
func Style() string {
	var light, dark strings.Builder
	for _, ink := range inks {
		fmt.Fprintf(&light, ".plot .%s{%s:%s}\n", ink.class, ink.property, ink.light)
		fmt.Fprintf(&dark, ".plot .%s{%s:%s}\n", ink.class, ink.property, ink.dark)
	}
	return light.String() + forms + "@media(prefers-color-scheme:dark){\n" + dark.String() + "}\n"
}

// halfWidth is how far centred text reaches to either side.
func halfWidth(text string, size float64) float64 { return float64(TextWidth(text, size) / 2) }

// TextWidth estimates how wide text is at a font size, on the generous side: fonts differ from reader to reader.
func TextWidth(text string, size float64) float64 {
	width := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfr.,:;|!'()[] ", r):
			width += 0.38
		case strings.ContainsRune("mwMW%@", r):
			width += 0.92
		case 'A' <= r && r <= 'Z':
			width += 0.7
		default:
			width += 0.6
		}
	}
	return width * size
}

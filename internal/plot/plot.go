// Package plot draws pictures as SVG, for pages and for files. A picture carries its own colours, for light and for dark
// surroundings, and needs nothing from anywhere else.
package plot

import (
	"fmt"
	"html"
	"strconv"
	"strings"
)

// Picture is a drawing under way. Lengths are pixels where it is not scaled.
type Picture struct {
	width, height float64
	body          strings.Builder
}

// New returns an empty picture.
func New(width, height float64) *Picture { return &Picture{width: width, height: height} }

// Text writes text whose baseline starts at x, y; with the classes middle and end it is centred there or ends there.
func (p *Picture) Text(x, y float64, class, text string) {
	fmt.Fprintf(&p.body, `<text x="%s" y="%s" class="%s">%s</text>`+"\n", px(x), px(y), class, html.EscapeString(text))
}

// FittedText is Text of a given width, whatever font it is shown in.
func (p *Picture) FittedText(x, y, width float64, class, text string) {
	fmt.Fprintf(&p.body, `<text x="%s" y="%s" class="%s" textLength="%s" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n",
		px(x), px(y), class, px(width), html.EscapeString(text))
}

// Line draws a line through points, each of them x and y.
func (p *Picture) Line(class string, points ...[2]float64) {
	var d strings.Builder
	for i, at := range points {
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		fmt.Fprintf(&d, "%c%s %s", command, px(at[0]), px(at[1]))
	}
	fmt.Fprintf(&p.body, `<path class="%s" d="%s"/>`+"\n", class, d.String())
}

// Rect draws a rectangle with rounded corners. What title says shows where a pointer rests on it.
func (p *Picture) Rect(x, y, width, height, radius float64, class, title string) {
	fmt.Fprintf(&p.body, `<rect x="%s" y="%s" width="%s" height="%s" rx="%s" class="%s"`, px(x), px(y), px(width), px(height), px(radius), class)
	p.end("rect", title)
}

// Dot draws a disc, or a ring where its class is one.
func (p *Picture) Dot(x, y, radius float64, class, title string) {
	fmt.Fprintf(&p.body, `<circle cx="%s" cy="%s" r="%s" class="%s"`, px(x), px(y), px(radius), class)
	p.end("circle", title)
}

func (p *Picture) end(element, title string) {
	if title == "" {
		p.body.WriteString("/>\n")
		return
	}
	fmt.Fprintf(&p.body, "><title>%s</title></%s>\n", html.EscapeString(title), element)
}

// Inline returns the picture as an element of a page that has Style among its styles. label is for those who cannot see it.
func (p *Picture) Inline(label string) string {
	return fmt.Sprintf(`<svg class="plot" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n%s</svg>",
		px(p.width), px(p.height), html.EscapeString(label), p.body.String())
}

// File returns the picture as a file of its own. title and description are for those who cannot see it.
func (p *Picture) File(title, description string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="plot" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-labelledby="title desc">`+"\n",
		px(p.width), px(p.height))
	fmt.Fprintf(&b, "<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n<style>\n%s</style>\n%s</svg>\n",
		html.EscapeString(title), html.EscapeString(description), Style(), p.body.String())
	return []byte(b.String())
}

// px writes a length to a tenth of a pixel.
func px(v float64) string {
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}

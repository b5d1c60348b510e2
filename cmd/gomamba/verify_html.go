package main

import (
	"bytes"
	"cmp"
	_ "embed" // of the page
	"errors"
	"fmt"
	"html/template"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/numcheck"
	"github.com/gomamba/gomamba/internal/plot"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
)

//go:embed verify.html
var pageText string

// page is what the report of verify shows in a browser. It needs nothing from the network.
type page struct {
	Report  *parity.Report
	Model   string
	Facts   [][2]string
	Figures [][2]string // a figure and what it counts
	Charts  []chart
	Worst   []parity.Tensor // nearest to what is allowed, or farthest beyond it
	Self    bool            // no reference: our own float32 is judged
	Oracle  bool            // a reference is judged by float64, and we beside it
	Before  int             // tensors that pass before the first that fails
	Style   template.CSS
}

// worstShown is how many tensors the page lists before the whole table.
const worstShown = 10

func newPage(ck *loader.Checkpoint, m *model.Model, args []string, r *parity.Report) *page {
	reference := "none: float32 against float64 on a built-in prompt"
	if len(args) > 1 {
		reference = args[1]
	}
	c := m.Config().Shared()
	p := &page{
		Report: r, Model: filepath.Base(ck.Path()), Self: len(args) < 2, Style: template.CSS(plot.Style()),
		Facts: [][2]string{
			{"checkpoint", ck.Path()},
			{"layout, family", ck.Layout() + ", " + string(m.Config().Family())},
			{"shape", fmt.Sprintf("%s, hidden_size %d, vocab_size %d", badfile.Count(c.NumHiddenLayers, "layer"), c.HiddenSize, c.VocabSize)},
			{"reference", reference},
			{"distances from", cmp.Or(r.Judge, "nothing")},
			{"gomamba", version()},
			{"built with", runtime.Version() + " for " + runtime.GOOS + "/" + runtime.GOARCH},
			{"kernels", fmt.Sprintf("%s, %s", kernel.ISA(), badfile.Count(m.Threads(), "thread"))},
			{"made", time.Now().Format("2006-01-02 15:04 MST")},
		},
	}
	p.Oracle = !p.Self && slices.ContainsFunc(r.Tensors, func(t parity.Tensor) bool { return t.OwnMaxAbs > 0 })
	if d := r.FirstDivergence; d != nil {
		p.Before = slices.IndexFunc(r.Tensors, func(t parity.Tensor) bool { return t.Name == d.Tensor })
	}
	p.Worst = slices.Clone(r.Tensors)
	slices.SortStableFunc(p.Worst, func(a, b parity.Tensor) int { return cmp.Compare(strain(b), strain(a)) })
	p.Worst = p.Worst[:min(worstShown, len(p.Worst))]
	p.count()
	if r.Verdict != parity.Identical {
		p.Charts = p.charts(c.NumHiddenLayers)
	}
	return p
}

// count sums the report up.
func (p *page) count() {
	if len(p.Report.Tensors) == 0 {
		return
	}
	passed, nearer, farthest := 0, 0, 0.0
	for _, t := range p.Report.Tensors {
		if t.Passed {
			passed++
		}
		if t.OwnMaxAbs < t.MaxAbs {
			nearer++
		}
		farthest = max(farthest, float64(t.MaxRel))
	}
	if p.Report.Verdict == parity.Identical {
		p.Figures = [][2]string{{fmt.Sprint(passed), "tensors, all the same values"}}
		return
	}
	of := func(n int) string { return fmt.Sprintf("%d of %d", n, len(p.Report.Tensors)) }
	p.Figures = append(p.Figures,
		[2]string{of(passed), "tensors within what is allowed"},
		[2]string{share(strain(p.Worst[0])), "of what is allowed, in " + p.Worst[0].Name},
		[2]string{fmt.Sprintf("%.1e", farthest), "largest distance, relative to its tensor"})
	if p.Oracle {
		p.Figures = append(p.Figures, [2]string{of(nearer), "tensors on which gomamba is nearer to float64"})
	}
}

// strain is the share of what is allowed that a tensor uses.
func strain(t parity.Tensor) float64 {
	if t.MaxAbs == 0 {
		return 0
	}
	return float64(t.MaxAbs) / float64(t.Allowed)
}

// pageTemplate is parsed when it is needed: every command would wait for it otherwise.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"e":       func(v any) string { return fmt.Sprintf("%.2e", v) },
		"value":   func(v any) string { return fmt.Sprintf("%.9g", v) },
		"apart":   func(d *parity.Divergence) float64 { return numcheck.Distance(float64(d.Got), float64(d.Want)) },
		"percent": func(t parity.Tensor) string { return share(strain(t)) },
		"bar":     func(t parity.Tensor) template.CSS { return template.CSS(fmt.Sprintf("%.1f%%", 100*min(1, strain(t)))) },
	}).Parse(pageText))
})

// share spells a share as a percentage, or as a multiple if it is beyond the whole.
func share(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f ×", v)
	case v > 1:
		return fmt.Sprintf("%.3g ×", v)
	}
	return fmt.Sprintf("%.3g %%", 100*v)
}

// writeHTML writes the page, over an older one if there is one.
func writeHTML(to *destination, p *page) (err error) {
	f, err := atomicfile.CreateFile(to.path, atomicfile.Options{Replace: replaceablePage})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Abort())
		}
	}()
	if err := pageTemplate().Execute(f, p); err != nil {
		return fmt.Errorf("%s: %w", to.name, err)
	}
	if err := f.Commit(); err != nil {
		return err
	}
	return to.deliver()
}

// replaceablePage refuses to replace a file that is not a page of ours.
func replaceablePage(path string) error {
	head, err := beginning(path, 1024)
	if err == nil && !bytes.Contains(head, []byte(`<meta name="generator" content="gomamba`)) {
		err = notReplaced(path, "a report of gomamba verify")
	}
	return err
}

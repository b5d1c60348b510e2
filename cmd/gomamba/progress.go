package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// progress is a bar with rate and time left, on stderr and only where that is a terminal.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// newProgress starts a bar for total units; a unit of "bytes" is shown as sizes.
func newProgress(cmd *cobra.Command, unit string, total int64) *progress {
	file, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	all := mpb.NewWithContext(cmd.Context(), mpb.WithOutput(file), mpb.WithWidth(60))
	counters, speed := decor.CountersNoUnit("%d/%d "+unit, decor.WCSyncSpace), decor.AverageSpeed(0, " %.0f/s")
	if unit == "bytes" {
		counters, speed = decor.CountersKibiByte("% .1f / % .1f"), decor.AverageSpeed(decor.SizeB1024(0), " % .1f")
	}
	bar := all.AddBar(total,
		mpb.PrependDecorators(counters),
		mpb.AppendDecorators(decor.Percentage(), speed, decor.Name(", "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")),
		mpb.BarRemoveOnComplete(),
	)
	return &progress{all, bar}
}

func (p *progress) add(n int) {
	if p.bar != nil {
		p.bar.IncrBy(n)
	}
}

// stop takes the bar off the screen.
func (p *progress) stop() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.all.Wait()
	}
}

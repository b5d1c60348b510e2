package main

import (
	"os"
	"path"
	"sync"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/gomamba/gomamba/internal/hub"
)

// progress is a bar with rate and time left, on stderr and only where that is a terminal.
type progress struct {
	all *mpb.Progress
	bar *mpb.Bar
}

// terminal returns stderr where it is a terminal.
func terminal(cmd *cobra.Command) (*os.File, bool) {
	file, ok := cmd.ErrOrStderr().(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// newProgress starts a bar for total units; a unit of "bytes" is shown as sizes.
func newProgress(cmd *cobra.Command, unit string, total int64) *progress {
	file, ok := terminal(cmd)
	if !ok {
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

// downloadBars show one bar for each file that is arriving and one for all of them, on stderr and only where that is a
// terminal.
type downloadBars struct {
	out *os.File
	all *mpb.Progress
	sum *mpb.Bar

	mu   sync.Mutex
	bars map[string]*mpb.Bar
	done map[string]int64
}

func newDownloadBars(cmd *cobra.Command, quiet bool) *downloadBars {
	b := &downloadBars{bars: map[string]*mpb.Bar{}, done: map[string]int64{}}
	if file, ok := terminal(cmd); ok && !quiet {
		b.out = file
	}
	return b
}

// start shows the bar of all files.
func (b *downloadBars) start(total int64) {
	if b.out == nil || total == 0 {
		return
	}
	b.all = mpb.New(mpb.WithOutput(b.out), mpb.WithWidth(40))
	b.sum = b.bar("all", total, 1<<20)
}

func (b *downloadBars) bar(name string, total int64, priority int) *mpb.Bar {
	return b.all.AddBar(total,
		mpb.PrependDecorators(decor.Name(shorten(name), decor.WCSyncSpaceR), decor.CountersKiloByte("% .1f / % .1f", decor.WCSyncSpace)),
		mpb.AppendDecorators(decor.Percentage(), decor.AverageSpeed(decor.SizeB1000(0), " % .1f"), decor.Name(", "),
			decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left")),
		mpb.BarPriority(priority),
		mpb.BarRemoveOnComplete(),
	)
}

// show moves the bar of a file, which may also go back: what arrived damaged is fetched again.
func (b *downloadBars) show(f hub.File, done int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		return
	}
	bar := b.bars[f.Path]
	if bar == nil && f.Size > 0 {
		bar = b.bar(f.Path, f.Size, len(b.bars))
		b.bars[f.Path] = bar
	}
	if bar != nil {
		bar.SetCurrent(done)
	}
	b.sum.SetCurrent(b.sum.Current() + done - b.done[f.Path])
	b.done[f.Path] = done
}

// stop takes the bars off the screen.
func (b *downloadBars) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		return
	}
	for _, bar := range b.bars {
		bar.Abort(true)
	}
	b.sum.Abort(true)
	b.all.Wait()
	b.all = nil
}

// shorten keeps the end of a long name, which tells shards apart.
func shorten(name string) string {
	const most = 32
	name = path.Base(name)
	if len(name) > most {
		name = "…" + name[len(name)-most:]
	}
	return name
}

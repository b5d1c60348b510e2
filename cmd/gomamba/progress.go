package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/progress"
)

// barDelay is how long work may last before its bar appears: quicker work does not need one.
const barDelay = 400 * time.Millisecond

// bar shows how far work has come, its rate and the time left, on stderr and only if that is a terminal.
type bar struct {
	all  *mpb.Progress
	bar  *mpb.Bar
	wait *time.Timer
}

// terminal returns stderr if it is a terminal.
func terminal(cmd *cobra.Command) (*os.File, bool) { return terminalOf(cmd.ErrOrStderr()) }

// newBar starts a bar for total units; a unit of "bytes" is shown as sizes. What names the work and may be empty.
func newBar(cmd *cobra.Command, what, unit string, total int64) *bar {
	file, ok := terminal(cmd)
	if !ok {
		return &bar{}
	}
	show := make(chan any)
	b := &bar{wait: time.AfterFunc(barDelay, func() { close(show) })}
	b.all = mpb.NewWithContext(cmd.Context(), mpb.WithOutput(file), mpb.WithWidth(40), mpb.WithRenderDelay(show))
	b.bar = b.all.AddBar(total,
		mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string {
			counts := fmt.Sprintf("%s / %s %s", thousands(int(s.Current)), thousands(int(s.Total)), unit)
			if unit == "bytes" {
				counts = fmt.Sprintf("%s / %s", bytesText(s.Current), bytesText(s.Total))
			}
			return strings.TrimLeft(what+" "+counts, " ")
		})),
		mpb.AppendDecorators(decor.Percentage(), pace(unit)),
		mpb.BarRemoveOnComplete(),
	)
	return b
}

// pace shows the rate of the work so far and the time left at that rate; at the start neither is known.
func pace(unit string) decor.Decorator {
	begin := time.Now()
	return decor.Any(func(s decor.Statistics) string {
		spent := time.Since(begin).Seconds()
		if s.Current == 0 || spent == 0 {
			return ""
		}
		rate := float64(s.Current) / spent
		left := time.Duration(float64(s.Total-s.Current) / rate * float64(time.Second)).Round(time.Second)
		if unit == "bytes" {
			return fmt.Sprintf(" %s/s, %v left", bytesText(int64(rate)), left)
		}
		return fmt.Sprintf(" %.3g/s, %v left", rate, left)
	})
}

func (b *bar) add(n int64) {
	if b.bar != nil {
		b.bar.IncrInt64(n)
	}
}

func (b *bar) set(done int64) {
	if b.bar != nil {
		b.bar.SetCurrent(done)
	}
}

// stop takes the bar off the screen.
func (b *bar) stop() {
	if b.bar != nil {
		b.wait.Stop()
		b.bar.Abort(true)
		b.all.Wait()
	}
}

// withBar runs work with a bar for its bytes.
func withBar(cmd *cobra.Command, total int64, work func(progress func(done, total int64)) error) error {
	b := newBar(cmd, "", "bytes", total)
	defer b.stop()
	return work(func(done, _ int64) { b.set(done) })
}

// watched returns a context whose work shows as bars, one stage after the other, until stop.
func watched(ctx context.Context, cmd *cobra.Command) (_ context.Context, stop func()) {
	if _, ok := terminal(cmd); !ok {
		return ctx, func() {}
	}
	shown, name := &bar{}, ""
	watch := func(stage, unit string, done, total int64) {
		if shown.bar == nil || stage != name {
			shown.stop()
			shown, name = newBar(cmd, stage, unit, total), stage
		}
		shown.set(done)
	}
	return progress.With(ctx, watch), func() { shown.stop() }
}

// downloadBars show one bar for each file that is arriving and one for all of them, on stderr and only if that is a
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
		mpb.AppendDecorators(decor.Percentage(), pace("bytes")),
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

// above writes a line to w, or above the bars while they are shown.
func (b *downloadBars) above(w io.Writer, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all != nil {
		w = b.all
	}
	fmt.Fprintln(w, text)
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

// shorten keeps the end of a long name, which distinguishes shards.
func shorten(name string) string {
	const most = 32
	name = badfile.Printable(path.Base(name))
	if len(name) > most {
		name = "…" + name[len(name)-most:]
	}
	return name
}

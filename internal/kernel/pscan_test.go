package kernel

import (
	"slices"
	"testing"

	"github.com/gomamba/gomamba/internal/parallel"
)

// TestParallelScanCutAnywhere divides a sequence of several blocks, and the work on it, in all ways: the same bits each time.
func TestParallelScanCutAnywhere(t *testing.T) {
	const tokens, channels, states = 3*ScanBlock + 10, 70, 16
	scan, scanRows := randomScan(channels, states, tokens)
	scan.DtBias = scan.D
	heads, headRows := randomHeads(10, 7, 2, states, tokens)
	eachISA(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			s Recurrence
			r *ScanRows
		}{"Scan": {scan, scanRows}, "HeadScan": {heads, headRows}} {
			dt := slices.Clone(c.r.Dt)
			run := func(threads int, cuts ...int) (y, h []float32) {
				pool := parallel.NewPool(threads)
				defer pool.Close()
				copy(c.r.Dt, dt) // a Scan with a DtBias replaces it
				clear(c.r.Y)
				h, carry, from := make([]float32, channels*states), NewCarry(channels, states), 0
				for _, to := range append(cuts, tokens) {
					piece := c.r.slice(from, to)
					RunParallel(pool, c.s, &piece, h, &carry)
					from = to
				}
				return slices.Clone(c.r.Y), h
			}
			wantY, wantH := run(1)
			check := func(threads int, cuts ...int) {
				t.Helper()
				if y, h := run(threads, cuts...); !slices.Equal(y, wantY) || !slices.Equal(h, wantH) {
					t.Fatalf("%s on %d threads, cut at %v: other bits", name, threads, cuts)
				}
			}
			for cut := 1; cut < tokens; cut += 21 { // 64 among them
				check(1+cut%3, cut)
			}
			check(4, 10, 10+ScanBlock, 11+ScanBlock, 2*ScanBlock, 3*ScanBlock)
			every := make([]int, tokens-1)
			for i := range every {
				every[i] = i + 1
			}
			check(2, every...)
			copy(c.r.Dt, dt)
		}
	})
}

package model

import "github.com/gomamba/gomamba/internal/kernel"

// scanner is a block around a recurrence.
type scanner interface {
	// recurrence returns what runs over one sequence: the scan, its rows and its state.
	recurrence(c *chunk, row span) (kernel.Recurrence, kernel.ScanRows, []float32)
}

// recur runs a recurrence in parallel: over blocks of its channels by run, or over blocks of its channels and of time.
func (c *chunk) recur(m scanner, channels int, run channelFunc) {
	if !c.model.parallelScan {
		c.eachChannel(channels, run)
		return
	}
	for _, row := range c.spans {
		scan, rows, state := m.recurrence(c, row)
		kernel.RunParallel(c.model.pool, scan, &rows, state, &c.carries[row.seq])
	}
}

package model

import "github.com/gomamba/gomamba/internal/kernel"

// scanner is a block around a recurrence, or around several, each over as many channels.
type scanner interface {
	// recurrence returns what runs over one sequence, of one of the recurrences: the scan, its rows and its state.
	recurrence(c *chunk, row span, which int) (kernel.Recurrence, kernel.ScanRows, []float32)
}

// recur runs a block's recurrences in parallel: over blocks of its channels by run, or over blocks of its channels and of time.
func (c *chunk) recur(m scanner, recurrences, channels int, run channelFunc) {
	if !c.model.parallelScan {
		c.eachChannel(channels, run)
		return
	}
	for _, row := range c.spans {
		whole := &c.carries[row.seq]
		part := *whole
		for i := range recurrences {
			scan, rows, state := m.recurrence(c, row, i)
			part = partOf(whole, i, recurrences)
			kernel.RunParallel(c.model.pool, scan, &rows, state, &part)
		}
		whole.Tokens = part.Tokens
	}
}

// partOf returns one of n equal parts of a carry, which share its memory.
func partOf(c *kernel.Carry, i, n int) kernel.Carry {
	values, channels := len(c.Start)/n, len(c.Time)/n
	return kernel.Carry{
		Tokens: c.Tokens,
		Start:  c.Start[i*values:][:values], Input: c.Input[i*values:][:values], Time: c.Time[i*channels:][:channels],
	}
}

// Package progress carries news of how far long work has come from the loops that know it to whoever watches. It travels
// in the context, so that the layers in between need no parameter for it; without a watcher it costs one look-up.
package progress

import (
	"context"
	"sync"
)

// Watcher sees work advance. Stage says what is being done, as With named it, and may be empty; done of total units are
// complete. Calls for one stage come one at a time, in order.
type Watcher func(stage, unit string, done, total int64)

type key struct{}

type listener struct {
	watch Watcher
	stage string
}

// With returns a context whose work reports to watch.
func With(ctx context.Context, watch Watcher) context.Context {
	return context.WithValue(ctx, key{}, listener{watch: watch})
}

// Stage returns a context whose work reports under a name. Without a watcher it is ctx.
func Stage(ctx context.Context, name string) context.Context {
	l, ok := ctx.Value(key{}).(listener)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, key{}, listener{l.watch, name})
}

// Meter counts the steps of one piece of work. A nil Meter counts nothing.
type Meter struct {
	to    listener
	unit  string
	total int64 // units
	per   int64 // steps of a unit

	mu   sync.Mutex
	done int64 // steps
}

// Start begins to count total units of per steps each. It returns nil if nobody watches.
func Start(ctx context.Context, unit string, total, per int) *Meter {
	l, ok := ctx.Value(key{}).(listener)
	if !ok {
		return nil
	}
	m := &Meter{to: l, unit: unit, total: int64(total), per: int64(max(per, 1))}
	m.Add(0)
	return m
}

// Add reports that n more steps are complete. It may be called from several goroutines.
func (m *Meter) Add(n int) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += int64(n)
	m.to.watch(m.to.stage, m.unit, m.done/m.per, m.total)
}

// Within returns a context whose work counts as steps of m, one for each of its units.
func (m *Meter) Within(ctx context.Context) context.Context {
	if m == nil {
		return ctx
	}
	last := int64(0)
	return With(ctx, func(_, _ string, done, _ int64) {
		m.Add(int(done - last))
		last = done
	})
}

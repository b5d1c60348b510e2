// Package gate lets something be closed while it is in use: what is under way ends first, what comes later is refused.
package gate

import "sync"

// Gate counts who is inside. The zero value is open.
type Gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	end    func() error // what is left to do when the last one leaves
}

// Enter reports whether the gate is open. Whoever enters must Leave.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// Leave undoes Enter.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.end != nil {
		g.end() // whose error nobody waits for
		g.end = nil
	}
}

// Closed reports whether Close was called.
func (g *Gate) Closed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Close lets nobody in any more. It runs end and returns its error, or leaves that to the last one inside, which may be
// the caller. A second Close does nothing.
func (g *Gate) Close(end func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	if g.inside > 0 {
		g.end = end
		return nil
	}
	return end()
}

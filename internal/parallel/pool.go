// Package parallel runs loops on all cores: a pool of threads that wait for work, and take its pieces as they come to them.
package parallel

import (
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// spins is how often a thread looks for work before it sleeps: some tens of microseconds, longer than between two
// parallel regions of one token. It lets other goroutines run in between.
const spins = 1 << 16

// yield lets other goroutines run, once in about a microsecond of looking for something: it takes a good part of that itself.
func yield(spin int) {
	if spin%1024 == 1023 {
		runtime.Gosched()
	}
}

// Pool runs parallel regions on a fixed number of threads, the calling one included.
// It may be used from several goroutines: their regions take turns.
//
// A region is over when its pieces are done. Threads that the system has not let run since it began are not waited for,
// so that a busy machine slows a region down by what it takes away and no more.
type Pool struct {
	threads int
	turn    sync.Mutex // held for the length of a region
	region  region
	wake    []chan struct{} // one for each helper, to end its sleep
	asleep  []atomic.Bool
	stop    atomic.Bool
	closed  sync.Once
}

// Task is work that a pool does in pieces. Made once, it can be run any number of times without allocating memory.
type Task struct{ do func(lo, hi int) }

// NewTask returns the task of calling do for the pieces of a range.
func NewTask(do func(lo, hi int)) *Task { return &Task{do} }

// region is the current parallel region, or the last one. Its fields change between regions only, when claim is closed.
type region struct {
	task   atomic.Pointer[Task]
	n      atomic.Int64 // the range is 0..n
	grain  atomic.Int64 // indices of a piece
	pieces atomic.Int64
	done   atomic.Int64 // pieces, by helpers
	fault  atomic.Pointer[fault]

	// claim holds the region's number in its high half and the next piece in its low half. A piece belongs to whoever
	// adds 1: that the number did not change meanwhile proves that the other fields were read of the same region.
	claim atomic.Uint64
}

const closedRegion = math.MaxUint32 // low half of claim between regions

// fault is a panic caught on a helper, on its way to the caller.
type fault struct{ value any }

// NewPool returns a pool of the given number of threads; 0 stands for all cores. Close ends its helpers.
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, wake: make([]chan struct{}, threads-1), asleep: make([]atomic.Bool, threads-1)}
	p.region.claim.Store(closedRegion)
	for i := range p.wake {
		p.wake[i] = make(chan struct{}, 1)
		go p.help(i)
	}
	return p
}

// Threads returns the number of threads, at least 1.
func (p *Pool) Threads() int { return p.threads }

// Close ends the helpers. The pool must not be used afterwards.
func (p *Pool) Close() {
	p.closed.Do(func() {
		p.turn.Lock()
		defer p.turn.Unlock()
		p.stop.Store(true)
		p.wakeAll()
	})
}

// Run calls body for pieces of 0..n, each of at most grain indices, on all threads, and returns when all are done.
// Which thread takes which piece is left to chance, so body must not let a result depend on it.
// A panic in body reaches the caller.
func (p *Pool) Run(n, grain int, body func(lo, hi int)) { p.RunTask(&Task{body}, n, grain) }

// RunTask is Run for a task made before.
func (p *Pool) RunTask(t *Task, n, grain int) {
	if n <= 0 {
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.threads == 1 || n <= grain {
		t.do(0, n)
		return
	}
	r := &p.region
	grain = max(grain, 1)
	pieces := (n + grain - 1) / grain
	r.task.Store(t)
	r.n.Store(int64(n))
	r.grain.Store(int64(grain))
	r.pieces.Store(int64(pieces))
	r.done.Store(0)
	r.fault.Store(nil)
	r.claim.Store((r.claim.Load()>>32+1)<<32 | 1) // the first piece is the caller's, who need not compete for it
	p.wakeAll()
	var own atomic.Int64
	r.piece(t, 0, grain, &own)
	r.work(&own)
	for spin := 0; r.done.Load()+own.Load() < int64(pieces); spin++ {
		yield(spin)
	}
	r.claim.Store(r.claim.Load() | closedRegion)
	if f := r.fault.Load(); f != nil {
		panic(f.value)
	}
}

func (p *Pool) wakeAll() {
	for i := range p.asleep {
		if p.asleep[i].CompareAndSwap(true, false) {
			p.wake[i] <- struct{}{}
		}
	}
}

// help is the life of helper i. It turns memory faults into panics, since weights may be a mapped file that shrinks.
func (p *Pool) help(i int) {
	debug.SetPanicOnFault(true)
	for p.await(i) {
		p.region.work(&p.region.done)
	}
}

// await returns true when there is work, spinning first and sleeping then, and false when the pool is closed.
func (p *Pool) await(i int) bool {
	for spin := range spins {
		if p.stop.Load() {
			return false
		}
		if p.region.open() {
			return true
		}
		yield(spin)
	}
	p.asleep[i].Store(true)
	if (p.region.open() || p.stop.Load()) && p.asleep[i].CompareAndSwap(true, false) {
		return !p.stop.Load() // it came just before we lay down
	}
	<-p.wake[i]
	return !p.stop.Load()
}

// open reports whether there are pieces to take.
func (r *region) open() bool {
	next := int64(uint32(r.claim.Load()))
	return next != closedRegion && next < r.pieces.Load()
}

// work takes pieces until none is left, and counts those that are done.
func (r *region) work(done *atomic.Int64) {
	for {
		claim := r.claim.Load()
		next := int64(uint32(claim))
		if next == closedRegion || next >= r.pieces.Load() {
			return
		}
		t, n, grain := r.task.Load(), r.n.Load(), r.grain.Load()
		if !r.claim.CompareAndSwap(claim, claim+1) {
			continue
		}
		r.piece(t, int(next*grain), int(min((next+1)*grain, n)), done)
	}
}

// piece does one piece, or nothing when another one has failed, and counts it.
func (r *region) piece(t *Task, lo, hi int, done *atomic.Int64) {
	defer func() {
		if v := recover(); v != nil {
			r.fault.CompareAndSwap(nil, &fault{v})
		}
		done.Add(1)
	}()
	if r.fault.Load() == nil {
		t.do(lo, hi)
	}
}

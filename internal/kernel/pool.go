package kernel

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// spins is how often a thread looks for news before it sleeps: some tens of microseconds, the time between two
// parallel regions of one token. A thread that finds the machine busy yields in between.
const spins = 20_000

// Pool runs parallel regions on a fixed number of threads, the calling one included.
// It may be used from several goroutines: their regions take turns.
type Pool struct {
	threads int
	turn    sync.Mutex // held for the length of a region
	job     atomic.Pointer[job]
	wake    []chan struct{} // one for each helper, to end its sleep
	asleep  []atomic.Bool
	closed  sync.Once
}

// job is one parallel region: the pieces of 0..n, taken in order by whoever is free.
type job struct {
	body    func(lo, hi int)
	n       int
	grain   int
	next    atomic.Int64 // first index not yet taken
	running atomic.Int64 // helpers that have not left the region yet
	fault   atomic.Pointer[fault]
	stop    bool
}

// fault is a panic caught on a helper, on its way to the caller.
type fault struct{ value any }

// NewPool returns a pool of the given number of threads; 0 stands for all cores. Close ends its helpers.
func NewPool(threads int) *Pool {
	if threads < 1 {
		threads = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: threads, wake: make([]chan struct{}, threads-1), asleep: make([]atomic.Bool, threads-1)}
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
		p.publish(&job{stop: true})
	})
}

// Run calls body for pieces of 0..n, each of at most grain indices, on all threads, and returns when all are done.
// Which thread takes which piece is left to chance, so body must not let a result depend on it.
// A panic in body reaches the caller.
func (p *Pool) Run(n, grain int, body func(lo, hi int)) {
	if n <= 0 {
		return
	}
	if p.threads == 1 || n <= grain {
		body(0, n)
		return
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	j := &job{body: body, n: n, grain: max(grain, 1)}
	j.running.Store(int64(len(p.wake)))
	p.publish(j)
	j.work()
	for spin := 0; j.running.Load() > 0; spin++ {
		if spin%64 == 63 {
			runtime.Gosched()
		}
	}
	if f := j.fault.Load(); f != nil {
		panic(f.value)
	}
}

// publish shows the helpers a job and wakes those that sleep.
func (p *Pool) publish(j *job) {
	p.job.Store(j)
	for i := range p.asleep {
		if p.asleep[i].CompareAndSwap(true, false) {
			p.wake[i] <- struct{}{}
		}
	}
}

// help is the life of helper i. It turns memory faults into panics, since weights may be a mapped file that shrinks.
func (p *Pool) help(i int) {
	debug.SetPanicOnFault(true)
	var last *job
	for {
		j := p.await(i, last)
		if j.stop {
			return
		}
		j.work()
		j.running.Add(-1)
		last = j
	}
}

// await returns the job after last, spinning first and sleeping then.
func (p *Pool) await(i int, last *job) *job {
	for spin := range spins {
		if j := p.job.Load(); j != last {
			return j
		}
		if spin%64 == 63 {
			runtime.Gosched()
		}
	}
	p.asleep[i].Store(true)
	if j := p.job.Load(); j != last && p.asleep[i].CompareAndSwap(true, false) {
		return j // it came just before we lay down
	}
	<-p.wake[i]
	return p.job.Load()
}

// work takes pieces until none is left.
func (j *job) work() {
	defer func() {
		if v := recover(); v != nil {
			j.fault.CompareAndSwap(nil, &fault{v})
			j.next.Store(int64(j.n)) // no use in going on
		}
	}()
	for {
		hi := int(j.next.Add(int64(j.grain)))
		lo := hi - j.grain
		if lo >= j.n {
			return
		}
		j.body(lo, min(hi, j.n))
	}
}

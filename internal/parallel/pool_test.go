package parallel

import (
	"fmt"
	"testing"
)

// TestPoolSharesAndForwardsPanics checks what callers rely on: every index once, from several goroutines, panics included.
func TestPoolSharesAndForwardsPanics(t *testing.T) {
	pool := NewPool(4)
	defer pool.Close()
	done := make(chan []int)
	for range 3 {
		go func() {
			seen := make([]int, 1000)
			for range 50 {
				pool.Run(len(seen), 7, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						seen[i]++
					}
				})
			}
			done <- seen
		}()
	}
	for range 3 {
		for i, n := range <-done {
			if n != 50 {
				t.Fatalf("index %d ran %d times, want 50", i, n)
			}
		}
	}
	defer func() {
		if v := recover(); v != "boom" {
			t.Errorf("recovered %v, want boom", v)
		}
	}()
	pool.Run(100, 1, func(lo, hi int) {
		if lo == 60 {
			panic("boom")
		}
	})
}

func BenchmarkPoolRun(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	for b.Loop() {
		pool.Run(2, 1, func(lo, hi int) {})
	}
}

func ExamplePool_Run() {
	pool := NewPool(4)
	defer pool.Close()
	squares := make([]int, 10)
	pool.Run(len(squares), 3, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			squares[i] = i * i
		}
	})
	fmt.Println(squares)
	// Output: [0 1 4 9 16 25 36 49 64 81]
}

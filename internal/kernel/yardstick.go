package kernel

import (
	"encoding/binary"
	"runtime"
	"slices"

	"github.com/gomamba/gomamba/internal/parallel"
)

const (
	readLine  = 8 * cacheLine      // the least that a leaf reads: a line of the cache in each of its streams
	readLines = 1 << 18 / readLine // of a piece
)

// Read reads every byte of some parts of memory on all threads and returns a word that depends on them. It is the yardstick for
// decoding: nothing that reads all weights once can be faster. So its pieces are of one size whatever the parts are, and no
// thread waits for another before the end.
func Read(p *parallel.Pool, parts [][]byte) uint64 {
	lines, begins := 0, make([]int, len(parts)) // of each part among the lines of all
	for i, part := range parts {
		begins[i] = lines
		lines += (len(part) + readLine - 1) / readLine
	}
	words := make([]uint64, (lines+readLines-1)/readLines)
	p.Run(len(words), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			words[i] = xorLines(parts, begins, i*readLines, min((i+1)*readLines, lines))
		}
	})
	var word uint64
	for _, w := range words {
		word ^= w
	}
	return word
}

// xorLines is xor of the lines lo to hi, counted over all parts.
func xorLines(parts [][]byte, begins []int, lo, hi int) uint64 {
	var word uint64
	after, _ := slices.BinarySearch(begins, lo+1)
	for i := after - 1; i < len(parts) && begins[i] < hi; i++ {
		from, to := max(lo-begins[i], 0)*readLine, min((hi-begins[i])*readLine, len(parts[i]))
		word ^= xor(parts[i][from:to])
	}
	return word
}

// xor is xorGeneric, but for the order in which it reads.
func xor(data []byte) uint64 {
	n := len(data) &^ (readLine - 1)
	if n == 0 {
		return xorGeneric(data)
	}
	return cpu.xor(&data[0], n/8) ^ xorGeneric(data[n:])
}

// xorGeneric folds the whole 8-byte words of data into one.
func xorGeneric(data []byte) uint64 {
	var word uint64
	for ; len(data) >= 8; data = data[8:] {
		word ^= binary.LittleEndian.Uint64(data)
	}
	return word
}

// fmaRounds is a multiple of the operations that one round of any kernel does.
const fmaRounds = 3 << 12

// MultiplyAdds does n float32 operations or a few more on all threads, a multiply-add being two of them, and returns how many
// it did. It is the yardstick for prefill: none of them waits for another or for memory.
func MultiplyAdds(p *parallel.Pool, n int64) int64 {
	const piece = fmaRounds << 10
	pieces := (n + piece - 1) / piece
	p.Run(int(pieces), 1, func(lo, hi int) {
		for range hi - lo {
			cpu.multiplyAdd(piece)
		}
	})
	return pieces * piece
}

// multiplyAddGeneric does n operations in plain Go.
func multiplyAddGeneric(n int) {
	var acc [8]float32
	for range n / (2 * len(acc)) {
		for i := range acc {
			acc[i] += float32(acc[i] * acc[i])
		}
	}
	runtime.KeepAlive(acc)
}

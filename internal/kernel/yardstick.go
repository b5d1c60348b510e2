package kernel

import (
	"encoding/binary"
	"runtime"

	"github.com/gomamba/gomamba/internal/parallel"
)

// Read reads every byte of data on all threads and returns a word that depends on them. It is the yardstick for
// decoding: nothing that reads all weights once can be faster.
func Read(p *parallel.Pool, data []byte) uint64 {
	const piece = 1 << 20
	pieces := (len(data) + piece - 1) / piece
	words := make([]uint64, pieces)
	p.Run(pieces, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			words[i] = xor(data[i*piece : min((i+1)*piece, len(data))])
		}
	})
	var word uint64
	for _, w := range words {
		word ^= w
	}
	return word
}

// xor is xorGeneric, but for the order in which it reads.
func xor(data []byte) uint64 {
	whole := len(data) &^ 255
	if whole == 0 {
		return xorGeneric(data)
	}
	return cpu.xor(&data[0], whole/4) ^ xorGeneric(data[whole:])
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

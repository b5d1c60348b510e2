package kernel

import "encoding/binary"

// Read reads every byte of data on all threads and returns a word that depends on them. It is the yardstick for
// decoding: nothing that reads all weights once can be faster.
func (p *Pool) Read(data []byte) uint64 {
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

// xorGeneric folds the whole 8-byte words of data into one.
func xorGeneric(data []byte) uint64 {
	var word uint64
	for ; len(data) >= 8; data = data[8:] {
		word ^= binary.LittleEndian.Uint64(data)
	}
	return word
}

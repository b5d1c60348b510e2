package quantize

import (
	"encoding/binary"
	"sync"

	"github.com/gomamba/gomamba/internal/codebook"
)

// octets arranges rows of eight magnitudes.
func octets(rows [][8]float32) *vectors {
	wide := make([][8]float64, len(rows))
	for i := range rows {
		for j, v := range rows[i] {
			wide[i][j] = float64(v)
		}
	}
	return newVectors(wide, 8, []float64{8, 25, 43})
}

// quartets arranges rows of four magnitudes.
func quartets(rows [][4]float32, levels []float64) *vectors {
	wide := make([][8]float64, len(rows))
	for i := range rows {
		for j, v := range rows[i] {
			wide[i][j] = float64(v)
		}
	}
	return newVectors(wide, 4, levels)
}

// signed arranges rows of eight elements without shifts.
var signed = sync.OnceValue(func() *vectors {
	wide := make([][8]float64, 2048)
	for i := range wide {
		for j, v := range codebook.Tables.IQ1[i] {
			wide[i][j] = float64(v - 1)
		}
	}
	return newVectors(wide, 8, []float64{-8, 0, 8})
})

var (
	gridIQ2XXS = sync.OnceValue(func() *gridCodes {
		return &gridCodes{vectors: octets(codebook.Tables.IQ2XXS[:]), levels: 3, middle: [2]float64{16.5, 34}, shifts: 1,
			unsigned: true, even: true, size: 32, highest: 15, unit: 1. / 8, from: 28, to: 95, scales: 9, dFrom: 22, dTo: 32}
	})
	gridIQ2XS = sync.OnceValue(func() *gridCodes {
		return &gridCodes{vectors: octets(codebook.Tables.IQ2XS[:]), levels: 3, middle: [2]float64{16.5, 34}, shifts: 1,
			unsigned: true, even: true, size: 16, highest: 15, unit: 1. / 8, from: 40, to: 95, scales: 8, dFrom: 22, dTo: 32}
	})
	gridIQ2S = sync.OnceValue(func() *gridCodes {
		return &gridCodes{vectors: octets(codebook.Tables.IQ2S[:]), levels: 3, middle: [2]float64{16.5, 34}, shifts: 1,
			unsigned: true, size: 16, highest: 15, unit: 1. / 8, from: 40, to: 80, scales: 8, dFrom: 22, dTo: 32}
	})
	gridIQ3XXS = sync.OnceValue(func() *gridCodes {
		levels := []float64{4, 12, 20, 28, 36, 44, 52, 62}
		return &gridCodes{vectors: quartets(codebook.Tables.IQ3XXS[:], levels), levels: 8, perLevel: 1. / 8, shifts: 1,
			unsigned: true, even: true, size: 32, highest: 15, unit: 1. / 4, from: 50, to: 85, scales: 9, dFrom: 22, dTo: 32}
	})
	gridIQ3S = sync.OnceValue(func() *gridCodes {
		levels := []float64{1, 3, 5, 7, 9, 11, 13, 15}
		return &gridCodes{vectors: quartets(codebook.Tables.IQ3S[:], levels), levels: 8, perLevel: 1. / 2, shifts: 1,
			unsigned: true, size: 32, highest: 15, unit: 1, from: 12, to: 20, scales: 9, dFrom: 22, dTo: 32}
	})
	gridIQ1S = sync.OnceValue(func() *gridCodes {
		return &gridCodes{vectors: signed(), levels: 3, middle: [2]float64{-4, 4}, shift: [2]float64{1, -1}, shifts: 2,
			shared: true, size: 32, highest: 7, unit: 1. / 8, from: 8, to: 22, scales: 8, dFrom: 9, dTo: 16}
	})
	gridIQ1M = sync.OnceValue(func() *gridCodes {
		return &gridCodes{vectors: signed(), levels: 3, middle: [2]float64{-4, 4}, shift: [2]float64{1, -1}, shifts: 2,
			size: 16, highest: 7, unit: 1. / 8, from: 8, to: 20, scales: 8, dFrom: 9, dTo: 16}
	})
)

func encodeIQ2XXS(b *block, dst []byte) {
	s := b.grid(gridIQ2XXS())
	binary.LittleEndian.PutUint16(dst, s.d)
	for j := range 8 {
		signs := uint32(s.multiplier[j]) << 28
		for i := range 4 {
			dst[2+8*j+i] = byte(s.row[4*j+i])
			signs |= uint32(b.signs[4*j+i]&127) << (7 * i)
		}
		binary.LittleEndian.PutUint32(dst[6+8*j:], signs)
	}
}

func encodeIQ2XS(b *block, dst []byte) {
	s := b.grid(gridIQ2XS())
	binary.LittleEndian.PutUint16(dst, s.d)
	for k := range 32 {
		binary.LittleEndian.PutUint16(dst[2+2*k:], s.row[k]|uint16(b.signs[k]&127)<<9)
	}
	for j := range 8 {
		dst[66+j] = byte(s.multiplier[2*j] | s.multiplier[2*j+1]<<4)
	}
}

func encodeIQ2S(b *block, dst []byte) {
	s := b.grid(gridIQ2S())
	binary.LittleEndian.PutUint16(dst, s.d)
	clear(dst[66:74])
	for k := range 32 {
		dst[2+k] = byte(s.row[k])
		dst[34+k] = b.signs[k]
		dst[66+k/4] |= byte(s.row[k]>>8) << (2 * (k % 4))
	}
	for j := range 8 {
		dst[74+j] = byte(s.multiplier[2*j] | s.multiplier[2*j+1]<<4)
	}
}

func encodeIQ3XXS(b *block, dst []byte) {
	s := b.grid(gridIQ3XXS())
	binary.LittleEndian.PutUint16(dst, s.d)
	for r := range 64 {
		dst[2+r] = byte(s.row[r])
	}
	for j := range 8 {
		signs := uint32(s.multiplier[j]) << 28
		for i := range 4 {
			signs |= uint32(b.signs[4*j+i]&127) << (7 * i)
		}
		binary.LittleEndian.PutUint32(dst[66+4*j:], signs)
	}
}

func encodeIQ3S(b *block, dst []byte) {
	s := b.grid(gridIQ3S())
	binary.LittleEndian.PutUint16(dst, s.d)
	clear(dst[66:74])
	for r := range 64 {
		dst[2+r] = byte(s.row[r])
		dst[66+r/8] |= byte(s.row[r]>>8) << (r % 8)
	}
	copy(dst[74:106], b.signs[:])
	for j := range 4 {
		dst[106+j] = byte(s.multiplier[2*j] | s.multiplier[2*j+1]<<4)
	}
}

func encodeIQ1S(b *block, dst []byte) {
	s := b.grid(gridIQ1S())
	binary.LittleEndian.PutUint16(dst, s.d)
	for j := range 8 {
		high := uint16(s.multiplier[j])<<12 | s.row[4*j]>>11<<15
		for i := range 4 {
			row := s.row[4*j+i]
			dst[2+4*j+i] = byte(row)
			high |= row >> 8 & 7 << (3 * i)
		}
		binary.LittleEndian.PutUint16(dst[34+2*j:], high)
	}
}

func encodeIQ1M(b *block, dst []byte) {
	s := b.grid(gridIQ1M())
	clear(dst[32:48])
	for k := range 32 {
		row := s.row[k] // eleven bits and the shift
		dst[k] = byte(row)
		dst[32+k/2] |= byte(row>>8) << (4 * (k % 2))
	}
	for i := range 4 {
		scales := s.d >> (4 * i) & 15 << 12
		for t := range 4 {
			scales |= uint16(s.multiplier[4*i+t]) << (3 * t)
		}
		binary.LittleEndian.PutUint16(dst[48+2*i:], scales)
	}
}

// Package kernel is the arithmetic of the network: the only place with lanes, assembly and dtype switches.
//
// # One summation order
//
// Every result is the same bits on every machine, for any number of threads, tokens and sequences at once.
// Four rules make that so:
//
//   - A dot product of float32 vectors keeps 16 float32 lanes. Element j is multiplied into lane j mod 16 with a
//     fused multiply-add (one rounding, IEEE 754), the last partial block is padded with zeros, and the lanes are
//     added in float64 as a fixed tree: i with i+8, then i with i+4, i+2, i+1; the sum is rounded once. A matrix
//     product is that dot product for every row and token, whatever the blocking.
//   - Scores and weighted sums of attention add 8 products in float32 with fused multiply-adds, one after the other, and such sums
//     in float64, again one after the other.
//   - The recurrences of the selective scans, and the softplus of each channel's dt, compute in float32 in a stated order,
//     fused where fma32 says so. What one float32 would lose, such as how far a decay is from 1, is kept as the sum of two.
//   - Everything else (norms, convolution, gates, exp) computes in float64 in a stated order and rounds to float32 once, at
//     the end. Multiplies and adds are rounded separately except where fma says otherwise.
//
// The functions ending in Generic are plain Go, always built, and are the specification. Faster versions must return
// the same bits; tests hold them to it.
//
// # Instruction sets
//
// An instruction set is a table of leaf functions (isa), which work on a few rows, a tile or a piece of a row at a time, and of
// the blocking that they like. Everything else is written once, over that table. Tests run every instruction set that
// the machine has.
//
// # Shapes
//
// Matrices are row-major. T is the number of tokens, I is d_inner, N is d_state, K is d_conv; in Mamba-2 I is H heads of P
// channels, and G is the number of groups.
package kernel

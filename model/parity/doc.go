// Package parity judges whether two computations of the same network agree: a reference file against a checkpoint, or
// a checkpoint's float32 results against float64.
//
// # Calibration
//
// How far rounding may carry a correct float32 implementation depends on the model: a tame one keeps seven digits, a
// chaotic one amplifies the last bit from layer to layer. So the allowance is measured on the given model and prompt.
// Float32 computations that differ only in the order of their sums, the fast network and the textbook recurrence, are
// run beside the float64 oracle; for Mamba-2 also its chunked form, which transformers and mamba_ssm use and which keeps
// fewer digits where decay is strong. A reference value passes when it lies no farther from the oracle than
//
//	4 · the largest of their distances on that tensor, or
//	4 · the largest such distance, relative to its tensor, of any tensor computed before it, or
//	2e-6 of the tensor's largest magnitude.
//
// The middle term keeps a tensor on which all happened to be lucky from failing an honest reference. It looks only at
// what precedes a tensor, so that a chaotic end of the network lends nothing to its beginning.
//
// A reference that fails, and whose values are all of BF16 or F16, is judged again as computed in that dtype. Its samples are
// textbook runs that round weights and the result of every operation so, to the nearest and by chance, and the last term is
// one unit of the last place of the largest value. If a reference still differs, what is known to explain it is
// tried: weights that transformers rescales while loading, and the dtype that the checkpoint is stored in. One of Nemotron-H or Zamba2 is
// also judged with the lower limit of dt that transformers applies in full passes, and passes if that is what it holds.
//
// # Routers
//
// Where two experts nearly tie, rounding tips the choice, and everything after it differs by far more than rounding. All that
// measures the allowance passes the experts that the oracle's routers choose, so that no such choice widens it. If a reference
// fails at a token whose router had another choice nearby, it is judged again with that choice. If it then passes, or differs
// only later, the report names layer, token, both experts and by how much their scores differ in float64. A reference passes if
// no margin is larger than rounding may move the scores, by the rule above.
//
// The fast network itself, without a reference, is judged by the textbook's distance alone.
package parity

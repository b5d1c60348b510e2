// Package parity judges whether two computations of the same network agree: a reference file against a checkpoint, or
// a checkpoint's float32 results against float64.
//
// # Calibration
//
// How far rounding can move the results of a correct float32 implementation depends on the model: some models keep seven
// digits, others amplify the last bit from layer to layer. So the tolerance is measured on the given model and prompt. In
// addition to the float64 oracle, two float32 computations are run that differ only in the order of their sums: the fast
// network and the textbook recurrence. For Mamba-2 there is a third, the chunked form that transformers and mamba_ssm use,
// which keeps fewer digits if decay is strong. A reference value passes if its distance from the oracle is at most
//
//	4 · the largest of their distances on that tensor, or
//	4 · the largest such distance, relative to its tensor, of any tensor computed before it, or
//	2e-6 of the tensor's largest magnitude.
//
// Without the middle term, a correct reference could fail on a tensor for which all of these computations happen to be
// accurate. It only looks at earlier tensors, so that large errors late in the network do not widen the tolerance at its
// beginning.
//
// If a reference fails and all its values are BF16 or F16, it is judged again as computed in that dtype. The comparison runs
// are then textbook runs that round weights and the result of every operation to that dtype, to nearest and at random, and the
// last term above is one unit in the last place of the largest value. If the reference still fails, known explanations are
// tried: weights that transformers rescales while loading, and the dtype that the checkpoint is stored in. A reference of
// Nemotron-H or Zamba2 is also compared with the lower limit of dt that transformers applies in full passes, and passes if it
// matches that.
//
// # Routers
//
// If the scores of two experts are nearly equal, rounding can change the choice, and everything after it differs by far more
// than rounding. The runs that measure the tolerance use the experts that the oracle's routers choose, so that such choices do
// not widen it. If a reference fails at a token whose router had another choice nearby, it is judged again with that choice. If
// it then passes, or fails only later, the report names layer, token, both experts and the difference of their scores in
// float64. A reference passes if every such difference is small enough for rounding, by the rule above.
//
// Without a reference, the fast network is judged only by the distance of the textbook recurrence.
package parity

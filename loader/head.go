package loader

import (
	"math"
	"slices"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// stored returns the index of the tensor that serves as name. In a tied model one of embedding and head stands in for
// the other when only that one is stored, as in transformers (5.24, modeling_utils.py, tie_weights).
func (ck *Checkpoint) stored(name string) (int, bool) {
	if i, ok := ck.found[name]; ok || !ck.cfg.Shared().TieWordEmbeddings {
		return i, ok
	}
	switch name {
	case names.Embedding:
		name = names.Head
	case names.Head:
		name = names.Embedding
	}
	i, ok := ck.found[name]
	return i, ok
}

// Tied reports whether head and embedding are the same matrix: the configuration says so, and the files hold only one of them,
// or both with equal values. In the last case the first call reads both.
//
// If the configuration ties them but the head differs from the embedding, the head is used, with a warning among the Problems.
// transformers 5.24 does the same.
func (ck *Checkpoint) Tied() bool { return ck.head().tied }

type headState struct {
	tied  bool
	fault *fault
}

// compareHead finds out whether a stored head is the embedding.
func (ck *Checkpoint) compareHead() headState {
	if !ck.cfg.Shared().TieWordEmbeddings {
		return headState{}
	}
	if err := ck.Hold(); err != nil {
		return headState{fault: &fault{severity: Error, detail: err.Error()}}
	}
	defer ck.Release()
	unties := false
	if err := mmap.Guard(func() error { unties = ck.unties(); return nil }); err != nil {
		return headState{fault: &fault{severity: Error, detail: err.Error()}} // names the file
	}
	if unties {
		return headState{}
	}
	embedding, haveEmbedding := ck.Tensor(names.Embedding)
	head, haveHead := ck.Tensor(names.Head)
	switch {
	case !haveEmbedding || !haveHead:
		return headState{tied: true}
	case !slices.Equal(embedding.Shape, head.Shape):
		return headState{} // an error already
	}
	equal := false
	err := mmap.Guard(func() error {
		equal = equalValues(embedding, head)
		return nil
	})
	switch {
	case err != nil:
		return headState{fault: &fault{severity: Error, detail: err.Error()}} // names the file
	case equal:
		return headState{tied: true}
	}
	return headState{fault: &fault{severity: Warning, file: head.File, where: badfile.Tensor(names.Head),
		detail: "differs from " + names.Embedding + " though tie_word_embeddings is true; both are used, as in transformers 5: " +
			"set tie_word_embeddings to false to say so"}}
}

// equalValues compares two tensors without memory to speak of: bit by bit when of one dtype, else widened to float64.
func equalValues(a, b tensor.Tensor) bool {
	if a.DType == b.DType && a.DType != tensor.Coded {
		return a.SameBytes(b)
	}
	if !a.DType.Float() || !b.DType.Float() || a.Elems() != b.Elems() {
		return false
	}
	const chunk = 4096
	var x, y [chunk]float64
	for first := 0; first < a.Elems(); first += chunk {
		n := min(chunk, a.Elems()-first)
		a.Piece(first, first+n).Widen64(x[:n])
		b.Piece(first, first+n).Widen64(y[:n])
		for i := range n {
			if x[i] != y[i] && !(math.IsNaN(x[i]) && math.IsNaN(y[i])) {
				return false
			}
		}
	}
	return true
}

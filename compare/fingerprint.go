package compare

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/blockwise"
	"github.com/gomamba/gomamba/internal/call"
	"github.com/gomamba/gomamba/internal/kernel"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/tensor"
)

// Fingerprint returns 64 hex digits that two checkpoints have in common when they hold the same model, whatever their
// layout, dtype, sharding and order, and whatever they say that no result depends on.
//
// It is the SHA-256 of these lines, each with a newline:
//
//	gomamba fingerprint 1
//	model_type mamba
//	layer_norm_epsilon 1e-05                      the shortest decimal of the float32
//	residual_in_fp32 true                         always, but not of hybrids: float32 arithmetic has no other
//	mixer_rms_eps 1e-06                           of FalconMamba
//	state_size 128                                of Mamba-2, whose shapes show only its product with n_groups
//	n_groups 8
//	time_step_limit 0.001 +Inf                    of Mamba-2 if it limits anything
//	layers_block_type ["linear_attention",...]    of Nemotron-H, as all keys of hybrids that decide a result, in the order of
//	                                              their table, of blocks that the model has: layer_types, embedding_multiplier
//	<name> <shape> <digest>                       for each tensor in the order of the name table, such as
//	backbone.norm_f.weight [768] 5f70bf18...      with Hugging Face's name and shape
//
// Sizes follow from the shapes. lm_head.weight is left out where its values are those of the embedding, tied or not,
// and so is a bias of in_proj, out_proj or conv1d that is zero throughout, which GGUF has even if a model does not.
//
// The digest of a tensor is the SHA-256 of the SHA-256 of its blocks of 2^20 elements. A block is hashed in pieces of
// 4096 elements: the byte 'f' and the elements as little-endian float32 if that holds all of them exactly, else 'd'
// and float64. Zeros count as +0 and NaNs as 0x7fc00000 or 0x7ff8000000000000. For A_log, A = -exp(A_log) is hashed, the
// float32 that the network computes from the float32 A_log: A is what GGUF stores, and A_log does not always come back
// from it. (llama.cpp's own converter takes a coarser exp: its A, and so the fingerprint, is often another.)
//
// Of Falcon-H1 the weights are hashed that GGUF has, which are multiplied by the multipliers, and these are left out.
//
// Everything is read once, in memory that does not grow with the model. Errors: those of ck.Check, ctx.Err, and a file that
// changes meanwhile.
func Fingerprint(ctx context.Context, ck *loader.Checkpoint, opts loader.ReadOptions) (string, error) {
	done, err := call.Begin(ctx, "compare", opts.Threads, ck)
	if err != nil {
		return "", err
	}
	defer done()
	if err := ck.Check(); err != nil {
		return "", err
	}
	cfg := ck.Config()
	folded := config.InGGUF(cfg)
	lines := decisiveLines(folded)
	tensors, err := weightsOf(ck, !ck.Tied() || folded != cfg, true)
	if err != nil {
		return "", err
	}
	digests, err := digest(ctx, opts.Threads, tensors, opts.Progress)
	if err != nil {
		return "", err
	}
	if err := ck.Changed(); err != nil {
		return "", err
	}
	var embedding digested
	for i, t := range tensors {
		d := digests[i]
		switch {
		case t.Name == names.Embedding:
			embedding = d
		case t.Name == names.Head && d == embedding, d.zero && names.ZeroIfAbsent(t.Name):
			continue // see above
		}
		shape := strings.ReplaceAll(fmt.Sprint(t.Shape), " ", ",")
		lines = append(lines, fmt.Sprintf("%s %s %x", names.Spelled(cfg, t.Name), shape, d.sum))
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	return hex.EncodeToString(sum[:]), nil
}

// decisiveLines are the settings that results depend on and no shape shows.
func decisiveLines(cfg config.Config) []string {
	lines := []string{"gomamba fingerprint 1", "model_type " + string(cfg.Family())}
	for _, s := range config.Settings(cfg) {
		if s.Decides == config.Results && s.Canonical != "" {
			lines = append(lines, s.Key+" "+s.Canonical)
		}
	}
	if config.Hybrid(cfg.Family()) {
		return lines
	}
	return slices.Insert(lines, 3, "residual_in_fp32 true")
}

// digestElems is how many elements are encoded together. It divides blockElems; both are part of the definition.
const digestElems = 4096

// digested is what a tensor's values come down to.
type digested struct {
	sum  [sha256.Size]byte
	zero bool // every element is
}

// digest hashes the values of each tensor.
func digest(ctx context.Context, threads int, tensors []tensor.Tensor, progress func(done, total int64)) ([]digested, error) {
	blocks := blockwise.Of(tensors)
	parts := make([]digested, len(blocks))
	hashers := sync.Pool{New: func() any { return &hasher{sum: sha256.New()} }}
	err := blockwise.Each(ctx, threads, tensors, blocks, progress, func(n int, b blockwise.Block) {
		h := hashers.Get().(*hasher)
		defer hashers.Put(h)
		parts[n] = h.hash(tensors[b.Tensor].Piece(b.First, b.End))
	})
	if err != nil {
		return nil, err
	}
	digests := make([]digested, 0, len(tensors))
	for i := range tensors {
		sum, zero := sha256.New(), true
		for len(parts) > 0 && blocks[0].Tensor == i {
			sum.Write(parts[0].sum[:])
			zero = zero && parts[0].zero
			blocks, parts = blocks[1:], parts[1:]
		}
		digests = append(digests, digested{[sha256.Size]byte(sum.Sum(nil)), zero})
	}
	return digests, nil
}

// hasher turns values into bytes that do not depend on the dtype they are stored in.
type hasher struct {
	sum    hash.Hash
	narrow [digestElems]float32
	wide   [digestElems]float64
	bytes  [1 + 8*digestElems]byte
}

// hash hashes the elements of t.
func (h *hasher) hash(t tensor.Tensor) digested {
	h.sum.Reset()
	d := digested{zero: true}
	for first := 0; first < t.Elems(); first += digestElems {
		n := min(digestElems, t.Elems()-first)
		piece := t.Piece(first, first+n)
		exact := true
		if t.DType == tensor.F64 && !names.IsALog(t.Name) {
			piece.Widen64(h.wide[:n])
			exact = allFloat32(h.wide[:n])
		}
		if exact {
			piece.Widen32(h.narrow[:n])
			if names.IsALog(t.Name) {
				kernel.NegExp(h.narrow[:n], h.narrow[:n])
			}
			d.zero = h.float32s(n) && d.zero
		} else {
			d.zero = false // 0 is a float32
			h.float64s(n)
		}
	}
	h.sum.Sum(d.sum[:0])
	return d
}

// allFloat32 reports whether rounding to float32 changes none of the values.
func allFloat32(values []float64) bool {
	for _, v := range values {
		if float64(float32(v)) != v && v == v {
			return false
		}
	}
	return true
}

// float32s hashes n elements of h.narrow, and reports whether all are zero.
func (h *hasher) float32s(n int) (zero bool) {
	const nan = 0x7fc00000
	h.bytes[0] = 'f'
	seen := uint32(0)
	for i, v := range h.narrow[:n] {
		bits := math.Float32bits(v)
		if v == 0 {
			bits = 0
		} else if v != v {
			bits = nan
		}
		seen |= bits
		binary.LittleEndian.PutUint32(h.bytes[1+4*i:], bits)
	}
	h.sum.Write(h.bytes[:1+4*n])
	return seen == 0
}

// float64s hashes n elements of h.wide.
func (h *hasher) float64s(n int) {
	const nan = 0x7ff8000000000000
	h.bytes[0] = 'd'
	for i, v := range h.wide[:n] {
		bits := math.Float64bits(v)
		if v == 0 {
			bits = 0
		} else if v != v {
			bits = nan
		}
		binary.LittleEndian.PutUint64(h.bytes[1+8*i:], bits)
	}
	h.sum.Write(h.bytes[:1+8*n])
}

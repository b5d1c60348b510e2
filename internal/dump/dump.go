// Package dump reads and writes the files in which a forward pass is kept: a safetensors file of these tensors, of
// which any may be absent.
//
//	input_ids              I64 [B, T]
//	attention_mask         I64 [B, T], 0 for padding, 1 for a token
//	logits                 F32 [B, T, V], or [B, 1, V] for the last position only
//	hidden_states.{i}      F32 [B, T, D], i < L: after block i, of hybrids before block i; i = L: after the final norm
//	cache.conv_states.{l}  F32 [B, I, K] (Mamba-2: [B, C, K]), after the last token
//	cache.ssm_states.{l}   F32 [B, I, N] (Mamba-2: [B, H, P, N]), after the last token
//	cache.angle_dt_states.{l}, cache.k_states.{l}, cache.v_states.{l}  F32 of Mamba-3, named as in mamba_ssm: [B, H, A],
//	                       [B, R, H, N], [B, H, P]
//	cache.key_states.{l}, cache.value_states.{l}  F32 [B, key heads, T, head size]; zeros before shorter sequences
//	cache.qkv_states.{l}   F32 [B, channels, taps], of attention with a convolution: its last inputs, as mamba_ssm means to keep them
//	cache.tokens           I64 [B], the tokens of each sequence that keys and values hold; absent: T
//
// and, in a file that generation goes on from:
//
//	generation.seen_ids      I64 [B, S], each id that a sequence has seen, the longest unseen first; then -1
//	generation.seen_ages     I64 [B, S], how many tokens came after each; then -1
//	generation.random_state  I64 [B, 2], the two words of the random stream's state
//
// and, if a parallel scan stands inside a block of tokens (kernel.Carry),
//
//	scan.tokens     I64 [B], of the block that are done
//	scan.start.{l}  F32, the SSM state before the block
//	scan.input.{l}  F32, the SSM state that the block's tokens make of zeros
//	scan.time.{l}   F64 [B, I], the sum of their dt
//
// Shapes and indices are those of transformers 5.24 with output_hidden_states=True and its DynamicCache. Values computed
// in float64 are F64. A reader takes any integers for the ids, any integers, BOOL and floats of 0 and 1 for the mask, either of
// them as [T] for one sequence, and F16 and BF16 for the values as well.
package dump

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// Names of the tensors that a dump has at most once.
const (
	InputIDs      = "input_ids"
	AttentionMask = "attention_mask"
	Logits        = "logits"
)

// Names of what generation goes on from, beside the states.
const (
	SeenIDs     = "generation.seen_ids"
	SeenAges    = "generation.seen_ages"
	RandomState = "generation.random_state"
)

const (
	hiddenPrefix = "hidden_states."
	cachePrefix  = "cache."
)

// Names of the states of a block.
const (
	ConvStates  = "conv_states"
	SSMStates   = "ssm_states"
	KeyStates   = "key_states"
	ValueStates = "value_states"
	AngleStates = "angle_dt_states"
	KStates     = "k_states"
	VStates     = "v_states"
	QKVStates   = "qkv_states"
)

// CacheTokens names how many tokens of each sequence the states that grow hold.
const CacheTokens = cachePrefix + "tokens"

// states are the states that a block may have, in the order in which it moves them on, and what their dimensions are: one of
// several lists.
var states = []state{
	{AngleStates, "angles", [][]string{{axisBatch, "heads", "angles"}}},
	{ConvStates, "conv states", [][]string{{axisBatch, "channels", "conv kernel"}}},
	{SSMStates, "SSM states", [][]string{{axisBatch, "channels", "state size"}, {axisBatch, "heads", "head size", "state size"}}},
	{KStates, "last keys", [][]string{{axisBatch, "ranks", "heads", "state size"}}},
	{VStates, "last values", [][]string{{axisBatch, "heads", "head size"}}},
	{QKVStates, "inputs of a convolution over queries, keys and values", [][]string{{axisBatch, "channels of queries, keys and values", "taps over queries, keys and values"}}},
	{KeyStates, "keys", [][]string{{axisBatch, "key heads", "tokens in the cache", "size of a key"}}},
	{ValueStates, "values", [][]string{{axisBatch, "key heads", "tokens in the cache", "size of a key"}}},
}

// HiddenState names the hidden states after block i, of hybrids before block i, or after the final norm when i is the number of
// blocks.
func HiddenState(i int) string { return hiddenPrefix + strconv.Itoa(i) }

type state struct {
	name, title string
	axes        [][]string
}

// State names the state of block l that is called name, such as ConvStates.
func State(name string, l int) string { return cachePrefix + name + "." + strconv.Itoa(l) }

// Names of what a parallel scan leaves beside the SSM states.
const (
	ScanTokens = scanPrefix + "tokens"
	scanPrefix = "scan."
)

// ScanStart, ScanInput and ScanTime name what a parallel scan leaves of block l.
func ScanStart(l int) string { return scanPrefix + "start." + strconv.Itoa(l) }

// ScanInput is described at ScanStart.
func ScanInput(l int) string { return scanPrefix + "input." + strconv.Itoa(l) }

// ScanTime is described at ScanStart.
func ScanTime(l int) string { return scanPrefix + "time." + strconv.Itoa(l) }

// kind is what a tensor is, in the order in which the network takes in or brings forth the tensors of one block.
type kind int

const (
	kindIDs kind = iota
	kindMask
	kindState
	kindHidden
	kindLogits
	kindGeneration
	kindScan // CacheTokens too: not computed but kept: whoever reads it checks it
)

// part is a tensor of a dump: its kind and, where the kind has many, its index.
type part struct {
	safetensors.Entry
	kind  kind
	state int // of kindState, its place in states
	index int
}

// maxIndex is the largest index a name may carry; no model has as many blocks.
const maxIndex = 1 << 16

// parse returns what e is. ok is false for a name that means nothing in a dump.
func parse(e safetensors.Entry) (p part, ok bool) {
	p.Entry = e
	switch e.Name {
	case InputIDs:
		p.kind = kindIDs
		return p, true
	case AttentionMask:
		p.kind = kindMask
		return p, true
	case Logits:
		p.kind = kindLogits
		return p, true
	case CacheTokens:
		p.kind = kindScan
		return p, true
	case SeenIDs, SeenAges, RandomState:
		p.kind = kindGeneration
		return p, true
	}
	if strings.HasPrefix(e.Name, scanPrefix) {
		p.kind = kindScan
		return p, true
	}
	prefix, digits := e.Name, ""
	if dot := strings.LastIndexByte(e.Name, '.'); dot >= 0 {
		prefix, digits = e.Name[:dot+1], e.Name[dot+1:]
	}
	i, err := strconv.Atoi(digits)
	if err != nil || i < 0 || i > maxIndex || strconv.Itoa(i) != digits {
		return p, false
	}
	p.index = i
	if prefix == hiddenPrefix {
		p.kind = kindHidden
		return p, true
	}
	p.kind = kindState
	p.state = slices.IndexFunc(states, func(s state) bool { return prefix == cachePrefix+s.name+"." })
	return p, p.state >= 0
}

// compare orders the parts as the network computes them: inputs, block by block the states and the output, logits.
func compare(a, b part) int {
	stage := func(p part) int {
		switch p.kind {
		case kindIDs, kindMask:
			return -1
		case kindLogits, kindGeneration, kindScan:
			return maxIndex + 1
		}
		return p.index
	}
	return cmp.Or(cmp.Compare(stage(a), stage(b)), cmp.Compare(a.kind, b.kind), cmp.Compare(a.state, b.state))
}

// Ordered returns those of the names that a dump gives a meaning to, in the order in which a network computes them: for each
// block its states and its hidden states, then the final norm's output and the logits.
func Ordered(names []string) []string {
	var parts []part
	for _, name := range names {
		if p, ok := parse(safetensors.Entry{Name: name}); ok {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, compare)
	var list []string
	for _, p := range parts {
		list = append(list, p.Name)
	}
	return list
}

// dims are the sizes that the parts of a dump agree on.
type dims struct {
	file string
	size map[string]int    // by what it is the size of
	from map[string]string // the part that said so
}

// check sorts entries into the parts of a dump and names of other tensors, and makes sure that dtypes and shapes are
// right and agree with one another.
func check(file string, entries []safetensors.Entry) (parts []part, unknown []string, d *dims, err error) {
	for _, e := range entries {
		if p, ok := parse(e); ok {
			parts = append(parts, p)
		} else {
			unknown = append(unknown, e.Name)
		}
	}
	slices.SortFunc(parts, compare)
	slices.Sort(unknown)
	d = &dims{file, make(map[string]int), make(map[string]string)}
	for _, p := range parts {
		if err := d.add(p); err != nil {
			return nil, nil, nil, err
		}
	}
	return parts, unknown, d, nil
}

// axes returns what the dimensions of p must be.
func axes(p part) []string {
	var names []string
	switch p.kind {
	case kindIDs, kindMask:
		names = []string{axisBatch, axisTokens}
	case kindHidden:
		names = []string{axisBatch, axisTokens, "hidden size"}
	case kindLogits:
		names = []string{axisBatch, axisTokens, "vocabulary"}
	case kindGeneration:
		names = []string{axisBatch, "ids seen"}
		if p.Name == RandomState {
			names[1] = "words of a random state"
		}
	case kindState:
		lists := states[p.state].axes
		names = lists[0]
		for _, list := range lists {
			if len(list) == len(p.Shape) {
				names = list
			}
		}
	}
	return names
}

const (
	axisBatch  = "batch"
	axisTokens = "tokens"
)

// add checks p against the parts before it.
func (d *dims) add(p part) error {
	if p.kind == kindScan {
		return nil
	}
	values := p.kind != kindIDs && p.kind != kindMask && p.kind != kindGeneration
	if (p.kind == kindIDs || p.kind == kindMask) && len(p.Shape) == 1 {
		p.Shape = []int{1, p.Shape[0]} // one sequence
	}
	switch {
	case p.kind == kindIDs && !p.DType.Integer():
		return d.errorf(p, "found dtype %s, expected integers, such as I64", p.DType)
	case p.kind == kindGeneration && p.DType != tensor.I64:
		return d.errorf(p, "found dtype %s, expected I64", p.DType)
	case values && !p.DType.Float():
		return d.errorf(p, "found dtype %s, expected F32 or F64 (or F16 or BF16)", p.DType)
	}
	names := axes(p)
	if len(names) != len(p.Shape) {
		return d.errorf(p, "found the shape %v, expected [%s]", p.Shape, strings.Join(names, ", "))
	}
	if p.kind == kindState {
		// SSM states of Mamba-1 do not have heads; a file with both shapes of a state is not of a model.
		if err := d.agree(p, "number of dimensions of "+states[p.state].title, len(p.Shape)); err != nil {
			return err
		}
	}
	for i, size := range p.Shape {
		switch {
		case size == 0:
			return d.errorf(p, "found the shape %v, which is empty", p.Shape)
		case p.kind == kindLogits && names[i] == axisTokens && size == 1:
			continue // the last position only
		}
		if err := d.agree(p, names[i], size); err != nil {
			return err
		}
	}
	return nil
}

// agree records a size or compares it with what was recorded.
func (d *dims) agree(p part, what string, size int) error {
	known, ok := d.size[what]
	if ok && known != size {
		return d.errorf(p, "found the shape %v: %s is %d here and %d in %s", p.Shape, what, size, known, badfile.Quote(d.from[what]))
	}
	if !ok {
		d.size[what], d.from[what] = size, p.Name
	}
	return nil
}

func (d *dims) errorf(p part, format string, args ...any) error {
	return &badfile.FormatError{File: d.file, Where: "tensor " + badfile.Quote(p.Name), Detail: fmt.Sprintf(format, args...)}
}

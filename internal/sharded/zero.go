package sharded

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// A checkpoint of DeepSpeed's ZeRO (0.19, runtime/engine.py, runtime/zero/stage_1_and_2.py, stage3.py), files of torch.save:
//
//	[bf16_]zero_pp_rank_R_mp_rank_00_optim_states.pt  of process R: its parts of the weights in float32, one vector for each group
//	mp_rank_00_model_states.pt                        stages 1 and 2: names and shapes by group; buffers, frozen weights
//	zero_pp_rank_R_mp_rank_00_model_states.pt         stage 3: the same, with the parts of frozen weights that process R has
//
// In stages 1 and 2 the vectors of all processes, one after the other, are the weights of a group; param_slice_mappings says where
// in a vector a weight lies. In stage 3 a vector has an equal part of every weight, in the order of their names; the last part
// ends in zeros that are not the weight's. In the universal form (checkpoint/ds_to_universal.py) each weight has a file of its
// own, zero/NAME/fp32.pt.

var (
	statesName = lazy.Regexp(`^(?:bf16_)?zero_pp_rank_(\d{1,5})_mp_rank_00_optim_states\.pt$`)
	modelName  = lazy.Regexp(`^(?:(?:bf16_)?zero_pp_rank_(\d{1,5})_)?mp_rank_00_model_states\.pt$`)
)

// zero is a checkpoint of DeepSpeed while it is opened.
type zero struct {
	*File
	models  []*torchbin.Tree  // states of the model: of all processes, or the one for all
	divided bool              // stage 3: of a weight each process has a part
	ranks   []torchbin.Object // states of the optimizer, by process
}

// weight is one that trains.
type weight struct {
	name  string
	shape []int
	elems int
}

// openZero opens a checkpoint of DeepSpeed.
func (f *File) openZero(names []string) (err error) {
	f.program, f.left = "DeepSpeed", true
	z := &zero{File: f}
	if z.models, err = z.byRank(names, endingModel, modelName()); err != nil {
		return err
	}
	z.divided = slices.ContainsFunc(names, isDivided)
	if len(z.models) == 0 {
		return f.bad("", "found files %s without %s, which name the weights; copy these into the same folder", endingStates, endingModel)
	}
	states, err := z.byRank(names, endingStates, statesName())
	if err != nil {
		return err
	}
	for _, t := range states {
		z.ranks = append(z.ranks, t.Root().Get("optimizer_state_dict"))
	}
	weights, err := z.weights()
	if err != nil {
		return err
	}
	z.model().Get("module").Each(func(_, val torchbin.Object) bool {
		dtype, ok := val.DType()
		z.masters = ok && dtype.Float() && dtype != tensor.F32
		return !z.masters
	})
	switch {
	case isUniversal(names):
		err = z.universal(weights)
	case len(states) == 0:
		err = f.bad("", "found files %s without %s, which hold the weights; copy these into the same folder", endingModel, endingStates)
	default:
		err = z.joined(weights, states)
	}
	if err != nil {
		return err
	}
	return z.others()
}

// byRank opens the files with an ending, by the number of their process. Of a name without a number there is one.
func (z *zero) byRank(names []string, ending string, pattern *regexp.Regexp) ([]*torchbin.Tree, error) {
	var found []string // by process
	for _, name := range names {
		if !hasEnding([]string{name}, ending) {
			continue
		}
		match := pattern.FindStringSubmatch(name)
		if match == nil {
			return nil, z.unsupported("", "found %s: the model is divided by tensors, layers or experts as well, which this program does not join; "+
				"make it whole with DeepSpeed", badfile.Quote(name))
		}
		rank, _ := strconv.Atoi(match[1]) // none: 0
		if rank >= len(found) {
			found = append(found, make([]string, rank+1-len(found))...)
		}
		if found[rank] != "" {
			return nil, z.bad("", "found %s and %s for one process; remove the one of another checkpoint", badfile.Quote(found[rank]), badfile.Quote(name))
		}
		found[rank] = name
	}
	if i := slices.Index(found, ""); i >= 0 {
		return nil, z.bad("", "the file %s of process %d is missing, of %d at least; copy the files of all processes into the folder", ending, i, len(found))
	}
	var trees []*torchbin.Tree
	for _, name := range found {
		t, err := z.tree(name)
		if err != nil {
			return nil, err
		}
		trees = append(trees, t)
	}
	return trees, nil
}

// tree opens a file.
func (z *zero) tree(name string) (*torchbin.Tree, error) {
	t, err := torchbin.OpenTree(filepath.Join(z.dir, name))
	if err == nil {
		z.mapped = append(z.mapped, t)
	}
	return t, err
}

// model is the state of the model of the first process.
func (z *zero) model() torchbin.Object { return z.models[0].Root() }

// weights returns the names and shapes of what trains, in their order.
func (z *zero) weights() (list []weight, err error) {
	groups := z.model().Get("param_shapes")
	if !groups.IsList() {
		return nil, z.badState(z.models[0].Paths()[0], "param_shapes", groups, "a list of the weights' shapes")
	}
	for _, group := range groups.Items() {
		group.Each(func(key, val torchbin.Object) bool {
			var w weight
			w, err = z.weight(key, val)
			list = append(list, w)
			return err == nil && len(list) <= maxNames
		})
		if len(list) > maxNames {
			err = z.unsupported("", "has more than the %d weights this program reads", maxNames)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// weight reads a name and a shape.
func (z *zero) weight(key, val torchbin.Object) (weight, error) {
	name, named := key.Text()
	shape, sized := val.Sizes()
	if !named || !sized {
		return weight{}, z.badState(z.models[0].Paths()[0], "a shape", val, "a name and a torch.Size")
	}
	if _, ok := tensor.ByteCount(tensor.F64, shape); !ok {
		return weight{}, z.bad(name, "shape %v is larger than any file", shape)
	}
	elems, _ := tensor.Count(shape)
	return weight{name, shape, elems}, nil
}

// joined joins the weights from the vectors of all processes, which lie in the files states.
func (z *zero) joined(weights []weight, states []*torchbin.Tree) error {
	for i, r := range z.ranks {
		count := r.Get("partition_count")
		n, ok := count.Int()
		for k, item := range count.Items() { // by group
			m, is := item.Int()
			if ok = is && (k == 0 || m == n); !ok {
				break
			}
			n = m
		}
		if !ok {
			return z.badState(z.dir, fmt.Sprintf("partition_count of process %d", i), count, "the same number of processes for all groups")
		}
		if n != len(z.ranks) {
			return z.bad("", "process %d is one of %d, found files %s of %d: files of another checkpoint are among them, or some are missing",
				i, n, endingStates, len(z.ranks))
		}
	}
	files := make([]mmap.Optional, len(states))
	for i, t := range states {
		files[i] = t.Optional
	}
	if err := distinct(files); err != nil {
		return err
	}
	if z.ranks[0].Get("fp32_flat_groups").Found() {
		return z.stage3(weights)
	}
	return z.stage12(weights)
}

// vectors returns the vectors that a process has under a key.
func (z *zero) vectors(rank int, key string) (list []tensor.Tensor, err error) {
	groups := z.ranks[rank].Get(key)
	if !groups.IsList() {
		return nil, z.badState(z.dir, fmt.Sprintf("%s of process %d", key, rank), groups, "a list of vectors")
	}
	for _, o := range groups.Items() {
		t, err := o.Tensor(fmt.Sprint(key, " ", len(list)))
		if err != nil {
			return nil, err
		}
		if len(t.Shape) != 1 || !t.DType.Float() || !t.DType.Plain() {
			return nil, &badfile.FormatError{File: t.File, Where: badfile.Tensor(t.Name), Detail: fmt.Sprintf("is %s %v, expected a vector of floats", t.DType, t.Shape)}
		}
		if list = append(list, t); len(list) > maxNames {
			return nil, z.unsupported("", "has more than the %d groups of weights this program reads", maxNames)
		}
	}
	return list, nil
}

// stretch is what lies of a weight in one piece.
type stretch struct {
	first, elems int // of the weight, or of a vector
	data         []byte
}

// parts are the stretches of a weight.
type parts struct {
	dtype     tensor.DType
	file      string
	stretches []stretch
	elems     int // of all
}

// add appends elements first to end of a vector.
func (p *parts) add(vector tensor.Tensor, first, end int) error {
	if len(p.stretches) > 0 && p.dtype != vector.DType {
		return &badfile.FormatError{File: vector.File, Where: badfile.Tensor(vector.Name), Detail: fmt.Sprintf("is %s, and the vector before it %s, expected one dtype", vector.DType, p.dtype)}
	}
	p.dtype, p.file = vector.DType, cmp.Or(p.file, vector.File)
	p.stretches = append(p.stretches, stretch{p.elems, end - first, vector.Piece(first, end).Data})
	p.elems += end - first
	return nil
}

// put adds a tensor of these parts.
func (z *zero) put(w weight, p parts) error {
	boxes := make([]tensor.Box, len(p.stretches))
	for i, s := range p.stretches {
		boxes[i] = tensor.Box{Offset: []int{s.first}, Shape: []int{s.elems}, Data: s.data}
	}
	return z.add(tensor.Tensor{Name: w.name, DType: p.dtype, Shape: w.shape, File: p.file}, []int{w.elems}, boxes)
}

// stage12 joins what stages 1 and 2 divided.
func (z *zero) stage12(weights []weight) error {
	found := make(map[string]*parts)
	for rank, r := range z.ranks {
		vectors, err := z.vectors(rank, "single_partition_of_fp32_groups")
		if err != nil {
			return err
		}
		mappings := r.Get("param_slice_mappings")
		if !mappings.Found() {
			return z.unsupported("", "does not say where in the vectors a weight lies (param_slice_mappings), as DeepSpeed since 0.7.4 does; make it whole with the zero_to_fp32.py beside it")
		}
		groups := mappings.Items()
		if len(groups) != len(vectors) {
			return z.bad("", "process %d has %s for %s, expected one for each", rank, badfile.Count(len(groups), "mapping"), badfile.Count(len(vectors), "vector"))
		}
		seen := make(map[string]bool)
		for i, group := range groups {
			var taken []stretch
			group.Each(func(key, val torchbin.Object) bool {
				var s stretch
				s, err = z.slice(found, seen, key, val, vectors[i])
				taken = append(taken, s)
				return err == nil
			})
			if err == nil {
				err = apart(vectors[i], taken)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, w := range weights {
		p := found[w.name]
		if p == nil {
			return z.bad(w.name, "no process has a part of it")
		}
		if err := z.put(w, *p); err != nil {
			return err
		}
	}
	return nil
}

// apart refuses weights that share elements of a vector.
func apart(vector tensor.Tensor, taken []stretch) error {
	slices.SortFunc(taken, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.elems, b.elems)) })
	for i := 1; i < len(taken); i++ {
		if a, b := taken[i-1], taken[i]; b.first < a.first+a.elems {
			return &badfile.FormatError{File: vector.File, Where: badfile.Tensor(vector.Name), Detail: fmt.Sprintf("two weights are said to have element %d", b.first)}
		}
	}
	return nil
}

// slice notes which elements of a vector are of a weight, and returns them.
func (z *zero) slice(found map[string]*parts, seen map[string]bool, key, val torchbin.Object, vector tensor.Tensor) (stretch, error) {
	name, named := key.Text()
	first, ok1 := val.Get("start").Int()
	elems, ok2 := val.Get("numel").Int()
	have := vector.Elems()
	if !named || !ok1 || !ok2 || seen[name] || first < 0 || first > have || elems < 0 || elems > have-first {
		return stretch{}, &badfile.FormatError{File: vector.File, Where: badfile.Tensor(vector.Name),
			Detail: fmt.Sprintf("%s from element %d on are said to be of %s, expected each weight once and inside of its %d", badfile.Count(elems, "element"), first, badfile.Quote(name), have)}
	}
	seen[name] = true
	p := found[name]
	if p == nil {
		p = &parts{}
		found[name] = p
	}
	return stretch{first: first, elems: elems}, p.add(vector, first, first+elems)
}

// stage3 joins what stage 3 divided.
func (z *zero) stage3(weights []weight) error {
	queues := make([][]tensor.Tensor, len(z.ranks)) // what is left of the vectors
	for rank := range z.ranks {
		var err error
		if queues[rank], err = z.vectors(rank, "fp32_flat_groups"); err != nil {
			return err
		}
	}
	for _, w := range weights {
		var p parts
		share := w.elems/len(queues) + min(w.elems%len(queues), 1)
		for rank := range queues {
			// The last process that has elements of it has zeros behind them.
			if err := p.take(&queues[rank], share, min(share, max(w.elems-rank*share, 0))); err != nil {
				return z.bad(w.name, "%v in process %d", err, rank)
			}
		}
		if err := z.put(w, p); err != nil {
			return err
		}
	}
	for rank, queue := range queues {
		rest := 0
		for _, t := range queue {
			rest += t.Elems()
		}
		if rest > 0 {
			return z.bad("", "%s of the vectors of process %d are of no weight; files of another checkpoint are among these", badfile.Count(rest, "element"), rank)
		}
	}
	return nil
}

// take takes the next elements of a queue of vectors, and adds the first few of them.
func (p *parts) take(queue *[]tensor.Tensor, elems, own int) error {
	for elems > 0 {
		if len(*queue) == 0 {
			return fmt.Errorf("%s of it are missing at the end of the vectors", badfile.Count(elems, "element"))
		}
		t := (*queue)[0]
		n := min(elems, t.Elems())
		if k := min(n, own); k > 0 {
			if err := p.add(t, 0, k); err != nil {
				return err
			}
			own -= k
		}
		elems -= n
		if (*queue)[0] = t.Piece(n, t.Elems()); n == t.Elems() {
			*queue = (*queue)[1:]
		}
	}
	return nil
}

// badState is an error about what a state has under a key.
func (z *zero) badState(file, key string, found torchbin.Object, want string) error {
	return &badfile.FormatError{File: file, Where: key, Detail: fmt.Sprintf("found %s, expected %s", found, want)}
}

package torchbin

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/tensor"
)

// resolve checks the tensor against its storage.
func (f *File) resolve(where place, t value, find finder) (view, error) {
	m := f.machine
	args, third := m.tensorArgs(t)
	id := m.tupleItems(args[0])
	of := &globals[id[1].a()]
	if third {
		of = &globals[args[6].a()]
	}
	if (len(args) == 7 && !third || len(args) == 8) && of.dtype.Plain() {
		if meta := args[len(args)-1]; meta.kind() != kindNone && !m.isEmpty(meta) {
			return view{}, where.unsupported("is a conjugated or negated view; load it in Python and save a clone")
		}
	}
	v := view{dtype: of.dtype, shape: args[2], strides: args[3]}
	shape, err := m.lengths(where, "shape", args[2])
	if err != nil {
		return view{}, err
	}
	strides, err := m.lengths(where, "strides", args[3])
	if err != nil {
		return view{}, err
	}
	if len(shape) != len(strides) {
		return view{}, where.bad("has %s and %s", badfile.Count(len(shape), "dimension"), badfile.Count(len(strides), "stride"))
	}
	if !v.dtype.Plain() {
		return f.foreign(where, v, shape, id, find)
	}
	size, ok := tensor.ByteCount(v.dtype, shape)
	if !ok {
		return view{}, where.bad("shape %v of %s is larger than any file", shape, v.dtype)
	}
	var begin, end int
	if v.storage, begin, end, err = find(id); err != nil {
		return view{}, err
	}
	v.size, v.offset, v.dense = size, begin, true
	if size == 0 {
		return v, nil
	}
	first, _ := args[1].int() // reduce made sure
	last, ok := lastElement(first, shape, strides)
	if have := int64(end-begin) / int64(v.dtype.Size()); !ok || last >= have {
		return view{}, where.bad("shape %v with strides %v from element %d on does not lie inside its storage of %s", shape, strides, first, badfile.Count(have, "element"))
	}
	v.offset += int(first) * v.dtype.Size()
	if v.dense = isDense(shape, strides); !v.dense && size > f.size {
		return view{}, where.unsupported("is an expanded view: shape %v with strides %v takes %d bytes, and the file has %d; "+
			"load it in Python and save a contiguous() tensor", shape, strides, size, f.size)
	}
	return v, nil
}

// foreign is resolve for a dtype that nothing computes with: all that counts is how many bytes its elements take. They are
// not looked at, so they are taken from the beginning of the storage, whatever the strides.
func (f *File) foreign(where place, v view, shape []int, id []value, find finder) (view, error) {
	size, ok := tensor.ByteCount(v.dtype, shape)
	if !ok {
		return view{}, where.bad("shape %v of %s is larger than any file", shape, v.dtype)
	}
	var begin, end int
	var err error
	if v.storage, begin, end, err = find(id); err != nil {
		return view{}, err
	}
	if size > end-begin {
		return view{}, where.bad("shape %v does not lie inside its storage of %s", shape, badfile.Count(end-begin, "byte"))
	}
	v.offset, v.size, v.dense = begin, size, true
	return v, nil
}

// lengths returns a tuple of ints of at least 0, as a shape or strides are.
func (m *machine) lengths(where place, what string, v value) ([]int, error) {
	items := m.tupleItems(v)
	if len(items) > maxDims {
		return nil, where.unsupported("has %d dimensions, more than the %d this program reads", len(items), maxDims)
	}
	list := make([]int, len(items))
	for i, item := range items {
		n, ok := item.int()
		if !ok || n < 0 || int64(int(n)) != n {
			return nil, where.bad("has %s in its %s, expected numbers of at least 0", m.spell(item), what)
		}
		list[i] = int(n)
	}
	return list, nil
}

// lastElement returns the index in the storage of the last element of a shape without zeros; ok is false when it
// exceeds all bounds.
func lastElement(first int64, shape, strides []int) (last int64, ok bool) {
	if first < 0 {
		return 0, false
	}
	last = first
	for i, d := range shape {
		step, ok := tensor.Count([]int{d - 1, strides[i]})
		if last += int64(step); !ok || last < 0 {
			return 0, false
		}
	}
	return last, true
}

// isDense reports whether the elements of a shape without zeros follow each other in row-major order.
func isDense(shape, strides []int) bool {
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] != 1 && strides[i] != step {
			return false
		}
		step *= shape[i]
	}
	return true
}

// contiguousStrides returns the strides torch gives a new tensor of that shape.
func contiguousStrides(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= max(shape[i], 1)
	}
	return strides
}

// data returns the elements of a view: where they lie if they are dense, else in a new slice.
func (f *File) data(v *view) []byte {
	all := f.storages[v.storage].data
	if v.dense {
		return all[v.offset : v.offset+v.size : v.offset+v.size]
	}
	shape, strides, size := f.ints(v.shape), f.ints(v.strides), v.dtype.Size()
	dst := make([]byte, v.size)
	n := len(shape) - 1 // a view that is not dense has dimensions
	index := make([]int, n)
	for at, from := 0, v.offset; at < len(dst); {
		for k, src := 0, from; k < shape[n]; k, src = k+1, src+strides[n]*size {
			at += copy(dst[at:], all[src:src+size])
		}
		for i := n - 1; i >= 0; i-- { // the next row
			index[i]++
			from += strides[i] * size
			if index[i] < shape[i] {
				break
			}
			from -= index[i] * strides[i] * size
			index[i] = 0
		}
	}
	return dst
}

// ints returns the numbers of a tuple that lengths accepted.
func (f *File) ints(v value) []int {
	items := f.machine.tupleItems(v)
	list := make([]int, len(items))
	for i, item := range items {
		n, _ := item.int()
		list[i] = int(n)
	}
	return list
}

// Tensors returns all tensors in the order of the state dict. Their data lies in the file, and is shared by tensors
// that are tied. Tensors that are not contiguous are copied, once for all that are tied; together they take no more than
// the file. Reading a mapped file may fault; see mmap.Guard.
func (f *File) Tensors() []tensor.Tensor {
	list := make([]tensor.Tensor, len(f.tensors))
	copies := make(map[int32][]byte)
	for i, t := range f.tensors {
		v := &f.views[t.view]
		data, ok := copies[v.same]
		if !ok {
			if data = f.data(v); !v.dense {
				copies[v.same] = data
			}
		}
		list[i] = tensor.Tensor{Name: f.title(i), DType: v.dtype, Shape: f.ints(v.shape), Data: data, File: f.name}
	}
	return list
}

// Tensor returns the tensor of that name. Its data lies in the file, or is a new copy when it is not contiguous.
// Reading a mapped file may fault; see mmap.Guard.
func (f *File) Tensor(name string) (tensor.Tensor, bool) {
	i, ok := f.find(name)
	if !ok {
		return tensor.Tensor{}, false
	}
	v := &f.views[f.tensors[i].view]
	return tensor.Tensor{Name: f.title(i), DType: v.dtype, Shape: f.ints(v.shape), Data: f.data(v), File: f.name}, true
}

// Ignored returns the keys of what is not a tensor in the state dict, and of all else in the dicts around it, as a message
// names them: the first ones, and how many there are.
func (f *File) Ignored() (first []string, total int) {
	for _, key := range f.ignoredKeys {
		first = append(first, f.machine.spellKey(key))
	}
	return first, f.ignored
}

// maxSummed is how many bytes are summed between two looks at the context.
const maxSummed = 4 << 20

// VerifyCRC reads what the named tensors lie in, or all tensors without names, and compares it with the CRC-32 of the
// zip archive. The old format has none, and torch can be told to leave them out and writes 0: then there is nothing to
// compare.
// Errors: *badfile.FormatError for a record that is damaged, or ctx.Err.
func (f *File) VerifyCRC(ctx context.Context, names ...string) error {
	wanted := make([]bool, len(f.storages))
	for _, name := range names {
		i, ok := f.find(name)
		if !ok {
			return fmt.Errorf("torchbin: tensor %s is not in %s", badfile.Quote(name), f.name)
		}
		wanted[f.views[f.tensors[i].view].storage] = true
	}
	return mmap.Guard(func() error {
		for i := range f.storages {
			s := &f.storages[i]
			if s.crc == 0 || len(names) > 0 && !wanted[i] {
				continue
			}
			sum := uint32(0)
			for rest := s.data; len(rest) > 0; rest = rest[min(len(rest), maxSummed):] {
				if err := ctx.Err(); err != nil {
					return err
				}
				sum = crc32.Update(sum, crc32.IEEETable, rest[:min(len(rest), maxSummed)])
			}
			if err := checkSum(place{f.name, s.name}, s.crc, sum); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkSum compares CRC-32s, unless there is none to compare with.
func checkSum(where place, want, got uint32) error {
	if want != 0 && got != want {
		return where.bad("is damaged: its bytes have CRC-32 %08x, expected %08x; download the file again", got, want)
	}
	return nil
}

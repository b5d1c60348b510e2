package sharded

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/mmap"
	"github.com/gomamba/gomamba/internal/torchbin"
	"github.com/gomamba/gomamba/tensor"
)

// A checkpoint of torch.distributed.checkpoint (2.15, filesystem.py and metadata.py):
//
//	.metadata     a pickle: of every tensor dtype, size and chunks (offsets and sizes), and where each chunk lies
//	__R_I.distcp  of process R: chunks one after the other, each a file of torch.save with one tensor
//
// Values that are not tensors lie there as well, and so does the optimizer, under names of its own.

// ofTraining reports whether a name is of what trainers keep beside the model: "optim.state.lm_head.weight.exp_avg".
func ofTraining(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "."), func(part string) bool {
		return strings.HasPrefix(part, "optim") || strings.HasPrefix(part, "lr_scheduler") || part == "scheduler"
	})
}

// chunk is where a part of a tensor lies.
type chunk struct {
	offset, shape []int
	path          string
	begin, length int
}

// openDistributed opens a checkpoint of torch.distributed.checkpoint.
func (f *File) openDistributed(names []string) error {
	f.program = "torch.distributed"
	if !slices.Contains(names, Metadata) {
		return f.bad("", "found %s files without %s, which says what lies in them; copy that into the same folder", endingShard, Metadata)
	}
	meta, err := readMetadata(filepath.Join(f.dir, Metadata))
	if err != nil {
		return err
	}
	tensors, stored := meta.Root().Get("state_dict_metadata"), meta.Root().Get("storage_data")
	if meta.Root().Class() != "Metadata" || !tensors.IsDict() || !stored.IsDict() {
		return &badfile.FormatError{File: filepath.Join(f.dir, Metadata), Detail: fmt.Sprintf("holds %s, expected a Metadata with state_dict_metadata and storage_data", meta.Root())}
	}
	regions, err := f.regions(stored)
	if err != nil {
		return err
	}
	tensors.Each(func(key, val torchbin.Object) bool {
		err = f.distributed(key, val, regions)
		return err == nil
	})
	if err != nil {
		return err
	}
	var shards []mmap.Optional
	for _, name := range slices.Sorted(maps.Keys(f.shards)) {
		shards = append(shards, mmap.Mapped(f.shards[name]))
	}
	return distinct(shards)
}

func readMetadata(path string) (*torchbin.Tree, error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return torchbin.ParsePickle(path, slices.Clone(m.Data()))
}

// place names a chunk: that of a tensor which begins at an offset.
func place(name string, offset []int) string { return fmt.Sprint(name, "\x00", offset) }

// regions returns where the chunks lie, by place.
func (f *File) regions(stored torchbin.Object) (regions map[string]chunk, err error) {
	regions = make(map[string]chunk)
	stored.Each(func(key, val torchbin.Object) bool {
		name, ok := key.Get("fqn").Text()
		offset, tensors := key.Get("offset").Sizes()
		if !ok {
			return true
		}
		c := chunk{}
		var ok1, ok2, ok3 bool
		c.path, ok1 = val.Get("relative_path").Text()
		c.begin, ok2 = val.Get("offset").Int()
		c.length, ok3 = val.Get("length").Int()
		switch {
		case !ok1 || !ok2 || !ok3 || c.begin < 0 || c.length < 0:
			err = f.bad(name, "%s does not say in which bytes of which file its chunk from %v on lies", Metadata, offset)
		case filepath.Base(c.path) != c.path || strings.ContainsAny(c.path, `/\`) || !filepath.IsLocal(c.path):
			err = f.bad(name, "%s says that it lies in %s, expected a file in the same folder", Metadata, badfile.Quote(c.path))
		case len(val.Get("transform_descriptors").Items()) > 0:
			err = f.unsupported(name, "its bytes are compressed or encrypted by an extension of torch.distributed; save it without one")
		}
		if tensors {
			regions[place(name, offset)] = c
		} else {
			f.objects[name] = c
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return regions, f.apart(regions)
}

// apart refuses chunks that share bytes: a small file could have any number of large ones.
func (f *File) apart(regions map[string]chunk) error {
	list := slices.SortedFunc(maps.Values(regions), func(a, b chunk) int {
		return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.begin, b.begin))
	})
	for i := 1; i < len(list); i++ {
		if a, b := list[i-1], list[i]; a.path == b.path && b.begin-a.begin < a.length {
			return f.bad("", "%s says that two chunks overlap in %s, from byte %d and from byte %d on", Metadata, badfile.Quote(a.path), a.begin, b.begin)
		}
	}
	return nil
}

// distributed adds one entry of the table of tensors, unless it is not of the model.
func (f *File) distributed(key, val torchbin.Object, regions map[string]chunk) error {
	name, ok := key.Text()
	if !ok {
		return f.bad("", "%s has %s as the name of a tensor, expected a str", Metadata, key)
	}
	if ofTraining(name) || val.Class() == "BytesStorageMetadata" {
		f.left = true
		return nil
	}
	t := tensor.Tensor{Name: name}
	t.DType, ok = dtypeIn(val.Get("properties").Given())
	size, sized := val.Get("size").Sizes()
	chunks := val.Get("chunks")
	if val.Class() != "TensorStorageMetadata" || !ok || !sized || !chunks.IsList() {
		return f.bad(name, "%s describes it by %s, expected a TensorStorageMetadata with a dtype, a size and chunks", Metadata, val)
	}
	if _, ok := tensor.ByteCount(t.DType, size); !ok {
		return f.bad(name, "shape %v of %s is larger than any file", size, t.DType)
	}
	t.Shape = size
	var boxes []tensor.Box
	for _, o := range chunks.Items() {
		offset, ok1 := o.Get("offsets").Sizes()
		shape, ok2 := o.Get("sizes").Sizes()
		c, found := regions[place(name, offset)]
		switch {
		case !ok1 || !ok2 || len(offset) != len(size) || len(shape) != len(size):
			return f.bad(name, "%s has a chunk without offsets and sizes for its shape %v", Metadata, size)
		case !found:
			return f.bad(name, "%s does not say where its chunk from %v on lies", Metadata, offset)
		}
		delete(regions, place(name, offset)) // each is of one chunk
		c.offset, c.shape = offset, shape
		part, err := f.chunk(t, c)
		if err != nil {
			return err
		}
		t.File = part.File
		boxes = append(boxes, tensor.Box{Offset: offset, Shape: shape, Data: part.Data})
	}
	return f.add(t, size, boxes)
}

// dtypeIn returns the dtype among the values of a TensorProperties.
func dtypeIn(list []torchbin.Object) (tensor.DType, bool) {
	for _, o := range list {
		if d, ok := o.DType(); ok {
			return d, true
		}
	}
	return 0, false
}

// chunk reads where the elements of a chunk lie in its file.
func (f *File) chunk(t tensor.Tensor, c chunk) (tensor.Tensor, error) {
	path := filepath.Join(f.dir, c.path)
	tree, err := f.chunkTree(t.Name, c)
	if err != nil {
		return t, err
	}
	part, err := tree.Root().Tensor(t.Name)
	if err != nil {
		return t, err
	}
	if part.DType != t.DType || !slices.Equal(part.Shape, c.shape) {
		return t, &badfile.FormatError{File: path, Where: badfile.Tensor(t.Name), Detail: fmt.Sprintf("its chunk from %s on is %s %s, expected %s %s", badfile.Shape(c.offset), part.DType, badfile.Shape(part.Shape), t.DType, badfile.Shape(c.shape))}
	}
	return part, nil
}

// chunkTree opens what a chunk holds, a file of torch.save.
func (f *File) chunkTree(name string, c chunk) (*torchbin.Tree, error) {
	path := filepath.Join(f.dir, c.path)
	shard := f.shards[c.path]
	if shard == nil {
		m, err := mmap.Open(path)
		if os.IsNotExist(err) {
			return nil, f.bad(name, "%s is missing, in which a part of it lies; copy the files of all processes into the folder", badfile.Quote(c.path))
		}
		if err != nil {
			return nil, err
		}
		shard, f.shards[c.path] = m, m
		f.mapped = append(f.mapped, mmap.Mapped(m))
	}
	data := shard.Data()
	if c.begin > len(data) || c.length > len(data)-c.begin {
		return nil, &badfile.FormatError{File: path, Where: badfile.Tensor(name), Detail: fmt.Sprintf("truncated: its chunk takes %d bytes from byte %d on, and the file has %d; copy it again", c.length, c.begin, len(data))}
	}
	return torchbin.ParseTree(path, data[c.begin:c.begin+c.length])
}

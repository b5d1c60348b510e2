package torchbin

// entries returns the names, dtypes, shapes and ties of all tensors, in the order of the state dict. Of tensors that
// are tied, all but the first name the first in Shares.
func (f *File) entries() []Entry {
	list := make([]Entry, len(f.tensors))
	first := make([]int32, len(f.views)) // tensor that first has this view, from 1 on
	for i, t := range f.tensors {
		v := &f.views[t.view]
		list[i] = Entry{Name: f.title(i), DType: v.dtype, Shape: f.ints(v.shape)}
		if at := &first[v.same]; *at == 0 {
			*at = int32(i + 1)
		} else {
			list[i].Shares = list[*at-1].Name
		}
	}
	return list
}

// sameStorage reports whether the tensors called a and b are tied: the same elements of the same storage in the same
// shape. It is false when one of them is not there.
func (f *File) sameStorage(a, b string) bool {
	i, ok1 := f.find(a)
	j, ok2 := f.find(b)
	return ok1 && ok2 && f.views[f.tensors[i].view].same == f.views[f.tensors[j].view].same
}

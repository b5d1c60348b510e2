package names

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// wrapperParts are what training code puts into names, before or between their own parts: DataParallel and DeepSpeed,
// torch.compile, FSDP before and since torch 2, activation checkpointing. No name of ours has such a part.
var wrapperParts = []string{
	"module", "_orig_mod", "_forward_module", "_fpw_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module",
}

// Unwrapped are the names of a state dict without what training code wrapped around the model.
type Unwrapped struct {
	Names  []string // one for each name given
	Prefix string   // what stood before all names of the network, such as "base_model.model."
	Parts  []string // those of wrapperParts that stood between their parts
	First  int      // index of the first name that changed; -1: none did
}

// Unwrap takes wrappers off the names of a state dict: the known ones wherever they stand, and any prefix that the names
// of all blocks have in common. A name counts as a block's if it ends like one of a table.
//
// Where blocks have several prefixes and none of them is empty, the error names two. It is a *badfile.UnsupportedError
// without a file.
func Unwrap(list []string) (Unwrapped, error) {
	u := Unwrapped{Names: make([]string, len(list)), First: -1}
	for i, name := range list {
		u.Names[i] = u.withoutParts(name)
	}
	var err error
	if u.Prefix, err = commonPrefix(list, u.Names); err != nil {
		return u, err
	}
	if u.Prefix != "" {
		for i, name := range u.Names {
			u.Names[i] = u.withoutPrefix(name)
		}
	}
	u.First = firstChange(list, u.Names)
	return u, nil
}

// firstChange returns the first index at which two lists differ, or -1.
func firstChange(a, b []string) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// withoutParts takes the known wrappers out of a name.
func (u *Unwrapped) withoutParts(name string) string {
	if !slices.ContainsFunc(wrapperParts, func(part string) bool { return strings.Contains(name, part+".") }) {
		return name
	}
	kept := strings.Split(name, ".")
	kept = slices.DeleteFunc(kept, func(part string) bool {
		wraps := slices.Contains(wrapperParts, part)
		if wraps && !slices.Contains(u.Parts, part) {
			u.Parts = append(u.Parts, part)
		}
		return wraps
	})
	return strings.Join(kept, ".")
}

// withoutPrefix takes the prefix off a name. A head may lack the end of it: the model class calls its backbone otherwise.
func (u *Unwrapped) withoutPrefix(name string) string {
	if rest, ok := strings.CutPrefix(name, u.Prefix); ok {
		return rest
	}
	if before, ok := strings.CutSuffix(name, Head); ok && strings.HasPrefix(u.Prefix, before) {
		return Head
	}
	return name
}

// commonPrefix returns what stands before the names of all blocks; listed are the names as they are stored.
func commonPrefix(listed, names []string) (prefix string, err error) {
	first, other := -1, -1 // indices of names with two prefixes
	for i, name := range names {
		switch before, ok := blockTensor(name); {
		case !ok, strings.HasPrefix(name, MultiToken):
		case before == "":
			return "", nil // of others, that is another model's
		case first < 0:
			first, prefix = i, before
		case before != prefix && other < 0:
			other = i
		}
	}
	if other < 0 {
		return prefix, nil
	}
	a, b := listed[first], listed[other]
	return "", &badfile.UnsupportedError{Where: "tensor " + badfile.Quote(min(a, b)), Detail: "there are weights under another prefix as well, " +
		"such as " + badfile.Quote(max(a, b)) + "; save those of one model alone"}
}

// blockTensor returns what stands before the name that a mixer's tensor has in a family's table, with or without
// "backbone."; ok is false for the names of other tensors.
func blockTensor(name string) (before string, ok bool) {
	const blocks = "layers."
	at := strings.LastIndex("."+name, "."+blocks) // the length of "." cancels out
	if at < 0 {
		return "", false
	}
	bare := Backbone + name[at:]
	if layer, rest := indexed(bare, blockPrefix); layer < 0 || !strings.HasPrefix(rest, "mixer.") || !known(bare) {
		return "", false
	}
	before = name[:at]
	if rest, ok := strings.CutSuffix("."+before, ".backbone."); ok {
		before = strings.TrimPrefix(rest+".", ".")
	}
	return before, true
}

// Collision is the error of two names in listed, which Unwrap was given, that became one: a *badfile.UnsupportedError
// without a file.
func (u Unwrapped) Collision(listed []string) error {
	names := u.Names
	order := make([]int, len(names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(strings.Compare(names[a], names[b]), a-b) })
	for k := 1; k < len(order); k++ {
		a, b := order[k-1], order[k]
		if names[a] == names[b] && listed[a] != listed[b] {
			return &badfile.UnsupportedError{Where: "tensor " + badfile.Quote(listed[a]), Detail: "stands for the same tensor as " +
				badfile.Quote(listed[b]) + ": both are " + badfile.Quote(names[a]) + " in a wrapper; keep one of them"}
		}
	}
	return nil
}

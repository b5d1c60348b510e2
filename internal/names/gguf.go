package names

// Transform is what happens to a tensor's values or shape between its canonical form and another layout.
type Transform uint8

// The transforms.
const (
	Same    Transform = iota
	Squeeze           // the middle dimension of 1 goes: [I, 1, K] to [I, K]
	NegExp            // A = -exp(A_log), which not every A comes back from; see LogNeg
)

// String says what the transform does on the way out.
func (t Transform) String() string {
	switch t {
	case Squeeze:
		return "squeeze"
	case NegExp:
		return "A = -exp(A_log)"
	}
	return ""
}

// GGUF is how a tensor is stored in a GGUF file. F32 holds for one-dimensional tensors, norms, the convolution, and names
// that do not end in ".weight".
type GGUF struct {
	Name      string
	Transform Transform
	F32       bool // always stored as F32, whatever the type of the file
}

// ggufBlock starts the GGUF names of tensors that every block has.
const ggufBlock = "blk.{i}."

// ToGGUF returns how the tensor of a canonical name is stored in a GGUF file. ok is false for a tensor that the format
// has no place for, such as the bias of a projection.
func ToGGUF(name string) (stored GGUF, ok bool) {
	index, pattern := indexed(name, blockPrefix)
	for _, r := range mamba1 {
		if r.pattern == pattern && r.gguf.Name != "" {
			stored = r.gguf
			stored.Name = instance(stored.Name, index)
			return stored, true
		}
	}
	return GGUF{}, false
}

// FromGGUF is the reverse of ToGGUF: the canonical name of a GGUF tensor, and how the format stores it, by the pattern
// of its name.
func FromGGUF(name string) (canonical string, stored GGUF, ok bool) {
	index, pattern := indexed(name, ggufBlock)
	for _, r := range mamba1 {
		if r.gguf.Name == pattern && pattern != "" {
			return instance(r.pattern, index), r.gguf, true
		}
	}
	return "", GGUF{}, false
}

package tensor

// The integers, which indices and flags are stored as. ggml has the signed ones.
var (
	boolean = codec{name: "BOOL", elems: 1, bytes: 1, kind: boolKind, torch: "bool", ggml: notInGGML}
	u8      = integer("U8", 1, unsignedKind, "uint8", notInGGML)
	i8      = integer("I8", 1, signedKind, "int8", 24)
	i16     = integer("I16", 2, signedKind, "int16", 25)
	u16     = integer("U16", 2, unsignedKind, "uint16", notInGGML)
	i32     = integer("I32", 4, signedKind, "int32", 26)
	u32     = integer("U32", 4, unsignedKind, "uint32", notInGGML)
	i64     = integer("I64", 8, signedKind, "int64", 27)
	u64     = integer("U64", 8, unsignedKind, "uint64", notInGGML)
)

func integer(name string, bytes int, k kind, torch string, ggml int) codec {
	return codec{name: name, elems: 1, bytes: bytes, kind: k, torch: torch, ggml: ggml}
}

// Int64s returns a copy of the elements of an integer tensor.
// ok is false when t.DType is not an integer or a U64 element exceeds an int64.
func Int64s(t Tensor) (v []int64, ok bool) {
	if !t.DType.Integer() {
		return nil, false
	}
	v = make([]int64, t.Elems())
	size := t.DType.Size()
	unsigned := dtypes[t.DType].kind == unsignedKind
	for i := range v {
		u := uint64(0)
		for k, b := range t.Data[i*size : (i+1)*size] {
			u |= uint64(b) << (8 * k)
		}
		switch shift := 64 - 8*size; {
		case !unsigned:
			v[i] = int64(u<<shift) >> shift
		case int64(u) < 0:
			return nil, false
		default:
			v[i] = int64(u)
		}
	}
	return v, true
}

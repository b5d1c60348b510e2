// Package gguf reads and writes GGUF files, the format of llama.cpp: versions 2 and 3 are read, 3 is written.
//
// It knows the container only; which keys and tensors a model has is decided elsewhere.
//
//	size  content, all of it little-endian
//	4     "GGUF"
//	4     version
//	8     number of tensors
//	8     number of key-value pairs
//	...   pairs:   key, u32 kind, value
//	...   tensors: name, u32 number of dimensions, u64 dimensions, fastest first, u32 type,
//	               u64 offset of the data from the beginning of the data section
//	...   zeros up to a multiple of the alignment: 32, or what the key general.alignment says
//	...   data section: each tensor follows the one before, padded with zeros to a multiple of the alignment
//
// A string is a u64 length and that many bytes of UTF-8. An array is the u32 kind of its elements, their u64 number
// and the elements; arrays of arrays are refused, as by llama.cpp. A bool is one byte, 0 or 1.
// Dimensions are given here in PyTorch's order, the reverse of the file's, over the same bytes.
//
// A large model may be split over files named like model-00001-of-00003.gguf. The first one holds the keys of the
// model, and each its own tensors and the keys split.no, split.count and split.tensors.count.
//
// Checks follow gguf.cpp of llama.cpp, bytes written those of its gguf-py 0.19.0.
package gguf

const (
	magic   = "GGUF"
	version = 3 // written; 2 is read alike, 1 had 32-bit counts

	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	minAlignment     = 8
	maxAlignment     = 1 << 20

	splitNoKey      = "split.no"            // from 0
	splitCountKey   = "split.count"         // parts
	splitTensorsKey = "split.tensors.count" // of all parts together

	// maxHeader, maxKeys and maxTensors bound what we parse: everything before the data section, in bytes, and its
	// parts in number. A vocabulary of 262,144 tokens with its merges takes 16 MB, the largest Mamba has 643 tensors.
	maxHeader  = 32 << 20
	maxKeys    = 1 << 14
	maxTensors = 1 << 16

	maxData = 1 << 62   // bytes of the data section, so that sums of offset, size and padding cannot overflow
	maxDims = 4         // dimensions of a tensor
	maxKey  = 1<<16 - 1 // bytes of a key
	maxName = 64        // bytes of a tensor's name; llama.cpp loads one less, so we write one less

	// The least that a key-value pair, a tensor and a string can take.
	minPair   = 8 + 1 + 4 + 1
	minTensor = 8 + 4 + 4 + 8
	minString = 8
)

// pad rounds n up to a multiple of the alignment.
func pad(n, alignment uint64) uint64 { return (n + alignment - 1) &^ (alignment - 1) }

// goodAlignment reports whether n may be the alignment of a file.
func goodAlignment(n uint64) bool { return n >= minAlignment && n <= maxAlignment && n&(n-1) == 0 }

// Package safetensors reads and writes safetensors files.
//
// The format is parsed and laid out by github.com/nlpodyssey/safetensors; this package adds the checks that a
// file from a stranger needs, errors that say what to do, bounded memory, and the reference package's key order.
//
//	offset  size  content
//	0       8     n, length of the header, little-endian
//	8       n     header, one JSON object, padded with spaces to a multiple of 8:
//	              {"__metadata__": {key: string, ...},
//	               name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}
//	8+n     ...   data; begin and end count from here. The tensors cover it without hole or overlap.
//
// The reference package puts the tensors with the largest dtype first and sorts by name within a dtype.
package safetensors

const (
	lengthSize = 8 // bytes of the header length

	// maxHeader and maxKeys bound the header we parse, in bytes and in tensors plus metadata keys; the largest Mamba
	// has under 1,000 tensors in 80 kB. Together they keep the parse of a hostile header to a second and 100 MB.
	maxHeader = 16 << 20
	maxKeys   = 1 << 16
	// referenceMaxHeader is the bound of the reference package; beyond it a file is wrong, not merely large.
	referenceMaxHeader = 100_000_000
	// maxDims bounds the dimensions of one tensor.
	maxDims = 8

	metadataKey = "__metadata__"
)

// Package torchbin reads and writes PyTorch checkpoints, the files called pytorch_model.bin, .pt or .pth.
//
// torch.save since 1.6 writes a zip archive; every record lies in one top folder and is stored, not deflated:
//
//	top/data.pkl            the objects, a pickle; storages are persistent ids
//	top/.format_version     "1"   } since torch 2.7, along with data records
//	top/.storage_alignment  "64"  } in the order of their numbers
//	top/byteorder           "little"
//	top/data/N              the bytes of storage N
//	top/version             "3\n"
//
// A record's bytes begin at a multiple of 64, by padding in the extra field "FB" of its local header. Its size and
// CRC-32 follow in a data descriptor. Beyond 4 GiB everything has its zip64 form.
//
// Before 1.6, and on request since, it writes five pickles and then the storages (all integers little-endian):
//
//	magic number     the integer 0x1950a86a20f9469cfc6c
//	version          the integer 1001
//	system           a dict with "little_endian"
//	objects          as data.pkl
//	keys             the list of storage keys, in the order of what follows
//	for each key     8 bytes, the number of elements; then the elements
//
// A storage is named in the objects by ('storage', type, key, device, elements), in the old format with a sixth item for
// a view of another storage. A tensor is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad,
// hooks), its offset and strides counted in elements. Tensors that name the same storage share its bytes: that is how a
// tied head is stored.
//
// The pickle is read by an interpreter of a closed set of opcodes and of globals, each global an exact pair of module and
// name. It builds no objects and calls nothing: its values are references into the pickle's bytes, at most 8 bytes of
// memory for a byte of pickle. Matched against torch/serialization.py, torch/_weights_only_unpickler.py and
// caffe2/serialize/inline_container.cc of PyTorch 2.15.
package torchbin

import "github.com/gomamba/gomamba/tensor"

// The records of a zip checkpoint, below the top folder.
const (
	recordPickle    = "data.pkl"
	recordFormat    = ".format_version"
	recordAlignment = ".storage_alignment"
	recordByteOrder = "byteorder"
	recordVersion   = "version"
	recordScript    = "constants.pkl" // only TorchScript archives have it
	prefixStorage   = "data/"
)

// The old format.
const (
	legacyMagic   = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" // the magic number as LONG1 has it
	legacyVersion = 1001
	tarMagic      = "ustar" // the format before that one, at tarMagicAt
	tarMagicAt    = 257
)

// zip, as in APPNOTE.TXT 6.3.
const (
	sigLocal      = 0x04034b50
	sigDescriptor = 0x08074b50
	sigCentral    = 0x02014b50
	sigEnd        = 0x06054b50
	sigEnd64      = 0x06064b50
	sigLocator64  = 0x07064b50

	sizeLocal     = 30
	sizeCentral   = 46
	sizeEnd       = 22
	sizeEnd64     = 56
	sizeLocator64 = 20

	flagEncrypted  = 1<<0 | 1<<6 | 1<<13 // by any of the format's three ways
	flagDescriptor = 1 << 3
	flagUTF8       = 1 << 11
	flagsKnown     = flagDescriptor | flagUTF8 | 1<<1 | 1<<2 // the last two: how hard deflate tried

	methodStore   = 0
	methodDeflate = 8

	extraZip64   = 0x0001
	extraPadding = 0x4246 // "FB"

	max16     = 0xffff
	max32     = 0xffffffff
	alignment = 64
)

// Limits on what we read. A Mamba of 64 layers has 643 tensors in 100 kB of pickle.
const (
	maxPickle   = 64 << 20   // bytes of pickle, inflated
	maxInflated = 64 << 20   // bytes of deflated storages
	maxOpcodes  = 20_000_000 // in all pickles of a file
	maxStack    = 1 << 16    // values on the stack of the pickle machine
	maxSparse   = 1 << 12    // values in its memo that are not numbered from 0 up
	maxMarks    = 10_000     // marks on it
	maxGlobal   = 512        // bytes of the name of a module, of a global, or of a storage
	maxItems    = 64         // items of a tuple that are kept; nothing we read has more
	maxRecords  = 200_000    // entries of the zip archive
	maxTensors  = 1 << 16    // in the state dict
	maxName     = 1 << 10    // bytes of a tensor's name
	maxDims     = 8          // of one tensor
	maxSmall    = 64         // bytes of the records byteorder and version
	maxVersion  = 10         // of the zip format, as in PyTorch; torch.save writes 3
	maxIgnored  = 16         // keys of entries that are left out, to name them
	maxUnknown  = 16         // dicts under other keys in which a state dict is looked for
	maxWrapped  = 4          // dicts around the state dict
)

// storageTypes are the storage classes a persistent id may name, in the module torch and, as torch before 1.9 wrote
// them, torch.cuda.
var storageTypes = []struct {
	name  string
	dtype tensor.DType
	size  int // bytes per element
}{
	{"DoubleStorage", tensor.F64, 8},
	{"FloatStorage", tensor.F32, 4},
	{"HalfStorage", tensor.F16, 2},
	{"BFloat16Storage", tensor.BF16, 2},
	{"LongStorage", tensor.I64, 8},
	{"IntStorage", tensor.I32, 4},
	{"ShortStorage", tensor.I16, 2},
	{"CharStorage", tensor.I8, 1},
	{"ByteStorage", tensor.U8, 1},
	{"BoolStorage", tensor.Bool, 1},
	{"ComplexDoubleStorage", tensor.C128, 16},
	{"ComplexFloatStorage", tensor.C64, 8},
	{"QInt32Storage", tensor.QInt32, 4},
	{"QInt8Storage", tensor.QInt8, 1},
	{"QUInt8Storage", tensor.QUInt8, 1},
	{"QUInt4x2Storage", tensor.QUInt4x2, 1},
	{"QUInt2x4Storage", tensor.QUInt2x4, 1},
}

// wrappers are the keys under which trainers put the state dict, most telling first: Lightning, plain training loops,
// DeepSpeed's module, and the app of torch.distributed.checkpoint.
var wrappers = []string{"state_dict", "model_state_dict", "model", "module", "app"}

// quantizers are the kinds of quantization a pickle may name, in the module torch.
var quantizers = []string{"per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"}

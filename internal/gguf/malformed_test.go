package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
)

// raw spells a file field by field.
type raw []byte

func begin(tensors, keys uint64) raw { return raw(magic).u32(version).u64(tensors).u64(keys) }

func (r raw) u8(x byte) raw    { return append(r, x) }
func (r raw) u32(x uint32) raw { return binary.LittleEndian.AppendUint32(r, x) }
func (r raw) u64(x uint64) raw { return binary.LittleEndian.AppendUint64(r, x) }
func (r raw) str(s string) raw { return appendString(r, s) }
func (r raw) key(s string) raw { return r.str(s) }
func (r raw) kind(k Kind) raw  { return r.u32(uint32(k)) }
func (r raw) zeros(n int) raw  { return append(r, make([]byte, n)...) }
func (r raw) align(n int) raw  { return r.zeros(int(pad(uint64(len(r)), uint64(n))) - len(r)) }
func (r raw) array(k Kind, n uint64) raw {
	return r.kind(KindArray).kind(k).u64(n)
}

// info spells one entry of the tensor list; dims are in the order of the file.
func (r raw) info(name string, t Type, offset uint64, dims ...uint64) raw {
	r = r.str(name).u32(uint32(len(dims)))
	for _, d := range dims {
		r = r.u64(d)
	}
	return r.u32(uint32(t)).u64(offset)
}

// malformed holds one file for each check of the reader.
var malformed = []struct {
	name string
	data []byte
	want string // part of the message
}{
	{"empty", nil, "is empty"},
	{"short", raw("GG"), "has 2 bytes, too few"},
	{"magic only", raw("GGUF"), "truncated or damaged: 4 bytes wanted at byte 4, file has 4; download it again"},
	{"no counts", raw("GGUF").u32(3).u32(0), "8 bytes wanted at byte 8, file has 12"},
	{"version 0", begin(0, 0)[:4:4].u32(0).zeros(16), "GGUF version 0, expected 2 or 3"},
	{"git-lfs", raw("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 516567560\n"), "git-lfs pointer to a file of 516567560 bytes"},
	{"git-lfs cut", raw("version https://git-lfs.github.com/spec/v1\n"), "is a git-lfs pointer, not the weights"},
	{"html", raw("\n <!DOCTYPE html><html>Sign in</html>"), "is a web page (HTML)"},
	{"text", raw("Invalid username"), `is text beginning "Invalid username", not GGUF`},
	{"zip", raw("PK\x03\x04\x00\x00\x08\x08\x00\x00"), "is a zip archive, as torch.save writes"},
	{"pickle", raw("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "is a Python pickle"},
	{"safetensors", raw(nil).u64(640).zeros(0).u8('{').u8('"'), "is a safetensors file, not GGUF"},
	{"gzip", raw("\x1f\x8b\x08\x00\x00\x00\x00\x00"), "is gzip-compressed"},
	{"ggml", raw("tjgg\x03\x00\x00\x00"), "is a GGJT file"},
	{"swapped", raw("FUGG\x00\x00\x00\x03"), "bytes swapped (big-endian)"},
	{"zeros", make([]byte, 4096), "begins with zeros"},
	{"case", raw("gguf").u32(3).zeros(16), `begins with "gguf`},

	{"tensor count", begin(1<<40, 0).zeros(100), "1099511627776 tensors promised, which 100 bytes cannot hold"},
	{"key count", begin(0, math.MaxUint64).zeros(100), "18446744073709551615 keys promised, which 100 bytes cannot hold"},
	{"tensor count after keys", begin(3, 1).key("k").kind(KindString).str(strings.Repeat("x", 80)).zeros(40), "3 tensors promised, which 40 bytes cannot hold"},
	{"key length", begin(0, 1).u64(1 << 62).zeros(100), "key 1: truncated or damaged: 4611686018427387904 bytes wanted at byte 32, file has 132"},
	{"key empty", begin(0, 1).key("").kind(KindU8).zeros(100), "key 1: has no name"},
	{"key long", begin(0, 1).key(strings.Repeat("k", maxKey+1)).kind(KindU8).u8(1), "name of 65536 bytes, the format allows 65535"},
	{"key UTF-8", begin(0, 1).key("k\xff").kind(KindU8).u8(1), `key 1: name "k\xff" is not valid UTF-8`},
	{"key twice", begin(0, 2).key("k").kind(KindU8).u8(1).key("k").kind(KindU8).u8(1), `key "k": appears twice`},
	{"kind", begin(0, 1).key("k").kind(13).zeros(8), `key "k": is of unknown kind 13`},
	{"kind of array", begin(0, 1).key("k").array(99, 1).zeros(8), `key "k": is an array of unknown kind 99`},
	{"value cut", begin(0, 1).key("kkk").kind(KindU64).zeros(3), `key "kkk": truncated or damaged: 8 bytes wanted at byte 39, file has 42`},
	{"string length", begin(0, 1).key("k").kind(KindString).u64(math.MaxUint64).zeros(8), `key "k": truncated or damaged: 18446744073709551615 bytes wanted`},
	{"array length", begin(0, 1).key("k").array(KindU16, 5).zeros(8), `key "k": truncated or damaged: 10 bytes wanted at byte 49, file has 57`},
	{"array wraps", begin(0, 1).key("k").array(KindU64, 1<<61).zeros(8), `18446744073709551615 bytes wanted`},
	{"strings length", begin(0, 1).key("k").array(KindString, 1<<60).zeros(8), `9223372036854775808 bytes wanted`},
	{"strings cut", begin(0, 1).key("k").array(KindString, 2).str("aa").u64(9).zeros(8), `key "k": truncated or damaged: 9 bytes wanted`},
	{"bool", begin(0, 1).key("k").kind(KindBool).u8(2), `key "k": holds a bool of value 2, expected 0 or 1`},
	{"bools", begin(0, 1).key("k").array(KindBool, 3).u8(1).u8(0).u8(255), `key "k": holds a bool of value 255`},
	{"alignment kind", begin(0, 1).key(alignmentKey).kind(KindU64).u64(32), `key "general.alignment": is of kind u64, expected a u32`},
	{"alignment string", begin(0, 1).key(alignmentKey).kind(KindString).str("32"), `key "general.alignment": is of kind str, expected a u32`},
	{"alignment 0", begin(0, 1).key(alignmentKey).kind(KindU32).u32(0), `is 0, expected a power of two from 8 to 1048576`},
	{"alignment 4", begin(0, 1).key(alignmentKey).kind(KindU32).u32(4), `is 4, expected a power of two`},
	{"alignment 48", begin(0, 1).key(alignmentKey).kind(KindU32).u32(48), `is 48, expected a power of two`},
	{"alignment huge", begin(0, 1).key(alignmentKey).kind(KindU32).u32(1 << 31), `is 2147483648, expected a power of two`},

	{"tensor name length", begin(1, 0).u64(1 << 50).zeros(100), "tensor 1: truncated or damaged: 1125899906842624 bytes wanted"},
	{"tensor name long", begin(1, 0).info(strings.Repeat("n", 65), F32, 0, 1).zeros(64), "tensor 1: name of 65 bytes, the format allows 64"},
	{"tensor name UTF-8", begin(1, 0).info("\xed\xa0\x80", F32, 0, 1).zeros(64), "tensor 1: name \"\\xed\\xa0\\x80\" is not valid UTF-8"},
	{"tensor twice", begin(2, 0).info("a", F32, 0, 1).info("a", F32, 32, 1).align(32).zeros(64), `tensor "a": appears twice`},
	{"dimensions", begin(1, 0).info("a", F32, 0, 1, 1, 1, 1, 1).zeros(64), `tensor "a": has 5 dimensions, the format allows 4`},
	{"dimensions huge", begin(1, 0).str("a").u32(math.MaxUint32).zeros(64), `has 4294967295 dimensions`},
	{"dimension 0", begin(1, 0).info("a", F32, 0, 3, 0).zeros(64), `tensor "a": has a dimension of 0`},
	{"dimension 2^63", begin(1, 0).info("a", F32, 0, 1<<63).zeros(64), `tensor "a": has a dimension of 9223372036854775808`},
	{"product wraps", begin(1, 0).info("a", F32, 0, 1<<16, 1<<16, 1<<16, 1<<16).zeros(64), `is larger than what any file holds`},
	{"bytes wrap", begin(1, 0).info("a", F64, 0, 1<<30, 1<<30, 1).zeros(64), `is larger than what any file holds`},
	{"sum wraps", begin(2, 0).info("a", F32, 0, 1<<30, 1<<30).info("b", F32, 1<<62, 1<<30, 1<<30).zeros(64), `what any file holds`},
	{"row", begin(1, 0).info("a", Q8_0, 0, 48, 2).zeros(200), `tensor "a": shape [2 48]: rows of Q8_0 must be a multiple of 32`},
	{"scalar block", begin(1, 0).info("a", 12, 0).zeros(200), `rows of Q4_K must be a multiple of 256`},
	{"offset cut", begin(1, 0).info("a", F32, 0, 1)[:50], `tensor "a": truncated or damaged`},
	{"offset unaligned", begin(2, 0).info("a", F32, 0, 1).info("b", F32, 33, 1).align(32).zeros(80), `tensor "b": its data begins at 33, which is not a multiple of the alignment 32`},
	{"offset not 0", begin(1, 0).info("a", F32, 32, 1).align(32).zeros(64), `tensor "a": its data begins at 32 and leaves a hole: expected 0`},
	{"hole", begin(2, 0).info("a", F32, 0, 1).info("b", F32, 64, 1).align(32).zeros(96), `tensor "b": its data begins at 64 and leaves a hole: expected 32`},
	{"overlap", begin(2, 0).info("a", F32, 0, 9).info("b", F32, 32, 1).align(32).zeros(96), `tensor "b": its data begins at 32 and overlaps that of the tensor before: expected 64`},
	{"same data", begin(2, 0).info("a", F32, 0, 1).info("b", F32, 0, 1).align(32).zeros(96), `tensor "b": its data begins at 0 and overlaps`},
	{"far away", begin(1, 0).info("a", F32, 1<<63, 1).align(32).zeros(64), `leaves a hole: expected 0`},
	{"no data", begin(1, 0).info("a", F32, 0, 1), `truncated: tensors promise 68 bytes, file has 57; download it again`},
	{"data cut", begin(2, 0).info("a", F32, 0, 8).info("b", F32, 32, 8).align(32).zeros(63), `truncated: tensors promise 160 bytes, file has 159`},
	{"control characters", begin(1, 0).info("\x1b[2J", F32, 8, 1), `tensor "\x1b[2J": its data`},
}

func TestParseMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("dir/f.gguf", c.data)
			var format *badfile.FormatError
			if !errors.As(err, &format) {
				t.Fatalf("got %v (%T)", err, err)
			}
			msg := err.Error()
			if !strings.HasPrefix(msg, "dir/f.gguf: ") || !strings.Contains(msg, c.want) {
				t.Errorf("got  %s\nwant %s", msg, c.want)
			}
			if len(msg) > 500 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' }) {
				t.Errorf("not one short line: %q", msg)
			}
		})
	}
}

// unsupported holds files that are fine, or might be, and beyond this program.
var unsupported = []struct {
	name string
	data []byte
	want string
}{
	{"version 1", begin(0, 0)[:4:4].u32(1).zeros(16), "GGUF version 1, used for some days"},
	{"version 4", begin(0, 0)[:4:4].u32(4).zeros(16), "GGUF version 4, this program reads 2 and 3"},
	{"big-endian", raw("GGUF\x00\x00\x00\x03").zeros(16), "is a big-endian GGUF file (version 3)"},
	{"keys", begin(0, maxKeys+1).zeros((maxKeys + 1) * minPair), "16385 keys, more than the 16384"},
	{"tensors", begin(maxTensors+1, 0).zeros((maxTensors + 1) * minTensor), "65537 tensors, more than the 65536"},
	{"header", begin(0, 1).key("k").array(KindString, maxHeader/8).zeros(maxHeader), `key "k": keys and tensor list take more than the 33554432 bytes`},
	{"arrays of arrays", begin(0, 1).key("k").array(KindArray, 1).kind(KindU8).u64(1).u8(1), `key "k": is an array of arrays`},
	{"removed type", begin(1, 0).info("a", 4, 0, 32).zeros(64), `tensor "a": type 4 (Q4_2) was removed`},
	{"removed type 36", begin(1, 0).info("a", 36, 0, 32).zeros(64), `tensor "a": type 36 (IQ4_NL_4_4) was removed from GGUF; take a file of IQ4_NL`},
	{"unknown type", begin(1, 0).info("a", 43, 0, 32).zeros(64), `tensor "a": type 43 is unknown to this program, whose newest is 42 (Q2_0)`},
	{"impossible type", begin(1, 0).info("a", math.MaxUint32, 0, 32).zeros(64), `tensor "a": type 4294967295 is unknown`},
}

func TestParseUnsupported(t *testing.T) {
	for _, c := range unsupported {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f", c.data)
			var unsupported *badfile.UnsupportedError
			if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// unusual holds files that look odd and are right, as llama.cpp agrees.
var unusual = []struct {
	name          string
	data          []byte
	keys, tensors int
}{
	{"nothing", begin(0, 0), 0, 0},
	{"version 2", begin(0, 0)[:4:4].u32(2).zeros(16), 0, 0},
	{"keys only", begin(0, 1).key("k").kind(KindU8).u8(1), 1, 0},
	{"empty array", begin(0, 2).key("k").array(KindString, 0).key("l").array(KindF32, 0), 2, 0},
	{"string of bytes", begin(0, 1).key("k").kind(KindString).str("\xff\x00"), 1, 0},
	{"no padding at the end", begin(1, 0).info("a", F32, 0, 1).align(32).zeros(4), 0, 1},
	{"bytes after the end", begin(1, 0).info("a", F32, 0, 1).align(32).zeros(999), 0, 1},
	{"scalar", begin(1, 0).info("", F32, 0).align(32).zeros(4), 0, 1},
	{"name of 64 bytes", begin(1, 0).info(strings.Repeat("n", 64), I8, 0, 1).align(32).zeros(1), 0, 1},
	{"alignment 8", begin(2, 1).key(alignmentKey).kind(KindU32).u32(8).info("a", I8, 0, 1).info("b", I8, 8, 1).align(8).zeros(9), 1, 2},
	{"alignment 1 MiB", begin(1, 1).key(alignmentKey).kind(KindU32).u32(1<<20).info("a", I8, 0, 1).align(1 << 20).zeros(1), 1, 1},
	{"quantized", begin(1, 0).info("a", 12, 0, 256, 2).align(32).zeros(288), 0, 1},
}

func TestParseUnusual(t *testing.T) {
	for _, c := range unusual {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse("f", c.data)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.KVs()) != c.keys || len(f.Tensors()) != c.tensors {
				t.Errorf("%d keys, %d tensors", len(f.KVs()), len(f.Tensors()))
			}
			if f.Close() != nil || f.Changed() != nil {
				t.Error("a file in memory has nothing to close or to change")
			}
		})
	}
}

// TestTypes checks the table of types against itself and the reference file's own sizes.
func TestTypes(t *testing.T) {
	names := map[string]bool{}
	for i := range types {
		tt := Type(i)
		if _, gone := removed[tt]; gone == tt.Known() {
			t.Errorf("type %d is neither known nor removed, or both", i)
		}
		if !tt.Known() {
			continue
		}
		block, bytes := tt.Block()
		if names[tt.String()] || block < 1 || bytes < 1 {
			t.Errorf("type %d: %s, %d elements in %d bytes", i, tt, block, bytes)
		}
		names[tt.String()] = true
		if n, ok := tt.ByteCount([]int{3, 2 * block}); !ok || n != 6*bytes {
			t.Errorf("%s: %d bytes, %v", tt, n, ok)
		}
	}
	if n, ok := F64.ByteCount([]int{math.MaxInt / 8}); !ok || n != math.MaxInt/8*8 {
		t.Errorf("%d, %v", n, ok)
	}
	if _, ok := F64.ByteCount([]int{math.MaxInt/8 + 1}); ok {
		t.Error("overflow")
	}
	if s := Type(99).String() + Kind(99).String(); s != "Type(99)Kind(99)" {
		t.Error(s)
	}
}

// TestVersion2 reads the reference file as if it were of version 2, which differs in that number only.
func TestVersion2(t *testing.T) {
	data := readFile(t, "testdata/all.gguf")
	v2 := bytes.Clone(data)
	v2[4] = 2
	a, errA := Parse("f", data)
	b, errB := Parse("f", v2)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if b.Version() != 2 || len(b.Tensors()) != len(a.Tensors()) || !b.KVs()[20].Value.Equal(a.KVs()[20].Value) {
		t.Error("read differently")
	}
}

// TestAllocation parses the files with the most things in the fewest bytes; the fuzz target holds small ones to the same.
func TestAllocation(t *testing.T) {
	keys := begin(0, maxKeys)
	for i := range maxKeys {
		keys = keys.key(string([]byte{byte(i & 127), byte(i >> 7)})).kind(KindU8).u8(0)
	}
	tensors := begin(maxTensors, 1).key(alignmentKey).kind(KindU32).u32(8)
	for i := range maxTensors {
		tensors = tensors.info(string(rune(i+0x10000)), I8, uint64(8*i))
	}
	tensors = tensors.align(8).zeros(8 * maxTensors)
	for name, data := range map[string][]byte{"keys": keys, "tensors": tensors, "tensors promised": tensors[:24*maxTensors]} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := Parse(name, data)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20+8*uint64(len(data)) {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, spent, len(data))
		}
		if cut := name == "tensors promised"; (err != nil) != cut || !cut && len(f.KVs())+len(f.Tensors()) < maxKeys {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package hostile

import (
	"bytes"
	"fmt"
	"slices"
)

// blockType is a type of blocks by its name and number in ggml, with the elements and bytes of a block.
type blockType struct {
	name         string
	number       uint32
	elems, bytes int
}

var blockTypes = []blockType{
	{"Q4_0", 2, 32, 18}, {"Q4_1", 3, 32, 20}, {"Q5_0", 6, 32, 22}, {"Q5_1", 7, 32, 24}, {"Q8_0", 8, 32, 34},
	{"Q2_K", 10, 256, 84}, {"Q3_K", 11, 256, 110}, {"Q4_K", 12, 256, 144}, {"Q5_K", 13, 256, 176}, {"Q6_K", 14, 256, 210},
	{"IQ2_XXS", 16, 256, 66}, {"IQ2_XS", 17, 256, 74}, {"IQ3_XXS", 18, 256, 98}, {"IQ1_S", 19, 256, 50}, {"IQ4_NL", 20, 32, 18},
	{"IQ3_S", 21, 256, 110}, {"IQ2_S", 22, 256, 82}, {"IQ4_XS", 23, 256, 136}, {"IQ1_M", 29, 256, 56}, {"TQ1_0", 34, 256, 54},
	{"TQ2_0", 35, 256, 66}, {"MXFP4", 39, 32, 17}, {"NVFP4", 40, 64, 36}, {"Q1_0", 41, 128, 18}, {"Q2_0", 42, 64, 18},
}

// Of the matrix in blocks: its name, and its size, of whole blocks of every type.
const (
	blocksName             = "blk.1.ssm_in.weight"
	blocksCols, blocksRows = 256, 2 * inner
)

// blocked is a Mamba as wide as a row of blocks, whose last tensor is a matrix of blocks: of the given bytes, over and over.
func blocked(b blockType, pattern string) *container {
	c := gguf("mamba")
	for i := range c.keys {
		if c.keys[i].key == "mamba.embedding_length" {
			c.keys[i].value = u32(blocksCols)
		}
	}
	for i := range c.list {
		for j, n := range c.list[i].dims {
			if n == width { // which is no other size
				c.list[i].dims[j], c.list[i].data = blocksCols, bytes.Repeat(c.list[i].data, blocksCols/width)
			}
		}
	}
	at := slices.IndexFunc(c.list, func(t info) bool { return t.name == blocksName })
	t := c.list[at]
	size := blocksRows * blocksCols / b.elems * b.bytes
	t.kind, t.data = b.number, bytes.Repeat([]byte(pattern), size/len(pattern)+1)[:size]
	c.list = append(slices.Delete(c.list, at, at+1), t)
	return c.lay()
}

// ggufBlockEntries are files with blocks of every type: too many or too few of them, and scales that are not numbers.
func ggufBlockEntries() []Entry {
	var list []Entry
	for _, b := range blockTypes {
		add := func(name, want string, edit func(t *info)) {
			list = append(list, late("gguf blocks/"+b.name+" "+name, want, func() files {
				c := blocked(b, "\x00")
				edit(&c.list[len(c.list)-1])
				return inGGUF(c.bytes())
			}).at("model.gguf"))
		}
		add("in rows of one and a half blocks", b.name, func(t *info) { t.dims[0] = uint64(b.elems * 3 / 2) })
		add("in rows of another length", blocksName, func(t *info) { t.dims = []uint64{2 * blocksCols, blocksRows / 2} })
		add("a row too many", "truncated", func(t *info) { t.dims[1]++ })
		add("a byte short", "truncated", func(t *info) { t.data = t.data[1:] })
		if b.name == "NVFP4" {
			continue // all of its scales are numbers
		}
		add("of NaN", fmt.Sprintf("%q: block 0 of %s", blocksName, b.name), func(t *info) {
			t.data = bytes.Repeat([]byte{0xff}, len(t.data))
		})
		list[len(list)-1].Deep = true
	}
	return list
}

package gguf

import (
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/impostor"
)

// ancestors are older forms of the format.
var ancestors = []impostor.Magic{
	{First: "lmgg", What: "is a GGML file from before August 2023, not GGUF; convert the original checkpoint again"},
	{First: "fmgg", What: "is a GGMF file from before August 2023, not GGUF; convert the original checkpoint again"},
	{First: "tjgg", What: "is a GGJT file from before August 2023, not GGUF; convert the original checkpoint again"},
	{First: "FUGG", What: "is a GGUF file with its bytes swapped (big-endian); convert the original checkpoint again"},
}

// identify says what a file is that is not GGUF.
func identify(data []byte) string {
	if n := len(data); n > 0 && n < len(magic) {
		return "has " + badfile.Count(n, "byte") + ", too few for a GGUF file; download it again"
	}
	if what := impostor.Identify(data, "GGUF", ancestors...); what != "" {
		return what
	}
	return "begins with " + badfile.Quote(string(data[:min(len(data), 16)])) + ", expected \"GGUF\"; download it again"
}

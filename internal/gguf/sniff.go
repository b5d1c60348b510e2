package gguf

import (
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/impostor"
)

// identify says what a file is that is not GGUF.
func identify(data []byte) string {
	if n := len(data); n > 0 && n < len(magic) {
		return "has " + badfile.Count(n, "byte") + ", too few for a GGUF file; download it again"
	}
	if what := impostor.Identify(data, "GGUF"); what != "" {
		return what
	}
	return "begins with " + badfile.Quote(string(data[:min(len(data), 16)])) + ", expected \"GGUF\"; download it again"
}

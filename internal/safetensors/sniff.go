package safetensors

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// impostors are the things found under the name of a safetensors file, by their first bytes.
var impostors = []struct{ magic, what string }{
	{"PK\x03\x04", "is a zip archive, as torch.save writes them (pytorch_model.bin), not safetensors"},
	{"\x80\x02", "is a Python pickle, as older torch.save writes them, not safetensors"},
	{"\x80\x03", "is a Python pickle, not safetensors"},
	{"\x80\x04", "is a Python pickle, not safetensors"},
	{"\x80\x05", "is a Python pickle, not safetensors"},
	{"GGUF", "is a GGUF file, not safetensors"},
	{"\x1f\x8b", "is gzip-compressed, not safetensors; decompress it first"},
	{"\x89HDF", "is an HDF5 file, not safetensors"},
	{"\x00\x00\x00\x00\x00\x00\x00\x00", "begins with zeros where the header's length belongs: an unfinished download; download it again"},
}

// identify says what a file is that cannot be safetensors, or returns "" when it cannot tell.
// It is asked only once the header's length makes no sense, so a true safetensors file is never misjudged.
func identify(data []byte) string {
	head := data[:min(len(data), 1024)]
	if bytes.HasPrefix(head, []byte("version https://git-lfs")) {
		what := "is a git-lfs pointer, not the weights themselves; run git lfs pull or download the file again"
		if size, ok := pointerSize(head); ok {
			what = "is a git-lfs pointer to a file of " + strconv.FormatUint(size, 10) +
				" bytes, not that file; run git lfs pull or download it again"
		}
		return what
	}
	for _, i := range impostors {
		if bytes.HasPrefix(head, []byte(i.magic)) {
			return i.what
		}
	}
	text := strings.TrimPrefix(string(head), "\ufeff")
	text = strings.TrimLeft(text, " \t\r\n")
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "<!doctype") || strings.HasPrefix(lower, "<html") ||
		strings.HasPrefix(lower, "<head") || strings.HasPrefix(lower, "<?xml") {
		return "is a web page (HTML), not safetensors: the download met an error or login page; download it again"
	}
	if line, _, _ := strings.Cut(text, "\n"); line != "" && printable(line) {
		return "is text beginning " + badfile.Quote(line[:min(len(line), 40)]) + ", not safetensors; download it again"
	}
	return ""
}

// pointerSize reads the "size N" line of a git-lfs pointer.
func pointerSize(head []byte) (uint64, bool) {
	for line := range strings.Lines(string(head)) {
		if digits, ok := strings.CutPrefix(line, "size "); ok {
			size, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
			return size, err == nil
		}
	}
	return 0, false
}

// printable reports whether a line is plain ASCII text.
func printable(line string) bool {
	for i := range len(line) {
		if c := line[i]; c < ' ' && c != '\t' && c != '\r' || c > '~' {
			return false
		}
	}
	return true
}

package torchbin

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// impostors are the things found under the name of a checkpoint, by their first bytes.
var impostors = []struct{ magic, what string }{
	{"GGUF", "is a GGUF file, not of torch.save; name it .gguf"},
	{"\x1f\x8b", "is gzip-compressed, not of torch.save; decompress it first"},
	{"\x89HDF", "is an HDF5 file, not of torch.save"},
	{"PK\x05\x06", "is an empty zip archive; download it again"},
	{"\x00\x00\x00\x00\x00\x00\x00\x00", "begins with zeros: an unfinished download; download it again"},
}

// identify says what a file is that is neither of torch.save's formats.
func identify(data []byte) string {
	head := data[:min(len(data), 1024)]
	switch {
	case len(data) == 0:
		return "is empty; download it again"
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		if size, ok := pointerSize(head); ok {
			return "is a git-lfs pointer to a file of " + strconv.FormatUint(size, 10) +
				" bytes, not that file; run git lfs pull or download it again"
		}
		return "is a git-lfs pointer, not the weights themselves; run git lfs pull or download the file again"
	case len(head) > 8 && head[8] == '{' && le.Uint64(head) <= uint64(len(data)):
		return "is a safetensors file, not of torch.save; name it .safetensors"
	}
	for _, i := range impostors {
		if bytes.HasPrefix(head, []byte(i.magic)) {
			return i.what
		}
	}
	text := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "<!doctype") || strings.HasPrefix(lower, "<html") ||
		strings.HasPrefix(lower, "<head") || strings.HasPrefix(lower, "<?xml") {
		return "is a web page (HTML), not of torch.save: the download met an error or login page; download it again"
	}
	if line, _, _ := strings.Cut(text, "\n"); line != "" && printable(line) {
		return "is text beginning " + badfile.Quote(line[:min(len(line), 40)]) + ", not of torch.save; download it again"
	}
	return "begins with " + badfile.Quote(string(head[:min(len(head), 8)])) + ", expected the zip archive or the pickle of torch.save"
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

package gguf

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// impostors are the things found under the name of a GGUF file, by their first bytes.
var impostors = []struct{ magic, what string }{
	{"PK\x03\x04", "is a zip archive, as torch.save writes them (pytorch_model.bin), not GGUF"},
	{"\x80\x02", "is a Python pickle, as older torch.save writes them, not GGUF"},
	{"\x1f\x8b", "is gzip-compressed, not GGUF; decompress it first"},
	{"lmgg", "is a GGML file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"fmgg", "is a GGMF file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"tjgg", "is a GGJT file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"FUGG", "is a GGUF file with its bytes swapped (big-endian); convert the original checkpoint again"},
	{"\x00\x00\x00\x00", "begins with zeros: an unfinished download; download it again"},
}

// identify says what a file is that is not GGUF.
func identify(data []byte) string {
	head := data[:min(len(data), 1024)]
	if len(head) == 0 {
		return "is empty; download it again"
	}
	if bytes.HasPrefix(head, []byte("version https://git-lfs")) {
		if _, digits, ok := bytes.Cut(head, []byte("\nsize ")); ok {
			digits, _, _ = bytes.Cut(digits, []byte("\n"))
			if size, err := strconv.ParseUint(string(digits), 10, 63); err == nil {
				return fmt.Sprintf("is a git-lfs pointer to a file of %d bytes, not that file; run git lfs pull or download it again", size)
			}
		}
		return "is a git-lfs pointer, not the weights themselves; run git lfs pull or download the file again"
	}
	if len(head) > 9 && head[8] == '{' && (head[9] == '"' || head[9] == '}' || head[9] == ' ') {
		return "is a safetensors file, not GGUF; name it .safetensors"
	}
	for _, i := range impostors {
		if bytes.HasPrefix(head, []byte(i.magic)) {
			return i.what
		}
	}
	if len(head) < len(magic) {
		return fmt.Sprintf("has %d bytes, too few for a GGUF file; download it again", len(data))
	}
	text := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	lower := strings.ToLower(text)
	for _, tag := range []string{"<!doctype", "<html", "<head", "<?xml"} {
		if strings.HasPrefix(lower, tag) {
			return "is a web page (HTML), not GGUF: the download met an error or login page; download it again"
		}
	}
	return "begins with " + badfile.Quote(text[:min(len(text), 16)]) + ", expected \"GGUF\"; download it again"
}

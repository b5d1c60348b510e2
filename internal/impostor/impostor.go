// Package impostor says what a file is that is not what its name promises: the things that broken downloads and
// mixed-up names leave under the name of a checkpoint. A reader asks it once its own format does not fit, so a true file
// is never misjudged.
package impostor

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// Magic is a kind of file by its first bytes. What follows "is" in a message.
type Magic struct{ First, What string }

// common are the kinds found in place of any weight file.
var common = []Magic{
	{"PK\x03\x04", "a zip archive, as torch.save writes them (pytorch_model.bin)"},
	{"PK\x05\x06", "an empty zip archive"},
	{"\x80\x02", "a Python pickle, as older torch.save writes them"},
	{"\x80\x03", "a Python pickle"},
	{"\x80\x04", "a Python pickle"},
	{"\x80\x05", "a Python pickle"},
	{"GGUF", "a GGUF file"},
	{"\x89HDF", "an HDF5 file"},
}

// older are what llama.cpp wrote before GGUF, with what to do. They have names like ggml-model-f16.bin.
var older = []Magic{
	{"lmgg", "is a GGML file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"fmgg", "is a GGMF file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"tjgg", "is a GGJT file from before August 2023, not GGUF; convert the original checkpoint again"},
	{"algg", "is an adapter (LoRA) that llama.cpp wrote before GGUF, not a model; take the merged model"},
	{"FUGG", "is a GGUF file with its bytes swapped (big-endian); convert the original checkpoint again"},
}

// Older says of a file that is from before GGUF, or is a GGUF file under another name, what it is; else it is empty.
func Older(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil {
		return ""
	}
	return first(head, append([]Magic{{"GGUF", "is a GGUF file; name it .gguf"}}, older...))
}

// first returns what data is by its first bytes, empty if it is none of the kinds.
func first(data []byte, kinds []Magic) string {
	for _, m := range kinds {
		if bytes.HasPrefix(data, []byte(m.First)) {
			return m.What
		}
	}
	return ""
}

// Identify says what data is that is not what is wanted, such as "safetensors": a predicate without its subject, which names
// what to do. It returns "" when it does not know. more are kinds beyond the usual ones, looked at first, their What whole.
func Identify(data []byte, wanted string, more ...Magic) string {
	head := data[:min(len(data), 1024)]
	if len(head) == 0 {
		return "is empty; download it again"
	}
	if size, ok := pointer(head); ok {
		return "is a git-lfs pointer" + size
	}
	if what := first(head, slices.Concat(more, older)); what != "" {
		return what
	}
	// Before the common ones: the length of a header may be that of a pickle's first bytes.
	if wanted != "safetensors" && isSafetensors(head) {
		return "is a safetensors file, not " + wanted + "; name it .safetensors"
	}
	for _, m := range common {
		if bytes.HasPrefix(head, []byte(m.First)) {
			return "is " + m.What + ", not " + wanted
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "is gzip-compressed, not " + wanted + "; decompress it first"
	case bytes.HasPrefix(head, make([]byte, 8)):
		return "begins with zeros: an unfinished download; download it again"
	}
	return text(head, wanted)
}

// pointer recognises a git-lfs pointer and returns what remains to be said about it.
func pointer(head []byte) (rest string, ok bool) {
	if !bytes.HasPrefix(head, []byte("version https://git-lfs")) {
		return "", false
	}
	for line := range strings.Lines(string(head)) {
		if digits, ok := strings.CutPrefix(line, "size "); ok {
			if size, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63); err == nil {
				return " to a file of " + strconv.FormatUint(size, 10) + " bytes, not that file; run git lfs pull or download it again", true
			}
		}
	}
	return ", not the weights themselves; run git lfs pull or download the file again", true
}

// isSafetensors recognises a header's length and its first characters.
func isSafetensors(head []byte) bool {
	return len(head) > 9 && head[8] == '{' && (head[9] == '"' || head[9] == '}' || head[9] == ' ') && head[7] == 0
}

// text recognises web pages and plain text.
func text(head []byte, wanted string) string {
	text := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \t\r\n")
	lower := strings.ToLower(text)
	if strings.HasPrefix(lower, "<?xml") {
		return "is an XML document, not " + wanted + ": the download met an error of the server; download it again"
	}
	for _, tag := range []string{"<!doctype", "<html", "<head"} {
		if strings.HasPrefix(lower, tag) {
			return "is a web page (HTML), not " + wanted + ": the download met an error or login page; download it again"
		}
	}
	if line, _, _ := strings.Cut(text, "\n"); line != "" && printable(line) {
		return "is text beginning " + badfile.Quote(line[:min(len(line), 40)]) + ", not " + wanted + "; download it again"
	}
	return ""
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

package tokenizer

import (
	"strings"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// Pre is what a name in tokenizer.ggml.pre stands for. GGUF files do not say whether texts are composed (NFC): it is the
// models' own tokenizer.json that has it.
type Pre struct {
	Name         string
	NFC          bool
	IgnoreMerges bool
	Begins       bool   // a text begins with the bos token, unless a key says otherwise
	Split        string // the pre_tokenizer of a tokenizer.json that cuts texts so
}

// steps reads the pre-tokenizer.
func (p Pre) steps() ([]step, error) {
	members, err := jsonobj.Parse([]byte(p.Split))
	if err != nil {
		return nil, err
	}
	return readSteps(object{members: members, err: &err}, 0), err
}

// Pres are the names that llama.cpp's converter gives to pre-tokenizers, with what llama.cpp makes of them
// (src/llama-vocab.cpp), except Falcon's, which it approximates: there it is the model's own tokenizer.json.
// Of several names for the same the first one is written.
var Pres = []Pre{
	{Name: "olmo", NFC: true, Split: byteLevel}, // GPT-NeoX
	{Name: "mpt", NFC: true, Split: byteLevel},  // GPT-NeoX, as llama.cpp's own vocabulary file has it
	{Name: "gpt-2", Split: byteLevel},
	{Name: "falcon", Split: falconSplit},
	{Name: "llama-bpe", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "llama3", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "falcon3", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "smaug-bpe", Split: splitBytes(llama3Pattern)},
	{Name: "dbrx", Split: splitBytes(llama3Pattern)},
	{Name: "qwen2", NFC: true, Split: splitBytes(strings.Replace(llama3Pattern, "{1,3}", "", 1))},
	{Name: "default", Split: splitBytes(`[\p{P}\$\+<=>\^~\|]+`, gpt2Pattern, `\p{N}+`, `[0-9][0-9][0-9]`)},
}

// llama3Pattern is how Llama 3 cuts a text into words.
const llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// byteLevel cuts by gpt2Pattern and writes bytes as characters.
const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`

// falconSplit is the pre-tokenizer of Falcon's tokenizer.json.
const falconSplit = `{"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Contiguous"}, ` + byteLevel +
	`, {"type": "Digits", "individual_digits": false}, {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": false}]}`

// splitBytes cuts by one expression after the other, and writes bytes as characters.
func splitBytes(exprs ...string) string {
	text := []byte(`{"type": "Sequence", "pretokenizers": [`)
	for _, expr := range exprs {
		text = append(text, `{"type": "Split", "pattern": {"Regex": `...)
		text = jsonobj.AppendString(text, expr)
		text = append(text, `}, "behavior": "Isolated", "invert": false}, `...)
	}
	return string(append(text, strings.Replace(byteLevel, `"use_regex": true`, `"use_regex": false`, 1)+"]}"...))
}

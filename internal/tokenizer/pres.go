package tokenizer

import (
	"slices"
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
	Family       string // the model_type whose files have this name, if another one stands for the same
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
// (src/llama-vocab.cpp), except Falcon's and Tekken's, which it approximates: there it is the model's own tokenizer.json.
// Of several names for the same the first one is written, or that of the family.
var Pres = []Pre{
	{Name: "olmo", NFC: true, Split: byteLevel}, // GPT-NeoX
	{Name: "mpt", NFC: true, Split: byteLevel},  // GPT-NeoX, as llama.cpp's own vocabulary file has it
	{Name: "gpt-2", Split: byteLevel},
	{Name: "falcon", Split: falconSplit},
	{Name: "llama-bpe", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "llama3", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "falcon3", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern)},
	{Name: "falcon-h1", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern), Family: "falcon_h1"},
	{Name: "pixtral", IgnoreMerges: true, Begins: true, Split: splitBytes(llama3Pattern), Family: "nemotron_h"},
	{Name: "tekken", IgnoreMerges: true, Begins: true, Split: splitBytes(tekkenPattern)},
	{Name: "smaug-bpe", Split: splitBytes(llama3Pattern)},
	{Name: "dbrx", Split: splitBytes(llama3Pattern), Family: "granitemoehybrid"},
	{Name: "refact", Split: digitsFirst},
	{Name: "starcoder", Split: digitsFirst},
	{Name: "smollm", Split: digitsFirst},
	{Name: "qwen2", NFC: true, Split: splitBytes(qwen2Pattern)},
	{Name: "default", Split: splitBytes(`[\p{P}\$\+<=>\^~\|]+`, gpt2Pattern, `\p{N}+`, `[0-9][0-9][0-9]`)},
}

// Covers reports whether an expression is one of those here that match every character: what they split does not leave gaps.
func Covers(expr string) bool {
	return slices.Contains([]string{gpt2Pattern, llama3Pattern, qwen2Pattern, tekkenPattern}, expr)
}

// llama3Pattern is how Llama 3 cuts a text into words.
const llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// qwen2Pattern is the same with every digit alone.
var qwen2Pattern = strings.Replace(llama3Pattern, "{1,3}", "", 1)

// tekkenPattern is Mistral's, of the tokenizer that it calls Tekken.
const tekkenPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
	`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` +
	`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// digitsFirst cuts out every digit and the rest by gpt2Pattern, as StarCoder and Granite's models of code do.
const digitsFirst = `{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, ` + byteLevel + `]}`

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

package tokenizer

// byteVocabulary is the size of the vocabulary of a model that works on bytes, as MambaByte does.
const byteVocabulary = 256

// IsBytes reports whether a vocabulary of that size, for which there is no tokenizer, is that of a model of bytes.
func IsBytes(vocab int) bool { return vocab == byteVocabulary }

// Bytes returns the tokenizer of models that work on bytes: the ids are the bytes of the text.
func Bytes() *Tokenizer {
	m := &bpe{vocab: map[string]int32{}, unknown: -1, byteFallback: true}
	m.ready()
	t := newTokenizer(m)
	for b := range m.bytes {
		m.bytes[b] = int32(b)
		t.tokens[int32(b)] = string(byteChars[b])
	}
	t.kind = "bytes"
	t.decoding.byteLevel = true
	t.finish()
	return t
}

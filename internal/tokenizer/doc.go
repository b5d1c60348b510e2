// Package tokenizer turns text into token ids and back, as Hugging Face's tokenizers library does.
//
//	t, err := tokenizer.Open("mamba-130m-hf")
//	ids := t.Encode("Hello", true)
//	text := t.Decode(ids, true)
//
// It reads byte-pair encodings from tokenizer.json, from the keys of a GGUF file and from SentencePiece's tokenizer.model.
// Whatever the source, a text goes the same way:
//
//	added tokens      cut out as they are: <|endoftext|>
//	normalizer        Unicode NFC, "▁" for spaces
//	added tokens      cut out of what is left: runs of spaces
//	pre-tokenizer     words; for byte-level models, a printable character for each byte
//	model             characters, or bytes, are merged pair by pair
//	post-processor    tokens before and after a text, such as <s>
//
// Ids are those of tokenizers 0.23.3, to which belong the tables of Unicode properties in tables.go.
// Text that is not UTF-8, which that library does not take, is encoded byte by byte if the vocabulary has all bytes.
package tokenizer

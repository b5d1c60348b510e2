package tokenizer

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gomamba/gomamba/internal/gguf"
)

// RenderPieces renders the vocabulary of a GGUF file of model "llama" as a SentencePiece model, which keeps the scores; nil
// for one of another model. Unused pieces at the end are left out: they are padding. Errors are those of FromGGUF, and of
// ParseSentencePiece for what it would not read.
func RenderPieces(path string, kvs []gguf.KV) ([]byte, error) {
	k := newKeys(path, kvs)
	if kind, _, err := value(k, "model", gguf.Value.Str); kind != "llama" || err != nil {
		return nil, err
	}
	pieces, err := k.pieces()
	if err != nil {
		return nil, err
	}
	how, err := k.spelling()
	if err != nil {
		return nil, err
	}
	for len(pieces) > 0 && pieces[len(pieces)-1].kind == unusedPiece {
		pieces = pieces[:len(pieces)-1]
	}
	var b []byte
	for _, p := range pieces {
		text := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), p.text)
		text = protowire.AppendFixed32(protowire.AppendTag(text, 2, protowire.Fixed32Type), math.Float32bits(float32(p.score)))
		if p.kind != normalPiece {
			text = varintField(text, 3, uint64(p.kind))
		}
		b = bytesField(b, 1, text)
	}
	trainer := varintField(nil, 3, 2)
	for _, field := range []struct {
		number protowire.Number
		key    string
	}{{40, "unknown_token_id"}, {41, "bos_token_id"}, {42, "eos_token_id"}, {43, "padding_token_id"}} {
		id, ok, err := value(k, field.key, gguf.Value.Uint)
		if err != nil {
			return nil, err
		}
		if ok {
			trainer = varintField(trainer, field.number, id)
		}
	}
	b = bytesField(b, 2, varintField(trainer, 35, 1)) // byte_fallback
	spec := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "identity")
	spec = varintField(spec, 3, protowire.EncodeBool(how.dummyPrefix))
	b = bytesField(b, 3, varintField(spec, 4, protowire.EncodeBool(how.squeeze)))
	if _, err := ReadPieces(path, b); err != nil {
		return nil, err
	}
	return b, nil
}

func varintField(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func bytesField(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

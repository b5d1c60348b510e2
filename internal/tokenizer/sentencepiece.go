package tokenizer

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gomamba/gomamba/internal/badfile"
)

// ParseSentencePiece reads a tokenizer.model, the ModelProto of sentencepiece_model.proto. Of its fields these matter:
//
//	1 pieces            1 piece (string), 2 score (float), 3 type
//	2 trainer_spec      3 model_type (2: BPE), 24 treat_whitespace_as_suffix, 41 bos_id, 42 eos_id
//	3 normalizer_spec   1 name, 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces
//
// path stands for the file in errors, which are *badfile.FormatError and *badfile.UnsupportedError. A text is begun with
// the piece of bos_id, as Llama's tokenizer does.
func ParseSentencePiece(path string, data []byte) (*Tokenizer, error) {
	m, err := readPieceModel(data)
	if err != nil {
		return nil, inFile(path, err)
	}
	t, err := fromPieces(m.pieces, m.spelling)
	if err != nil {
		return nil, inFile(path, err)
	}
	t.path = path
	t.config.name(nameBOS, t.tokens[m.bos])
	t.config.name(nameEOS, t.tokens[m.eos])
	if t.config.BOS != "" {
		t.before = []int64{int64(m.bos)}
	}
	return t, nil
}

// Pieces is the vocabulary of a SentencePiece model, by id, as GGUF stores it.
type Pieces struct {
	Texts       []string
	Scores      []float32
	Types       []int32 // llama_token_type in llama.h, which are those of sentencepiece_model.proto
	SpaceBefore bool    // a text is begun with a space
}

// ReadPieces reads the vocabulary of a tokenizer.model. Errors are those of ParseSentencePiece.
func ReadPieces(path string, data []byte) (*Pieces, error) {
	m, err := readPieceModel(data)
	if err != nil {
		return nil, inFile(path, err)
	}
	p := &Pieces{SpaceBefore: m.dummyPrefix}
	for _, piece := range m.pieces {
		p.Texts = append(p.Texts, piece.text)
		p.Scores = append(p.Scores, float32(piece.score))
		p.Types = append(p.Types, int32(piece.kind))
	}
	return p, nil
}

// readPieceModel reads a ModelProto that is supported.
func readPieceModel(data []byte) (*pieceModel, error) {
	m := &pieceModel{modelType: 1, bos: 1, eos: 2, spelling: spelling{dummyPrefix: true, squeeze: true}, escape: true}
	if err := m.parse(data); err != nil {
		return nil, err
	}
	return m, m.check()
}

// pieceModel is a ModelProto.
type pieceModel struct {
	pieces []piece
	spelling
	modelType  uint64
	bos, eos   int32
	suffix     bool // treat_whitespace_as_suffix
	escape     bool // escape_whitespaces
	normalizer string
	charsmap   int // bytes of the map
}

// check says what is not supported.
func (m *pieceModel) check() error {
	unsupported := func(where, format string, args ...any) error {
		return &badfile.UnsupportedError{Where: where, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(m.pieces) == 0:
		return &badfile.FormatError{Where: "pieces", Detail: "none: this is not a SentencePiece model"}
	case m.modelType != 2:
		return unsupported("trainer_spec.model_type", "found %d, expected 2 (BPE): give the tokenizer.json instead", m.modelType)
	case m.suffix || !m.escape:
		return unsupported("trainer_spec", "found spaces that are written in another way than as ▁ in front: give the tokenizer.json instead")
	case m.charsmap > 0:
		return unsupported("normalizer_spec.precompiled_charsmap", "found the rules %s, expected identity: give the tokenizer.json instead",
			badfile.Quote(m.normalizer))
	case !validScores(m.pieces):
		return &badfile.FormatError{Where: "pieces", Detail: "found a score that is not a number"}
	}
	for _, p := range m.pieces {
		if p.kind == unusedPiece {
			return unsupported("piece "+badfile.Quote(p.text), "found type UNUSED: give the tokenizer.json instead")
		}
	}
	return nil
}

// fields calls visit for every field of a message: with its number, and its value as a number or as bytes.
func fields(where string, data []byte, visit func(field protowire.Number, n uint64, b []byte) error) error {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return broken(where)
		}
		data = data[n:]
		var value uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			value = uint64(v)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(field, kind, data)
		}
		if n < 0 {
			return broken(where)
		}
		data = data[n:]
		if err := visit(field, value, b); err != nil {
			return err
		}
	}
	return nil
}

func broken(where string) error {
	return &badfile.FormatError{Where: where, Detail: "truncated or damaged, or no SentencePiece model at all"}
}

func (m *pieceModel) parse(data []byte) error {
	return fields("tokenizer.model", data, func(field protowire.Number, _ uint64, b []byte) error {
		switch field {
		case 1:
			return m.addPiece(b)
		case 2:
			return fields("trainer_spec", b, m.trainer)
		case 3:
			return fields("normalizer_spec", b, m.normalization)
		}
		return nil
	})
}

func (m *pieceModel) addPiece(data []byte) error {
	p := piece{kind: normalPiece}
	err := fields(fmt.Sprintf("pieces[%d]", len(m.pieces)), data, func(field protowire.Number, n uint64, b []byte) error {
		switch field {
		case 1:
			p.text = string(b)
		case 2:
			p.score = float64(math.Float32frombits(uint32(n)))
		case 3:
			p.kind = pieceType(n)
		}
		return nil
	})
	if err == nil && p.text == "" {
		err = &badfile.FormatError{Where: fmt.Sprintf("pieces[%d]", len(m.pieces)), Detail: "found an empty piece"}
	}
	m.pieces = append(m.pieces, p)
	return err
}

func (m *pieceModel) trainer(field protowire.Number, n uint64, _ []byte) error {
	switch field {
	case 3:
		m.modelType = n
	case 24:
		m.suffix = n != 0
	case 41:
		m.bos = int32(n)
	case 42:
		m.eos = int32(n)
	}
	return nil
}

func (m *pieceModel) normalization(field protowire.Number, n uint64, b []byte) error {
	switch field {
	case 1:
		m.normalizer = string(b)
	case 2:
		m.charsmap = len(b)
	case 3:
		m.dummyPrefix = n != 0
	case 4:
		m.squeeze = n != 0
	case 5:
		m.escape = n != 0
	}
	return nil
}

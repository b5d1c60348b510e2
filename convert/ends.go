package convert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/loader"
)

// keepEnds puts the ends of texts that a source has into a GGUF file: those that follow from the tokenizer are there, two
// more go into llama.cpp's keys for the ends of turns and messages, and the whole generation_config.json into a key of our
// own where these do not say it. What llama.cpp does otherwise is noted.
func (p *Plan) keepEnds() error {
	ids, _ := p.ck.StopTokens() // noted before
	ends, known := gguf.Ends(p.vocabulary)
	cfg := p.cfg.Clone()
	if known {
		if p.ck.GGUFKeys() == nil {
			for _, key := range []string{"eot_token_id", "eom_token_id"} {
				p.addEnd(key, lacking(ids, ends))
				ends, _ = gguf.Ends(p.vocabulary)
			}
		}
		p.noteEnds(ids, ends)
		p.setEnds(cfg, ends)
	}
	back, err := generationConfig(cfg)
	if err == nil && !bytes.Equal(back, p.generation) {
		p.ends = []gguf.KV{{Key: loader.KeyGeneration, Value: gguf.Of(string(p.generation))}}
	}
	return err
}

// lacking returns the ids that are not among others, sorted.
func lacking(ids, others []int64) (left []int64) {
	for _, id := range ids {
		if !slices.Contains(others, id) {
			left = append(left, id)
		}
	}
	slices.Sort(left)
	return slices.Compact(left)
}

// addEnd states the first of some ids in a key that is free, behind the other ids.
func (p *Plan) addEnd(key string, ids []int64) {
	at := 0
	for i, kv := range p.vocabulary {
		if kv.Key == ggufTokenizer+key {
			return
		}
		if strings.HasSuffix(kv.Key, "_token_id") || at == 0 {
			at = i + 1
		}
	}
	if len(ids) > 0 && ids[0] >= 0 {
		p.vocabulary = slices.Insert(slices.Clone(p.vocabulary), at, gguf.KV{Key: ggufTokenizer + key, Value: gguf.Of(uint32(ids[0]))})
	}
}

// noteEnds says where llama.cpp ends a text and the source does not, and the other way round.
func (p *Plan) noteEnds(ids, ends []int64) {
	if more := lacking(ends, ids); len(more) > 0 {
		p.Notes = append(p.Notes, "in a GGUF file a text ends at "+p.tokenList(more)+" too, where the source goes on")
	}
	if fewer := lacking(ids, ends); len(fewer) > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("llama.cpp does not have a key for the end of a text at %s: only gomamba ends there, by the key %s",
			p.tokenList(fewer), loader.KeyGeneration))
	}
}

// tokenList lists ids with their tokens.
func (p *Plan) tokenList(ids []int64) string {
	var tokens, list []string
	for _, kv := range p.vocabulary {
		if kv.Key == ggufTokenizer+"tokens" {
			tokens, _ = kv.Value.Strings() // rendered, or read before
		}
	}
	for _, id := range ids {
		text := fmt.Sprint(id)
		if id >= 0 && id < int64(len(tokens)) {
			text += " " + badfile.Quote(tokens[id])
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

package gguf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/layout/write"
)

// keepEnds puts the ends of texts that a source has into a GGUF file: those that follow from the tokenizer are there, two
// more go into llama.cpp's keys for the ends of turns and messages, and the whole generation_config.json into a key of our
// own where these do not say it. What llama.cpp does otherwise is noted.
func (g *target) keepEnds(p *write.Plan) error {
	ids := p.From.Stops
	ends, known := gguf.Ends(g.vocabulary)
	cfg := p.Config.Clone()
	if known {
		if p.From.Keys == nil {
			for _, key := range []string{"eot_token_id", "eom_token_id"} {
				g.addEnd(key, lacking(ids, ends))
				ends, _ = gguf.Ends(g.vocabulary)
			}
		}
		g.noteEnds(p, ids, ends)
		write.SetStops(cfg, ends)
	}
	back, err := write.Generation(cfg)
	if err == nil && !bytes.Equal(back, p.Texts.Generation) {
		g.ends = []gguf.KV{{Key: gguf.KeyGeneration, Value: gguf.Of(string(p.Texts.Generation))}}
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
func (g *target) addEnd(key string, ids []int64) {
	at := 0
	for i, kv := range g.vocabulary {
		if kv.Key == gguf.KeyTokenizer+key {
			return
		}
		if strings.HasSuffix(kv.Key, "_token_id") || at == 0 {
			at = i + 1
		}
	}
	if len(ids) > 0 && ids[0] >= 0 {
		g.vocabulary = slices.Insert(slices.Clone(g.vocabulary), at, gguf.KV{Key: gguf.KeyTokenizer + key, Value: gguf.Of(uint32(ids[0]))})
	}
}

// noteEnds says where llama.cpp ends a text and the source does not, and the other way round.
func (g *target) noteEnds(p *write.Plan, ids, ends []int64) {
	if more := lacking(ends, ids); len(more) > 0 {
		p.Note("in a GGUF file a text ends at " + g.tokenList(more) + " too, but not in the source")
	}
	if fewer := lacking(ids, ends); len(fewer) > 0 {
		p.Note(fmt.Sprintf("llama.cpp does not have a key for the end of a text at %s: only gomamba ends there, by the key %s",
			g.tokenList(fewer), gguf.KeyGeneration))
	}
}

// tokenList lists ids with their tokens.
func (g *target) tokenList(ids []int64) string {
	var tokens, list []string
	if v, ok := keyOf(g.vocabulary, "tokens"); ok {
		tokens, _ = v.Strings() // rendered, or read before
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

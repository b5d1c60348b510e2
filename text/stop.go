package text

import "github.com/gomamba/gomamba/loader"

// StopTokens returns the ids that end a text: those of the checkpoint or, if it does not state any, that of the tokenizer,
// which may be nil. If there is an error, it says what could not be read, and the ids are those of the rest.
func StopTokens(ck *loader.Checkpoint, t *Tokenizer) ([]int64, error) {
	ids, err := ck.StopTokens()
	if len(ids) == 0 {
		ids = t.eos()
	}
	return ids, err
}

// eos returns the token that ends a text for a tokenizer, which may be nil or have none.
func (t *Tokenizer) eos() []int64 {
	if t == nil || t.EOS() == "" {
		return nil
	}
	id, ok := t.ID(t.EOS())
	if !ok {
		return nil
	}
	return []int64{id}
}

// AnswerLimits returns the limits of an answer in a conversation. It ends at the stop tokens of the checkpoint and of its
// tokenizer, and at what the template puts after an answer; without a template, at an empty line. Tokens is 512, or 128 without
// a template. Errors are those of StopTokens.
func AnswerLimits(ck *loader.Checkpoint, t *Tokenizer, template *ChatTemplate) (Limits, error) {
	ids, err := StopTokens(ck, t)
	ids = append(ids, t.eos()...) // models end answers with it too
	if template == nil {
		return Limits{Tokens: 128, Stops: []string{"\n\n"}, StopTokens: ids}, err
	}
	limits := Limits{Tokens: 512, StopTokens: ids}
	end, word := template.EndOfTurn()
	if end >= 0 {
		limits.StopTokens = append(ids, end)
	}
	if word != "" {
		limits.Stops = []string{word}
	}
	return limits, err
}

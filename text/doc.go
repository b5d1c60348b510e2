// Package text stands between a model's token ids and what people read and write: tokenizers, chat templates,
// conversations, and where a generated text ends.
//
//	t, err := text.OpenOf(ck)                  // the tokenizer that a checkpoint comes with
//	ids := t.Encode("Hello", true)
//	template, err := t.ChatTemplate()          // nil if the model has none
//	prompt, err := template.Render([]text.Message{{Role: "user", Content: "Hello"}}, true)
//
// A Continuation collects what is generated for one prompt, up to a stop string, a stop token or a limit. A Conversation
// keeps the model's state between turns, so that each runs only what is new. Past is what a text continues: it makes the
// tokens at a joint those of the whole text.
package text

// Package text connects a model's token ids with text that people read and write. It has tokenizers, chat templates and
// conversations, and decides where generated text ends.
//
//	t, err := text.OpenOf(ck)                  // the tokenizer that comes with a checkpoint
//	ids := t.Encode("Hello", true)
//	template, err := t.ChatTemplate()          // nil if the model does not have one
//	prompt, err := template.Render([]text.Message{{Role: "user", Content: "Hello"}}, true)
//
// A Continuation collects what is generated for one prompt, up to a stop string, a stop token or a limit. A Conversation
// keeps the model's state between turns, so that each turn runs only new tokens. A Past describes the text so far, so that a
// text in two parts gets the same tokens as in one.
package text

package text_test

import (
	"fmt"
	"log"

	"github.com/gomamba/gomamba/text"
)

func ExampleOpen() {
	t, err := text.Open("../fixtures/tokenizers/llama")
	if err != nil {
		log.Fatal(err)
	}
	ids := t.Encode("the state", true)
	for _, id := range ids {
		fmt.Printf("%d %q\n", id, t.Piece(id))
	}
	fmt.Println(t.Decode(ids, true))
	// Output:
	// 1 "<s>"
	// 397 " t"
	// 430 "he"
	// 390 " s"
	// 305 "t"
	// 429 "ate"
	// 2 "</s>"
	// the state
}

func ExampleChatTemplate_Render() {
	t, err := text.Bytes().ParseChatTemplate(
		"{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}", "example")
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := t.Render([]text.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "Hello"}}, true)
	fmt.Println(prompt, err)
	// Output:
	// <|system|>Be brief.
	// <|user|>Hello
	// <|assistant|> <nil>
}

func ExampleContinuation() {
	t := text.Bytes()
	c := text.NewContinuation(t, text.Past{All: true}, text.Limits{Tokens: 100, Stops: []string{"\n\n"}})
	for _, id := range t.Encode("one\ntwo\n\nthree", false) { // as a model would draw them
		if c.Add(id); c.Finish() != "" {
			break
		}
	}
	fmt.Printf("%q, ended by %s\n", c.Text(), c.Finish())
	// Output: "one\ntwo", ended by stop
}

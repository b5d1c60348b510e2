// Chat holds a conversation of two turns, and prints it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/gomamba/gomamba"
)

func main() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	chat, err := m.Chat(gomamba.ChatOptions{Sampling: gomamba.Sampling{MaxTokens: 40, Stop: []string{"\n"}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, message := range []string{"// Read reads", "// Write writes"} {
		for _, err := range chat.Say(context.Background(), message) {
			if err != nil {
				log.Fatal(err)
			}
		}
	}
	for _, message := range chat.Messages() {
		fmt.Printf("%s: %s\n", message.Role, message.Content)
	}
}

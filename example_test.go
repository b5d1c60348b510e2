package gomamba_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/gomamba/gomamba"
)

func Example() {
	m, err := gomamba.Open("box") // or a folder, a file, or OWNER/NAME on the Hugging Face hub
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for piece, err := range m.Generate(context.Background(), "func (r *Reader) ", gomamba.Sampling{Stop: []string{" {"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece)
	}
	// Output: SetRead(b []byte) ([]byte, error)
}

func ExampleModel_Chat() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	chat, err := m.Chat(gomamba.ChatOptions{Sampling: gomamba.Sampling{MaxTokens: 20}})
	if err != nil {
		log.Fatal(err)
	}
	for piece, err := range chat.Say(context.Background(), "// Read reads") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece)
	}
	fmt.Println()
	fmt.Println(len(chat.Messages()), "messages")
	// Output:
	// the reader of the r
	// 2 messages
}

func ExampleModel_Score() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for _, text := range []string{"if err != nil {\n", "zf qrr 1= njl (\n"} {
		s, err := m.Score(context.Background(), text)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.2f bits per byte\n", s.BitsPerByte)
	}
	// Output:
	// 0.59 bits per byte
	// 6.68 bits per byte
}

func ExampleModel_Verify() {
	m, err := gomamba.Open("box")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	report, err := m.Verify(context.Background(), "box/ref.safetensors") // what transformers computed
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Passed, report.Verdict)
	// Output: true rounding only
}

func ExampleModel_Encode() {
	m, err := gomamba.Open("box") // whose tokens are bytes
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	ids, err := m.Encode("Go é")
	fmt.Println(ids, err)
	text, err := m.Decode(ids)
	fmt.Println(text, err)
	// Output:
	// [71 111 32 195 169] <nil>
	// Go é <nil>
}

func ExampleFormatError() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.gguf")
	if err := os.WriteFile(path, []byte("GGUF\x03\x00\x00\x00"), 0o666); err != nil {
		log.Fatal(err)
	}
	_, err = gomamba.Open(path)
	var bad *gomamba.FormatError
	if errors.As(err, &bad) {
		fmt.Println(filepath.Base(bad.File), "|", bad.Where, "|", bad.Detail)
	}
	// Output: model.gguf |  | truncated or damaged: 8 bytes wanted at byte 8, file has 8; download it again
}

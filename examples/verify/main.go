// Verify checks what another implementation computed with the same weights.
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
	report, err := m.Verify(context.Background(), "box/ref.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Verdict)
	if d := report.FirstDivergence; d != nil {
		fmt.Println("first in", d.Tensor, d.Index)
	}
}

package badfile

import (
	"fmt"
	"strings"
)

// Tensor is the Where of an error about a tensor.
func Tensor(name string) string { return "tensor " + Quote(name) }

// MaybeTensor is Tensor, or empty without a name.
func MaybeTensor(name string) string {
	if name == "" {
		return ""
	}
	return Tensor(name)
}

// MaxListed is how many things a message lists.
const MaxListed = 3

// QuoteList lists the first few names: `"a", "b", "c" and 5 more`.
func QuoteList(names []string) string {
	quoted := make([]string, 0, MaxListed)
	for _, name := range names[:min(len(names), MaxListed)] {
		quoted = append(quoted, Quote(name))
	}
	return List(quoted, len(names))
}

// List lists the first few of n things, of which listed holds some, as they are to be shown.
func List(listed []string, n int) string {
	listed = listed[:min(len(listed), MaxListed)]
	text := strings.Join(listed, ", ")
	if rest := n - len(listed); rest > 0 {
		return fmt.Sprintf("%s and %d more", text, rest)
	}
	return text
}

// Shape renders a shape as PyTorch users write it.
func Shape(dims []int) string { return strings.ReplaceAll(fmt.Sprint(dims), " ", ", ") }

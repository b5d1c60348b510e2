package dump

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/safetensors"
)

// Replaceable refuses to replace a file that is not a dump: weights, or tensors that a dump does not have.
func Replaceable(path string) error {
	const advice = "only a dump is replaced: remove it first, or choose another name"
	file, err := safetensors.Open(path)
	if err != nil {
		return fmt.Errorf("%s: is not a dump; %s", path, advice)
	}
	defer file.Close() // it was only read
	for _, t := range file.Tensors() {
		if _, ok := parse(safetensors.Entry{Name: t.Name, DType: t.DType, Shape: t.Shape}); !ok {
			return fmt.Errorf("%s: holds the tensor %s, which no dump has; %s", path, badfile.Quote(t.Name), advice)
		}
	}
	return nil
}

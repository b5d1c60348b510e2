package tokenizer

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// An encoding whose context has ended ends with its cause, also that of what a chat template made.
func TestCanceled(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	tok := open(t, "neox")
	long := strings.Repeat("a state space model ", 1<<14)
	for name, encode := range map[string]func() ([]int64, error){
		"EncodeContext":         func() ([]int64, error) { return tok.EncodeContext(ctx, long, true) },
		"ContinueContext":       func() ([]int64, error) { return tok.ContinueContext(ctx, []int64{70}, long) },
		"EncodeTemplateContext": func() ([]int64, error) { return tok.EncodeTemplateContext(ctx, long) },
	} {
		if ids, err := encode(); !errors.Is(err, cause) || ids != nil {
			t.Errorf("%s: %d ids, error %v", name, len(ids), err)
		}
	}
}

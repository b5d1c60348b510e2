package compare_test

import (
	"context"
	"testing"

	"github.com/gomamba/gomamba/convert"
	"github.com/gomamba/gomamba/loader"
)

func openFixture(t *testing.T, path string) *loader.Checkpoint {
	t.Helper()
	ck, err := loader.Open(path, loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	return ck
}

// converted writes a checkpoint in another layout.
func converted(t *testing.T, src, dst string, req convert.Request) string {
	t.Helper()
	plan, err := convert.NewPlan(openFixture(t, src), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(context.Background(), dst, convert.Options{}); err != nil {
		t.Fatal(err)
	}
	return dst
}

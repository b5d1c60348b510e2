//go:build !race

// The race detector makes sync.Pool drop what it is given now and then.

package model

import (
	"context"
	"testing"

	"github.com/gomamba/gomamba/loader"
)

// TestTokenAllocatesNothing runs token after token of each family, and looks at the states that are left: keys and values are not
// copied for that.
func TestTokenAllocatesNothing(t *testing.T) {
	for _, fixture := range []string{
		"mamba1/default", "falcon/default", "mamba2/groups4", "nemotron/latent", "granite/moe", "jamba/moe", "mambassm/options",
		"zamba/default", "zamba2/adapters",
	} {
		ck, err := loader.Open("../fixtures/"+fixture, loader.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer ck.Close()
		m, err := New(ck, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		cache, batch := m.NewCache(1), Single([]int64{3})
		logits := 0
		visit := func(p *Part) error {
			logits += len(p.Logits)
			return nil
		}
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Stream(context.Background(), batch, cache, Want{Logits: LogitsLast}, visit); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a token", fixture, n)
		}
		if n := testing.AllocsPerRun(10, func() { cache.NonFinite() }); n != 0 {
			t.Errorf("%s: %v allocations to look for what is not finite", fixture, n)
		}
	}
}

package model

import (
	"strings"
	"testing"

	"github.com/gomamba/gomamba/loader"
)

// Keys and values count: a context that memory cannot hold is refused before anything of it is run.
func TestContextBeyondMemory(t *testing.T) {
	ck, err := loader.Open("../fixtures/nemotron/dense", loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	const most = "have keys and values of 256 bytes each, which are 17179869184 bytes in memory: expected 67108818 tokens at most"
	if err := CheckContext(ck.Config(), 2, 1<<25); err == nil || !strings.Contains(err.Error(), most) {
		t.Errorf("%v", err)
	}
	if err := CheckContext(ck.Config(), 2, 67108818/2); err != nil {
		t.Errorf("%v", err)
	}
	m, err := New(ck, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.footprint.token = maxMemory / 4
	cache := m.NewCache(1)
	if _, err := m.Forward(t.Context(), Single([]int64{1, 2}), cache, Want{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Forward(t.Context(), Single([]int64{3, 4}), cache, Want{}); err == nil || !strings.Contains(err.Error(), "4 tokens in all") {
		t.Errorf("%v", err)
	}
	if tokens := cache.Tokens(); tokens[0] != 2 {
		t.Errorf("the cache holds %v tokens after a pass that was refused", tokens)
	}
}

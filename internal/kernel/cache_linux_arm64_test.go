//go:build !purego

package kernel

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSecondLevelCache reads what machines say of their caches.
func TestSecondLevelCache(t *testing.T) {
	type cache map[string]string // files of an index
	l1 := cache{"level": "1", "type": "Data", "size": "64K", "shared_cpu_list": "0"}
	code := cache{"level": "2", "type": "Instruction", "size": "64K", "shared_cpu_list": "0"}
	for _, c := range []struct {
		name   string
		caches []cache
		want   int
	}{
		{"a core with its own", []cache{l1, {"level": "2", "type": "Unified", "size": "1024K", "shared_cpu_list": "5"}}, 1 << 20},
		{"four cores share one", []cache{code, {"level": "2", "type": "Unified", "size": "1024K", "shared_cpu_list": "0-3"}}, 1 << 18},
		{"three cores share one", []cache{{"level": "2", "type": "Data", "size": "768K", "shared_cpu_list": "0-1,4"}}, 1 << 18},
		{"a virtual machine", nil, 0},
		{"no size", []cache{{"level": "2", "type": "Unified", "shared_cpu_list": "0"}}, 0},
		{"no list", []cache{{"level": "2", "type": "Unified", "size": "512K"}}, 1 << 19},
	} {
		folder := t.TempDir()
		for i, files := range c.caches {
			index := filepath.Join(folder, "index"+string(rune('0'+i)))
			if err := os.Mkdir(index, 0o777); err != nil {
				t.Fatal(err)
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(index, name), []byte(text+"\n"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := secondLevelOf(folder); got != c.want {
			t.Errorf("%s: %d bytes, want %d", c.name, got, c.want)
		}
	}
}

//go:build linux && !purego

package hostile

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fullFileSystems converts onto file systems that are too small from the start, or fill up meanwhile. It takes the
// right to mount them, so it belongs to the long run.
func fullFileSystems(t *testing.T, v *victim) {
	rng := draws(t)
	points := 0
	for _, to := range targets {
		size := v.size[to.to]
		for _, room := range []int64{1 << 20, size / 2, size * 9 / 10, size - 4096, size + 1<<16} {
			for _, meanwhile := range []bool{false, true} {
				dir := filepath.Join(t.TempDir(), "small")
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				whole := room
				if meanwhile {
					whole += size * 2
				}
				if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+jsonNumber(uint64(whole+4095)/4096*4096)); err != nil {
					t.Fatal(err)
				}
				ballast := make(chan struct{})
				if meanwhile { // all but room is taken by another while the conversion is at work
					time.AfterFunc(time.Duration(rng.Float64()*0.7*float64(v.took[to.to])), func() {
						fill(filepath.Join(dir, "ballast"))
						close(ballast)
					})
				}
				dst := filepath.Join(dir, to.name)
				o := run(t, dir, v.convert(to.to, dst)...)
				if meanwhile {
					<-ballast
				}
				if o.Code == 0 {
					if !v.whole(t, to.to, dst) {
						t.Error("exit 0 and nothing there")
					}
				} else {
					points++
					failed(t, o, "no space left on device", "free")
					os.Remove(filepath.Join(dir, "ballast")) // where there is one
					empty(t, dir)
				}
				if err := unix.Unmount(dir, 0); err != nil {
					t.Error(err)
				}
			}
		}
	}
	t.Logf("%d conversions met a full file system", points)
}

// fill takes what is free.
func fill(path string) {
	f, err := os.Create(path)
	if err != nil {
		return
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	rand.Read(block) // never fails
	for size := len(block); size >= 4096; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
}

package slots

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
)

// buffer is a file in memory.
type buffer struct {
	mu sync.Mutex
	b  []byte
}

func (b *buffer) WriteAt(p []byte, off int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return copy(b.b[off:], p), nil
}

// TestAnyOrder writes pieces of all sizes in random order from many goroutines, and compares bytes and checksums.
func TestAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		want := make([]byte, 1+rng.IntN(5000))
		for i := range want {
			want[i] = byte(rng.Uint32())
		}
		file := &buffer{b: make([]byte, len(want)+10)}
		w := New("test", file)
		w.KeepSums()
		w.Add("a", 10, int64(len(want)))
		w.Add("none", 3, 0)
		var cuts []int
		for at := 0; at < len(want); at += 1 + rng.IntN(400) {
			cuts = append(cuts, at)
		}
		ends := append(cuts[1:len(cuts):len(cuts)], len(want))
		var wait sync.WaitGroup
		for _, i := range rng.Perm(len(cuts)) {
			wait.Go(func() {
				if err := w.WriteAt("a", int64(cuts[i]), want[cuts[i]:ends[i]]); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file.b[10:], want) || w.Sum("a") != crc32.ChecksumIEEE(want) || w.Sum("none") != 0 {
			t.Fatalf("%d bytes in %d pieces: other bytes or checksum", len(want), len(cuts))
		}
	}
}

// TestRefuses checks what is not a piece of a part, and that Close reports it.
func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int64
		n    int
		want string
	}{
		{"b", 0, 1, `test: tensor "b" was not announced`},
		{"a", -1, 1, `test: tensor "a": 1 bytes at -1 do not fit its 8 bytes`},
		{"a", 7, 2, `test: tensor "a": 2 bytes at 7 do not fit its 8 bytes`},
		{"a", 9, 0, `test: tensor "a": 0 bytes at 9 do not fit its 8 bytes`},
		{"a", 1<<63 - 1, 2, `test: tensor "a": 2 bytes at 9223372036854775807 do not fit its 8 bytes`},
		{"a", 1, 4, `test: tensor "a": some of bytes 1 to 5 were written before`},
	} {
		w := New("test", &buffer{b: make([]byte, 8)})
		w.Add("a", 0, 8)
		if err := w.WriteAt("a", 4, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err == nil || err.Error() != `test: tensor "a": incomplete, byte 0 of 8 was never written` {
			t.Error(err)
		}
		if err := w.WriteAt(c.name, c.at, make([]byte, c.n)); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if err := w.Close(); err == nil || err.Error() != c.want {
			t.Errorf("closed with %v, want %s", err, c.want)
		}
	}
}

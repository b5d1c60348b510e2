package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/gguf"
)

// A GGUF file of FalconMamba from before llama.cpp had a flag for it passes for a plain Mamba model, but for its name.
func TestDoctorRepairsGGUF(t *testing.T) {
	p := admit(t, "falcon/default")
	p.config["mixer_rms_eps"] = 1e-6 // as published; GGUF does not have a key for it
	p.release()
	falcon, dir := p.dir, t.TempDir()
	whole, ill, fixed := filepath.Join(dir, "tiny-falcon-mamba.gguf"), filepath.Join(dir, "ill.gguf"), filepath.Join(dir, "fixed.gguf")
	if out, err := gomamba(t, "convert", falcon, whole); err != nil {
		t.Fatal(out, err)
	}
	withoutFlag(t, whole, ill)
	if out, err := gomamba(t, "diff", falcon, ill); err == nil {
		t.Fatalf("the file lost nothing: %s", out)
	}
	out, err := gomamba(t, "doctor", ill, "--fix", fixed)
	if err != nil || !strings.Contains(out, `general.name is "tiny falcon mamba": this is FalconMamba`) {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := gomamba(t, "diff", falcon, fixed); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := gomamba(t, "doctor", fixed); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Blocks whose scale is not finite are named: by the doctor, and by a conversion that would spread them.
func TestDoctorNamesBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.gguf")
	if out, err := gomamba(t, "convert", "../../fixtures/mamba1/default", path, "--dtype", "q8_0"); err != nil {
		t.Fatal(out, err)
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x, _ := f.Tensor("blk.1.ssm_out.weight")
	blocks := bytes.Clone(x.Data) // of 34 bytes, two in a row
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, blocks)
	copy(data[at+5*34:], "\x00\x7e") // NaN
	copy(data[at+8*34:], "\x00\xfc") // -Inf
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := gomamba(t, "doctor", path)
	if want := `tensor "blk.1.ssm_out.weight": found 32 NaN and 32 infinities in 2 blocks of Q8_0`; err == nil || !strings.Contains(out, want) ||
		!strings.Contains(out, "the first of them block 1 of row 2, whose scale is not finite or too large") {
		t.Errorf("%v: %s", err, out)
	}
	_, err = gomamba(t, "convert", path, filepath.Join(filepath.Dir(path), "hf"))
	if want := path + `: tensor "blk.1.ssm_out.weight": block 5 of Q8_0, elements 160 to 191, is not finite: element 160 is NaN`; err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	out, err = gomamba(t, "verify", path)
	if want := "verdict: not comparable: the model computes non-finite values: hidden_states.1 is NaN at "; err == nil || !strings.Contains(out, want) {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
}

// withoutFlag copies a GGUF file without what names its family, under a name that does.
func withoutFlag(t *testing.T, from, to string) {
	f, err := gguf.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var keys []gguf.KV
	for _, kv := range f.KVs() {
		if kv.Key == "general.name" {
			kv.Value = gguf.Of("tiny falcon mamba")
		}
		if !slices.Contains([]string{"mamba.ssm.dt_b_c_rms", "gomamba.config"}, kv.Key) {
			keys = append(keys, kv)
		}
	}
	var entries []gguf.Entry
	for _, x := range f.Tensors() {
		entries = append(entries, gguf.Entry{Name: x.Name, Type: x.Type, Shape: x.Shape})
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := gguf.NewWriter(out, keys, entries)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range f.Tensors() {
		if err := w.WriteAt(x.Name, 0, x.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/gomamba/gomamba/tensor"
)

// A tensor's name is anybody's text: a terminal must show it and not obey it, and JSON must keep it.
func TestNamesDoNotReachTheTerminal(t *testing.T) {
	const name = "a\x1b[2J\u009b31m\u202e\U000E0041\x7fz"
	p := admit(t, "mamba1/default")
	p.tensors = append(p.tensors, tensor.Tensor{Name: name, DType: tensor.F32, Shape: []int{1}, Data: make([]byte, 4)})
	p.release()
	var report string
	for _, args := range [][]string{{"inspect", p.dir}, {"inspect", p.dir, "--tensors"}, {"diff", p.dir, "../../fixtures/mamba1/default"}, {"doctor", p.dir}, {"inspect", p.dir, "--json"}} {
		out, _ := gomamba(t, args...) // a stray tensor makes some of them end with 1
		if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }) {
			t.Errorf("%q prints %q", args, out)
		}
		report = out
	}
	var info listing
	if err := json.Unmarshal([]byte(report), &info); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(info.Tensors, func(x tensorInfo) bool { return x.Name == name }) {
		t.Errorf("JSON lost the name: %s", report)
	}
}

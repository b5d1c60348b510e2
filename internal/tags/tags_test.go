package tags

import (
	"strings"
	"testing"
)

// A tag chooses the file that llama.cpp chooses. If that takes the first of several, they are listed.
func TestChoose(t *testing.T) {
	const many = "README.md imatrix.gguf m-IQ4_NL.gguf m-Q4_0.gguf m-Q4_K_M.gguf m-Q4_K_S.gguf m-q8_0.gguf m.F16.gguf mmproj-m-Q4_K_M.gguf"
	for _, test := range []struct{ names, tag, want string }{
		{many, "Q4_K_M", "m-Q4_K_M.gguf"},
		{many, "q4_k_m", "m-Q4_K_M.gguf"},
		{many, "Q8_0", "m-q8_0.gguf"},
		{many, "f16", "m.F16.gguf"},
		{many, "latest", "m-Q4_K_M.gguf"},
		{many, "m-Q4_0.gguf", "m-Q4_0.gguf"},
		{many, "K_S", "m-Q4_K_S.gguf"},
		{many, "Q5_K_M", `error: no GGUF file of the repository has the tag "Q5_K_M": choose one of IQ4_NL, Q4_0, Q4_K_M, Q4_K_S, Q8_0, F16`},
		{many, "Q4", `error: no GGUF file of the repository has the tag "Q4": choose one of IQ4_NL, Q4_0, Q4_K_M, Q4_K_S, Q8_0, F16`},
		{"a-Q6_K.gguf b-Q6_K.gguf", "q6_k", `error: 2 GGUF files of the repository have the tag "q6_k": choose one of a-Q6_K.gguf, b-Q6_K.gguf`},
		{"a-Q6_K.gguf b-Q6_K.gguf", "b-Q6_K", "b-Q6_K.gguf"},
		{"m-UD-Q4_K_XL.gguf m-Q4_K_XL.gguf", "UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"},
		{"Q6_K/m-00001-of-00002.gguf m-Q4_0.gguf Q6_K/m-00002-of-00002.gguf", "Q6_K", "Q6_K/m-00001-of-00002.gguf Q6_K/m-00002-of-00002.gguf"},
		{"m-Q6_K-00001-of-00003.gguf m-Q6_K-00003-of-00003.gguf", "Q6_K", "error: the repository has 2 of the 3 parts of m-Q6_K.gguf"},
		{"m-Q8_0.gguf m-Q5_0.gguf", "latest", "m-Q8_0.gguf"},
		{"m-Q6_K.gguf m-Q5_0.gguf", "latest", "m-Q5_0.gguf"},
		{"config.json model.safetensors", "Q6_K", `error: the tag "Q6_K" chooses a GGUF file, and the repository does not have one: it holds "config.json", "model.safetensors"`},
	} {
		got, err := Choose(test.tag)(strings.Fields(test.names))
		text := strings.Join(got, " ")
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != test.want {
			t.Errorf("%s of %s: %s\nexpected %s", test.tag, test.names, text, test.want)
		}
	}
}

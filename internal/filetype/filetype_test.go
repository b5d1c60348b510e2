package filetype

import (
	"bufio"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/tensor"
)

// golden is a model of testdata/llama-quantize.txt.
type golden struct {
	name    string
	model   Model
	tensors []Tensor // those that are kept first
	kept    int
	lines   [][]string // a file type, and the types that llama.cpp gives the tensors
}

func readGolden(t *testing.T) (models []*golden) {
	f, err := os.Open("testdata/llama-quantize.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	number := func(s string) int {
		_, after, found := strings.Cut(s, "=")
		if !found {
			after = s
		}
		n, err := strconv.Atoi(after)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "#":
		case "model":
			models = append(models, &golden{name: words[1], model: Model{Blocks: number(words[3]), GQA: number(words[4]), Experts: number(words[5])}})
		case "keep", "tensor":
			g := models[len(models)-1]
			tensor := Tensor{Name: words[1]}
			for size := range strings.SplitSeq(words[2], "x") {
				tensor.Shape = append(tensor.Shape, number(size))
			}
			g.tensors = append(g.tensors, tensor)
			if words[0] == "keep" {
				g.kept++
			}
		default:
			models[len(models)-1].lines = append(models[len(models)-1].lines, words)
		}
	}
	if err := lines.Err(); err != nil || len(models) == 0 {
		t.Fatal(models, err)
	}
	return models
}

// TestLlamaQuantize holds every file type to what llama.cpp's library gave the tensors of pure models of every width and of
// hybrids with the published patterns of blocks.
func TestLlamaQuantize(t *testing.T) {
	for _, g := range readGolden(t) {
		seen := map[string][]string{}
		for _, words := range g.lines {
			seen[words[0]] = words[1:]
		}
		for _, f := range All {
			if f.head == 0 {
				continue
			}
			for _, importance := range []bool{false, true} {
				want, ok := seen[f.Name+"+imatrix"]
				if !importance || !ok {
					want = seen[f.Name]
				}
				if len(want) == 0 {
					t.Fatalf("%s: llama.cpp was not asked for %s", g.name, f.Name)
				}
				choices, err := f.Assign(g.model, g.tensors, importance, nil)
				if refused := want[0] == "refused"; refused != (err != nil) {
					t.Errorf("%s as %s: error %v, refused by llama.cpp: %v", g.name, f.Name, err, refused)
				}
				if err == nil {
					g.compare(t, f.Name, choices, want)
				}
			}
		}
		if n := len(seen); n < len(All)-3 {
			t.Errorf("%s: %d file types of llama.cpp, %d here", g.name, n, len(All))
		}
	}
}

// compare holds choices to types, each with how often it follows itself.
func (g *golden) compare(t *testing.T, fileType string, choices []Choice, types []string) {
	var want []string
	for _, run := range types {
		name, times, found := strings.Cut(run, "*")
		n := 1
		if found {
			n, _ = strconv.Atoi(times)
		}
		for range n {
			want = append(want, name)
		}
	}
	if len(want) != len(choices)-g.kept {
		t.Fatalf("%s: %d tensors, llama.cpp has %d types", g.name, len(choices)-g.kept, len(want))
	}
	for i, c := range choices {
		switch {
		case i < g.kept && c.DType != 0:
			t.Errorf("%s as %s: %s is %s, llama.cpp keeps it", g.name, fileType, g.tensors[i].Name, c.DType)
		case i >= g.kept && c.DType.String() != want[i-g.kept]:
			t.Errorf("%s as %s: %s %v is %s, llama.cpp has %s", g.name, fileType, g.tensors[i].Name, g.tensors[i].Shape, c.DType, want[i-g.kept])
		}
	}
}

// TestOverrides asks for dtypes by name: the first pattern that matches decides, fallbacks hold, and the rest is the file type's.
func TestOverrides(t *testing.T) {
	f, ok := Parse("Q4_K")
	if !ok || f.Name != "q4_k_m" {
		t.Fatal("Q4_K is not q4_k_m")
	}
	tensors := []Tensor{
		{"token_embd.weight", []int{512, 768}}, {"blk.0.ssm_in.weight", []int{3072, 768}}, {"blk.1.ssm_in.weight", []int{3072, 768}},
		{"blk.0.ssm_dt.weight", []int{1536, 64}}, {"blk.0.attn_norm.weight", []int{768}}, {"blk.0.ssm_out.weight", []int{768, 1536}},
	}
	overrides := []Override{
		{regexp.MustCompile(`blk\.0\.ssm_in`), tensor.Q6_K}, {regexp.MustCompile("ssm_in|norm"), tensor.BF16}, {regexp.MustCompile("ssm_dt"), tensor.Q6_K},
	}
	want := []tensor.DType{tensor.Q6_K, tensor.Q6_K, tensor.BF16, tensor.Q8_0, 0, tensor.Q4_K}
	choices, err := f.Assign(Model{Blocks: 2}, tensors, false, overrides)
	for i, c := range choices {
		if c.DType != want[i] {
			t.Errorf("%s is %s, want %s", tensors[i].Name, c.DType, want[i])
		}
	}
	if err != nil || choices[3].Fallback != tensor.Q6_K {
		t.Errorf("the fallback of ssm_dt is %s, error %v", choices[3].Fallback, err)
	}
	none := (*Type)(nil)
	if choices, _ := none.Assign(Model{Blocks: 2}, tensors, false, overrides); choices[5].DType != 0 || choices[1].DType != tensor.Q6_K {
		t.Errorf("without a file type: %+v", choices)
	}
}

// TestImportance asks which tensors are useless without an importance matrix.
func TestImportance(t *testing.T) {
	tensors := []Tensor{{"token_embd.weight", []int{512, 768}}, {"blk.0.ssm_in.weight", []int{3072, 768}}}
	for name, want := range map[string]bool{"iq2_m": true, "iq1_s": true, "iq3_xxs": true, "q2_k_s": true, "q2_k": false, "iq3_xs": false, "iq4_xs": false} {
		f, _ := Parse(name)
		choices, err := f.Assign(Model{Blocks: 1}, tensors, false, nil)
		if err != nil || choices[0].Importance || choices[1].Importance != want {
			t.Errorf("%s: %+v, %v", name, choices, err)
		}
	}
}

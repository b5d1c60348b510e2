package adapter

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout"
)

// settings are what adapter_config.json says (PEFT 0.21, tuners/lora/config.py).
type settings struct {
	file string

	base, revision string

	rank          int
	alpha         float64
	ranks, alphas []pattern // of single modules
	rsLoRA, dora  bool
	bias          bool // of B
	tied          bool // what changes the embedding changes a tied head

	targets    targets
	parameters []string
	tokens     []trained
}

// pattern gives modules a value of their own.
type pattern struct {
	key   string
	match *regexp.Regexp
	value float64
}

// trained are the rows of a module that were trained one by one.
type trained struct {
	module string // the end of its name; empty: the embedding
	rows   []int
}

// maxListed bounds the lists of a configuration.
const maxListed = 1 << 16

// beyond are the settings with which PEFT computes something else than a LoRA, and what that is. An adapter that has one of
// them is refused.
var beyond = []struct{ key, what string }{
	{"use_bdlora", "block-diagonal factors"},
	{"arrow_config", "a choice among adapters for every token"},
	{"alora_invocation_tokens", "an adapter that only some tokens switch on"},
	{"velora_config", "VeLoRA"},
	{"monteclora_config", "MonteCLoRA"},
	{"kasa_config", "KaSA"},
	{"use_qalora", "QA-LoRA"},
	{"layer_replication", "layers that stand more than once in the model"},
	{"megatron_config", "a model that Megatron spreads over several GPUs"},
}

// residual are values of init_lora_weights with which PEFT takes the initial product out of the base model's weights, or
// computes otherwise. They are matched as beginnings.
var residual = []string{"pissa", "olora", "corda", "lora_ga", "loftq", "mica"}

// readSettings reads the configuration of an adapter.
func readSettings(dir string) (*settings, error) {
	s := &settings{file: filepath.Join(dir, filenames.AdapterConfig)}
	if !layout.Exists(s.file) {
		return nil, &badfile.FormatError{File: dir, Detail: "found no " + filenames.AdapterConfig + "; give the folder that PEFT saved the adapter in"}
	}
	data, err := jsonobj.ReadFile(s.file, config.MaxFile)
	if err != nil {
		return nil, err
	}
	keys, err := jsonobj.Parse(data)
	if err != nil {
		return nil, s.bad("", "%v", err)
	}
	r := &reader{s: s, keys: keys}
	if err := r.refuse(); err != nil {
		return nil, err
	}
	s.base, s.revision = r.text("base_model_name_or_path"), r.text("revision")
	s.rank, s.alpha = r.whole("r", 8), r.number("lora_alpha", 8)
	s.ranks, s.alphas = r.patterns("rank_pattern"), r.patterns("alpha_pattern")
	s.rsLoRA, s.dora, s.bias, s.tied = r.flag("use_rslora"), r.flag("use_dora"), r.flag("lora_bias"), r.flag("ensure_weight_tying")
	r.targets(&s.targets)
	s.parameters = r.list("target_parameters")
	s.tokens = r.tokens("trainable_token_indices")
	return s, r.err
}

func (s *settings) bad(key, format string, args ...any) error {
	return &badfile.FormatError{File: s.file, Where: key, Detail: fmt.Sprintf(format, args...)}
}

// scale is what the product of a module of that rank is multiplied with, in float32 as PyTorch multiplies a tensor with a number.
func (s *settings) scale(module string, rank int) (float32, error) {
	alpha := s.alpha
	for _, p := range s.alphas {
		if p.match.MatchString(module) {
			alpha = p.value
			break
		}
	}
	divisor := float64(rank)
	if s.rsLoRA {
		divisor = math.Sqrt(divisor)
	}
	scale := float32(alpha / divisor)
	if f := float64(scale); math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, s.bad("lora_alpha", "found %g for %s, expected a number that float32 holds", alpha, badfile.Quote(module))
	}
	return scale, nil
}

// rankOf is the rank that a module must have.
func (s *settings) rankOf(module string) int {
	for _, p := range s.ranks {
		if p.match.MatchString(module) {
			return int(p.value)
		}
	}
	return s.rank
}

// reader reads keys and keeps the first error.
type reader struct {
	s    *settings
	keys jsonobj.Members
	err  error
}

// get returns the value of a key; ok is false of one that is missing or null.
func (r *reader) get(key string) (v jsonobj.Value, ok bool) {
	v, ok = r.keys.Get(key)
	return v, ok && v.Kind() != jsonobj.Null
}

func (r *reader) fail(key string, v jsonobj.Value, expected string) {
	if r.err == nil {
		r.err = r.s.bad(key, "found %s, expected %s", v, expected)
	}
}

// refuse names what makes an adapter another thing than a LoRA.
func (r *reader) refuse() error {
	unsupported := func(key, format string, args ...any) error {
		return &badfile.UnsupportedError{File: r.s.file, Where: key, Detail: fmt.Sprintf(format, args...)}
	}
	kind, ok := r.get("peft_type")
	if !ok {
		return unsupported("peft_type", "missing: this is not an adapter of PEFT")
	}
	if text, _ := kind.Text(); text != "LORA" {
		return unsupported("peft_type", `found %s, expected "LORA": other kinds of adapters are not read`, kind)
	}
	for _, b := range beyond {
		v, ok := r.get(b.key)
		if on, isBool := v.Bool(); ok && (!isBool || on) {
			return unsupported(b.key, "found %s: %s is not read", v, b.what)
		}
	}
	if v, ok := r.get("init_lora_weights"); ok {
		text, _ := v.Text()
		if slices.ContainsFunc(residual, func(name string) bool { return strings.HasPrefix(strings.ToLower(text), name) }) {
			return unsupported("init_lora_weights", "found %s: such an adapter belongs to weights that PEFT has changed, not to those of the base model; "+
				"save it as a LoRA, with path_initial_model_for_weight_conversion of save_pretrained", v)
		}
	}
	return nil
}

func (r *reader) text(key string) string {
	v, ok := r.get(key)
	if !ok {
		return ""
	}
	text, ok := v.Text()
	if !ok {
		r.fail(key, v, "a string")
	}
	return text
}

func (r *reader) flag(key string) bool {
	v, ok := r.get(key)
	if !ok {
		return false
	}
	on, ok := v.Bool()
	if !ok {
		r.fail(key, v, "true or false")
	}
	return on
}

// maxRank bounds ranks: beyond it, a product is larger than any weight.
const maxRank = 1 << 20

func (r *reader) whole(key string, usual int) int {
	v, ok := r.get(key)
	if !ok {
		return usual
	}
	n, ok := v.Int()
	if !ok || n < 1 || n > maxRank {
		r.fail(key, v, "a whole number from 1 to 1048576")
	}
	return n
}

func (r *reader) number(key string, usual float64) float64 {
	v, ok := r.get(key)
	if !ok {
		return usual
	}
	f, ok := v.Float()
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail(key, v, "a finite number")
	}
	return f
}

// list reads a string, or an array of strings.
func (r *reader) list(key string) (list []string) {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	if text, ok := v.Text(); ok {
		return []string{text}
	}
	elems, ok := v.Elems(maxListed)
	for _, e := range elems {
		text, isText := e.Text()
		ok = ok && isText
		list = append(list, text)
	}
	if !ok {
		r.fail(key, v, "a list of names")
	}
	return list
}

// whole numbers reads a number, or an array of numbers.
func (r *reader) numbers(key string, v jsonobj.Value) (list []int) {
	if n, ok := v.Int(); ok {
		return []int{n}
	}
	elems, ok := v.Elems(maxListed)
	for _, e := range elems {
		n, isInt := e.Int()
		ok = ok && isInt && n >= 0
		list = append(list, n)
	}
	if !ok {
		r.fail(key, v, "a list of whole numbers")
	}
	return list
}

// patterns reads an object of regular expressions and numbers. As in PEFT, one matches the end of a module's name.
func (r *reader) patterns(key string) (list []pattern) {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	members, ok := v.Members()
	for _, m := range members {
		value, isNumber := m.Value.Float()
		if !isNumber || math.IsNaN(value) || math.IsInf(value, 0) || key == "rank_pattern" && (value < 1 || value > maxRank || value != math.Trunc(value)) {
			ok = false
			break
		}
		match, err := regexp.Compile(`^(.*\.)?(` + m.Key + `)$`)
		if err != nil {
			r.unreadable(key, m.Key)
			return nil
		}
		list = append(list, pattern{m.Key, match, value})
	}
	if !ok {
		r.fail(key, v, "an object of names and numbers")
	}
	return list
}

// unreadable refuses a regular expression of Python's that Go's do not have.
func (r *reader) unreadable(key, expression string) {
	if r.err == nil {
		r.err = &badfile.UnsupportedError{File: r.s.file, Where: key, Detail: "found the regular expression " + badfile.Quote(expression) +
			", which is not one that can be read here; write it without look-around and back references"}
	}
}

// tokens reads the ids of single tokens: of the embedding, or of modules by name.
func (r *reader) tokens(key string) (list []trained) {
	v, ok := r.get(key)
	if !ok {
		return nil
	}
	if members, ok := v.Members(); ok {
		for _, m := range members {
			list = append(list, trained{m.Key, r.numbers(key, m.Value)})
		}
		return list
	}
	return []trained{{"", r.numbers(key, v)}}
}

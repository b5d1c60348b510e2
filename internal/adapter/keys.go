package adapter

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/tensor"
)

// module is what an adapter has for one module of the model.
type module struct {
	name  string // as in the model that was trained
	depth int    // of a module with several parameters that are changed: which of them, the last one being 0

	a, b, bias tensor.Tensor // factors, and the bias of B
	embedding  bool          // they are those of an embedding, the other way round
	magnitude  tensor.Tensor // of DoRA
	tokens     tensor.Tensor // rows with other values
}

// example is a tensor to name in messages.
func (m *module) example() string {
	for _, t := range []tensor.Tensor{m.a, m.b, m.magnitude, m.tokens} {
		if t.Name != "" {
			return t.Name
		}
	}
	return m.bias.Name
}

// parsed are the tensors of an adapter by what they are for.
type parsed struct {
	modules map[string]*module
	plain   []plain // that stand in for the base model's
}

type plain struct {
	tensor.Tensor
	param string // as in the model that was trained
}

// own are the names that PEFT gives its tensors within a module, with the adapter's own name in the files of trainers that leave
// it there.
var own = regexp.MustCompile(`^(.+?)\.(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector|token_adapter\.trainable_tokens_delta)((?:\.[^.]+)*?)(?:\.(weight|bias))?$`)

// peftPrefix stands before the names of the model in PEFT's files.
const peftPrefix = "base_model.model."

// wrappers are parts of names that PEFT puts between those of the model.
var wrappers = []string{"base_layer", "modules_to_save.default", "modules_to_save", "original_module"}

// add sorts a tensor by its name.
func (p *parsed) add(t tensor.Tensor) error {
	name := strings.TrimPrefix(t.Name, peftPrefix)
	found := own.FindStringSubmatch(name)
	if found == nil {
		param, _ := unwrapped(name)
		if !strings.Contains("."+name, ".original_module.") { // which is the base model's own
			p.plain = append(p.plain, plain{t, param})
		}
		return nil
	}
	if strings.Count(found[3], ".") > 1 {
		return errors.New("is not a name that PEFT gives; expected, for example, " + found[1] + "." + found[2] + ".weight")
	}
	m := p.module(found[1])
	place := &m.a
	switch part, kind := found[2], found[4]; {
	case part == "lora_B" && kind == "bias":
		place = &m.bias
	case kind == "bias":
		return errors.New("is a bias, which only lora_B has")
	case part == "lora_B" || part == "lora_embedding_B":
		place = &m.b
	case part == "lora_magnitude_vector":
		place = &m.magnitude
	case strings.HasPrefix(part, "token_adapter"):
		place = &m.tokens
	}
	m.embedding = m.embedding || strings.HasPrefix(found[2], "lora_embedding")
	if place.Name != "" {
		return errors.New("stands for the same as " + place.Name + "; keep one adapter")
	}
	*place = t
	return nil
}

// module returns the module of a name, made if it is new.
func (p *parsed) module(name string) *module {
	m := p.modules[name]
	if m == nil {
		m = &module{}
		m.name, m.depth = unwrapped(name)
		p.modules[name] = m
	}
	return m
}

// unwrapped returns a name without what PEFT puts into it, and how often base_layer was there.
func unwrapped(name string) (bare string, depth int) {
	bare = "." + name + "."
	depth = strings.Count(bare, ".base_layer.")
	for _, w := range wrappers {
		for strings.Contains(bare, "."+w+".") {
			bare = strings.ReplaceAll(bare, "."+w+".", ".")
		}
	}
	return strings.Trim(bare, "."), depth
}

// sorted returns the modules by name.
func (p *parsed) sorted() []*module {
	list := make([]*module, 0, len(p.modules))
	for _, m := range p.modules {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *module) int { return strings.Compare(a.example(), b.example()) })
	return list
}

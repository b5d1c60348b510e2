package gguf

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// modelCard is the front matter of a README.md, by key.
type modelCard map[string]yaml.Node

// maxCard bounds a README.md; published ones take some kilobytes.
const maxCard = 4 << 20

// readModelCard reads the YAML between the first two lines of "---". Without a file or front matter there is none.
func readModelCard(path string) (modelCard, error) {
	data, err := jsonobj.ReadFile(path, maxCard)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))), "\n")
	if lines[0] != "---" {
		return nil, nil
	}
	var front strings.Builder
	for _, line := range lines[1:] {
		if line == "---" {
			break
		}
		front.WriteString(strings.ReplaceAll(line, "\t", "  ") + "\n") // some have tabs, which YAML does not allow
	}
	var card modelCard
	if err := yaml.Unmarshal([]byte(front.String()), &card); err != nil {
		return nil, &badfile.FormatError{File: path, Detail: "front matter: " + err.Error()}
	}
	return card, nil
}

// text returns a value that is a single one, as it is spelled.
func (c modelCard) text(key string) string {
	n := c[key]
	return scalar(&n)
}

func scalar(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// list returns a value that is a single one or a list of such.
func (c modelCard) list(key string) (values []string) {
	n := c[key]
	if v := scalar(&n); v != "" {
		return []string{v}
	}
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, x := range n.Content {
		if v := scalar(x); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// relations describes the repositories that the first of these keys names; nil without such a key.
func (c modelCard) relations(keys []string, parameters int) []map[string]string {
	for _, key := range keys {
		n, ok := c[key]
		if !ok {
			continue
		}
		list := []map[string]string{}
		entries := []*yaml.Node{&n}
		if n.Kind == yaml.SequenceNode {
			entries = n.Content
		}
		for _, x := range entries {
			var members map[string]string
			if id := scalar(x); id != "" {
				list = append(list, relation(id, parameters))
			} else if x.Kind == yaml.MappingNode && x.Decode(&members) == nil {
				list = append(list, members)
			}
		}
		return list
	}
	return nil
}

// samplings are the keys of generation_config.json that a GGUF file keeps, in its order; the last one given wins.
var samplings = []struct {
	key     string
	from    []string
	integer bool
}{
	{"top_k", []string{"top_k"}, true},
	{"top_p", []string{"top_p"}, false},
	{"min_p", []string{"min_p"}, false},
	{"xtc_probability", []string{"xtc_probability"}, false},
	{"xtc_threshold", []string{"xtc_threshold"}, false},
	{"temp", []string{"temperature"}, false},
	{"penalty_last_n", []string{"penalty_last_n"}, true},
	{"penalty_repeat", []string{"repetition_penalty", "penalty_repeat"}, false},
	{"mirostat", []string{"mirostat"}, true},
	{"mirostat_tau", []string{"mirostat_tau"}, false},
	{"mirostat_eta", []string{"mirostat_eta"}, false},
}

// readSampling reads the parameters of sampling that a generation_config.json recommends; one that cannot be read
// recommends none.
func readSampling(path string) (kvs []gguf.KV) {
	data, err := jsonobj.ReadFile(path, maxCard)
	if err != nil {
		return nil
	}
	keys, err := jsonobj.Parse(data)
	if err != nil {
		return nil
	}
	for _, s := range samplings {
		var value gguf.Value
		given := false
		for _, from := range s.from {
			v, _ := keys.Get(from)
			if f, ok := v.Float(); ok && s.integer {
				value, given = gguf.Of(int32(max(-1<<31, min(f, 1<<31-1)))), true
			} else if ok {
				value, given = gguf.Of(float32(f)), true
			}
		}
		if given {
			kvs = append(kvs, gguf.KV{Key: "general.sampling." + s.key, Value: value})
		}
	}
	return kvs
}

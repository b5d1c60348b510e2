package gguf

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout/write"
	"github.com/gomamba/gomamba/internal/lazy"
)

// description is what the general keys of a GGUF file say about a model, gathered as llama.cpp's converter does
// (gguf-py/gguf/metadata.py): from the model card, then from _name_or_path, then from the folder's name.
type description struct {
	text            map[string]string // by key below "general."
	tags, languages []string
	bases, datasets []map[string]string
	sampling        []gguf.KV
}

// descriptive are the keys of text in the order of the file, which the others come between.
var descriptive = []string{
	"name", "author", "version", "organization", "finetune", "basename", "description", "quantized_by", "size_label",
	"license", "license.name", "license.link", "url", "doi", "uuid", "repo_url",
	"source.url", "source.doi", "source.uuid", "source.repo_url",
}

// related are the keys of a base model or data set, in order.
var related = []string{"name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"}

// general gathers the description of a plan's source. note says what of it could not be read.
func general(p *write.Plan, size parameters) (kvs []gguf.KV, note string) {
	if kept := sourceDescription(p.From.Keys); kept != nil {
		return kept, ""
	}
	dir := p.From.Path
	d := &description{text: make(map[string]string)}
	card, err := readModelCard(filepath.Join(dir, "README.md"))
	if err != nil {
		note = fmt.Sprintf("%v: no license and no tags are taken from it", err)
	}
	d.takeCard(card, size.all)
	for _, e := range p.Config.Shared().Extra {
		if e.Key == "_name_or_path" {
			v, _ := jsonobj.ParseValue(e.Value)
			if id, ok := v.Text(); ok && strings.Count(id, "/") <= 1 && id != "" {
				d.takeID(parseModelID(id, size.all))
			}
		}
	}
	d.takeID(parseModelID(folderID(dir), size.all))
	d.sampling = readSampling(filepath.Join(dir, filenames.Generation))
	d.set("size_label", size.label())
	return d.keys(), note
}

// sourceDescription returns what a GGUF source says about its model, nil for other sources.
func sourceDescription(kvs []gguf.KV) []gguf.KV {
	var kept []gguf.KV
	for _, kv := range kvs {
		switch kv.Key {
		case "general.architecture", keyFileType, "general.quantization_version", "general.alignment":
		default:
			if strings.HasPrefix(kv.Key, "general.") {
				kept = append(kept, kv)
			}
		}
	}
	return kept
}

var snapshot = lazy.Regexp(`models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\][^/\\]+$`)

// folderID is the id that a folder's name stands for: that of the repository in the hub's cache.
func folderID(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	if m := snapshot().FindStringSubmatch(dir); m != nil {
		return m[1] + "/" + m[2]
	}
	return filepath.Base(dir)
}

// set states a value where there is none.
func (d *description) set(key, value string) { d.text[key] = cmp.Or(d.text[key], value) }

func (d *description) takeID(m modelID) {
	d.set("name", title(m.name))
	d.set("organization", title(m.owner))
	d.set("basename", m.basename)
	d.set("finetune", m.finetune)
	d.set("version", m.version)
	d.set("size_label", m.sizeTag)
}

// takeCard takes what a model card's keys say. For most of them llama.cpp knows several names.
func (d *description) takeCard(card modelCard, parameters int) {
	for _, key := range []string{"name", "author", "version", "organization", "description", "finetune", "basename", "size_label"} {
		d.set(key, card.text(key))
		d.set(key, card.text("model_"+key))
	}
	d.set("author", card.text("model_creator"))
	d.set("basename", card.text("model_type"))
	for _, key := range []string{"url", "doi", "uuid", "repo_url"} {
		d.set("source."+key, card.text(key))
		d.set("source."+key, card.text("model_"+key))
	}
	d.set("license", strings.Join(card.list("license"), ","))
	d.set("license.name", card.text("license_name"))
	d.set("license.link", card.text("license_link"))
	d.tags = append(card.list("tags"), card.list("pipeline_tag")...)
	d.languages = append(card.list("languages"), card.list("language")...)
	d.bases = card.relations([]string{"base_model", "base_models", "base_model_sources"}, parameters)
	d.datasets = card.relations([]string{"datasets", "dataset", "dataset_sources"}, parameters)
}

// hubURL is the address of a repository.
var hubURL = lazy.Regexp(`^https?://huggingface.co/([^/]+/[^/]+)$`)

// relation describes another repository by its id or address.
func relation(id string, parameters int) map[string]string {
	r := make(map[string]string)
	if strings.HasPrefix(id, "http://") || strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "ssh://") {
		r["repo_url"] = id
		found := hubURL().FindStringSubmatch(id)
		if found == nil {
			return r
		}
		id = found[1]
	}
	m := parseModelID(id, parameters)
	r["name"], r["organization"], r["version"] = title(m.name), title(m.owner), m.version
	if m.owner != "" && r["repo_url"] == "" {
		r["repo_url"] = "https://huggingface.co/" + m.owner + "/" + m.name
	}
	return r
}

// keys lists everything in the order of llama.cpp's converter.
func (d *description) keys() []gguf.KV {
	text := func(key, value string) gguf.KV {
		return gguf.KV{Key: "general." + key, Value: gguf.Of(strings.ToValidUTF8(value, "\ufffd"))}
	}
	kvs := append([]gguf.KV{text("type", "model")}, d.sampling...)
	for _, key := range descriptive {
		if d.text[key] != "" {
			kvs = append(kvs, text(key, d.text[key]))
		}
	}
	relations := func(kind string, list []map[string]string) {
		if list == nil {
			return
		}
		kvs = append(kvs, gguf.KV{Key: "general." + kind + ".count", Value: gguf.Of(uint32(len(list)))})
		for i, r := range list {
			for _, key := range related {
				if r[key] != "" {
					kvs = append(kvs, text(fmt.Sprintf("%s.%d.%s", kind, i, key), r[key]))
				}
			}
		}
	}
	relations("base_model", d.bases)
	relations("dataset", d.datasets)
	if len(d.tags) > 0 {
		kvs = append(kvs, gguf.KV{Key: "general.tags", Value: gguf.ArrayOf(d.tags)})
	}
	if len(d.languages) > 0 {
		kvs = append(kvs, gguf.KV{Key: "general.languages", Value: gguf.ArrayOf(d.languages)})
	}
	return kvs
}

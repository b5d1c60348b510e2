package config

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

const (
	// MaxFile is the largest config.json that is read; published ones have a few kilobytes.
	MaxFile = 16 << 20

	keyModelType = "model_type"
	keyTied      = "tie_word_embeddings"
)

// LoadHF reads the transformers config.json at path, or in the folder at path. Beside the errors of ParseHF
// it returns those of the operating system.
func LoadHF(path string) (Config, error) {
	if info, err := files.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	data, err := jsonobj.ReadFile(path, MaxFile)
	if err != nil {
		return nil, err
	}
	return ParseHF(path, data)
}

// ParseHF reads a transformers config.json; file is its name for messages. Keys must match exactly. Missing keys get the
// defaults of transformers 5.24, and null is accepted where transformers accepts it.
//
// Errors are one line that names file and key: *badfile.FormatError if the file is wrong, *badfile.UnsupportedError if it
// describes something that this library does not run (another family, another layout).
func ParseHF(file string, data []byte) (Config, error) {
	return read(file, data, parseHF)
}

// read parses data and puts the file's name into errors and notes.
func read(file string, data []byte, parse func(data []byte) (Config, error)) (Config, error) {
	c, err := parse(data)
	if err != nil {
		return nil, inFile(file, err)
	}
	notes := c.Shared().notes
	for i := range notes {
		notes[i].File = file
	}
	return c, nil
}

// readKeys reads a config of any layout that is one JSON object.
func readKeys(data []byte) (keys jsonobj.Members, notes []Note, err error) {
	if len(data) > MaxFile {
		return nil, nil, formatError("", "found %d bytes, expected at most %d", len(data), MaxFile)
	}
	keys, odd, err := jsonobj.ParseNoting(data)
	if err != nil {
		return nil, nil, formatError("", "%s", err)
	}
	for _, o := range odd {
		notes = append(notes, Note{Key: o.Key, Detail: o.What})
	}
	return keys, notes, nil
}

func parseHF(data []byte) (Config, error) {
	keys, notes, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	family, err := detect(keys)
	if err != nil {
		return nil, err
	}
	if err := refuseVariants(keys); err != nil {
		return nil, err
	}
	keys, quantization := takeQuantization(keys)
	c, err := parseAs(entryOf(family), keys)
	if err != nil {
		return nil, err
	}
	c.Shared().Quantization = quantization
	c.Shared().notes = append(notes, c.Shared().notes...)
	return c, nil
}

// parseAs reads the keys as those of a family, or of its twin if its flag says so.
func parseAs(e *entry, keys jsonobj.Members) (Config, error) {
	if on, stated := flag(keys, e.twin.flag); e.twin.flag != "" && stated && !on {
		return nil, formatError(e.twin.flag, "found false, which contradicts model_type %q; correct the wrong one", e.family)
	}
	if other, ok := Twin(e.family); ok {
		if twin := entryOf(other); on(keys, twin.twin.flag) {
			c := twin.fresh()
			classes := c.Shared().Architectures
			err := c.parse(keys)
			c.Shared().Architectures = classes
			return c, err
		}
	}
	c := e.fresh()
	current, given := respelled(keys, e.aliases)
	return c, atKey(c.parse(current), func(key string) string { return cmp.Or(given[key], key) })
}

// flag returns a key that is true or false.
func flag(keys jsonobj.Members, key string) (on, stated bool) {
	v, ok := keys.Get(key)
	if !ok {
		return false, false
	}
	return v.Bool()
}

// on reports whether a key is true.
func on(keys jsonobj.Members, key string) bool {
	on, _ := flag(keys, key)
	return on
}

// inFile adds the file's name to an error about a key.
func inFile(file string, err error) error {
	var format *badfile.FormatError
	var unsupp *badfile.UnsupportedError
	switch {
	case errors.As(err, &format):
		format.File = file
	case errors.As(err, &unsupp):
		unsupp.File = file
	}
	return err
}

func formatError(where, format string, args ...any) error {
	return &badfile.FormatError{Where: where, Detail: fmt.Sprintf(format, args...)}
}

func unsupported(where, format string, args ...any) error {
	return &badfile.UnsupportedError{Where: where, Detail: fmt.Sprintf(format, args...)}
}

// has reports whether every key is present with a value other than null.
func has(keys jsonobj.Members, names ...string) bool {
	for _, name := range names {
		if v, ok := keys.Get(name); !ok || v.Kind() == jsonobj.Null {
			return false
		}
	}
	return true
}

// detect reads the family from model_type, or from architectures if model_type is missing.
func detect(keys jsonobj.Members) (Family, error) {
	var classes []string
	f := classesField("architectures", &classes)
	if v, ok := keys.Get(f.key); ok && !f.decode(v) {
		return "", formatError(f.key, "found %s, expected %s", v, f.want)
	}
	class := byClass(classes)

	if !has(keys, keyModelType) {
		switch {
		case class != "":
			return class, nil
		case len(classes) > 0:
			return "", unsupported(f.key, "%s is %s", badfile.Quote(classes[0]), unknownModel(classes[0]))
		}
		if err := otherLayout(keys); err != nil {
			return "", err
		}
		if has(keys, "d_model") || has(keys, "n_layer") || has(keys, "ssm_cfg") {
			return "", originalLayout()
		}
		return "", formatError(keyModelType, `missing, and "architectures" is missing too; expected a family, such as "mamba"`)
	}

	v, _ := keys.Get(keyModelType)
	modelType, ok := v.Text()
	if !ok {
		return "", formatError(keyModelType, `found %s, expected a string, such as "mamba"`, v)
	}
	family := Family(modelType)
	if !InTransformers(family) {
		return "", unsupported(keyModelType, "%s is %s", badfile.Quote(modelType), unknownModel(modelType))
	}
	if !has(keys, "hidden_size") {
		if err := otherLayout(keys); err != nil {
			return "", err
		}
	}
	if class != "" && class != family {
		return "", formatError(f.key, "found %s, which contradicts model_type %q; correct the wrong one",
			badfile.Quote(classes[0]), family)
	}
	return family, nil
}

// otherLayout recognises the config files of the other layouts Mamba checkpoints come in. It is asked where
// model_type or hidden_size is missing, for which transformers would silently take its default.
func otherLayout(keys jsonobj.Members) error {
	switch {
	case has(keys, "dim", "n_groups"):
		return unsupported("dim", "these are mistral's parameters of a Mamba-2 model (dim, n_layers, n_groups), not a transformers config; "+
			"put them beside consolidated.safetensors under the name params.json")
	case has(keys, "dim", "n_layers"):
		return unsupported("dim", "this is mistral's layout (dim, n_layers), not a transformers config; "+
			"use a transformers version of the checkpoint")
	case has(keys, "d_model", "n_layer"):
		return originalLayout()
	}
	return nil
}

func originalLayout() error {
	return unsupported("d_model", "this is the original state-spaces layout (d_model, n_layer, ssm_cfg), not a transformers "+
		"config; its weights are in pytorch_model.bin: download that file, or use the -hf version of the checkpoint")
}

// refuseVariants names what some keys give away: weights or blocks that are not those of a plain Mamba model.
// The stale keys of published files pass as long as they say what is true of every Mamba model.
func refuseVariants(keys jsonobj.Members) error {
	if v, ok := keys.Get("rms_norm"); ok {
		if on, isBool := v.Bool(); isBool && !on {
			return unsupported("rms_norm", "found false: LayerNorm weights and biases; only RMSNorm models are supported")
		}
	}
	if v, ok := keys.Get("d_intermediate"); ok && v.Kind() != jsonobj.Null {
		if n, isInt := v.Int(); !isInt || n != 0 {
			return unsupported("d_intermediate", "found %s: MLP blocks between mixers; transformers does not have such a model", v)
		}
	}
	if v, ok := keys.Get("attn_layer_idx"); ok && v.Kind() != jsonobj.Null {
		if _, isEmpty := v.Elems(0); !isEmpty {
			return unsupported("attn_layer_idx", "found %s: hybrid attention model, which transformers does not have",
				badfile.Quote(v.Compact()))
		}
	}
	if has(keys, "per_layer_config") {
		return unsupported("per_layer_config", "settings that differ between layers; only uniform models are supported")
	}
	return nil
}

// quantizations are the keys under which programs say how weights are quantized: transformers and MLX, which keeps a copy
// under the first.
var quantizations = []string{"quantization_config", "quantization"}

// QuantizationIn returns the value of Common.Quantization for a config.json with these keys.
func QuantizationIn(keys jsonobj.Members) string {
	_, text := takeQuantization(keys)
	return text
}

// takeQuantization takes what is said about quantized weights out of the keys: a copy has other weights.
func takeQuantization(keys jsonobj.Members) (rest jsonobj.Members, text string) {
	rest = slices.DeleteFunc(slices.Clone(keys), func(m jsonobj.Member) bool {
		taken := slices.Contains(quantizations, m.Key) && m.Value.Kind() != jsonobj.Null
		if taken && (text == "" || m.Key == quantizations[0]) {
			text = m.Value.Compact()
		}
		return taken
	})
	return rest, text
}

// refuseQuantized refuses quantized weights, in a layout of which no scheme is known.
func refuseQuantized(keys jsonobj.Members) error {
	for _, key := range quantizations {
		if v, ok := keys.Get(key); ok && v.Kind() != jsonobj.Null {
			return unsupported(key, "already quantized with %s; convert from the unquantized repo", quantizer(key, v))
		}
	}
	return nil
}

// quantizer names the method of a quantization_config (transformers) or quantization (MLX) value.
func quantizer(key string, v jsonobj.Value) string {
	if key == "quantization" {
		return "MLX"
	}
	m, _ := v.Members()
	if method, ok := m.Get("quant_method"); ok {
		if name, isText := method.Text(); isText {
			return badfile.Quote(name)
		}
	}
	for _, x := range m {
		if strings.HasPrefix(x.Key, "load_in_") || strings.HasPrefix(x.Key, "_load_in_") || strings.HasPrefix(x.Key, "bnb_") {
			return `"bitsandbytes"`
		}
	}
	return "an unnamed method"
}

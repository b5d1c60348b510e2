package config

import (
	"cmp"
	"errors"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
)

// withinSSM stands before the keys of ssm_cfg in messages.
const withinSSM = "ssm_cfg."

// ssm is how messages spell a key of ssm_cfg.
func ssm(argument string) string { return withinSSM + argument }

// spellings say how the layouts other than Hugging Face's spell a key. Empty: the layout does not have such a key.
type spellings struct {
	original, mistral string
	gguf              string // after the name of the architecture, of what is not a size; sizes are in the family's entry
}

// spelled returns f with its spellings in the original layout and in mistral's.
func (f field) spelled(original, mistral string) field {
	f.spellings.original, f.spellings.mistral = original, mistral
	return f
}

// inGGUF returns f with its spelling there, for a key that is not a size.
func (f field) inGGUF(key string) field {
	f.spellings.gguf = key
	return f
}

// in returns the spelling of f, a field of c, in a layout.
func (f field) in(layout string, c Config) string {
	switch layout {
	case "original":
		return f.spellings.original
	case "mistral":
		return f.spellings.mistral
	case "gguf":
		l, key := entryOf(c.Family()).gguf, f.spellings.gguf
		for _, h := range c.handles() {
			for _, size := range l.sizes {
				if size.symbol == h.name && h.size == f.size && f.size != nil {
					key = size.key
				}
			}
		}
		if key != "" {
			return strings.TrimPrefix(l.arch+key, ".") // that of a hybrid depends on its blocks
		}
	}
	return ""
}

// Spelling returns the name that a layout ("hf", "mlx", "original", "mistral" or "gguf") uses for a key of transformers'
// config.json, for messages about files of that layout. If the layout does not have the key, it is returned unchanged.
func Spelling(layout string, family Family, key string) string {
	spelling, _ := Spelled(layout, family, key)
	return cmp.Or(spelling, key)
}

// Spelled is like Spelling, and also reports whether the layout has the key at all. A key inside an object is written as
// OBJECT.KEY.
func Spelled(layout string, family Family, key string) (spelling string, ok bool) {
	if layout == "hf" || layout == "mlx" {
		return key, true
	}
	e := entryOf(family)
	if e == nil {
		return "", false
	}
	c := e.fresh()
	for _, f := range c.fields() {
		if f.key == key {
			spelling = f.in(layout, c)
		}
	}
	if spelling == "" && e.also != "" {
		return Spelled(layout, e.also, key)
	}
	return spelling, spelling != ""
}

// spelled puts a layout's spelling for the key that an error is about.
func spelled(layout string, family Family, err error) error {
	return atKey(err, func(key string) string { return Spelling(layout, family, key) })
}

// underKey says that the key an error is about is one of an object within.
func underKey(within string, err error) error {
	return atKey(err, func(key string) string { return within + key })
}

// atKey renames the key that an error is about.
func atKey(err error, rename func(key string) string) error {
	if format, ok := errors.AsType[*badfile.FormatError](err); ok && format.Where != "" {
		format.Where = rename(format.Where)
	}
	if unsupp, ok := errors.AsType[*badfile.UnsupportedError](err); ok && unsupp.Where != "" {
		unsupp.Where = rename(unsupp.Where)
	}
	return err
}

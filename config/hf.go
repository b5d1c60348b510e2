package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// decode stores every key that has a field. The others it collects, in key order, in rest.Extra, and what it ignores in
// rest.notes. It returns the set of keys that are present.
func decode(keys jsonobj.Members, fields []field, rest *Common) (map[string]bool, error) {
	given := make(map[string]bool, len(fields))
	for _, f := range fields {
		v, ok := keys.Get(f.key)
		if !ok {
			continue
		}
		given[f.key] = true
		if !f.decode(v) {
			if f.ignored != "" {
				rest.notes = append(rest.notes, Note{Key: f.key, Detail: fmt.Sprintf("found %s, expected %s; %s", v, f.want, f.ignored)})
				continue
			}
			if f.unsupported && v.Kind() == jsonobj.String {
				return nil, unsupported(f.key, "found %s, expected %s", v, f.want)
			}
			return nil, formatError(f.key, "found %s, expected %s", v, f.want)
		}
	}
	for _, m := range keys {
		if !given[m.Key] && m.Key != keyModelType {
			rest.Extra = append(rest.Extra, Extra{m.Key, m.Value.Compact()})
		}
	}
	slices.SortFunc(rest.Extra, func(a, b Extra) int { return cmp.Compare(a.Key, b.Key) })
	return given, nil
}

// checkFields reports the first field out of range.
func checkFields(fields []field) error {
	for _, f := range fields {
		switch {
		case f.check():
		case f.unsupported:
			return unsupported(f.key, "found %s, expected %s", f.found(), f.want)
		default:
			return formatError(f.key, "found %s, expected %s", f.found(), f.want)
		}
	}
	return nil
}

// checkExtra reports the first extra key that could not be written as it is. What decode collected passes.
func checkExtra(extra []Extra, fields []field) error {
	taken := map[string]bool{keyModelType: true}
	for _, f := range fields {
		taken[f.key] = true
	}
	for _, e := range extra {
		if taken[e.Key] {
			return formatError(e.Key, "repeated among the extra keys, expected each key once")
		}
		taken[e.Key] = true
		if _, err := jsonobj.ParseValue(e.Value); err != nil {
			return formatError(e.Key, "%s", err)
		}
	}
	return nil
}

// validate is Config.Validate: it judges the fields one by one, by checks what they make together, and then the extra keys.
func validate(c Config, checks ...func() error) error {
	fields := c.fields()
	if err := checkFields(fields); err != nil {
		return err
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return checkExtra(c.Shared().Extra, fields)
}

// checkBytes refuses sizes that are each in range and together beyond any machine. The count is in float64, exact
// enough for a limit and safe from overflow.
func checkBytes(elements float64) error {
	if 8*elements > maxBytes {
		return formatError("hidden_size", "found sizes that make %.3g weights, expected at most %.3g", elements, float64(maxBytes)/8)
	}
	return nil
}

// Render renders a configuration as EncodeHF does, even for a model that transformers does not have.
func Render(c Config) ([]byte, error) { return encodeHF(c) }

// encodeHF is EncodeHF of every family that transformers has.
func encodeHF(c Config) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return encode(c.Family(), c.fields(), c.Shared().Extra)
}

// encode lays a configuration out as save_pretrained does: keys sorted, two spaces of indentation, a final newline.
func encode(family Family, fields []field, extra []Extra) ([]byte, error) {
	all := append(slices.Clone(extra), Extra{keyModelType, quote(string(family))})
	for _, f := range fields {
		if text := f.text(); text != "" {
			all = append(all, Extra{f.key, text})
		}
	}
	slices.SortFunc(all, func(a, b Extra) int { return cmp.Compare(a.Key, b.Key) })
	out := []byte("{")
	for i, e := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsonobj.AppendNewline(out, 1)
		out = jsonobj.AppendString(out, e.Key)
		out = append(out, ": "...)
		v, err := jsonobj.ParseValue(e.Value)
		if err != nil {
			return nil, formatError(e.Key, "%s", err)
		}
		out = jsonobj.AppendIndent(out, v, 1)
	}
	return append(jsonobj.AppendNewline(out, 0), '}', '\n'), nil
}

package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// field binds one key of config.json to a Go variable: the one place that knows the key's type, range and spelling.
type field struct {
	key    string
	decode func(jsonobj.Value) bool // stores the value; false: not of the expected type
	check  func() bool              // whether the stored value is in range
	found  func() string            // the stored value, for a message
	want   string                   // what is expected, for a message
	text   func() string            // the stored value as JSON; empty: leave the key out

	// unsupported marks a key whose value, when it is a string, can be sound and yet beyond this library.
	unsupported bool

	// ignored marks a key whose bad values are ignored with a note that says why.
	ignored string

	decides Decides       // of a family's field
	same    func() string // see Setting.Canonical; nil: text
	size    *int          // the variable, if it is an integer
	on      *bool         // the variable, if it is a switch

	spellings spellings
}

// maxList is how many elements a list may have.
const maxList = 1024

// always is the check of a field for which every value is right.
func always() bool { return true }

func intField(key string, p *int, lo, hi int) field {
	show := func() string { return strconv.Itoa(*p) }
	return field{
		key:    key,
		decode: func(v jsonobj.Value) (ok bool) { *p, ok = v.Int(); return ok },
		check:  func() bool { return lo <= *p && *p <= hi },
		found:  show,
		want:   fmt.Sprintf("an integer from %d to %d", lo, hi),
		text:   show,
		size:   p,
	}
}

// rankAuto stands for "auto" while a file is being read.
const rankAuto = -1

// rankField is an integer that a file may spell "auto".
func rankField(key string, p *int) field {
	f := intField(key, p, 1, maxWidth)
	decodeInt := f.decode
	f.decode = func(v jsonobj.Value) bool {
		if s, ok := v.Text(); ok && s == "auto" {
			*p = rankAuto
			return true
		}
		return decodeInt(v) && *p != rankAuto
	}
	f.want += ` or "auto"`
	return f
}

func boolField(key string, p *bool) field {
	show := func() string { return strconv.FormatBool(*p) }
	return field{
		key:    key,
		decode: func(v jsonobj.Value) (ok bool) { *p, ok = v.Bool(); return ok },
		check:  always,
		found:  show,
		want:   "true or false",
		text:   show,
		on:     p,
	}
}

// optionalBoolField is a field of the base class: null means false, and false is not written.
func optionalBoolField(key string, p *bool) field {
	f := boolField(key, p)
	decodeBool := f.decode
	f.decode = func(v jsonobj.Value) bool {
		*p = false
		return v.Kind() == jsonobj.Null || decodeBool(v)
	}
	f.text = func() string {
		if *p {
			return "true"
		}
		return ""
	}
	return f
}

// floatField is a number that only matters for initialisation; it may be infinite.
// An integer is taken as well: JSON has one type of number, and transformers 4 did not mind.
func floatField(key string, p *float64) field {
	show := func() string { return formatFloat(*p) }
	return field{
		key:    key,
		decode: func(v jsonobj.Value) (ok bool) { *p, ok = v.Float(); return ok },
		check:  func() bool { return !math.IsNaN(*p) },
		found:  show,
		want:   "a number",
		text:   show,
	}
}

// limitField is a pair of numbers, the lower one first. The pair that limits nothing is the default of every version of
// transformers and not written: JSON cannot spell its infinity, and the versions do not agree on one.
func limitField(key string, p *[2]float64) field {
	show := func() string { return "[" + formatFloat(p[0]) + "," + formatFloat(p[1]) + "]" }
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			elems, ok := v.Elems(2)
			if !ok || len(elems) != 2 {
				return false
			}
			for i, e := range elems {
				if p[i], ok = e.Float(); !ok {
					return false
				}
				if p[i] == 0 {
					p[i] = 0 // a negative zero clamps nothing else
				}
			}
			return true
		},
		check: func() bool { return p[0] <= p[1] && !math.IsInf(p[0], 1) && !math.IsInf(p[1], -1) },
		found: show,
		want:  "two numbers, the lower limit first",
		text: func() string {
			if *p == noLimit {
				return ""
			}
			return show()
		},
		same: func() string {
			low, high := max(p[0], 0), p[1] // a softplus is never negative,
			if high > math.MaxFloat32 {
				high = math.Inf(1) // and a float32 here
			}
			if low == 0 && math.IsInf(high, 1) {
				return ""
			}
			return fmt.Sprintf("%g %g", low, high)
		},
	}
}

// epsilonField is a number that the arithmetic uses as float32.
func epsilonField(key string, p *float64) field {
	f := floatField(key, p)
	f.check = func() bool { return 0 <= *p && *p <= math.MaxFloat32 }
	f.want = "a number from 0 to 3.4e38, the largest float32"
	f.same = func() string { return float32Text(*p) }
	return f
}

func stringField(key string, p *string) field {
	return field{
		key:    key,
		decode: func(v jsonobj.Value) (ok bool) { *p, ok = v.Text(); return ok },
		check:  func() bool { return utf8.ValidString(*p) },
		found:  func() string { return badfile.Quote(*p) },
		want:   "a string",
		text:   func() string { return quote(*p) },
	}
}

// activationField is the activation of convolution and gate. Every published model has silu, alias swish.
func activationField(key string, p *string) field {
	f := stringField(key, p)
	f.check = func() bool { return *p == "silu" || *p == "swish" }
	f.want, f.unsupported = `"silu" (or its alias "swish"), the only activation Mamba checkpoints use`, true
	return f
}

// dtypes maps the names torch accepts for a float type to the one it prints.
var dtypes = map[string]string{
	"float32": "float32", "float": "float32", "float16": "float16", "half": "float16",
	"bfloat16": "bfloat16", "float64": "float64", "double": "float64",
}

// dtypeField is the type the weights were saved in. It is stated for readers that allocate by it; the tensors decide.
func dtypeField(key string, p *string) field {
	f := stringField(key, p)
	f.decode = func(v jsonobj.Value) bool {
		if v.Kind() == jsonobj.Null {
			return true
		}
		s, _ := v.Text()
		name, known := dtypes[strings.TrimPrefix(s, "torch.")]
		if known {
			*p = name
		}
		return known
	}
	f.check = func() bool { return *p == "" || dtypes[*p] == *p }
	f.want, f.unsupported = "float32, float16, bfloat16 or float64", true
	f.ignored = "ignored, as the tensors show their dtypes"
	f.text = func() string {
		if *p == "" {
			return ""
		}
		return quote(*p)
	}
	return f
}

// dtypeAliasField is the name transformers 5 gave the key. It comes after torch_dtype in the table because it wins
// where both are present, and is not written because every version reads the older name.
func dtypeAliasField(key string, p *string) field {
	f := dtypeField(key, p)
	f.text = func() string { return "" }
	return f
}

// classesField is the list of model classes; null and an empty list leave the default.
func classesField(key string, p *[]string) field {
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			elems, ok := v.Elems(maxList)
			names := make([]string, len(elems))
			for i, e := range elems {
				if names[i], ok = e.Text(); !ok {
					return false
				}
			}
			if len(names) > 0 {
				*p = names
			}
			return ok || v.Kind() == jsonobj.Null
		},
		check: func() bool {
			return len(*p) > 0 && !slices.ContainsFunc(*p, func(s string) bool { return !utf8.ValidString(s) })
		},
		found: func() string { return fmt.Sprintf("%d names", len(*p)) },
		want:  fmt.Sprintf("a list of 1 to %d class names (strings)", maxList),
		text: func() string {
			list := make([]string, len(*p))
			for i, s := range *p {
				list[i] = quote(s)
			}
			return "[" + strings.Join(list, ",") + "]"
		},
	}
}

// nullableField is an integer for which a file may have null, which is stored as absent.
func nullableField(f field, p *int, absent int) field {
	decodeInt, show := f.decode, f.text
	f.decode = func(v jsonobj.Value) bool {
		if v.Kind() == jsonobj.Null {
			*p = absent
			return true
		}
		return decodeInt(v) && *p != absent
	}
	f.want = strings.Replace(f.want, "from 0 ", "from 1 ", 1) + " or null"
	f.text = func() string {
		if *p == absent {
			return "null"
		}
		return show()
	}
	return f
}

// statedIntField is a key that is written only if the file states it, which null does not.
func statedIntField(key string, p *int, stated *bool) field {
	f := intField(key, p, 1, maxInner)
	decodeInt, show := f.decode, f.text
	f.decode = func(v jsonobj.Value) bool { *stated = true; return decodeInt(v) }
	f.text = func() string {
		if *stated {
			return show()
		}
		return ""
	}
	return f
}

// scaleField is a factor that the arithmetic uses as float32.
func scaleField(key string, p *float64) field {
	f := floatField(key, p)
	f.check = func() bool { return math.Abs(*p) <= math.MaxFloat32 }
	f.want = "a number of at most 3.4e38, the largest float32, of either sign"
	f.same = func() string { return float32Text(*p) }
	return f
}

// gatedField is the activation of the gate of an MLP that may be GELU.
func gatedField(key string, p *string) field {
	f := activationField(key, p)
	f.check = func() bool { return *p == "gelu" || *p == "silu" || *p == "swish" }
	f.want = `"gelu" or "silu" (or its alias "swish")`
	f.same = func() string {
		if *p == "gelu" {
			return *p
		}
		return "silu"
	}
	return f
}

// float32Text is the same text for all numbers that are one as float32, as which the arithmetic uses them.
func float32Text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 32) }

// quote renders s as a JSON string.
func quote(s string) string { return string(jsonobj.AppendString(nil, s)) }

// formatFloat spells f as Python's repr does: the shortest digits that read back as f, with an exponent below 1e-4
// and from 1e16 on. Infinity is the bare token that the json modules of all transformers versions read.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case math.IsNaN(f):
		return "NaN"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	if exp, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:]); exp < -4 || exp >= 16 {
		return s
	}
	s = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

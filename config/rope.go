package config

import (
	"fmt"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// defaultTheta is the base of a rotary embedding that states none.
const defaultTheta = 10000

// Rope is the rotary embedding of attention. Only the plain kind is supported, over whole heads or their first channels; other
// kinds are kept if the model does not use them, and otherwise refused.
type Rope struct {
	Theta  float64 // the base
	Part   float64 // of a head that turns, of families that have such a part; 0: all of it
	stated string  // rope_parameters as the file has it, if it is not how text spells Theta
}

// ropeField is the object rope_parameters. used reports whether anything is turned.
func ropeField(key string, p *Rope, used func() bool) field {
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			if v.Kind() == jsonobj.Null {
				return true
			}
			p.stated = v.Compact()
			_, ok := v.Members()
			return ok
		},
		check: always,
		found: func() string { return badfile.Quote(p.text()) },
		want:  "an object",
		text:  p.text,
		same: func() string {
			if !used() {
				return ""
			}
			text := float32Text(p.Theta)
			if p.Part != 0 {
				text += " " + strconv.FormatFloat(p.Part, 'g', -1, 64)
			}
			return text
		},
	}
}

// text renders rope_parameters.
func (r *Rope) text() string {
	if r.stated != "" {
		return r.stated
	}
	part := ""
	if r.Part != 0 {
		part = `"partial_rotary_factor":` + formatFloat(r.Part) + ","
	}
	return "{" + part + `"rope_theta":` + formatFloat(r.Theta) + `,"rope_type":"default"}`
}

// settle resolves rope_parameters and the older keys: rope_theta, which stands back, and rope_scaling, which does not.
func (r *Rope) settle(keys jsonobj.Members, used bool) error {
	r.Theta = defaultTheta
	lists := []jsonobj.Members{keys}
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		if v, ok := keys.Get(key); ok {
			if m, isObject := v.Members(); isObject {
				lists = append(lists, m)
				if odd := oddRope(m); odd != "" && used {
					return unsupported(key, "%s; only the plain embedding is supported", odd)
				}
				if err := r.takePart(key, m, used); err != nil {
					return err
				}
			}
		}
	}
	for _, m := range lists {
		if v, ok := m.Get("rope_theta"); ok && v.Kind() != jsonobj.Null {
			theta, isNumber := v.Float()
			if !isNumber {
				return formatError("rope_theta", "found %s, expected a number", v)
			}
			r.Theta = theta
		}
	}
	if r.stated == (&Rope{Theta: r.Theta, Part: r.Part}).text() {
		r.stated = ""
	}
	return nil
}

// oddRope says what makes an embedding other than the plain one.
func oddRope(m jsonobj.Members) string {
	for _, key := range []string{"rope_type", "type"} {
		if v, ok := m.Get(key); ok {
			if name, _ := v.Text(); name != "default" {
				return fmt.Sprintf("found the %s %s", key, v.Compact())
			}
		}
	}
	return ""
}

// takePart reads partial_rotary_factor, which most families do not have.
func (r *Rope) takePart(key string, m jsonobj.Members, used bool) error {
	v, ok := m.Get("partial_rotary_factor")
	if !ok || !used && r.Part == 0 {
		return nil
	}
	part, isNumber := v.Float()
	switch {
	case r.Part == 0 && (!isNumber || part != 1):
		return unsupported(key, "found the partial_rotary_factor %s; only the plain embedding of whole heads is supported", v.Compact())
	case r.Part != 0 && (!isNumber || !(0 < part && part <= 1)):
		return formatError(key, "found the partial_rotary_factor %s, expected a number above 0, at most 1", v.Compact())
	case r.Part != 0:
		r.Part = part
	}
	return nil
}

// Turned returns how many channels turn of heads of some width.
func (r *Rope) Turned(width int) int {
	if r.Part == 0 {
		return width
	}
	return int(float64(width) * r.Part)
}

// check reports a base that turns nothing, and heads of an odd size.
func (r *Rope) check(width int) error {
	switch {
	case !(r.Theta > 0) || r.Theta > 1e30:
		return formatError("rope_theta", "found %s, expected a number above 0, at most 1e30", formatFloat(r.Theta))
	case width%2 != 0 && r.Part == 0:
		return formatError("head_dim", "found %d, expected an even number: positions turn pairs of channels", width)
	case r.Turned(width) == 0 || r.Turned(width)%2 != 0:
		return formatError("head_dim", "found %d, of which %d channels turn; expected an even number of them: positions turn pairs", width, r.Turned(width))
	}
	return nil
}

// positionField is the kind of positions: "rope", or none.
func positionField(key string, p *string) field {
	f := stringField(key, p)
	decodeText := f.decode
	f.decode = func(v jsonobj.Value) bool {
		if v.Kind() == jsonobj.Null {
			*p = ""
			return true
		}
		return decodeText(v)
	}
	f.check = func() bool { return *p == "" || *p == "rope" || *p == "nope" }
	f.want, f.unsupported = `"rope", "nope" or null`, true
	f.text = func() string {
		if *p == "" {
			return "null"
		}
		return quote(*p)
	}
	f.same = func() string {
		if *p == "rope" {
			return *p
		}
		return ""
	}
	return f
}

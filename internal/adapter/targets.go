package adapter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// targets say which modules an adapter is for (PEFT 0.21, tuners/tuners_utils.py, check_target_module_exists).
type targets struct {
	given   bool // there is anything to check
	all     bool // all linear modules
	match   matcher
	exclude matcher
	layers  []int // empty: all
	under   []string
}

// matcher is a regular expression for whole names, or a list of names and of their ends.
type matcher struct {
	whole *regexp.Regexp
	ends  []string
}

func (m matcher) matches(module string) bool {
	if m.whole != nil {
		return m.whole.MatchString(module)
	}
	return slices.ContainsFunc(m.ends, func(end string) bool { return module == end || strings.HasSuffix(module, "."+end) })
}

// allLinear is a value of target_modules.
const allLinear = "all-linear"

// targets reads the keys that say which modules are meant.
func (r *reader) targets(t *targets) {
	t.match, t.given = r.matcher("target_modules")
	t.exclude, _ = r.matcher("exclude_modules")
	t.all = len(t.match.ends) == 1 && strings.EqualFold(t.match.ends[0], allLinear)
	if v, ok := r.get("layers_to_transform"); ok {
		t.layers = r.numbers("layers_to_transform", v)
	}
	t.under = r.list("layers_pattern")
}

// matcher reads a list, or a string, which is a regular expression.
func (r *reader) matcher(key string) (m matcher, given bool) {
	v, ok := r.get(key)
	if !ok {
		return m, false
	}
	text, isText := v.Text()
	if !isText {
		return matcher{ends: r.list(key)}, true
	}
	if strings.EqualFold(text, allLinear) {
		return matcher{ends: []string{text}}, true
	}
	whole, err := regexp.Compile(`^(?:` + text + `)$`)
	if err != nil {
		r.unreadable(key, text)
	}
	return matcher{whole: whole}, true
}

// has reports whether PEFT puts a LoRA into the module of that name.
func (t *targets) has(module string) bool {
	switch {
	case t.exclude.matches(module):
		return false
	case !t.given || t.all:
		return true
	case !t.match.matches(module):
		return false
	case t.match.whole != nil || len(t.layers) == 0:
		return true
	}
	layer, ok := t.layer(module)
	return ok && slices.Contains(t.layers, layer)
}

// layer returns the number of the layer that a module is in: the first in its name, after one of the names in under if there are
// any.
func (t *targets) layer(module string) (n int, ok bool) {
	parts := strings.Split(module, ".")
	for i := 1; i < len(parts)-1; i++ {
		n, err := strconv.Atoi(parts[i])
		if err == nil && (len(t.under) == 0 && i > 1 || slices.ContainsFunc(t.under, func(name string) bool {
			return name == parts[i-1] || strings.HasSuffix(strings.Join(parts[:i], "."), "."+name)
		})) {
			return n, true
		}
	}
	return 0, false
}

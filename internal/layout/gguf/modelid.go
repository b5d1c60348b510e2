package gguf

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gomamba/gomamba/internal/lazy"
)

// modelID is what a repository's or folder's name says, by the rules of llama.cpp's converter
// (gguf-py/gguf/metadata.py, get_model_id_components).
type modelID struct {
	name, owner                          string // empty: not told, as all others
	basename, finetune, version, sizeTag string
}

var (
	idVersion  = lazy.Regexp(`(?i)^(v|iter)?\d+([.]\d+)*$`)
	idType     = lazy.Regexp(`(?i)^(i?q\d(_\w)*|b?fp?(16|32))$`)
	idSize     = lazy.Regexp(`(?i)^(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)$`)
	idFinetune = lazy.Regexp(`(?i)^(chat|instruct|vision|lora)$`)
	idKept     = lazy.Regexp(`^(v\d+(?:\.\d+)*|\d.*)$`) // words that title leaves as they are
)

// role is what a part of a name says.
type role uint8

const (
	roleBase role = 1 << iota
	roleSize
	roleFinetune
	roleVersion
	roleType
)

// parseModelID takes an id such as "tiiuae/falcon-mamba-7b-instruct" into its parts. parameters distinguishes a size from a length of the
// context.
func parseModelID(id string, parameters int) modelID {
	m := modelID{name: id}
	if strings.Contains(id, " ") {
		return m // a sentence
	}
	if owner, name, ok := strings.Cut(id, "/"); ok {
		m.owner, m.name = owner, name
		if strings.HasPrefix(owner, ".") {
			m.owner = ""
		}
	}
	parts := slices.DeleteFunc(strings.Split(m.name, "-"), func(part string) bool { return part == "" })
	roles := make([]role, len(parts))
	for i := range parts {
		parts[i], roles[i] = annotate(i, parts[i], parameters)
	}
	preferNumbers(parts, roles)
	findBase(parts, roles)
	join := func(is func(r role) bool, unique bool) string {
		var found []string
		for i, part := range parts {
			if is(roles[i]) && !(unique && slices.Contains(found, part)) {
				found = append(found, part)
			}
		}
		return strings.Join(found, "-")
	}
	m.sizeTag = join(func(r role) bool { return r&roleSize != 0 }, true)
	m.finetune = join(func(r role) bool { return r&roleFinetune != 0 }, false)
	m.version = join(func(r role) bool { return r&roleVersion != 0 && r&roleBase == 0 }, false)
	if m.sizeTag+m.finetune+m.version != "" { // else it is too ambiguous
		m.basename = join(func(r role) bool { return r&roleBase != 0 }, false)
	}
	return m
}

// annotate says what the i-th part of a name is by itself, and spells it as usual.
func annotate(i int, part string, parameters int) (string, role) {
	switch {
	case idVersion().MatchString(part):
		return part, roleVersion
	case idType().MatchString(part):
		return strings.ToUpper(part), roleType
	case i > 0 && idSize().MatchString(part):
		return annotateSize(part, parameters)
	case i > 0 && idFinetune().MatchString(part):
		return part, roleFinetune
	}
	return part, 0
}

func annotateSize(part string, parameters int) (string, role) {
	part = strings.ReplaceAll(part, "_", ".")
	n := len(part)
	if digit(part[n-1]) { // 7b1 is 7.1b
		part = part[:n-2] + "." + part[n-1:] + part[n-2:n-1]
		n = len(part)
	}
	if n > 1 && digit(part[n-2]) && strings.Contains("kmbt", part[n-1:]) {
		part = part[:n-1] + strings.ToUpper(part[n-1:])
	}
	number, err := strconv.ParseFloat(part[:n-1], 64)
	if parameters == 0 || err != nil {
		return part, roleSize
	}
	size := float64(number * math.Pow(1000, float64(strings.Index(" KMBT", part[n-1:]))))
	if math.Abs(size-float64(parameters)) > float64(7*parameters/8) {
		return part[:n-1] + strings.ToLower(part[n-1:]), roleFinetune // as likely a length of the context
	}
	return part, roleSize
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// preferNumbers takes words such as "small" for sizes only if a number is missing.
func preferNumbers(parts []string, roles []role) {
	numbered := false
	for i, part := range parts {
		numbered = numbered || roles[i]&roleSize != 0 && strings.ContainsAny(part, "0123456789")
	}
	for i, part := range parts {
		if numbered && roles[i]&roleSize != 0 && !strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsLetter(r) }) {
			roles[i] &^= roleSize
		}
	}
}

// findBase gives the parts without a role one: those at the start are the base's name, a version at its end is none of it.
func findBase(parts []string, roles []role) {
	start := true
	for i, part := range parts {
		first := []rune(part)[0]
		switch {
		case start && (roles[i] == 0 && unicode.IsLetter(first) || roles[i]&roleVersion != 0):
			roles[i] |= roleBase
			continue
		case roles[i] == 0:
			roles[i] = roleFinetune
		}
		start = false
	}
	for i := len(roles) - 1; i >= 0 && roles[i]&roleBase != 0 && roles[i] != roleBase; i-- {
		roles[i] &^= roleBase
	}
}

// title spells an id as the name of a model: "falcon-mamba-7b" becomes "Falcon Mamba 7b".
func title(id string) string {
	words := strings.Fields(strings.ReplaceAll(id, "-", " "))
	for i, word := range words {
		if strings.ContainsFunc(word, unicode.IsLower) && !strings.ContainsFunc(word, unicode.IsUpper) && !idKept().MatchString(word) {
			words[i] = capitals(word)
		}
	}
	return strings.Join(words, " ")
}

// capitals makes every letter a capital that does not follow another.
func capitals(word string) string {
	inside := false
	return strings.Map(func(r rune) rune {
		letter := unicode.IsLetter(r)
		if letter && !inside {
			r = unicode.ToTitle(r)
		}
		inside = letter
		return r
	}, word)
}

package hub

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Select chooses files of a repository by name. It gets all names and returns those that are wanted.
type Select func(names []string) ([]string, error)

// Matching selects the files that match one of include, or all if there is none, and none of exclude. Patterns are
// those of Python's fnmatch, whose * matches slashes too; one that ends in a slash means the folder.
func Matching(include, exclude []string) Select {
	return func(names []string) ([]string, error) {
		in, out := compile(include), compile(exclude)
		var chosen []string
		for _, name := range names {
			matches := func(p *regexp.Regexp) bool { return p.MatchString(name) }
			if (len(in) == 0 || slices.ContainsFunc(in, matches)) && !slices.ContainsFunc(out, matches) {
				chosen = append(chosen, name)
			}
		}
		if len(chosen) == 0 && len(names) > 0 {
			return nil, &NoMatchError{len(names), include, exclude}
		}
		return chosen, nil
	}
}

// NoMatchError says that Matching selected nothing.
type NoMatchError struct {
	Files            int // in the repository
	Include, Exclude []string
}

func (e *NoMatchError) Error() string {
	return fmt.Sprintf("none of the %d files matches %q without %q", e.Files, e.Include, e.Exclude)
}

// Named selects files by name, or whole folders by a name that ends in a slash. Each must be there.
func Named(wanted []string) Select {
	return func(names []string) ([]string, error) {
		var chosen []string
		for _, want := range wanted {
			n := len(chosen)
			for _, name := range names {
				if name == want || strings.HasSuffix(want, "/") && strings.HasPrefix(name, want) {
					chosen = append(chosen, name)
				}
			}
			if len(chosen) == n {
				return nil, fmt.Errorf("no file %q in the repository, which holds %s", want, some(names))
			}
		}
		slices.Sort(chosen)
		return slices.Compact(chosen), nil
	}
}

func compile(patterns []string) (all []*regexp.Regexp) {
	for _, p := range patterns {
		all = append(all, fnmatch(p))
	}
	return all
}

// fnmatch translates a pattern: * any text, ? one character, [abc] and [!abc] one of a set, or none of it.
func fnmatch(pattern string) *regexp.Regexp {
	pattern = strings.ReplaceAll(pattern, `\`, "/")
	if strings.HasSuffix(pattern, "/") {
		pattern += "*"
	}
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for rest := pattern; rest != ""; {
		c, n := utf8.DecodeRuneInString(rest)
		switch c {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteString(`.`)
		case '[':
			var set string
			set, n = bracket(rest)
			b.WriteString(set)
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
		rest = rest[n:]
	}
	b.WriteString(`$`)
	re, err := regexp.Compile(b.String())
	if err != nil { // a set that runs backwards, such as [z-a], matches nothing
		return regexp.MustCompile(`^\x00$`)
	}
	return re
}

// bracket translates the set that pattern starts with and returns how many bytes of it that were.
func bracket(pattern string) (set string, n int) {
	start := 1
	if strings.HasPrefix(pattern[1:], "!") {
		start = 2
	}
	if start+1 > len(pattern) {
		return `\[`, 1
	}
	end := strings.IndexByte(pattern[start+1:], ']') // a ] that comes first is a member
	if end < 0 {
		return `\[`, 1
	}
	end += start + 1
	members := strings.NewReplacer(`^`, `\^`, `[`, `\[`, `]`, `\]`, `&`, `\&`, `~`, `\~`).Replace(pattern[start:end])
	if start == 2 {
		return "[^" + members + "]", end + 1
	}
	return "[" + members + "]", end + 1
}

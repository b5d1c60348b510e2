// Package lazy makes values when they are first needed, so that a program does not make all of them when it starts.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp returns a function that returns the regular expression. It panics on its first call if the pattern is not one.
func Regexp(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

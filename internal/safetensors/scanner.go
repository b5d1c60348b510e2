package safetensors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gomamba/gomamba/internal/badfile"
)

// scanner walks a header that checkText has passed. It is needed because encoding/json would match keys without case,
// let a repeated key win, and treat null as an object.
type scanner struct {
	file  string
	text  []byte
	at    int    // in text
	keys  int    // names and metadata keys met so far
	where string // place in the header, for messages

	lenient bool // metadata that is not text is left out

	header header
}

func (s *scanner) bad(format string, args ...any) error {
	return &badfile.FormatError{File: s.file, Where: s.where, Detail: fmt.Sprintf(format, args...)}
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.text); s.at++ {
		if c := s.text[s.at]; c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// more reports whether another element follows before the closing bracket, and takes the comma or that bracket.
func (s *scanner) more(closing byte) bool {
	c := s.peek()
	if c == closing || c == ',' {
		s.at++
	}
	return c != closing && c != 0
}

// object takes an object and has value take what stands behind each key. Keys must differ.
func (s *scanner) object(value func(key string) error) error {
	if s.peek() != '{' {
		return s.bad("found %s, expected an object", s.describe())
	}
	s.at++
	seen := make(map[string]struct{})
	for s.more('}') {
		key := s.key()
		if _, dup := seen[key]; dup {
			return s.bad("the key %s appears twice", badfile.Quote(key))
		}
		seen[key] = struct{}{}
		if err := s.count(); err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
	}
	return nil
}

// count counts one more key.
func (s *scanner) count() error {
	if s.keys++; s.keys > maxKeys {
		return &badfile.UnsupportedError{File: s.file, Where: "header",
			Detail: fmt.Sprintf("more than the %d names and keys this program reads", maxKeys)}
	}
	return nil
}

// skip takes a value of any kind.
func (s *scanner) skip() {
	depth := 0
	for {
		switch s.peek() {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':':
			s.at++
		case '"':
			s.quoted()
		case 0:
			return // cannot be: the text as a whole is valid
		default:
			s.word()
		}
		if depth == 0 {
			return
		}
	}
}

// key takes an object's key and the colon.
func (s *scanner) key() string {
	s.peek()
	key := s.quoted()
	s.peek()
	s.at++
	return key
}

// quoted takes the string that begins at s.at.
func (s *scanner) quoted() string {
	begin, escaped := s.at, false
	for s.at++; s.at < len(s.text) && s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	if !escaped {
		return string(s.text[begin+1 : s.at-1])
	}
	var v string
	if err := json.Unmarshal(s.text[begin:s.at], &v); err != nil {
		return string(s.text[begin:s.at]) // cannot be: the text as a whole is valid
	}
	return v
}

// word takes the number, true, false or null that begins at s.at.
func (s *scanner) word() string {
	end := bytes.IndexAny(s.text[s.at:], ",]} \t\n\r")
	if end < 0 {
		end = len(s.text) - s.at
	}
	s.at += end
	return string(s.text[s.at-end : s.at])
}

// describe names the value that comes next in a message, which ends the scan.
func (s *scanner) describe() string {
	switch s.peek() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "the string " + badfile.Quote(s.quoted())
	case 't', 'f', 'n':
		return s.word()
	default:
		return "the number " + badfile.Quote(s.word())
	}
}

// str takes a string value.
func (s *scanner) str(what string) (string, error) {
	if s.peek() != '"' {
		return "", s.bad("%s is %s, expected a string", what, s.describe())
	}
	return s.quoted(), nil
}

// numbers takes an array of natural numbers, stopping at the first beyond limit of them.
func (s *scanner) numbers(what string, limit int) ([]uint64, error) {
	if s.peek() != '[' {
		return nil, s.bad("%s is %s, expected an array of numbers", what, s.describe())
	}
	s.at++
	v := make([]uint64, 0, limit)
	for s.more(']') {
		if c := s.peek(); c != '-' && (c < '0' || c > '9') {
			return nil, s.bad("%s holds %s, expected numbers", what, s.describe())
		}
		digits := s.word()
		u, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return nil, s.bad("%s holds %s, expected whole numbers from 0 to 2^64-1", what, badfile.Quote(digits))
		}
		if v = append(v, u); len(v) > limit {
			break
		}
	}
	return v, nil
}

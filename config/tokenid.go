package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// wantID is what a token id must be. Negative ids and ids beyond the vocabulary are kept: published files use -1 for
// "none", and transformers only warns about them.
const wantID = "a 32-bit integer"

func validID(id int) bool { return math.MinInt32 <= id && id <= math.MaxInt32 }

// idField is one token id or null.
func idField(key string, p **int) field {
	show := func() string {
		if *p == nil {
			return "null"
		}
		return strconv.Itoa(**p)
	}
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = nil
			if v.Kind() == jsonobj.Null {
				return true
			}
			id, ok := v.Int()
			*p = &id
			return ok
		},
		check: func() bool { return *p == nil || validID(**p) },
		found: show,
		want:  wantID + " or null",
		text:  show,
	}
}

// idsField is one token id, a list of them, or null.
func idsField(key string, p *TokenIDs) field {
	show := func() string {
		list := make([]string, len(p.IDs))
		for i, id := range p.IDs {
			list[i] = strconv.Itoa(id)
		}
		ids := strings.Join(list, ",")
		switch {
		case p.List:
			return "[" + ids + "]"
		case ids == "":
			return "null"
		}
		return ids
	}
	return field{
		key: key,
		decode: func(v jsonobj.Value) bool {
			*p = TokenIDs{List: v.Kind() == jsonobj.Array}
			if v.Kind() == jsonobj.Null {
				return true
			}
			elems := []jsonobj.Value{v}
			if p.List {
				var ok bool
				if elems, ok = v.Elems(maxList); !ok {
					return false
				}
			}
			for _, e := range elems {
				id, ok := e.Int()
				if !ok {
					return false
				}
				p.IDs = append(p.IDs, id)
			}
			return true
		},
		check: func() bool {
			return (p.List || len(p.IDs) <= 1) &&
				!slices.ContainsFunc(p.IDs, func(id int) bool { return !validID(id) })
		},
		found: func() string { return badfile.Quote(show()) },
		want:  fmt.Sprintf("%s, a list of up to %d, or null", wantID, maxList),
		text:  show,
	}
}

package config

import (
	"math"

	"github.com/gomamba/gomamba/internal/jsonobj"
)

// KeyEOS is the key of the ids that end a text, in config.json and generation_config.json.
const KeyEOS = "eos_token_id"

// ParseStops reads the ids that end a text from a generation_config.json, or from a config.json as generation does: no
// defaults. Errors name key, what was found and expected, or say that this is not a JSON object.
func ParseStops(data []byte) ([]int64, error) {
	members, err := jsonobj.Parse(data)
	if err != nil {
		return nil, err
	}
	v, ok := members.Get(KeyEOS)
	if !ok || v.Kind() == jsonobj.Null {
		return nil, nil
	}
	elems := []jsonobj.Value{v}
	if v.Kind() == jsonobj.Array {
		if elems, ok = v.Elems(maxList); !ok {
			return nil, formatError(KeyEOS, "found %s, expected at most %d ids", v, maxList)
		}
	}
	var ids []int64
	for _, e := range elems {
		f, ok := e.Float() // transformers takes 7.0 too
		if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
			return nil, formatError(KeyEOS, "found %s, expected an id, a list of ids or null", v)
		}
		ids = append(ids, int64(f))
	}
	return ids, nil
}

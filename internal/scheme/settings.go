package scheme

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
)

// settings are what config.json says about quantized weights.
type settings struct{ members jsonobj.Members }

func parseSettings(text string) (*settings, error) {
	if text == "" {
		return &settings{}, nil
	}
	v, err := jsonobj.ParseValue(text)
	if err != nil {
		return nil, &badfile.FormatError{Where: keyQuantization, Detail: err.Error()}
	}
	members, ok := v.Members()
	if !ok {
		return nil, &badfile.FormatError{Where: keyQuantization, Detail: fmt.Sprintf("found %s, expected an object", v)}
	}
	return &settings{members}, nil
}

// keyQuantization is the key of config.json.
const keyQuantization = "quantization_config"

// of returns the settings of a module: MLX has some under its name, which are of the mode affine unless they say otherwise.
func (s *settings) of(module string) settings {
	own := *s
	if v, ok := s.members.Get(module); ok {
		if inside, ok := v.Members(); ok {
			affine, _ := jsonobj.ParseValue(`"` + mlxAffine + `"`)
			own.members = slices.Concat(inside, jsonobj.Members{{Key: "mode", Value: affine}}, s.members)
		}
	}
	return own
}

// number returns a number that is stated under a key of the settings, or of an object in them.
func (s *settings) number(key string) (int, bool) {
	v, ok := s.members.Get(key)
	if !ok {
		return 0, false
	}
	return v.Int()
}

func (s *settings) text(key string) string {
	v, _ := s.members.Get(key)
	text, _ := v.Text()
	return text
}

// numbers returns a list of numbers.
func (s *settings) numbers(key string) (list []int) {
	v, _ := s.members.Get(key)
	elems, _ := v.Elems(8)
	for _, e := range elems {
		if n, ok := e.Int(); ok {
			list = append(list, n)
		}
	}
	return list
}

// methods are the values of quant_method whose weights are known here.
var methods = []string{"bitsandbytes", "compressed-tensors", "modelopt", "fp8", "gptq", "awq", "mlx", "torchao"}

// unknown is the error of a quantization that is stated and not known, if no weight was found that is coded.
func (s *settings) unknown(found bool) error {
	if found || len(s.members) == 0 {
		return nil
	}
	method := s.text("quant_method")
	if method == "" || slices.Contains(methods, strings.ToLower(method)) {
		return nil
	}
	return &badfile.UnsupportedError{Where: keyQuantization, Detail: fmt.Sprintf("already quantized with %s; convert from the unquantized repo", badfile.Quote(method))}
}

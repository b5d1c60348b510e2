package dump

import "github.com/gomamba/gomamba/tensor"

// Values returns a copy of a float tensor's elements, rounded to T where they are wider.
func Values[T float32 | float64](t tensor.Tensor) []T {
	v := make([]T, t.Elems())
	switch v := any(v).(type) {
	case []float32:
		tensor.WidenF32(v, t.DType, t.Data)
	case []float64:
		tensor.WidenF64(v, t.DType, t.Data)
	}
	return v
}

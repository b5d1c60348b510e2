package dump

import (
	"github.com/gomamba/gomamba/internal/safetensors"
	"github.com/gomamba/gomamba/tensor"
)

// StateEntries announces the conv and SSM states of some layers, all of the same shapes.
func StateEntries(dtype tensor.DType, layers int, conv, ssm []int) []safetensors.Entry {
	var entries []safetensors.Entry
	for l := range layers {
		entries = append(entries,
			safetensors.Entry{Name: ConvState(l), DType: dtype, Shape: conv},
			safetensors.Entry{Name: SSMState(l), DType: dtype, Shape: ssm})
	}
	return entries
}

// WriteStates writes the conv and SSM states of every layer.
func WriteStates[T float32 | float64](w *Writer, conv, ssm [][]T) error {
	for l := range conv {
		if err := Write(w, ConvState(l), 0, conv[l]); err != nil {
			return err
		}
		if err := Write(w, SSMState(l), 0, ssm[l]); err != nil {
			return err
		}
	}
	return nil
}

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

// States returns copies of the conv and SSM states of every layer. Errors are those of Cache.
func States[T float32 | float64](d *Dump) (conv, ssm [][]T, err error) {
	convs, ssms, err := d.Cache()
	if err != nil {
		return nil, nil, err
	}
	for l := range convs {
		conv = append(conv, Values[T](convs[l]))
		ssm = append(ssm, Values[T](ssms[l]))
	}
	return conv, ssm, nil
}

package safetensors

import (
	"cmp"

	"github.com/gomamba/gomamba/internal/mmap"
)

// Listed is a tensor as the header describes it.
type Listed struct {
	Name  string
	DType string // as the format spells it, such as "F8_E4M3"
	Shape []int
	Bytes int
}

// List returns the tensors of the file at path in the order of their data, those included whose dtype Open refuses.
// Its other errors are those of Open.
func List(path string) (list []Listed, err error) {
	m, err := mmap.Open(path)
	if err != nil {
		return nil, err
	}
	err = mmap.Guard(func() (err error) {
		list, err = parseList(path, m.Data())
		return err
	})
	return list, cmp.Or(err, m.Close())
}

func parseList(name string, data []byte) ([]Listed, error) {
	headerSize, err := checkLength(name, data)
	if err != nil {
		return nil, err
	}
	h, err := scanHeader(name, data[lengthSize:lengthSize+headerSize], true)
	if err != nil {
		return nil, err
	}
	if err := checkCover(name, h.extents, headerSize, len(data)); err != nil {
		return nil, err
	}
	list := make([]Listed, len(h.extents))
	for i, e := range h.extents {
		list[i] = Listed{Name: e.name, DType: e.foreign, Shape: e.shape, Bytes: int(e.end - e.begin)}
		if e.foreign == "" {
			list[i].DType = e.dtype.String()
		}
	}
	return list, nil
}

package config

// Sizes are sizes by their symbols, which are those of the package comment and of the families' structs: V, D and L of every
// family, I = DInner and C = ConvChannels, and the family's own.
type Sizes map[string]int

// handle is a size by its symbol, or a switch by its key.
type handle struct {
	name string
	size *int  // nil: a switch
	on   *bool // nil: a size
}

func size(symbol string, p *int) handle { return handle{symbol, p, nil} }

func toggle(key string, p *bool) handle { return handle{key, nil, p} }

// SizesOf returns all sizes of a configuration.
func SizesOf(c Config) Sizes {
	s := Sizes{"I": c.DInner(), "C": c.ConvChannels()}
	for _, h := range c.handles() {
		if h.size != nil {
			s[h.name] = *h.size
		}
	}
	return s
}

// Fit sets the sizes that tensors or the keys of a file show, and what follows from them. The result may be invalid.
func Fit(c Config, shown Sizes) {
	for _, h := range c.handles() {
		if n, ok := shown[h.name]; ok && h.size != nil {
			*h.size = n
		}
	}
	c.settle(shown)
}

// fitExpand makes expand the ratio of the widths, if it is one.
func (c *Common) fitExpand(inner int) {
	if c.HiddenSize > 0 && inner > 0 && inner%c.HiddenSize == 0 {
		c.Expand = inner / c.HiddenSize
	}
}

// Product returns the product of two sizes of a family, and their keys, if tensors only show the product. If neither size is
// known, the first keeps its default. ok is false if tensors of the family show every size. n is 0 if the given sizes do not
// determine the product.
func Product(f Family, shown Sizes) (n int, keys [2]string, ok bool) {
	e := entryOf(f)
	if e == nil || e.product == nil {
		return 0, keys, false
	}
	return max(e.product.of(shown), 0), e.product.keys, true
}

// On reports whether a switch that tensors depend on is on. A switch that the family does not have is off.
func On(c Config, key string) bool {
	for _, h := range c.handles() {
		if h.name == key && h.on != nil {
			return *h.on
		}
	}
	return false
}

package doctor

import (
	"fmt"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/names"
)

// otherFactor returns the key that tensors show only together with this one, as a product.
func otherFactor(cfg config.Config, key string) (other string, ok bool) {
	_, keys, ok := config.Product(cfg.Family(), nil)
	switch {
	case ok && key == keys[0]:
		return keys[1], true
	case ok && key == keys[1]:
		return keys[0], true
	}
	return "", false
}

// productOnly says what tensors leave open.
func productOnly(a, b string) string {
	return fmt.Sprintf("of %s and %s the tensors show only the product", min(a, b), max(a, b))
}

// factors returns what tensors show of the product of two settings of cfg, 0 if nothing, and the two.
func (d *doctor) factors(cfg config.Config) (product int, a, b config.Knob, ok bool) {
	shapes := make(map[string][]int, len(d.w.Tensors))
	for _, t := range d.w.Tensors {
		shapes[t.Name] = t.Shape
	}
	shown, _ := names.Shown(cfg, shapes)
	product, keys, ok := config.Product(cfg.Family(), shown)
	for _, k := range config.Knobs(cfg) {
		switch k.Key {
		case keys[0]:
			a = k
		case keys[1]:
			b = k
		}
	}
	return product, a, b, ok
}

// sized returns cfg with the first factor of a product that its second leaves, if the file states only that.
func (d *doctor) sized(cfg config.Config) config.Config {
	sized := cfg.Clone()
	product, a, b, ok := d.factors(sized)
	if !ok || d.present(cfg, a.Key) || !d.present(cfg, b.Key) {
		return cfg
	}
	if product > 0 && product%*b.Size == 0 {
		*a.Size = product / *b.Size
	}
	return sized
}

// factorise sets the factors of a product: the first is what the file says, or what its second leaves, or else the usual
// one, if it divides the product, and else the whole; the second is 1 until layout.Fit divides.
func (d *doctor) factorise(cfg config.Config) {
	product, a, b, ok := d.factors(cfg)
	if !ok {
		return
	}
	*b.Size = 1
	if n, ok := d.divisor(cfg.Family(), a.Key, product); ok {
		*a.Size = n
	} else if n, ok := d.divisor(cfg.Family(), b.Key, product); ok {
		*a.Size = product / n
	} else if product > 0 && product%*a.Size != 0 {
		*a.Size = product
	}
}

// divisor returns what the file states under a key, or under its argument of mamba_ssm's mixer, if it divides the product.
func (d *doctor) divisor(family config.Family, key string, product int) (n int, ok bool) {
	v, ok := d.raw.Get(key)
	if !ok {
		outer, argument, _ := strings.Cut(config.Spelling("original", family, key), ".")
		var inside jsonobj.Members
		if x, there := d.raw.Get(outer); there {
			inside, _ = x.Members()
		}
		v, ok = inside.Get(argument)
	}
	n, isInt := v.Int()
	return n, ok && isInt && n > 0 && product > 0 && product%n == 0
}

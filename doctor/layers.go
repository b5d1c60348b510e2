package doctor

import (
	"reflect"
	"slices"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/jsonobj"
	"github.com/gomamba/gomamba/internal/layout/original"
	"github.com/gomamba/gomamba/internal/names"
)

// nameLayers adds the keys that say which layers of a hybrid are what, if the configuration lacks them and its defaults are not
// what the tensors show.
func (d *doctor) nameLayers() {
	family := d.layered()
	if family == "" || slices.ContainsFunc(config.LayerSpellings, func(key string) bool { _, there := d.raw.Get(key); return there }) {
		return
	}
	var keys jsonobj.Members
	for _, x := range config.LayersShown(family, names.LayersShown(family, d.w.Names())) {
		if _, there := d.raw.Get(x.Key); there {
			continue
		}
		v, err := jsonobj.ParseValue(x.Value)
		if err != nil {
			return
		}
		keys = append(keys, jsonobj.Member{Key: x.Key, Value: v})
	}
	if !slices.ContainsFunc(keys, func(m jsonobj.Member) bool { return m.Key != "num_hidden_layers" }) {
		return
	}
	cfg, err := d.parseText(object(merged(keys, d.raw, nil)))
	if err != nil {
		return
	}
	if before, err := d.parseText(object(d.raw)); err == nil && reflect.DeepEqual(config.Blocks(before), config.Blocks(cfg)) {
		return
	}
	d.raw = merged(keys, d.raw, nil)
	for _, x := range keys {
		d.add(x.Key+" is "+x.Value.Compact(), "%s: %s: missing; the tensors show which layers are what", d.file, badfile.Printable(x.Key))
	}
}

// layered is the family of hybrids whose layers the file says, or would: that of its model_type, or in the original layout that with
// attention if the file says what its heads are.
func (d *doctor) layered() config.Family {
	if d.layout.Name == original.Name {
		if v, ok := d.raw.Get("attn_cfg"); ok {
			if members, ok := v.Members(); ok && len(members) > 0 {
				return config.MambaSSM
			}
		}
		return ""
	}
	v, _ := d.raw.Get(keyModelType)
	name, _ := v.Text()
	if f := config.Family(name); d.statesAll() && config.Hybrid(f) {
		return f
	}
	return ""
}

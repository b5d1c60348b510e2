package loader

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/tensor"
)

// report turns what the examination found into faults, the most informative first. Check returns them, so each says its reason;
// package doctor looks further.
func (x *examination) report(required int, opts Options) {
	switch {
	case x.variant(), x.hybrid(), x.unknownModel(required):
		return // every further difference follows from that
	}
	x.reportMisshapen()
	x.reportMistyped()
	x.reportMissing(required)
	x.reportMisnamed()
	x.reportLeftOver()
	x.reportForeign(opts.Strict)
}

func (x *examination) add(f fault) {
	if f.severity == 0 {
		f.severity = Error
	}
	if f.file == "" {
		f.file = x.ck.weights.Source
	}
	x.ck.faults = append(x.ck.faults, f)
}

// variant recognises by its tensor names a checkpoint that is another thing than its configuration says. Beside a
// complete model only what its blocks would compute with counts.
func (x *examination) variant() bool {
	complete := len(x.missing)+len(x.misshape)+len(x.mistyped) == 0
	own := x.ck.cfg.Family()
	votes := make(map[string]int)
	best, example := "", ""
	for _, name := range x.foreign {
		what, family, ok := names.Variant(name)
		if family != "" && config.Plain(family) == config.Plain(own) {
			continue // blocks of its own kind, under names that are not known
		}
		if !ok || complete && !(ofNetwork(name) && names.Added(name)) {
			continue
		}
		votes[what]++
		if best == "" || votes[what] > votes[best] {
			best, example = what, name
		}
	}
	if best == "" {
		return false
	}
	_, family, _ := names.Variant(example)
	x.add(fault{unsupported: family == "", fixable: family != "" && best != names.Adapter, where: badfile.Tensor(example), detail: x.contradiction(best, own, family)})
	return true
}

// ofNetwork reports whether a name is that of something in a block, in the embedding or in the head.
func ofNetwork(name string) bool {
	_, inside := block(name)
	return inside || strings.HasPrefix(name, strings.TrimSuffix(names.Embedding, "weight")) || strings.HasPrefix(name, strings.TrimSuffix(names.Head, "weight"))
}

// contradiction says that the tensors are of another kind than the configuration says.
func (x *examination) contradiction(found string, own, family config.Family) string {
	switch {
	case found == names.Adapter:
		return "found " + found + "; merge it with merge_and_unload and save that model"
	case family == "":
		return "found " + found + "; use a checkpoint of a plain, unquantized " + string(own) + " model"
	}
	return fmt.Sprintf("found %s, %s says that the model is a %s",
		found, x.ck.settings(), own)
}

// hybrid recognises the attention blocks that the original code can put between mixers: they are named like mixers and
// have projections, and perhaps a convolution, but nothing of the state space model.
func (x *examination) hybrid() bool {
	lacking := make(map[int][]string) // what is missing from mixers, by block
	for _, s := range x.missing {
		if _, name, ok := strings.Cut(s.Name, ".mixer."); ok {
			lacking[s.Layer] = append(lacking[s.Layer], name)
		}
	}
	var attention []string
	for i := range x.ck.cfg.Shared().NumHiddenLayers {
		_, projects := x.ck.found[names.Blocks+strconv.Itoa(i)+".mixer.out_proj.weight"]
		if projects && lacksAll(lacking[i], names.StateSpace(x.ck.cfg, i)) {
			attention = append(attention, strconv.Itoa(i))
		}
	}
	if len(attention) == 0 {
		return false
	}
	listed := strings.Join(attention[:min(len(attention), badfile.MaxListed)], ", ")
	if len(attention) > badfile.MaxListed {
		listed += fmt.Sprintf(" and %d more", len(attention)-badfile.MaxListed)
	}
	verb := "have"
	if len(attention) == 1 {
		verb = "has"
	}
	x.add(fault{unsupported: true, detail: fmt.Sprintf("found a hybrid model: %s (%s) %s projections but no A_log and D, "+
		"as attention blocks; a model of this family does not have them", badfile.Count(len(attention), "block"), listed, verb)})
	return true
}

// lacksAll reports whether everything in list is missing.
func lacksAll(missing, list []string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(name string) bool { return !slices.Contains(missing, name) })
}

// unknownModel recognises weights that share no name with the family, or none of a block.
func (x *examination) unknownModel(required int) bool {
	known := len(x.ck.found) + len(x.misnamed) + len(x.leftOver)
	if known > 0 && (x.blocks() > 0 || len(x.misnamed) > 0 || len(x.foreign) == 0 || len(x.missing) == 0) {
		return false
	}
	found, verdict := "unknown names: "+badfile.QuoteList(x.foreign), "these are weights of another model, or something has changed their names"
	if len(x.foreign) == 0 {
		found, verdict = "no tensors", "download it again"
	}
	example := x.missing[len(x.missing)-1]
	for _, s := range slices.Backward(x.missing) {
		if strings.Contains(s.Name, ".mixer.") {
			example = s
		}
	}
	x.add(fault{detail: fmt.Sprintf("found %s, expected %d tensors of a %s model, such as %s; %s",
		found, required, x.ck.cfg.Family(), badfile.Quote(x.ck.StoredName(example.Name)), verdict)})
	return true
}

func (x *examination) reportMisshapen() {
	if len(x.misshape) == 0 {
		return
	}
	t, spec := x.misshape[0].Tensor, x.misshape[0].spec
	detail := fmt.Sprintf("found %s, %s says %s", badfile.Shape(t.Shape), x.ck.settings(), badfile.Shape(spec.Shape))
	if why, ok := names.Misshapen(spec, t.Shape); ok {
		detail = fmt.Sprintf("found %s, %s", badfile.Shape(t.Shape), why)
	} else if reason := x.ck.shapeReason(spec, t.Shape); reason != "" {
		detail += " (" + reason + ")"
	}
	if rest := x.misshape[1:]; len(rest) > 0 {
		others := make([]string, 0, len(rest))
		for _, m := range rest {
			others = append(others, x.ck.StoredName(m.Name))
		}
		detail += fmt.Sprintf("; also wrong: %s", badfile.QuoteList(others))
	}
	x.add(fault{file: t.File, where: badfile.Tensor(x.ck.StoredName(t.Name)), detail: detail})
}

func (x *examination) reportMistyped() {
	if len(x.mistyped) == 0 {
		return
	}
	t := x.mistyped[0]
	plain := slices.DeleteFunc(tensor.Floats(), tensor.DType.Quantized) // a GGUF file with other types is refused before
	detail := fmt.Sprintf("found dtype %s, expected %s", t.DType, badfile.Or(plain))
	if more := len(x.mistyped) - 1; more > 0 {
		detail += fmt.Sprintf("; also wrong: %s", badfile.Count(more, "more tensor"))
	}
	x.add(fault{file: t.File, where: badfile.Tensor(x.ck.StoredName(t.Name)), detail: detail, unsupported: true})
}

func (x *examination) reportMissing(required int) {
	if len(x.missing) == 0 {
		return
	}
	list := make([]string, 0, len(x.missing))
	for _, s := range x.missing {
		list = append(list, x.ck.StoredName(s.Name))
	}
	detail := fmt.Sprintf("%d of %d tensors missing: %s", len(list), required, badfile.QuoteList(list))
	if shard, ok := x.ck.weights.Lacking[list[0]]; ok {
		detail += fmt.Sprintf(" (the index puts the first into the shard %s, which lacks it; download the shard again)", badfile.Quote(shard))
	} else if reason := x.ck.presenceReason(x.missing[0].Name, x.blocks()); reason != "" {
		detail += " (" + reason + ")"
	}
	x.add(fault{detail: detail})
}

func (x *examination) reportMisnamed() {
	if len(x.misnamed) == 0 {
		return
	}
	name := x.misnamed[0]
	canonical, _ := names.Rename(name)
	detail := fmt.Sprintf("transformers reads this tensor only under the name %s; rename it", badfile.Quote(canonical))
	if more := len(x.misnamed) - 1; more > 0 {
		detail += fmt.Sprintf("; the same for %s", badfile.Count(more, "more tensor"))
	}
	x.add(fault{where: badfile.Tensor(name), detail: detail})
}

func (x *examination) reportLeftOver() {
	if len(x.leftOver) == 0 {
		return
	}
	list := make([]string, 0, len(x.leftOver))
	for _, name := range x.leftOver {
		list = append(list, x.ck.StoredName(name))
	}
	detail := fmt.Sprintf("found %s that %s leaves no place for: %s", badfile.Count(len(list), "tensor"), x.ck.settings(), badfile.QuoteList(list))
	if reason := x.ck.presenceReason(x.leftOver[0], x.blocks()); reason != "" {
		detail += " (" + reason + ")"
	}
	x.add(fault{detail: detail})
}

func (x *examination) reportForeign(strict bool) {
	if len(x.foreign) == 0 {
		return
	}
	f := fault{severity: Warning, detail: fmt.Sprintf("found %s that a %s model does not have: %s",
		badfile.Count(len(x.foreign), "tensor"), x.ck.cfg.Family(), badfile.QuoteList(x.foreign))}
	if strict {
		f.severity = Error
	} else {
		f.detail += "; ignored"
	}
	x.add(f)
}

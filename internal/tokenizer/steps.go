package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gomamba/gomamba/internal/badfile"
)

const (
	maxSteps  = 32 // normalizers and pre-tokenizers of a file
	maxGrowth = 64 // how many times as long normalizers may make a text
	maxNested = 4  // levels of sequences
)

// readNormalizer reads a normalizer, or a sequence of them. growth is the product of what they may make of a byte.
func readNormalizer(o object, level int, growth *int) []normalizer {
	switch kind := o.text("type", ""); kind {
	case "Sequence":
		var all []normalizer
		for _, inner := range sequence(o, "normalizers", level) {
			all = append(all, readNormalizer(inner, level+1, growth)...)
		}
		if len(all) > maxSteps {
			o.unsupported("normalizers", "found %d, expected at most %d", len(all), maxSteps)
		}
		return all
	case "NFC":
		return []normalizer{composing}
	case "Prepend":
		mark := o.text("prepend", "")
		if len(mark) > maxGrowth {
			o.unsupported("prepend", "found %d bytes, expected at most %d", len(mark), maxGrowth)
		}
		return []normalizer{{local: true, apply: func(s string, at place) string {
			if at == joined {
				return s
			}
			return mark + s
		}}}
	case "Replace":
		from, to := readLiteral(o), o.text("content", "")
		if from == "" || !grows(o, from, to, growth) {
			return nil
		}
		return []normalizer{replacing(from, to)}
	default:
		o.unsupported("type", "found %s, expected one of Sequence, NFC, Prepend, Replace", badfile.Quote(kind))
	}
	return nil
}

// composing is Unicode's NFC.
var composing = normalizer{apply: func(s string, _ place) string { return nfc(s) }, local: true}

func replacing(from, to string) normalizer {
	marks := from == " " && to == spaceMark
	return normalizer{apply: func(s string, _ place) string { return strings.ReplaceAll(s, from, to) }, local: marks, marks: marks}
}

// grows takes note that from becomes to, and reports whether texts stay below maxGrowth times their length.
func grows(o object, from, to string, growth *int) bool {
	if *growth *= max(1, (len(to)+len(from)-1)/len(from)); *growth > maxGrowth {
		o.unsupported("content", "found %d bytes: texts may grow more than %d times as long", len(to), maxGrowth)
		return false
	}
	return true
}

// sequence returns the members of a sequence.
func sequence(o object, key string, level int) []object {
	if level == maxNested {
		o.unsupported(key, "sequences within sequences, more than %d levels deep", maxNested)
		return nil
	}
	return o.objects(key)
}

// readLiteral reads a pattern that is a plain string.
func readLiteral(o object) string {
	p, ok := o.object("pattern")
	if !ok {
		o.fail("pattern", `missing, expected {"String": "..."}`)
		return ""
	}
	s := p.text("String", "")
	if s == "" {
		p.unsupported("String", "missing or empty, and only strings are replaced here")
	}
	return s
}

// readSteps reads a pre-tokenizer, or a sequence of them.
func readSteps(o object, level int) []step {
	switch kind := o.text("type", ""); kind {
	case "Sequence":
		var all []step
		mapped := 0
		for _, inner := range sequence(o, "pretokenizers", level) {
			for _, s := range readSteps(inner, level+1) {
				if _, ok := s.(mapBytes); ok {
					mapped++
				}
				all = append(all, s)
			}
		}
		if len(all) > maxSteps || mapped > 1 {
			o.unsupported("pretokenizers", "found %d steps, %d of them byte-level, expected at most %d and 1", len(all), mapped, maxSteps)
		}
		return all
	case "ByteLevel":
		var all []step
		if o.flag("add_prefix_space", true) {
			all = append(all, prefixSpace{})
		}
		if o.flag("use_regex", true) {
			all = append(all, splitGPT2{})
		}
		return append(all, mapBytes{})
	case "Metaspace":
		return []step{readMetaspace(o)}
	case "Punctuation":
		return []step{splitClass{punct, readBehavior(o, isolated)}}
	case "Digits":
		if o.flag("individual_digits", false) {
			return []step{splitClass{digit, isolated}}
		}
		return []step{splitClass{digit, contiguous}}
	case "WhitespaceSplit":
		return []step{splitClass{space, removed}}
	case "Split":
		return readSplit(o)
	default:
		o.unsupported("type", "found %s, expected one of Sequence, ByteLevel, Metaspace, Punctuation, Digits, WhitespaceSplit, Split",
			badfile.Quote(kind))
	}
	return nil
}

func readMetaspace(o object) metaspace {
	otherwise := always
	if !o.flag("add_prefix_space", true) {
		otherwise = never
	}
	m := metaspace{
		mark:   o.text("replacement", "▁"),
		scheme: scheme(o.text("prepend_scheme", string(otherwise))),
		split:  o.flag("split", true),
	}
	if !slices.Contains(schemes, m.scheme) {
		o.fail("prepend_scheme", "found %s, expected always, first or never", badfile.Quote(string(m.scheme)))
	}
	if utf8.RuneCountInString(m.mark) != 1 {
		o.fail("replacement", "found %s, expected one character", badfile.Quote(m.mark))
		m.mark = "▁"
	}
	return m
}

func readBehavior(o object, otherwise behavior) behavior {
	b := behavior(o.text("behavior", string(otherwise)))
	if !slices.Contains(behaviors, b) {
		o.fail("behavior", "found %s, expected one of %s", badfile.Quote(string(b)), behaviors)
	}
	return b
}

func readSplit(o object) []step {
	b, invert := readBehavior(o, removed), o.flag("invert", false)
	p, ok := o.object("pattern")
	if !ok {
		o.fail("pattern", `missing, expected {"Regex": "..."} or {"String": "..."}`)
		return nil
	}
	expr := p.text("Regex", "")
	if expr == "" {
		literal := readLiteral(o)
		if literal == "" {
			return nil
		}
		return []step{&splitPattern{literal: literal, invert: invert, behavior: b}}
	}
	s, err := newSplit(expr, invert, b)
	if err != nil {
		p.unsupported("Regex", "found %v", err)
		return nil
	}
	return []step{s}
}

// readPostProcessor reads what is put around a text.
func readPostProcessor(o object, t *Tokenizer) {
	switch kind := o.text("type", ""); kind {
	case "ByteLevel": // of offsets only
	case "Sequence":
		for _, inner := range o.objects("processors") {
			if inner.text("type", "") == "Sequence" {
				inner.unsupported("type", "found a sequence within a sequence")
				return
			}
			readPostProcessor(inner, t)
		}
	case "TemplateProcessing":
		readTemplate(o, t)
	default:
		o.unsupported("type", "found %s, expected one of Sequence, ByteLevel, TemplateProcessing", badfile.Quote(kind))
	}
}

// readTemplate reads a template such as [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}].
func readTemplate(o object, t *Tokenizer) {
	ids := map[string][]int64{}
	if all, ok := o.object("special_tokens"); ok {
		for _, member := range all.members {
			special := all.as(member.Key, member.Value)
			for _, v := range special.list("ids") {
				id, ok := v.Int()
				if !ok || id < 0 || id >= maxID {
					special.fail("ids", "found %s, expected an id", v)
				}
				ids[member.Key] = append(ids[member.Key], int64(id))
			}
		}
	}
	var before, after []int64
	texts := 0
	for _, item := range o.objects("single") {
		if _, ok := item.object("Sequence"); ok {
			texts++
			continue
		}
		special, ok := item.object("SpecialToken")
		if !ok {
			item.fail("SpecialToken", "missing, and so is Sequence")
			return
		}
		name := special.text("id", "")
		if ids[name] == nil {
			special.fail("id", "%s is not among special_tokens", badfile.Quote(name))
		}
		if texts == 0 {
			before = append(before, ids[name]...)
		} else {
			after = append(after, ids[name]...)
		}
	}
	if texts != 1 {
		o.unsupported("single", "found the text %d times, expected it once", texts)
	}
	t.before, t.after = append(before, t.before...), append(t.after, after...)
}

// readDecoder reads how tokens become text. growth is as for readNormalizer.
func readDecoder(o object, d *decoding, growth *int) {
	switch kind := o.text("type", ""); kind {
	case "ByteLevel":
		d.byteLevel = true
	case "Metaspace":
		m := readMetaspace(o)
		d.replace = append(d.replace, [2]string{m.mark, " "})
		if m.scheme != never {
			d.dropMark = m.mark
		}
	case "Sequence":
		for _, inner := range o.objects("decoders") {
			if inner.text("type", "") == "Sequence" {
				inner.unsupported("type", "found a sequence within a sequence")
				return
			}
			readDecoder(inner, d, growth)
		}
	case "Replace":
		from, to := readLiteral(o), o.text("content", "")
		if from == "" || !grows(o, from, to, growth) {
			return
		}
		d.replace = append(d.replace, [2]string{from, to})
	case "ByteFallback":
		d.byteFallback = true
	case "Fuse":
		d.fused = true
	case "Strip":
		d.strip, d.stripAtMost = o.text("content", " "), o.count("start")
		if o.count("stop") != 0 || d.strip == "" {
			o.unsupported("stop", "found a decoder that strips the end of texts")
		}
		if d.stripAtMost > 0 && !d.fused {
			o.unsupported("start", "found a decoder that strips every token: expected Fuse before it")
		}
	default:
		o.unsupported("type", "found %s, expected one of Sequence, ByteLevel, Metaspace, Replace, ByteFallback, Fuse, Strip",
			badfile.Quote(kind))
	}
}

// Package jinja renders chat templates: what transformers' apply_chat_template understands of Jinja, with its settings
// (trim_blocks, lstrip_blocks, loop controls, generation blocks, raise_exception, strftime_now, tojson without HTML).
//
//	t, err := jinja.Parse(source)
//	text, err := t.Render(jinja.Dict{{"messages", messages}, {"add_generation_prompt", true}})
//
// A template comes with a checkpoint and is not trusted. It can reach nothing but its variables: there is no include,
// import or extends, no attribute of a value beyond its items and the methods listed here, and no method that changes
// one. Steps, bytes made, depth, the text and the size of a template are limited, so that it ends, soon, in bounded memory.
//
// The language is that of Jinja 3.1 (jinja.palletsprojects.com, Template Designer Documentation), the values those of
// Python: None, bool, int of 64 bits, float, str of code points, list, tuple, dict in order of insertion.
package jinja

const (
	maxSource  = 1 << 20 // bytes of a template
	maxDepth   = 400     // nested expressions, blocks, calls and values
	maxSteps   = 1 << 21 // evaluated nodes, items looked at
	maxBytes   = 1 << 26 // of strings and lists made in one rendering, those thrown away included
	perByte    = 64      // what a byte of the variables adds to both, up to
	maxCounted = 1 << 24 // bytes
	maxText    = 1 << 20 // bytes of the text: what a template has to say by itself
	textEach   = 16      // what a byte of the variables adds to that
	maxRange   = 100_000 // items of range(), as in Jinja's sandbox
)

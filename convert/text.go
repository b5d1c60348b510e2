package convert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomamba/gomamba/config"
	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/filenames"
	"github.com/gomamba/gomamba/internal/files"
	"github.com/gomamba/gomamba/internal/gguf"
	"github.com/gomamba/gomamba/internal/jsonobj"
	streams "github.com/gomamba/gomamba/internal/stream"
	"github.com/gomamba/gomamba/internal/tokenizer"
	"github.com/gomamba/gomamba/loader"
)

// texts is where a plan takes the tokenizer and the chat templates from.
type texts struct {
	dir  string    // folder of their files; "": none
	main string    // the tokenizer, if it was given as a file of its own and not by its folder
	keys []gguf.KV // of a GGUF file, in place of files
	path string    // of that file, for errors

	t      *tokenizer.Tokenizer // see open
	bad    error                // why it is nil
	opened bool
}

// sourceTexts are those of a plan's source, or of a tokenizer that is given: a file, a folder or a GGUF file.
func sourceTexts(ck *loader.Checkpoint, given string) (texts, error) {
	if given == "" {
		if kvs := ck.GGUFKeys(); kvs != nil {
			return texts{keys: sourceVocabulary(kvs), path: ck.Path()}, nil
		}
		return texts{dir: ck.Path()}, nil
	}
	if streams.Is(given) {
		return texts{}, fmt.Errorf("%s is read as a stream: expected a file or a folder with a tokenizer, which are copied", given)
	}
	t, err := tokenizer.Open(given)
	if err != nil {
		return texts{}, err
	}
	if n := ck.Config().Shared().VocabSize; t.Size() > n {
		return texts{}, &badfile.UnsupportedError{File: t.Path(), Detail: fmt.Sprintf("found %d tokens, the model's vocabulary has %d: "+
			"this tokenizer belongs to another model", t.Size(), n)}
	}
	if f, err := gguf.Open(t.Path()); err == nil {
		x := texts{keys: sourceVocabulary(f.KVs()), path: t.Path()}
		for i := range x.keys {
			x.keys[i].Value = x.keys[i].Value.Clone()
		}
		return x, f.Close()
	}
	x := texts{dir: filepath.Dir(t.Path()), main: t.Path()}
	if info, err := files.Stat(given); err == nil && info.IsDir() {
		x.main = ""
	}
	return x, nil
}

// open reads the tokenizer. It is nil where there is none, or none that gomamba can use.
func (x *texts) open() *tokenizer.Tokenizer {
	if !x.opened && x.dir != "" {
		x.t, x.bad = tokenizer.Open(cmp.Or(x.main, x.dir))
	}
	x.opened = true
	return x.t
}

// added returns the added tokens of a tokenizer.json, with those that the files beside it add.
func (x *texts) added(parsed *tokenizerJSON) []tokenizer.Added {
	if t := x.open(); t != nil {
		return t.Added()
	}
	return parsed.AddedTokens
}

// copy writes the files of a folder, a tokenizer that is a file of its own under the name that programs look for.
func (x *texts) copy(dir *atomicfile.Dir) error {
	if x.dir == "" {
		return nil
	}
	names := carriedTokenizer
	if x.main != "" {
		name := filenames.TokenizerJSON
		if base := filepath.Base(x.main); slices.Contains(names, base) {
			name = base
		} else if filepath.Ext(x.main) != ".json" {
			name = filenames.SentencePiece
		}
		info, err := files.Stat(x.main)
		if err == nil {
			err = copyFile(dir, name, x.main, info.Size())
		}
		if err != nil {
			return err
		}
		names = []string{filenames.TokenizerConfig, filenames.SpecialTokens, filenames.AddedTokens, filenames.Template, filenames.TemplateJSON}
	}
	if _, err := carry(dir, x.dir, names); err != nil {
		return err
	}
	for _, name := range templateNames(x.dir) {
		if _, err := carry(dir, x.dir, []string{filepath.Join(filenames.Templates, name+".jinja")}); err != nil {
			return err
		}
	}
	return nil
}

// settings renders what the keys of a GGUF file say beside its tokens as a tokenizer_config.json; nil if nothing. With a
// tokenizer.json beside it, it says that this one is used as it is, and not rebuilt by a class for this kind of model; and it
// names no token of ordinary text, such as "!", which transformers would then cut out of texts.
func (x *texts) settings(whole bool) ([]byte, error) {
	says := map[string]any{}
	if whole {
		says["tokenizer_class"], says["clean_up_tokenization_spaces"] = "PreTrainedTokenizerFast", false
	}
	tokens, types := []string{}, []int64{}
	for _, kv := range x.keys {
		switch kv.Key {
		case ggufTokenizer + "tokens":
			tokens, _ = kv.Value.Strings()
		case ggufTokenizer + "token_type":
			types, _ = kv.Value.Ints()
		}
	}
	ordinary := func(id uint64) bool { return whole && id < uint64(len(types)) && types[id] == tokenNormal }
	names := map[string]string{}
	for name, key := range specialTypes {
		if name != "eot" && name != "eom" { // which transformers has no names for
			names[ggufTokenizer+key] = name + "_token"
		}
	}
	for _, kv := range x.keys {
		if name, ok := names[kv.Key]; ok {
			if id, err := kv.Value.Uint(); err == nil && id < uint64(len(tokens)) && !ordinary(id) {
				says[name] = tokens[id]
			}
		}
		if name, ok := strings.CutPrefix(kv.Key, ggufTokenizer+"add_"); ok && strings.HasSuffix(name, "_token") {
			if add, err := kv.Value.Bool(); err == nil {
				says["add_"+name] = add
			}
		}
	}
	switch all := templatesOf(x.keys); {
	case len(all) == 1 && all[0].name == defaultTemplate:
		says["chat_template"] = all[0].text
	case len(all) > 0:
		var list []map[string]string
		for _, t := range all {
			list = append(list, map[string]string{"name": t.name, "template": t.text})
		}
		says["chat_template"] = list
	}
	if len(says) == 0 {
		return nil, nil
	}
	return encodeJSON(says)
}

// renderTokenizer makes the tokenizer.json of a folder from the keys of a GGUF file, and a SentencePiece model if it was
// one: that keeps the scores. A vocabulary that cannot be had so is noted, or is an error if it was given; one of ids alone
// has nothing to write.
func (p *Plan) renderTokenizer() error {
	if p.texts.keys == nil {
		return nil
	}
	var err error
	if p.pieces, err = tokenizer.RenderPieces(p.texts.path, p.texts.keys); err != nil {
		p.pieces = nil // the tokenizer.json will do
	}
	p.tokenizer, err = tokenizer.RenderGGUF(p.texts.path, p.texts.keys)
	switch {
	case err == nil:
	case p.given != "":
		return err
	case !errors.Is(err, tokenizer.ErrNone):
		p.Notes = append(p.Notes, fmt.Sprintf("no %s is written: %v", filenames.TokenizerJSON, err))
	}
	return nil
}

// beside writes what a folder holds beside configuration and weights: tokenizer, chat templates, and how to generate, if
// that does not follow from the configuration or the layout always says it.
func (p *Plan) beside(dir *atomicfile.Dir, always bool) error {
	if err := p.texts.copy(dir); err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{{filenames.TokenizerJSON, p.tokenizer}, {filenames.SentencePiece, p.pieces}, {filenames.TokenizerConfig, p.settings}} {
		if file.text == nil {
			continue
		}
		if err := writeSmall(dir, file.name, file.text); err != nil {
			return err
		}
	}
	derived, err := generationConfig(p.cfg)
	if err != nil || !always && bytes.Equal(p.generation, derived) {
		return err
	}
	return writeSmall(dir, filenames.Generation, p.generation)
}

// readTexts gathers what a source says about text, for a folder or for a GGUF file.
func (p *Plan) readTexts(given string, folder bool) (err error) {
	if p.texts, err = sourceTexts(p.ck, given); err != nil {
		return err
	}
	p.given = given
	if folder {
		if err = p.renderTokenizer(); err != nil {
			return err
		}
	}
	if p.settings, err = p.texts.settings(p.tokenizer != nil); err != nil {
		return err
	}
	p.generation, err = p.readGeneration()
	return err
}

// readGeneration returns the generation_config.json of the source. Where it has none, or none that transformers reads,
// it is the one that follows from the configuration, with the ends of texts that the source has without it.
func (p *Plan) readGeneration() ([]byte, error) {
	ids, bad := p.ck.StopTokens()
	text, err := p.ownGeneration()
	if err != nil || text != nil && bad == nil {
		return text, err
	}
	if bad != nil {
		p.Notes = append(p.Notes, bad.Error()+": written anew from the configuration, as transformers reads it")
	}
	cfg := p.ck.Config().Clone()
	p.setEnds(cfg, ids)
	return generationConfig(cfg)
}

// ownGeneration returns the generation_config.json of the source as it is, nil if there is none.
func (p *Plan) ownGeneration() ([]byte, error) {
	if kvs := p.ck.GGUFKeys(); kvs != nil {
		for _, kv := range kvs {
			if kv.Key == loader.KeyGeneration {
				text, _ := kv.Value.Str() // another kind of value is reported with the ends
				return []byte(text), nil
			}
		}
		return nil, nil
	}
	text, err := jsonobj.ReadFile(filepath.Join(p.ck.Path(), filenames.Generation), maxCarried)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// setEnds states the ids that end a text, as they are stated already if they are the same.
func (p *Plan) setEnds(cfg config.Config, ids []int64) {
	ends := make(map[int]bool)
	for _, id := range ids {
		ends[int(id)] = true
	}
	have := make(map[int]bool)
	for _, id := range cfg.Shared().EosTokenID.IDs {
		have[id] = true
	}
	if !maps.Equal(ends, have) {
		cfg.Shared().EosTokenID = config.TokenIDs{IDs: slices.Sorted(maps.Keys(ends)), List: len(ends) > 1}
	}
}

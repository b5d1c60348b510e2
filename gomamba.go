// Package gomamba opens Mamba checkpoints, whatever their layout, and runs, converts and verifies them.
//
//	m, err := gomamba.Open("state-spaces/mamba-130m-hf")
//	defer m.Close()
//	for piece, err := range m.Generate(ctx, "Mamba is", gomamba.Sampling{Temperature: 0.6}) {
//		fmt.Print(piece)
//	}
//
// A Model is a checkpoint, its network and its tokenizer in one. Its parts are there for what this package does not do:
//
//	m.Checkpoint()   package loader: configuration and tensors; to convert it, see convert.NewPlan
//	m.Network()      package model: forward passes on token ids, caches, batches
//	m.Tokenizer()    package text: ids and pieces, chat templates
//
// To run token ids, and keep the state after them for later:
//
//	cache := m.Network().NewCache(1)
//	out, err := m.Network().Forward(ctx, model.Single(ids), cache, model.Want{Logits: model.LogitsLast})
//	err = m.Network().SaveCache("prompt.safetensors", cache, out.Logits)
//
// To write the model in another layout and dtype:
//
//	plan, err := convert.NewPlan(m.Checkpoint(), convert.Request{To: convert.GGUF, DType: tensor.Q8_0})
//	err = plan.Write(ctx, "model.gguf", convert.Options{})
//
// Errors about files are *FormatError and *UnsupportedError, which errors.As finds in what every package returns.
package gomamba

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gomamba/gomamba/internal/find"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/layouts"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/loader/badfile"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
	"github.com/gomamba/gomamba/text"
)

// FormatError reports a file that violates its format. Its fields are strings: File is the path; Where is the tensor, key or
// region inside, and may be empty; Detail says what was found, what was expected and what to do.
type FormatError = badfile.FormatError

// UnsupportedError reports a file that is fine but needs something that gomamba cannot do. Its fields are those of FormatError.
type UnsupportedError = badfile.UnsupportedError

// Options configure how a model is opened and run. The zero value is a good default.
type Options struct {
	Threads      int    // threads to use; 0: all cores. The results are the same
	Strict       bool   // treat unknown tensors as an error
	TrustTensors bool   // rebuild the sizes of a configuration that contradicts the tensors from these
	ParallelScan bool   // divide the scan of long prompts by time, see model.Options
	DtFloor      bool   // raise dt as transformers does in full passes of Nemotron-H, see model.Options
	Tokenizer    string // for a model without: a file, a folder or OWNER/NAME on the hub
	Adapter      string // of PEFT, to compute with: its folder, or OWNER/NAME on the hub

	// Progress is called as a download or other long work goes on, never from two goroutines at a time. It may be nil.
	Progress func(Progress)
	// Warn is called with what is odd about the model but does not keep it from being used. It may be nil.
	Warn func(message string)
}

// Progress reports how far a long operation is.
type Progress struct {
	Stage       string // what is being done, such as "download"; may be empty
	Unit        string // such as "bytes" or "tokens"
	Done, Total int64
}

// Model is an open model. Its methods may be called from many goroutines, until Close.
type Model struct {
	ck        *loader.Checkpoint
	net       *model.Model
	tokenizer func() (*text.Tokenizer, error)
	progress  func(Progress)
}

// Open opens a model. name is a folder or file in any layout; a repository on the Hugging Face hub, as OWNER/NAME,
// OWNER/NAME@REVISION, a URL, or OWNER/NAME:Q4_K_M for one of several GGUF files, which is downloaded into the cache of
// huggingface_hub; or "box", a small model that is part of this package. Errors: *FormatError, *UnsupportedError, wrapped I/O
// errors including fs.ErrNotExist, and those of the hub.
func Open(name string) (*Model, error) { return OpenWith(context.Background(), name, Options{}) }

// OpenWith is Open with options. ctx only limits the download: the model stays open when ctx ends.
func OpenWith(ctx context.Context, name string, opts Options) (*Model, error) {
	opts.Progress = oneAtATime(opts.Progress)
	m := &Model{progress: opts.Progress}
	path, err := m.find(ctx, name, layouts.Files, opts)
	if err != nil {
		return nil, err
	}
	adapter := ""
	if opts.Adapter != "" {
		if adapter, err = m.find(ctx, opts.Adapter, find.AdapterFiles, opts); err != nil {
			return nil, err
		}
	}
	if m.ck, err = loader.Open(path, loader.Options{Strict: opts.Strict, TrustTensors: opts.TrustTensors, Adapter: adapter}); err != nil {
		return nil, err
	}
	if opts.Warn != nil {
		m.warn(opts.Warn)
	}
	m.tokenizer = sync.OnceValues(func() (*text.Tokenizer, error) { return text.OpenOf(m.ck) })
	if opts.Tokenizer != "" {
		t, err := m.openTokenizer(ctx, opts)
		if err != nil {
			return nil, errors.Join(err, m.ck.Close())
		}
		m.tokenizer = func() (*text.Tokenizer, error) { return t, nil }
	}
	if m.net, err = model.New(m.ck, model.Options{Threads: opts.Threads, ParallelScan: opts.ParallelScan, DtFloor: opts.DtFloor}); err != nil {
		return nil, errors.Join(err, m.ck.Close())
	}
	return m, nil
}

// oneAtATime returns report for many goroutines; nil if it is nil.
func oneAtATime(report func(Progress)) func(Progress) {
	if report == nil {
		return nil
	}
	var mu sync.Mutex
	return func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		report(p)
	}
}

// warn passes on what is odd about the checkpoint.
func (m *Model) warn(to func(message string)) {
	for _, p := range m.ck.Problems() {
		if p.Severity == loader.Warning {
			to(p.Text)
		}
	}
	if _, err := m.ck.StopTokens(); err != nil {
		to(err.Error() + "; texts end where the rest of the checkpoint says")
	}
}

// openTokenizer opens the tokenizer of the options.
func (m *Model) openTokenizer(ctx context.Context, opts Options) (*text.Tokenizer, error) {
	path, err := m.find(ctx, opts.Tokenizer, find.TokenizerFiles, opts)
	if err != nil {
		return nil, err
	}
	return text.Open(path)
}

// find returns the path of what may have to be downloaded.
func (m *Model) find(ctx context.Context, name string, choose hub.Select, opts Options) (string, error) {
	sum := &downloaded{to: opts.Progress, files: map[string]int64{}}
	f := find.Finder{
		Client: func() (*hub.Client, error) {
			client, err := hub.FromEnv()
			if err == nil {
				client.UserAgent, client.Warn = "gomamba", sum.warn(opts.Warn)
			}
			return client, err
		},
		Fetching: func(_ *hub.Client, _ string, missing *hub.Result) { sum.total = missing.Bytes() },
		Progress: sum.add,
	}
	return f.Path(ctx, name, choose)
}

// downloaded adds up how much of several files has arrived.
type downloaded struct {
	mu    sync.Mutex
	to    func(Progress)
	total int64
	files map[string]int64
	done  int64
}

func (d *downloaded) add(f hub.File, done int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done += done - d.files[f.Path]
	d.files[f.Path] = done
	if d.to != nil {
		d.to(Progress{Stage: "download", Unit: "bytes", Done: d.done, Total: d.total})
	}
}

// warn makes warnings of many goroutines come one at a time.
func (d *downloaded) warn(to func(string)) func(string) {
	return func(message string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if to != nil {
			to(message)
		}
	}
}

// Close releases the model once all calls that use it have returned. A second Close does nothing.
func (m *Model) Close() error {
	m.net.Close()
	return m.ck.Close()
}

// Checkpoint returns the checkpoint: its configuration, tensors and problems. It is closed with the model.
func (m *Model) Checkpoint() *loader.Checkpoint { return m.ck }

// Network returns the network, which runs token ids. It is closed with the model.
func (m *Model) Network() *model.Model { return m.net }

// Tokenizer returns the tokenizer. Errors: text.ErrNoTokenizer if the model comes without one, *FormatError,
// *UnsupportedError.
func (m *Model) Tokenizer() (*text.Tokenizer, error) { return m.tokenizer() }

// Encode returns the token ids of a text, including those that the tokenizer puts around it, such as <s>. Errors are those of
// Tokenizer.
func (m *Model) Encode(prompt string) ([]int64, error) {
	t, err := m.tokenizer()
	if err != nil {
		return nil, err
	}
	return t.Encode(prompt, true), nil
}

// Decode returns the text of token ids, without special tokens. Errors are those of Tokenizer.
func (m *Model) Decode(ids []int64) (string, error) {
	t, err := m.tokenizer()
	if err != nil {
		return "", err
	}
	return t.Decode(ids, true), nil
}

// Verify checks a reference, which is a safetensors file of what another implementation computed with the same weights, tensor
// by tensor, and reports the first one that fails. Its tensors are input_ids and any of logits, hidden_states.N,
// cache.conv_states.N and cache.ssm_states.N, with the shapes that transformers uses. If reference is empty, the network itself
// is checked against the float64 oracle. An error means that the comparison was not possible; the result of the comparison is
// Report.Passed.
func (m *Model) Verify(ctx context.Context, reference string) (report *parity.Report, err error) {
	ctx = m.watched(ctx)
	err = loader.Guard(func() error {
		if reference == "" {
			report, err = parity.SelfCheck(ctx, m.ck, m.net, nil)
			return err
		}
		ref, err := parity.OpenReference(reference)
		if err != nil {
			return err
		}
		report, err = parity.Verify(ctx, m.ck, m.net, ref, nil)
		return errors.Join(err, ref.Close())
	})
	if err == nil {
		err = m.net.Changed()
	}
	if err != nil {
		return nil, err
	}
	return report, nil
}

// watched returns a context whose work reports to the progress of the options.
func (m *Model) watched(ctx context.Context) context.Context {
	if m.progress == nil {
		return ctx
	}
	return progress.With(ctx, func(stage, unit string, done, total int64) {
		m.progress(Progress{Stage: stage, Unit: unit, Done: done, Total: total})
	})
}

// named adds the model's path to an error about its results.
func (m *Model) named(err error) error {
	if bad, ok := errors.AsType[*model.NonFiniteError](err); ok {
		return fmt.Errorf("%s: %w", m.ck.Path(), bad)
	}
	return err
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
)

// parityFile is fixtures/measured/parity.json: how far float32 results lie from float64, over all reference dumps.
type parityFile struct {
	Measure      string       `json:"measure"`
	Transformers string       `json:"transformers"` // version that made the dumps
	Tensors      int          `json:"tensors"`
	Nearer       int          `json:"gomamba_nearer"`
	Farther      int          `json:"transformers_nearer"`
	Dumps        []parityDump `json:"dumps"`
}

// parityDump is one reference dump with its tensors, in the order the network computes them.
type parityDump struct {
	Dump    string         `json:"dump"` // path below fixtures
	Layers  int            `json:"layers"`
	Tensors []parityTensor `json:"tensors"`
}

// parityTensor has distances from float64, to three digits.
type parityTensor struct {
	Name         string  `json:"name"`
	Gomamba      float64 `json:"gomamba"`
	Transformers float64 `json:"transformers"`
}

// measureParity runs every fixture of the repository at root in float32 and float64.
func measureParity(root string) (*parityFile, error) {
	fixtures := filepath.Join(root, "fixtures")
	refs, err := fs.Glob(os.DirFS(fixtures), "*/*/ref*.safetensors")
	if err != nil {
		return nil, err
	}
	p := &parityFile{Measure: "max |x - float64| / max |float64|, float32 computation, to three digits"}
	for _, ref := range refs {
		ref = filepath.Join(fixtures, filepath.FromSlash(ref))
		d, version, err := measureDump(ref)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ref, err)
		}
		if d == nil {
			continue
		}
		if p.Transformers != "" && p.Transformers != version {
			return nil, fmt.Errorf("%s: made by transformers %s, others by %s", ref, version, p.Transformers)
		}
		p.Transformers = version
		name, err := filepath.Rel(fixtures, ref)
		if err != nil {
			return nil, err
		}
		d.Dump = filepath.ToSlash(name)
		p.Dumps = append(p.Dumps, *d)
		for _, t := range d.Tensors {
			p.Tensors++
			switch {
			case t.Gomamba < t.Transformers:
				p.Nearer++
			case t.Gomamba > t.Transformers:
				p.Farther++
			}
		}
	}
	if len(p.Dumps) == 0 {
		return nil, fmt.Errorf("%s: no reference dumps; run at the top of the repository", fixtures)
	}
	return p, nil
}

// measureDump judges one dump, and returns the version of transformers that it names. d is nil if mamba_ssm made the dump, of a
// model that transformers does not have.
func measureDump(path string) (d *parityDump, version string, err error) {
	ck, err := loader.Open(filepath.Dir(path), loader.Options{})
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, ck.Close()) }()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		return nil, "", err
	}
	defer m.Close()
	ref, err := parity.OpenReference(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, ref.Close()) }()
	if producer := ref.Metadata()["producer"]; strings.HasPrefix(producer, "mamba_ssm ") || strings.HasPrefix(producer, "mamba-ssm ") {
		return nil, "", nil
	}
	report, err := parity.Verify(context.Background(), ck, m, ref, nil)
	if err != nil {
		return nil, "", err
	}
	if !report.Passed || report.Verdict == parity.Identical {
		return nil, "", fmt.Errorf("%s %s, expected rounding only", report.Verdict, report.Reason)
	}
	d = &parityDump{Layers: m.Config().Shared().NumHiddenLayers}
	for _, t := range report.Tensors {
		own := 0.0
		if t.Scale > 0 {
			own = float64(t.OwnMaxAbs / t.Scale)
		}
		d.Tensors = append(d.Tensors, parityTensor{t.Name, digits(own), digits(float64(t.MaxRel))})
	}
	var dtype string
	if _, err := fmt.Sscanf(ref.Metadata()["producer"], "transformers %s %s", &version, &dtype); err != nil {
		return nil, "", fmt.Errorf("its metadata name no version of transformers: %w", err)
	}
	return d, version, nil
}

// digits rounds to three digits.
func digits(v float64) float64 {
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'e', 2, 64), 64)
	return v
}

// text is the file, with a line for each tensor.
func (p *parityFile) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"measure\": %q,\n  \"transformers\": %q,\n  \"tensors\": %d,\n  \"gomamba_nearer\": %d,\n  \"transformers_nearer\": %d,\n  \"dumps\": [",
		p.Measure, p.Transformers, p.Tensors, p.Nearer, p.Farther)
	for i, d := range p.Dumps {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    {\"dump\": %q, \"layers\": %d, \"tensors\": [", d.Dump, d.Layers)
		for j, t := range d.Tensors {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "\n      {\"name\": %q, \"gomamba\": %.2e, \"transformers\": %.2e}", t.Name, t.Gomamba, t.Transformers)
		}
		b.WriteString("\n    ]}")
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes()
}

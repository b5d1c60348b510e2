// Package importance measures how much each input column of a model's matrices matters on a text: its mean square. A quantizer
// that knows it spends its error where it hurts least; llama.cpp calls the result an importance matrix.
//
// In a Mamba block the inputs are the normed hidden state for in_proj, the convolution's output for x_proj, the dt part of
// that product for dt_proj, and the gated output of the scan for out_proj. Embedding and head are not measured: llama.cpp
// quantizes them without.
package importance

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomamba/gomamba/internal/atomicfile"
	"github.com/gomamba/gomamba/internal/imatrix"
	"github.com/gomamba/gomamba/internal/names"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/tensor"
)

// Chunk is how many tokens llama.cpp takes at a time.
const Chunk = 512

// Collector adds up the squares of the inputs of all matrices, over a text that comes in pieces.
type Collector struct {
	m      *model.Model
	chunk  int
	ids    []int64 // of the chunk that is not full yet
	chunks int
	tokens int64
	sums   map[string]*imatrix.Sums // by canonical name
}

// NewCollector begins to measure m. The text is run in chunks of so many tokens, each by itself from an empty state; 0: Chunk.
func NewCollector(m *model.Model, chunk int) *Collector {
	if chunk == 0 {
		chunk = Chunk
	}
	return &Collector{m: m, chunk: chunk, sums: map[string]*imatrix.Sums{}}
}

// Add takes the next tokens of the text, and runs the chunks that are full. Errors: those of model.Stream.
func (c *Collector) Add(ctx context.Context, ids []int64) error {
	c.ids = append(c.ids, ids...)
	at, full := 0, len(c.ids)/c.chunk*c.chunk
	if full == 0 {
		return nil
	}
	meter := progress.Start(ctx, "tokens", full, 1)
	for ; at < full; at += c.chunk {
		if err := c.run(meter.Within(ctx), c.ids[at:at+c.chunk]); err != nil {
			return err
		}
	}
	c.ids = append(c.ids[:0], c.ids[at:]...)
	return nil
}

// Matrices returns how many matrices were measured.
func (c *Collector) Matrices() int { return len(c.sums) }

// Tokens returns how many tokens were measured.
func (c *Collector) Tokens() int64 { return c.tokens }

// run measures one chunk.
func (c *Collector) run(ctx context.Context, ids []int64) error {
	err := c.m.Stream(ctx, model.Single(ids), c.m.NewCache(1), model.Want{Inputs: c.add}, nil)
	c.chunks++
	c.tokens += int64(len(ids))
	return err
}

// add adds the inputs of one product.
func (c *Collector) add(in model.Inputs) {
	s := c.sums[in.Weight]
	if s == nil {
		s = &imatrix.Sums{Squares: [][]float64{make([]float64, in.Cols)}, Counts: make([]int, 1)}
		c.sums[in.Weight] = s
	}
	squares := s.Squares[0]
	for row := range in.Rows {
		for i, v := range in.X[row*in.Stride:][:in.Cols] {
			squares[i] += float64(float64(v) * float64(v))
		}
	}
	s.Counts[0] += in.Rows
}

// Replaceable refuses to replace a file that is not an importance matrix.
func Replaceable(path string) error {
	m, err := imatrix.Open(path)
	if err != nil {
		return fmt.Errorf("%s: is not an importance matrix, and only such a file is replaced: remove it first, or choose another name", path)
	}
	return m.Close()
}

// Write runs what is left of the text, and writes the importance matrix to path, in the form that llama-quantize reads. dataset
// is the text's name in it. path falls on none of inputs, which are files that were read, and replaces nothing but an importance
// matrix. Errors: those of Add and of the file, and one for a text that is empty or that makes the model's numbers overflow.
func (c *Collector) Write(ctx context.Context, path, dataset string, inputs ...string) error {
	if len(c.ids) > 0 {
		if err := c.run(ctx, c.ids); err != nil {
			return err
		}
		c.ids = nil
	}
	if c.tokens == 0 {
		return errors.New("there is nothing to measure: the text has no tokens")
	}
	cfg := c.m.Config()
	sums := make(map[string]imatrix.Sums, len(c.sums))
	for name, s := range c.sums {
		stored, ok := names.ToGGUF(cfg, name)
		if !ok {
			return fmt.Errorf("GGUF has no name for tensor %s", name)
		}
		for _, squares := range s.Squares {
			for i, v := range squares {
				if !(v <= maxSum) {
					return fmt.Errorf("the inputs of tensor %s overflow float32: the squares of column %d add up to %g", name, i, v)
				}
			}
		}
		all, ok := sums[stored.Name]
		if matrices, _ := tensor.Count(stored.Shape[:len(stored.Shape)-2]); !ok { // of a valid configuration
			all = imatrix.Sums{Squares: make([][]float64, matrices), Counts: make([]int, matrices)}
			for i := range all.Squares {
				all.Squares[i] = make([]float64, len(s.Squares[0])) // an expert may not have been reached
			}
			sums[stored.Name] = all
		}
		all.Squares[stored.Part], all.Counts[stored.Part] = s.Squares[0], s.Counts[0]
	}
	about := imatrix.About{Datasets: []string{dataset}, Chunks: c.chunks, ChunkSize: c.chunk}
	return imatrix.Write(path, about, sums, atomicfile.Options{Replace: Replaceable, Apart: inputs})
}

// maxSum is the largest sum that the file holds.
const maxSum = 3.4028234663852886e38

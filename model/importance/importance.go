// Package importance measures how much each input column of a model's matrices matters for a text: the mean square of its
// inputs. A quantizer uses this to put its error where it does the least harm. llama.cpp calls the result an importance
// matrix.
//
// In a Mamba block, the input of in_proj is the normalised hidden state, that of x_proj the output of the convolution, that
// of dt_proj the dt part of x_proj's output, and that of out_proj the gated output of the scan. Embedding and head are not
// measured, because llama.cpp quantizes them without an importance matrix.
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

// Chunk is the number of tokens that llama.cpp runs at a time.
const Chunk = 512

// Collector adds up the squares of the inputs of all matrices over a text that comes in pieces.
type Collector struct {
	m      *model.Model
	chunk  int
	ids    []int64 // of the chunk that is not full yet
	chunks int
	tokens int64
	sums   map[string]*imatrix.Sums // by canonical name
}

// NewCollector returns a Collector for m. The text is run in chunks of that many tokens, each from an empty state; 0 stands for
// Chunk.
func NewCollector(m *model.Model, chunk int) *Collector {
	if chunk == 0 {
		chunk = Chunk
	}
	return &Collector{m: m, chunk: chunk, sums: map[string]*imatrix.Sums{}}
}

// Add adds the next tokens of the text and runs the chunks that are complete. Errors: those of model.Stream.
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

// Write runs the rest of the text and writes the importance matrix to path, in a format that llama-quantize reads. dataset is
// the name of the text in it. path must not be one of inputs, the files that were read, and only another importance matrix is
// replaced. Errors: those of Add and of the file, and an error if the text is empty or makes the model's values overflow.
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

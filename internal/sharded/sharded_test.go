package sharded_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/sharded"
	"github.com/gomamba/gomamba/tensor"
)

const fixtures = "../../fixtures/shards"

// found are the checkpoints below the fixtures, and what trainers put before the names of the model.
var found = map[string]struct{ inside, prefix string }{
	"fsdp1":     {"pytorch_model_fsdp_0", "model."},
	"fsdp2":     {".", "model."},
	"columns":   {".", ""},
	"zero1":     {"global_step1", ""},
	"zero2":     {"global_step1", ""},
	"zero3":     {"global_step1", ""},
	"universal": {"global_step1_universal", ""},

	"../lightning/fsdp":      {"last.ckpt", "model.model."},
	"../lightning/deepspeed": {"last.ckpt/checkpoint", "model."},
}

// TestWhole holds every tensor to the bits that torch's dcp_to_torch_save or DeepSpeed's zero_to_fp32 join it to.
func TestWhole(t *testing.T) {
	for name, want := range found {
		t.Run(name, func(t *testing.T) {
			inside, err := sharded.In(filepath.Join(fixtures, name))
			if err != nil || inside != want.inside {
				t.Fatalf("found %q, %v, want %q", inside, err, want.inside)
			}
			f, err := sharded.Open(filepath.Join(fixtures, name, inside))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			text, err := os.ReadFile(filepath.Join(fixtures, name, "whole.json"))
			if err != nil {
				t.Fatal(err)
			}
			var whole map[string][3]any
			if err := json.Unmarshal(text, &whole); err != nil {
				t.Fatal(err)
			}
			if len(f.Tensors()) != len(whole) {
				t.Errorf("found %d tensors, want %d", len(f.Tensors()), len(whole))
			}
			for _, x := range f.Tensors() {
				dtype := map[tensor.DType]string{tensor.F32: "float32", tensor.BF16: "bfloat16"}[x.DType]
				sum := sha256.Sum256(x.Solid().Data)
				got := fmt.Sprint([]any{dtype, x.Shape, hex.EncodeToString(sum[:])})
				if want := fmt.Sprint(whole[strings.TrimPrefix(x.Name, want.prefix)]); got != want {
					t.Errorf("%s: got %s, want %s", x.Name, got, want)
				}
			}
		})
	}
}

// edited changes a file, and the checksum of its pickle if it is an archive, in which nothing may move.
func edited(file string, edit func(data string) string) func(dir string) error {
	return func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		changed := edit(string(data))
		if changed == string(data) {
			return fmt.Errorf("%s: there is nothing to edit", file)
		}
		if filepath.Ext(file) == ".pt" && len(changed) == len(data) {
			z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				return err
			}
			at, err := z.File[0].DataOffset() // the pickle
			if err != nil {
				return err
			}
			sum := binary.LittleEndian.AppendUint32(nil, z.File[0].CRC32)
			now := crc32.ChecksumIEEE([]byte(changed[at : at+int64(z.File[0].UncompressedSize64)]))
			changed = strings.ReplaceAll(changed, string(sum), string(binary.LittleEndian.AppendUint32(nil, now)))
		}
		return os.WriteFile(filepath.Join(dir, file), []byte(changed), 0o666)
	}
}

func replaced(file, old, new string) func(dir string) error {
	return edited(file, func(data string) string { return strings.ReplaceAll(data, old, new) })
}

// number changes the first small number behind a text in a pickle.
func number(file, text string, from, to byte) func(dir string) error {
	return edited(file, func(data string) string {
		at := strings.Index(data, text)
		return data[:at] + strings.Replace(data[at:], string([]byte{'K', from}), string([]byte{'K', to}), 1)
	})
}

func cut(file string) func(dir string) error {
	return edited(file, func(data string) string { return data[:len(data)/2] })
}

func removed(file string) func(dir string) error {
	return func(dir string) error { return os.Remove(filepath.Join(dir, file)) }
}

func copied(from, to string) func(dir string) error {
	return func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, to), data, 0o666)
	}
}

const (
	distcp0, distcp1 = "__0_0.distcp", "__1_0.distcp"
	model            = "global_step1/mp_rank_00_model_states.pt"
	model3           = "global_step1/zero_pp_rank_0_mp_rank_00_model_states.pt"
	states0          = "global_step1/bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"
	states1          = "global_step1/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"
	embedding        = "backbone.embeddings.weight"
	fp32             = "global_step1_universal/zero/" + embedding + "/fp32.pt"
)

// TestMalformed damages the fixtures: each is refused with one line that says what is wrong.
func TestMalformed(t *testing.T) {
	huge := "\x8a\x06\x00\x00\x00\x00\x00\x01" // 2^40
	for _, c := range []struct {
		name, fixture string
		damage        func(dir string) error
		want          string
	}{
		{"a process's file is missing", "columns", removed(distcp1), `"__1_0.distcp" is missing, in which a part of it lies`},
		{"no metadata", "columns", removed(".metadata"), "found .distcp files without .metadata"},
		{"cut metadata", "columns", cut(".metadata"), "truncated"},
		{"a cut file", "columns", cut(distcp0), "truncated: its chunk takes"},
		{"code in the metadata", "columns", edited(".metadata", func(string) string { return "\x80\x02cos\nsystem\nX\x05\x00\x00\x00touch\x85R." }), "nothing was executed"},
		{"an unknown global", "columns", replaced(".metadata", "_StorageInfo", "_StorageEval"), "nothing was executed"},
		{"a file elsewhere", "columns", replaced(".metadata", distcp0, "../x0.distcp"), "expected a file in the same folder"},
		{"a huge shape", "columns", replaced(".metadata", "K\x0bK\x08\x86", huge+huge+"\x86"), "is larger than any file"},
		{"a larger shape", "columns", replaced(".metadata", "K\x0bK\x08\x86", "K\x0bK\x09\x86"), "parts are missing: found 88 of its 99 elements"},
		{"chunks on each other", "columns", replaced(".metadata", "K\x00K\x04\x86", "K\x00K\x00\x86"), "where its chunk from"},
		{"another chunk", "columns", replaced(".metadata", "K\x0bK\x04\x86", "K\x0aK\x04\x86"), "is BF16 [11, 4], expected BF16 [10, 4]"},
		{"not a checkpoint", "columns", edited(".metadata", func(string) string { return "\x80\x02}." }), "expected a Metadata with"},

		{"the first process is missing", "zero2", removed(states0), "of process 0 is missing, of 2 at least"},
		{"the last process is missing", "zero2", removed(states1), "process 0 is one of 2, found files _optim_states.pt of 1"},
		{"one process too many", "zero2", copied(states1, strings.Replace(states1, "rank_1", "rank_2", 1)), "process 0 is one of 2, found files _optim_states.pt of 3"},
		{"a process twice", "zero2", copied(states1, strings.Replace(states1, "bf16_", "", 1)), "for one process"},
		{"a process in the place of another", "zero3", copied(states0, states1), "has the same weights as "},
		{"a process in the place of another", "columns", copied(distcp0, distcp1), "has the same weights as "},
		{"tensor parallel", "zero2", copied(states1, strings.Replace(states1, "mp_rank_00", "mp_rank_01", 1)), "divided by tensors"},
		{"another number of processes", "zero3", number(states1, "partition_count", 2, 3), "process 1 is one of 3"},
		{"another run's part", "zero2", copied("../zero1/"+states0, states0), "parts"},
		{"a shorter part", "zero1", number(states0, "numel", 88, 87), "parts are missing: found 87 of its 88 elements"},
		{"a part in another", "zero1", number(states0, "start", 0, 7), "two weights are said to have element"},
		{"a part outside", "zero1", number(states1, "backbone.norm_f.weight", 8, 255), "expected each weight once and inside of its"},
		{"a longer shape", "zero3", number(model3, "param_shapes", 11, 12), "of it are missing at the end of the vectors in process 0"},
		{"a shorter shape", "zero3", number(model3, "param_shapes", 11, 10), "of no weight"},
		{"no states of the model", "zero2", removed(model), "without _model_states.pt"},
		{"a cut archive", "zero2", cut(model), "zip"},
		{"an unknown class", "zero2", replaced(states0, "ZeroStageEnum", "ZeroStageEval"), "nothing was executed"},

		{"a weight is missing", "universal", removed(fp32), "is missing; copy the whole folder again"},
		{"another weight", "universal", copied(strings.Replace(fp32, embedding, "backbone.norm_f.weight", 1), fp32), "is [8], expected [11, 8]"},
		{"a weight elsewhere", "universal", replaced("global_step1_universal/mp_rank_00_model_states.pt", embedding, "../"+embedding[3:]), "is not that of a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.CopyFS(root, os.DirFS(fixtures)); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(root, c.fixture)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			f, err := sharded.Open(filepath.Join(dir, found[c.fixture].inside))
			if err == nil {
				f.Close()
				t.Fatal("opened")
			}
			_, bad := errors.AsType[*badfile.FormatError](err)
			_, unsupported := errors.AsType[*badfile.UnsupportedError](err)
			if !bad && !unsupported || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), dir) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestIn finds which checkpoint a folder means.
func TestIn(t *testing.T) {
	both := t.TempDir()
	for _, name := range []string{"global_step1", "global_step2"} {
		if err := os.CopyFS(filepath.Join(both, name), os.DirFS(filepath.Join(fixtures, "zero2/global_step1"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ latest, want, err string }{
		{"", "", "found several checkpoints of a trainer"},
		{"global_step2\n", "global_step2", ""},
		{"global_step3", "", `names "global_step3", which is not there`},
		{"../global_step2", "", "found several checkpoints of a trainer"},
	} {
		if err := os.WriteFile(filepath.Join(both, "latest"), []byte(c.latest), 0o666); err != nil {
			t.Fatal(err)
		}
		if got, err := sharded.In(both); got != c.want || !strings.Contains(fmt.Sprint(err), c.err) {
			t.Errorf("%q: got %q, %v", c.latest, got, err)
		}
	}

	// Lightning gives each of DeepSpeed's checkpoints a folder of its own.
	strategy := filepath.Join(t.TempDir(), "last.ckpt")
	if err := os.CopyFS(filepath.Join(strategy, "checkpoint"), os.DirFS(filepath.Join(fixtures, "zero2/global_step1"))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ latest, err string }{{"checkpoint", ""}, {"", ""}, {"global_step7", `names "global_step7", which is not there; found "checkpoint"`}} {
		if err := os.WriteFile(filepath.Join(strategy, "latest"), []byte(c.latest), 0o666); err != nil {
			t.Fatal(err)
		}
		for dir, want := range map[string]string{strategy: "checkpoint", filepath.Dir(strategy): filepath.Join("last.ckpt", "checkpoint")} {
			if got, err := sharded.In(dir); c.err == "" && (got != want || err != nil) || !strings.Contains(fmt.Sprint(err), c.err) {
				t.Errorf("%s: got %q, %v, want %q", dir, got, err, want)
			}
		}
	}
}

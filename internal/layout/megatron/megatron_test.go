package megatron_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"archive/zip"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/loader"
)

const fixtures = "../../../fixtures/"

// TestWhole holds checkpoints of Megatron to those of transformers that they were made of: every tensor has the same bits.
func TestWhole(t *testing.T) {
	for name, of := range map[string]string{
		"hybrid": "nemotron/dense", "hybrid/iter_0000010": "nemotron/dense", "hybrid/iter_0000010/mp_rank_01": "nemotron/dense",
		"pure": "mamba2/groups4", "pure/release/mp_rank_00/model_optim_rng.pt": "mamba2/groups4",
		"gelu": "megatron/gelu/hf", "dist": "mamba2/groups4", "dist/iter_0000010/common.pt": "mamba2/groups4",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := loader.Open(fixtures+"megatron/"+name, loader.Options{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			defer got.Close()
			want, err := loader.Open(fixtures+of, loader.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			if err := got.Check(); err != nil || got.Layout() != "megatron" {
				t.Errorf("layout %s: %v", got.Layout(), err)
			}
			for _, listed := range want.Tensors() {
				x, _ := want.Tensor(listed.Name)
				if y, ok := got.Tensor(listed.Name); !ok || !x.SameBytes(y) {
					t.Errorf("%s: %v %v of %v, want %v %v", listed.Name, ok, y.DType, y.Shape, x.DType, x.Shape)
				}
			}
		})
	}
}

// edited changes the pickle of a file of torch.save, in which nothing may move.
func edited(file, old, new string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return err
		}
		at, err := z.File[0].DataOffset() // the pickle
		if err != nil {
			return err
		}
		pickle := data[at : at+int64(z.File[0].UncompressedSize64)]
		changed := bytes.ReplaceAll(pickle, []byte(old), []byte(new))
		if len(changed) != len(pickle) || bytes.Equal(changed, pickle) {
			return fmt.Errorf("%s: there is no %q of that length to edit", file, old)
		}
		copy(pickle, changed)
		was, is := binary.LittleEndian.AppendUint32(nil, z.File[0].CRC32), binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(changed))
		return os.WriteFile(path, bytes.ReplaceAll(data, was, is), 0o666)
	}
}

func removed(name string) func(dir string) error {
	return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
}

func moved(from, to string) func(dir string) error {
	return func(dir string) error { return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)) }
}

// TestRefused damages the fixtures: each is refused with one line that says what is wrong.
func TestRefused(t *testing.T) {
	const part0, part1, one = "iter_0000010/mp_rank_00/model_optim_rng.pt", "iter_0000010/mp_rank_01/model_optim_rng.pt", "release/mp_rank_00/model_optim_rng.pt"
	const common = "iter_0000010/common.pt"
	for _, c := range []struct {
		name, fixture string
		damage        func(dir string) error
		want          string
	}{
		{"the last part is missing", "hybrid", removed("iter_0000010/mp_rank_01"), "tensor_model_parallel_size 2, found 1 part"},
		{"the first part is missing", "hybrid", removed("iter_0000010/mp_rank_00"), `found "mp_rank_01" after 0 parts`},
		{"the file of a part is missing", "hybrid", removed(part0), `found "mp_rank_00" without model_optim_rng.pt; copy the folders of all parts`},
		{"another iteration, in parts", "hybrid", moved("iter_0000010", "iter_0000009"), `names "iter_0000010", which is not there; found "iter_0000009": give the one you mean`},
		{"another iteration", "dist", moved("iter_0000010", "iter_0000009"), `names "iter_0000010", which is not there; found "iter_0000009": give the one you mean`},
		{"a pipeline", "hybrid", moved("iter_0000010/mp_rank_01", "iter_0000010/mp_rank_01_000"), "stages of a pipeline or by experts"},
		{"no model", "pure", edited(one, "X\x05\x00\x00\x00model", "X\x05\x00\x00\x00modul"), "holds nothing under model, expected a dict of tensors"},
		{"a part of another run", "hybrid", edited(part1, "iteration", "iteratiom"), "the parts are of different checkpoints"},
		{"a part twice", "hybrid", func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, part0))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, part1), data, 0o666)
		}, "has the same weights as "},
		{"without arguments", "pure", edited(one, "X\x04\x00\x00\x00args", "X\x04\x00\x00\x00arms"), "found nothing, expected the argparse.Namespace of Megatron"},
		{"code for arguments", "pure", edited(one, "cargparse\nNamespace\n", "ccommands\ngetoutput\n"), "nothing was executed"},
		{"code in common.pt", "dist", edited(common, "cargparse\nNamespace\n", "ccommands\ngetoutput\n"), "nothing was executed"},
		{"no common.pt", "dist", removed(common), "found nothing, expected the argparse.Namespace of Megatron"},
		{"another pattern", "hybrid", edited(part0, "M-M*-*", "M-M*--"), `args say hybrid_override_pattern "M-M*--", and the tensors are of the 6 layers "M-M*-*"`},
		{"experts", "hybrid", edited(part0, "M-M*-*", "MEM*E*"), `found "E", expected M (Mamba-2), * (attention) and - (MLP)`},
		{"an unknown tensor", "pure", edited(one, "decoder.final_norm.weight", "decoder.final_norm.biases"), "is not of a Mamba that this program reads"},
		{"a missing tensor", "hybrid", edited(part1, "layers.0.mixer.out_proj", "layers.0.mixer.out_prom"), "is missing in part 1, and part 0 has it"},
		{"LayerNorm", "pure", edited(one, "RMSNorm", "LayNorm"), `normalization: found "LayNorm", expected "RMSNorm"`},
		{"positions", "hybrid", edited(part0, "X\x04\x00\x00\x00none", "X\x04\x00\x00\x00rope"), `position_embedding_type: found "rope", expected "none"`},
		{"other heads", "hybrid", edited(part0, "num_query_groups", "num_query_grouqs"), "do not make up the 64 rows of linear_qkv"},
		{"other states", "pure", edited(one, "mamba_num_groups", "mamba_num_grouqs"), "mamba_num_groups 8 and mamba_state_dim 8 do not make up the 32 channels"},
		{"no section", "dist", func(dir string) error {
			path := filepath.Join(dir, "iter_0000010/.metadata")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.ReplaceAll(data, []byte("layers.0.mixer.in_proj.weight.dt"), []byte("layers.0.mixer.in_proj.weight.du")), 0o666)
		}, "is missing beside"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			if err := os.CopyFS(dir, os.DirFS(fixtures+"megatron/"+c.fixture)); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			ck, err := loader.Open(dir, loader.Options{})
			if err == nil {
				ck.Close()
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

"""Writes llama-quantize.txt beside this script: the types that llama_model_quantize of llama.cpp gives the tensors of models
with Mamba blocks, for every file type, without and with an importance matrix.

    python generate.py                                       (llama-cpp-python 0.3.36, gguf 0.19.0)

The models are shapes without weights: sparse files, which a dry run does not read.
"""
import ctypes
import itertools
import pathlib
import re
import tempfile

import llama_cpp as L
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter

here = pathlib.Path(__file__).parent
FILE_TYPES = {name.split("MOSTLY_")[1].lower(): number for name, number in vars(L).items() if name.startswith("LLAMA_FTYPE_MOSTLY_")}
FILE_TYPES |= {"iq4_nl": 25, "iq3_s": 26, "iq3_m": 27, "iq2_s": 28, "iq2_m": 29, "iq4_xs": 30, "iq1_m": 31, "tq1_0": 36, "tq2_0": 37,
               "mxfp4_moe": 38, "q1_0": 40, "q2_0": 41}
for other in ("f16", "bf16", "nvfp4"):  # nothing is chosen
    FILE_TYPES.pop(other, None)

log = []


@L.llama_log_callback
def collect(level, text, data):
    log.append(text.decode())


L.llama_log_set(collect, None)


class Model:
    """A model's keys and the shapes of its tensors, the innermost dimension last."""

    def __init__(self, name, arch, blocks, hidden, tied=False, vocab=512, **keys):
        self.name, self.arch, self.blocks, self.hidden = name, arch, blocks, hidden
        self.keys = {"context_length": 64, "embedding_length": hidden, "block_count": blocks, "attention.layer_norm_rms_epsilon": 1e-5, "attention.layer_norm_epsilon": 1e-5,
                     "feed_forward_length": 0, "attention.head_count": 0, "attention.head_count_kv": 0, "vocab_size": vocab} | keys
        self.tensors = {"token_embd.weight": (vocab, hidden), "output_norm.weight": (hidden,)}
        if not tied:
            self.tensors["output.weight"] = (vocab, hidden)

    def add(self, i, **shapes):
        for name, shape in shapes.items():
            suffix = "" if name in ("ssm_a", "ssm_d") else ".bias" if name.endswith("_b") and name != "ssm_b" else ".weight"
            self.tensors[f"blk.{i}.{name.removesuffix('_b') if suffix == '.bias' else name}{suffix}"] = shape

    def mamba1(self, i, rank, inner=None, state=16):
        inner = inner or 2 * self.hidden
        self.add(i, attn_norm=(self.hidden,), ssm_in=(2 * inner, self.hidden), ssm_conv1d=(inner, 4), ssm_conv1d_b=(inner,), ssm_x=(rank + 2 * state, inner),
                 ssm_dt=(inner, rank), ssm_dt_b=(inner,), ssm_a=(inner, state), ssm_d=(inner,), ssm_out=(self.hidden, inner))
        self.keys |= {"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state, "ssm.time_step_rank": rank}

    def mamba2(self, i, inner=None, heads=None, state=128, groups=1):
        inner = inner or 2 * self.hidden
        heads = heads or inner // 64
        wide = inner + 2 * groups * state
        self.add(i, attn_norm=(self.hidden,), ssm_in=(inner + wide + heads, self.hidden), ssm_conv1d=(wide, 4), ssm_conv1d_b=(wide,), ssm_dt_b=(heads,),
                 ssm_a=(heads, 1), ssm_d=(heads, 1), ssm_norm=(groups, inner // groups), ssm_out=(self.hidden, inner))
        self.keys |= {"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state, "ssm.time_step_rank": heads, "ssm.group_count": groups}

    def attention(self, i, heads, kv, size):
        self.add(i, attn_norm=(self.hidden,), attn_q=(heads * size, self.hidden), attn_k=(kv * size, self.hidden), attn_v=(kv * size, self.hidden),
                 attn_output=(self.hidden, heads * size))
        self.keys |= {"attention.head_count": heads}
        self.kv = getattr(self, "kv", [0] * self.blocks)
        self.kv[i] = kv
        self.keys["attention.head_count_kv"] = self.kv

    def mlp(self, i, width, gate=True):
        self.add(i, **({"ffn_gate": (width, self.hidden)} if gate else {}), ffn_up=(width, self.hidden), ffn_down=(self.hidden, width))

    def experts(self, i, n, used, width, shared, gate=True):
        names = ["gate", "up"] if gate else ["up"]
        self.add(i, ffn_gate_inp=(n, self.hidden), **{f"ffn_{k}_exps": (n, width, self.hidden) for k in names}, ffn_down_exps=(n, self.hidden, width))
        if shared:
            self.add(i, **{f"ffn_{k}_shexp": (shared, self.hidden) for k in names}, ffn_down_shexp=(self.hidden, shared))
        self.keys |= {"expert_count": n, "expert_used_count": used, "expert_feed_forward_length": width, "expert_shared_feed_forward_length": shared,
                      "expert_weights_norm": True, "expert_weights_scale": 1.0, "expert_group_count": 1, "expert_group_used_count": 1, "expert_shared_count": 1}

    def write(self, path):
        w = GGUFWriter(path, self.arch)
        for key, value in self.keys.items():
            key = f"{self.arch}.{key}"
            if isinstance(value, bool):
                w.add_bool(key, value)
            elif isinstance(value, float):
                w.add_float32(key, value)
            elif isinstance(value, list):
                w.add_array(key, value)
            else:
                w.add_uint32(key, value)
        for name, shape in self.tensors.items():
            w.add_tensor_info(name, shape, "float32", 4 * prod(shape), raw_dtype=T.F32)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_ti_data_to_file()
        w.close()
        size = sum(-(-4 * prod(shape) // 32) * 32 for shape in self.tensors.values())
        with open(path, "r+b") as f:
            f.truncate(f.seek(0, 2) + size + 32)


def prod(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def chosen(path, number, matrix):
    """The types of all tensors in the order in which llama.cpp goes through them; None for what it refuses."""
    params = L.llama_model_quantize_default_params()
    params.ftype, params.dry_run, params.nthread = number, True, 1
    if matrix:
        one = (ctypes.c_float * 1)(1)
        entries = (L.llama_model_imatrix_data * 2)()
        entries[0].name, entries[0].data, entries[0].size = b"none", one, 1
        params.imatrix = entries
    log.clear()
    if L.llama_model_quantize(str(path).encode(), b"/nonexistent", ctypes.byref(params)):
        text = "".join(log)
        if "no tensor type fallback" not in text:
            raise SystemExit(text)
        return None
    types = {}
    for m in re.finditer(r"^\[ *\d+/ *\d+\] +(\S+) +- \[.*?\], type = +(\w+), size = +[\d.]+ MiB(?: -> +[\d.]+ MiB \((\w+)\))?", "".join(log), re.M):
        types[m[1]] = (m[3] or m[2]).upper()
    return types


def models():
    for name, hidden, rank, tied in [("mamba-130m", 768, 48, True), ("mamba-370m", 1024, 64, True), ("mamba-790m", 1536, 96, False),
                                     ("mamba-2.8b", 2560, 160, False), ("mamba-200", 200, 13, False), ("mamba-320", 320, 20, True),
                                     ("mamba-rank128", 2048, 128, False)]:
        m = Model(name, "mamba", 3, hidden, tied)
        for i in range(3):
            m.mamba1(i, rank)
        yield m
    m = Model("falcon-mamba-7b", "mamba", 3, 4096, **{"ssm.dt_b_c_rms": True})
    for i in range(3):
        m.mamba1(i, 256)
    yield m
    for name, hidden, groups, tied in [("mamba2-130m", 768, 1, True), ("codestral-mamba", 4096, 8, False), ("mamba2-320", 320, 1, False)]:
        m = Model(name, "mamba2", 3, hidden, tied)
        for i in range(3):
            m.mamba2(i, groups=groups)
        yield m
    # Hybrids: the published patterns of blocks; M: Mamba, *: attention, -: MLP, E: experts.
    for name, hidden, width, inner, heads, pattern in [
            ("nemotron-h-9b", 4480, 15680, 10240, 40, "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"),
            ("nemotron-h-4b", 3136, 12544, 7680, 32, "M-M-M-MM-M-M*-M-M*-M-M-M*-M-M-MM*-MMM-M-M-"),
            ("nemotron-h-8b", 4096, 21504, 8192, 32, "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-")]:
        m = Model(name, "nemotron_h", len(pattern), hidden)
        m.keys["feed_forward_length"] = [width if c == "-" else 0 for c in pattern]
        for i, c in enumerate(pattern):
            if c == "M":
                m.mamba2(i, inner, groups=8)
            elif c == "*":
                m.attention(i, heads, 8, 128)
            else:
                m.mlp(i, width, gate=False)
        yield m
    pattern = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
    m = Model("nemotron-3-30b", "nemotron_h_moe", len(pattern), 2688)
    m.keys["feed_forward_length"] = [1856 if c == "E" else 0 for c in pattern]
    for i, c in enumerate(pattern):
        if c == "M":
            m.mamba2(i, 4096, groups=8)
        elif c == "*":
            m.attention(i, 32, 2, 128)
        else:
            m.experts(i, 128, 6, 1856, 3712, gate=False)
    yield m
    for name, n in [("granite-4.0-h-tiny", 64), ("granite-4.0-h-micro", 0), ("granite-8-experts", 8)]:
        m = Model(name, "granitehybrid", 40, 1536, tied=True, **{"rope.dimension_count": 128, "logit_scale": 1.0, "feed_forward_length": 1024})
        for i in range(40):
            if i % 10 == 5:
                m.attention(i, 12, 4, 128)
            else:
                m.mamba2(i, 3072, groups=1)
            if n:
                m.experts(i, n, 2, 512, 1024)
            else:
                m.mlp(i, 1024)
        yield m
    m = Model("jamba-mini", "jamba", 16, 4096, **{"feed_forward_length": 14336})
    for i in range(16):
        if i % 8 == 4:
            m.attention(i, 32, 8, 128)
        else:
            m.mamba1(i, 256)
        if i % 2:
            m.experts(i, 16, 2, 14336, 0)
        else:
            m.mlp(i, 14336)
    yield m
    for name, heads, kv in [("falcon-h1-1.5b", 8, 2), ("falcon-h1-0.5b", 8, 4)]:  # n_gqa 4 and 2
        m = Model(name, "falcon-h1", 24, 2048, **{"attention.key_length": 128, "attention.value_length": 128, "feed_forward_length": 4096})
        for i in range(24):
            m.attention(i, heads, kv, 128)
            m.mamba2(i, 3072, groups=1, state=256)
            m.mlp(i, 4096)
        m.keys["attention.head_count_kv"] = kv
        yield m


out = ["# Written by generate.py: what llama_model_quantize of llama.cpp gives. A model is its keys, its tensors, and one of each kind",
       "# that it keeps; then a line for each file type, +imatrix if a matrix makes a difference: the types in the order of the",
       "# tensors, as often as they follow each other."]
with tempfile.TemporaryDirectory() as tmp:
    for m in models():
        path = pathlib.Path(tmp) / "model.gguf"
        m.write(path)
        kv = m.keys["attention.head_count_kv"]
        kv = kv[0] if isinstance(kv, list) else kv
        gqa = m.keys["attention.head_count"] // kv if kv else 0
        out.append(f"model {m.name} {m.arch} blocks={m.blocks} gqa={gqa} experts={m.keys.get('expert_count', 0)}")
        results = {(name, matrix): chosen(path, FILE_TYPES[name], matrix) for name in FILE_TYPES for matrix in (False, True)}
        path.unlink()
        order = list(results["q8_0", False])
        assert sorted(order) == sorted(m.tensors) and all(r is None or list(r) == order for r in results.values())
        kept = [name for name in order if all(r is None or r[name] == "F32" for r in results.values())]
        kinds = {re.sub(r"\d+", "0", name): name for name in reversed(kept)}
        changed = [name for name in order if name not in set(kept)]
        out += [f"{verb} {name} {'x'.join(map(str, m.tensors[name]))}" for verb, names in (("keep", kinds.values()), ("tensor", changed)) for name in names]
        for (name, matrix), types in results.items():
            if matrix and types == results[name, False]:
                continue
            runs = [(t, len(list(g))) for t, g in itertools.groupby(types[n] for n in changed)] if types else [("refused", 1)]
            out.append(" ".join([name + ("+imatrix" if matrix else "")] + [t if n == 1 else f"{t}*{n}" for t, n in runs]))
        print(m.name, len(order), "tensors")
(here / "llama-quantize.txt").write_text("\n".join(out) + "\n")

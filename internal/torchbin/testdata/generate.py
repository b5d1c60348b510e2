"""Writes the checkpoints beside this script with torch 2.15.0.

    python generate.py
"""
import collections
import hashlib
import pathlib
import tempfile
import zipfile

import torch

here = pathlib.Path(__file__).parent


def ramp(dtype, *shape):
    n = torch.Size(shape).numel()
    if dtype == torch.bool:
        return (torch.arange(n) % 2 == 1).reshape(shape)
    return torch.arange(1, n + 1).to(dtype).reshape(shape)


def save(name, obj, **kwargs):
    torch.save(obj, here / (name + ".bin"), **kwargs)


# As mamba_ssm writes a model of one layer with a tied head: state_dict() gives two tensors of one storage.
model = collections.OrderedDict()
model["backbone.embedding.weight"] = ramp(torch.float32, 6, 4)
model["backbone.layers.0.mixer.A_log"] = ramp(torch.float32, 8, 2)
model["backbone.layers.0.mixer.D"] = ramp(torch.float32, 8)
model["backbone.layers.0.mixer.conv1d.weight"] = ramp(torch.float32, 8, 1, 4)
model["backbone.layers.0.norm.weight"] = ramp(torch.float32, 4)
model["backbone.norm_f.weight"] = ramp(torch.float32, 4)
model["lm_head.weight"] = model["backbone.embedding.weight"].detach()
save("model", model)
save("protocol4", model, pickle_protocol=4)
save("protocol5", model, pickle_protocol=5)
save("legacy", model, _use_new_zipfile_serialization=False)

# More tensors than the pickler puts into a dict at once, more values than have short numbers in its memo, sizes that take
# 1, 2 and 4 bytes, and numbers of dimensions with and without opcodes of their own. Of this only a digest is kept, of all
# but the last record, the serialization_id.
many = collections.OrderedDict((f"t{i}", torch.zeros(0, 255 + i % 2)) for i in range(1000))
many["last"] = torch.zeros(2, 1, 5, 7000, dtype=torch.uint8)
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "many.bin"
    torch.save(many, path)
    with zipfile.ZipFile(path) as z:
        end = z.infolist()[-1].header_offset
    (here / "many.sha256").write_text(hashlib.sha256(path.read_bytes()[:end]).hexdigest() + f"  {end}\n")

# Every dtype, no dimensions, four dimensions, no elements.
types = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool"]
every = collections.OrderedDict((t, ramp(getattr(torch, t), 3)) for t in types)
every["scalar"] = torch.tensor(-0.0)
every["four"] = ramp(torch.float16, 2, 1, 3, 2)
every["empty"] = ramp(torch.float32, 2, 0, 3)
save("dtypes", every)
save("dtypes-legacy", every, _use_new_zipfile_serialization=False)

# Views: transposed, sliced, permuted, with an offset; the same view twice; parts of one storage.
whole = ramp(torch.float32, 4, 6)
views = collections.OrderedDict()
views["whole"] = whole
views["transposed"] = whole.t()
views["columns"] = whole[:, 1:4]
views["rows"] = whole[2:]
views["steps"] = whole[::2, ::3]
views["permuted"] = ramp(torch.bfloat16, 2, 3, 4).permute(2, 0, 1)
views["again"] = whole.t()
views["row"] = whole[1:2, :].t()[3:, :]
save("views", views)
save("views-legacy", views, _use_new_zipfile_serialization=False)

# What a trainer saves: parameters, one with an attribute as mamba_ssm sets it, compiled and parallel, beside other state.
decay = torch.nn.Parameter(ramp(torch.float32, 2))
decay._no_weight_decay = True
inner = {"module._orig_mod.weight": torch.nn.Parameter(ramp(torch.float16, 2, 2)), "module._orig_mod.A_log": decay,
         "module._orig_mod.step": 7}
save("trainer", {"epoch": 3, "loss": 0.5, "args": {"lr": 1e-3, "betas": (0.9, 0.95), "names": ["a", "b"], "dtype": torch.bfloat16},
                 "seen": 1 << 70, "device": torch.device("cpu"), "rng": ramp(torch.uint8, 4), "shape": torch.Size([1, 2]),
                 "optimizer": {"state": {0: {"exp_avg": ramp(torch.float32, 2)}}, "param_groups": [{"params": [0]}]},
                 "model": {"state_dict": inner}}, pickle_protocol=4)

"""Writes the reference files beside this script with safetensors 0.8.0 and torch 2.15.0.

    python generate.py
"""
import pathlib

import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent


def ramp(dtype, *shape):
    n = 1
    for d in shape:
        n *= d
    return (torch.arange(n) % 2 == 1).reshape(shape) if dtype == torch.bool else torch.arange(1, n + 1).to(dtype).reshape(shape)


single = {
    "backbone.embeddings.weight": ramp(torch.float32, 3, 2),
    "backbone.layers.0.mixer.A_log": ramp(torch.float32, 2, 2),
    "backbone.layers.0.mixer.D": ramp(torch.float32, 5),
    "backbone.layers.0.mixer.conv1d.weight": ramp(torch.float32, 2, 1, 4),
    "backbone.layers.10.norm.weight": ramp(torch.float32, 1),
    "backbone.layers.2.norm.weight": ramp(torch.float32, 1),
    "backbone.norm_f.weight": ramp(torch.float32, 0),
    "scalar": torch.tensor(-0.0),
}
save_file(single, here / "single.safetensors", metadata={"format": "pt"})

mixed = {
    "f32.b": ramp(torch.float32, 2),
    "f32.a": ramp(torch.float32, 0, 7),
    "F64": ramp(torch.float64, 1),
    "f64.empty": ramp(torch.float64, 0),
    "i64": ramp(torch.int64, 1, 2),
    "u64": ramp(torch.uint64, 1),
    "i32": ramp(torch.int32, 3),
    "u32": ramp(torch.uint32, 1),
    "bf16": ramp(torch.bfloat16, 3),
    "f16": ramp(torch.float16, 3),
    "u16": ramp(torch.uint16, 1),
    "i16": ramp(torch.int16, 1),
    "i8": ramp(torch.int8, 3),
    "u8": ramp(torch.uint8, 1),
    "bool": ramp(torch.bool, 2),
    "<é>&\"\\\n": ramp(torch.float32, 1),
}
save_file(mixed, here / "mixed.safetensors")

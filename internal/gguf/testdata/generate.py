"""Writes the reference files beside this script with gguf-py 0.19.0 and numpy.

    python generate.py
"""
import logging
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFValueType as V
from gguf import GGUFWriter, quants

logging.disable()
here = pathlib.Path(__file__).parent


def finish(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


w = GGUFWriter(here / "all.gguf", "mamba")
for kind, low, high in [("U8", 0, 2**8 - 1), ("I8", -2**7, 2**7 - 1), ("U16", 0, 2**16 - 1), ("I16", -2**15, 2**15 - 1),
                        ("U32", 0, 2**32 - 1), ("I32", -2**31, 2**31 - 1), ("U64", 0, 2**64 - 1), ("I64", -2**63, 2**63 - 1)]:
    vtype = V[kind.replace("U", "UINT") if kind[0] == "U" else kind.replace("I", "INT")]
    w.add_key_value("one." + kind.lower(), high, vtype)
    w.add_key_value("array." + kind.lower(), [low, 1, high], V.ARRAY, vtype)
w.add_float32("one.f32", 1e-5)
w.add_float64("one.f64", 0.1)
w.add_bool("one.bool", True)
w.add_string("one.str", "Ġné\n")
w.add_key_value("array.f32", [1.5, -0.0, float("inf")], V.ARRAY, V.FLOAT32)
w.add_key_value("array.f64", [0.1, -2.0], V.ARRAY, V.FLOAT64)
w.add_array("array.bool", [True, False, True])
w.add_array("array.str", ["", "Ġa", "日本"])

ramp = np.arange(1, 65)
for dtype in [np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64]:
    w.add_tensor(np.dtype(dtype).name, ramp[:6].astype(dtype).reshape(2, 1, 3))
w.add_tensor("bfloat16", (ramp[:3].astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8), raw_dtype=T.BF16)
w.add_tensor("scalar", np.array(7, np.float32))
waves = (np.cos(ramp * ramp) * ramp).astype(np.float32).reshape(2, 32)
w.add_tensor("waves", waves)
w.add_tensor("q8_0", quants.quantize(waves, T.Q8_0), raw_dtype=T.Q8_0)
w.add_tensor("q4_0", quants.quantize(waves, T.Q4_0), raw_dtype=T.Q4_0)
finish(w)

w = GGUFWriter(here / "split.gguf", "mamba", split_max_tensors=2)
for name in ["a", "b", "c", "d", "e"]:
    w.add_tensor(name, np.full(3, ord(name), np.float32))
finish(w)

# Rows of one block each, quantized to every type that gguf-py can quantize to, and what it makes of the blocks.
rng = np.random.default_rng(1)
rows = [rng.normal(size=32) * 2.0**e for e in (-40, -20, -10, -4, 0, 3, 12)]
rows += [np.arange(32) - 15.5, np.arange(32) - 16, (np.arange(32) - 16) / 2, 16 - np.arange(32), (np.arange(32) - 15) * 127 / 16]  # ties
rows += [np.eye(32)[5] * x for x in (0, 1, -1, 65504, -1e-36)]
rows += [np.eye(32)[3] - np.eye(32)[20], np.eye(32)[20] - np.eye(32)[3]]  # two largest, of either sign
values = np.array(rows, np.float32)
w = GGUFWriter(here / "blocks.gguf", "mamba")
w.add_tensor("values", values)
for t in [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0]:
    blocks = quants.quantize(values, t)
    w.add_tensor(t.name, blocks, raw_dtype=t)
    w.add_tensor(t.name + ".wide", quants.dequantize(blocks, t))
w.add_tensor("Q8_K", np.zeros((2, 292), np.uint8), raw_dtype=T.Q8_K)  # of which ggml makes no files
finish(w)

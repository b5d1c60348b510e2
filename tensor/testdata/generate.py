"""Writes widened.json beside this script: what llama.cpp and gguf-py 0.19.0 make of blocks of bytes drawn for each type.

    python generate.py

TestWidenedBlocks draws the same bytes. The judge is ggml's dequantize_row_*, of llama-cpp-python 0.3.36; gguf-py must have
the same bits if it knows the type. NaN counts as one value.
"""
import ctypes
import hashlib
import json
import pathlib

import gguf
import llama_cpp
import numpy as np

BLOCKS = 2048
# Scales that random bytes would leave out, one after the other in the first blocks.
SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0xFC00, 0x7E00]
# Elements and bytes of a block, and where its F16 scales lie.
TYPES = {
    "Q8_0": (32, 34, [0]),
    "Q4_0": (32, 18, [0]), "Q4_1": (32, 20, [0, 2]), "Q5_0": (32, 22, [0]), "Q5_1": (32, 24, [0, 2]),
    "Q2_K": (256, 84, [80, 82]), "Q3_K": (256, 110, [108]), "Q4_K": (256, 144, [0, 2]), "Q5_K": (256, 176, [0, 2]),
    "Q6_K": (256, 210, [208]),
    "IQ4_NL": (32, 18, [0]), "IQ4_XS": (256, 136, [0]), "IQ3_S": (256, 110, [0]), "IQ3_XXS": (256, 98, [0]),
    "IQ2_S": (256, 82, [0]), "IQ2_XS": (256, 74, [0]), "IQ2_XXS": (256, 66, [0]),
    "IQ1_M": (256, 56, []), "IQ1_S": (256, 50, [0]),
    "TQ2_0": (256, 66, [64]), "TQ1_0": (256, 54, [52]),
    "MXFP4": (32, 17, []), "NVFP4": (64, 36, []),
    "Q2_0": (64, 18, [0]), "Q1_0": (128, 18, [0]),
}

lib = pathlib.Path(llama_cpp.__file__).parent / "lib"
ctypes.CDLL(lib / "libggml-cpu.so", ctypes.RTLD_GLOBAL).ggml_cpu_init()
base = ctypes.CDLL(lib / "libggml-base.so")


def draw(name, size, halves):
    count = BLOCKS * size
    stream = b"".join(hashlib.sha256(f"{name} {i}".encode()).digest() for i in range(count // 32 + 1))
    blocks = np.frombuffer(stream[:count], np.uint8).reshape(BLOCKS, size).copy()
    for i in range(len(SPECIAL)):
        for k, at in enumerate(halves):
            d = SPECIAL[(i + k) % len(SPECIAL)]
            blocks[i, at : at + 2] = d & 255, d >> 8
        if name == "IQ1_M":  # in the high four bits of four words at byte 48
            for k in range(4):
                blocks[i, 49 + 2 * k] = blocks[i, 49 + 2 * k] & 15 | (SPECIAL[i] >> 4 * k & 15) << 4
    return blocks


def bits(values):
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32))


types = {}
for name, (elems, size, halves) in TYPES.items():
    blocks = draw(name, size, halves)
    wide = np.empty(BLOCKS * elems, np.float32)
    getattr(base, "dequantize_row_" + name.lower().replace("_k", "_K"))(
        ctypes.c_void_p(blocks.ctypes.data), ctypes.c_void_p(wide.ctypes.data), ctypes.c_int64(wide.size))
    known = getattr(gguf.GGMLQuantizationType, name, None)
    if known in gguf.quants._type_traits:
        with np.errstate(all="ignore"):
            assert (bits(gguf.quants.dequantize(blocks.reshape(-1), known)) == bits(wide)).all(), name
    types[name] = {"halves": halves, "sha256": hashlib.sha256(bits(wide).tobytes()).hexdigest()}
pathlib.Path(__file__).with_name("widened.json").write_text(
    "{\n" + ",\n".join(f"  {json.dumps(n)}: {json.dumps(t)}" for n, t in types.items()) + "\n}\n")

"""Writes transformers.json beside this script: for every matrix in the blocks of a fixture, the mean square of its inputs over
some tokens in chunks of 16, over all columns and in the first three, as hooks in transformers 5.23 see them.

    python generate.py
"""
import json
import pathlib

import torch
from transformers import AutoModelForCausalLM

here = pathlib.Path(__file__).parent
fixtures = here.parents[2] / "fixtures"
ids = [(7 * i * i + 3 * i) % 61 for i in range(40)]
found = {}
for fixture in ("mamba1/default", "falcon/default", "mamba2/default"):
    model = AutoModelForCausalLM.from_pretrained(fixtures / fixture, dtype=torch.float32).eval()
    seen = {}

    def add(name, x):
        x = x.detach().double().reshape(-1, x.shape[-1])
        seen.setdefault(name, []).append(x * x)

    for i, layer in enumerate(model.backbone.layers):
        mixer = layer.mixer
        for kind, part in (("ssm_in", "in_proj"), ("ssm_x", "x_proj"), ("ssm_out", "out_proj")):
            if hasattr(mixer, part):
                name = f"blk.{i}.{kind}.weight"
                getattr(mixer, part).register_forward_pre_hook(lambda m, args, name=name: add(name, args[0]))
        if hasattr(mixer, "x_proj"):  # the product with dt_proj calls no module
            def dt(m, args, out, mixer=mixer, name=f"blk.{i}.ssm_dt.weight"):
                x = out[..., : mixer.time_step_rank]
                if hasattr(mixer, "rms_eps"):
                    x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + mixer.rms_eps)
                add(name, x)
            mixer.x_proj.register_forward_hook(dt)
    with torch.no_grad():
        for at in range(0, len(ids), 16):
            model(torch.tensor([ids[at : at + 16]]))
    means = {name: torch.cat(parts).mean(0) for name, parts in sorted(seen.items())}
    found[fixture] = {name: [float(m.mean())] + [float(v) for v in m[:3]] for name, m in means.items()}
(here / "transformers.json").write_text(json.dumps({"ids": ids, "means": found}, indent=1) + "\n")

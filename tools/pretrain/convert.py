#!/usr/bin/env python3
"""Turn a checkpoint into a model folder in Hugging Face layout, in fp16.

    tools/pretrain/convert.py WORKDIR MODELDIR

training.json in the folder says what text the weights were trained on and how long.
"""
import json
import pathlib
import shutil
import sys

import numpy as np
import torch

import safetensors_io
from model import CONFIG


def main():
    workdir, out = map(pathlib.Path, sys.argv[1:3])
    state = torch.load(workdir / "checkpoint.pt", map_location="cpu")
    tensors = {name: value.float().numpy() for name, value in state.items()}
    if not all(np.isfinite(value).all() for value in tensors.values()):
        sys.exit("convert: the checkpoint has values that are not finite")
    out.mkdir(parents=True, exist_ok=True)
    halves = {name: value.astype(np.float16) for name, value in tensors.items()}
    safetensors_io.save(out / "model.safetensors", halves)
    size = len(tensors["cls.predictions.bias"])
    config = dict(CONFIG, vocab_size=size, torch_dtype="float16")
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if (out / "vocab.txt").resolve() != (workdir / "vocab.txt").resolve():
        shutil.copy(workdir / "vocab.txt", out / "vocab.txt")
    record = {"corpus": json.loads((workdir / "corpus.json").read_text()),
              "training": json.loads((workdir / "progress.json").read_text())}
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    count = sum(value.size for value in tensors.values())
    print(f"{out}: {len(tensors)} tensors, {count} parameters")


if __name__ == "__main__":
    main()

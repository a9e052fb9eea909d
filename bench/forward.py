#!/usr/bin/python3
"""bench/run forward [--model DIR] [--rows N] [--threads N] [--repeats N]: bbt-lm's forward
pass against the same model in Debian's python3-torch, same weights, same batch, fp32, same
number of threads, in one run, taking turns.

Without --model a random BERT of the bundled model's shape is made. The batch is typical of a
tuning job: rows of 24 to 64 tokens, one mask each, six label words. One JSON line:

  ours_ms        best time of bbt-lm (worker threads, queueing included)
  torch_ms       best time of torch: padded batch, every layer in full, then the head for the
                 mask positions and label columns only
  torch_lean_ms  the same, but the last layer for the mask positions only, as bbt-lm does it
  max_abs_diff   of the logits of both
"""
import argparse
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import golden_lm  # noqa: E402


def read_safetensors(path):
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    out = {}
    for name, t in json.loads(raw[8:8 + n]).items():
        if name == "__metadata__" or t["dtype"] not in golden_lm.KIND:
            continue
        a, b = t["data_offsets"]
        flat = torch.frombuffer(bytearray(raw[8 + n + a:8 + n + b]),
                                dtype=golden_lm.KIND[t["dtype"]])
        out[name] = flat.reshape(t["shape"]).float()
    return out


def draw_batch(c, rows, labels, seed=1):
    rnd = random.Random(seed)
    top = min(64, c["max_position_embeddings"] - 2)
    lens = [rnd.randint(24, top) for _ in range(rows)]
    ids = [[rnd.randrange(5, c["vocab_size"]) for _ in range(n)] for n in lens]
    masks = [rnd.randrange(1, n) for n in lens]
    return lens, ids, masks, rnd.sample(range(5, c["vocab_size"]), labels)


def write_batch(path, c, batch):
    lens, ids, masks, labels = batch
    cols = max(lens)
    lines = [f"{len(lens)} {cols} {len(labels)}"]
    for n, row, m in zip(lens, ids, masks):
        row = row + [c["pad_token_id"]] * (cols - n)
        lines.append(" ".join(map(str, [n, m] + row)))
    lines.append(" ".join(map(str, labels)))
    path.write_text("\n".join(lines) + "\n")


class Torch:
    def __init__(self, c, tensors, batch):
        self.m = golden_lm.Model(c, tensors, torch.float32)
        lens, ids, masks, labels = batch
        cols = max(lens)
        self.ids = torch.tensor([r + [c["pad_token_id"]] * (cols - len(r)) for r in ids])
        keep = torch.tensor([[1.0] * n + [0.0] * (cols - n) for n in lens])
        self.hide = ((1 - keep) * torch.finfo(torch.float32).min)[:, None, None, :]
        self.masks, self.labels = torch.tensor(masks), torch.tensor(labels)
        self.layers = c["num_hidden_layers"]
        # One product for query, key and value: what a careful user of torch would do.
        self.qkv = []
        for i in range(self.layers):
            p = f"{self.m.base}encoder.layer.{i}.attention.self."
            w = torch.cat([self.m.t[p + s + ".weight"] for s in ("query", "key", "value")])
            b = torch.cat([self.m.t[p + s + ".bias"] for s in ("query", "key", "value")])
            self.qkv.append((w, b))

    def layer(self, x, i, at=None):
        m, heads = self.m, self.m.c["num_attention_heads"]
        p, (w, bias) = f"{m.base}encoder.layer.{i}.", self.qkv[i]
        b, n, h = x.shape
        if at is None:
            q, k, v = torch.nn.functional.linear(x, w, bias).chunk(3, -1)
        else:
            k, v = torch.nn.functional.linear(x, w[h:], bias[h:]).chunk(2, -1)
            x = x[torch.arange(b), at].unsqueeze(1)
            q = torch.nn.functional.linear(x, w[:h], bias[:h])
        q, k, v = (t.view(b, -1, heads, h // heads).transpose(1, 2) for t in (q, k, v))
        s = q @ k.transpose(-1, -2) / math.sqrt(h // heads) + self.hide
        y = (torch.softmax(s, -1) @ v).transpose(1, 2).reshape(b, -1, h)
        x = m.norm(x + m.linear(y, p + "attention.output.dense"),
                   p + "attention.output.LayerNorm")
        y = torch.nn.functional.gelu(m.linear(x, p + "intermediate.dense"))
        return m.norm(x + m.linear(y, p + "output.dense"), p + "output.LayerNorm")

    def run(self, lean):
        x, _ = self.m.embed(self.ids, None, "add", "hidden")
        for i in range(self.layers):
            x = self.layer(x, i, self.masks if lean and i == self.layers - 1 else None)
        x = x[:, 0] if lean else x[torch.arange(len(x)), self.masks]
        return self.m.head(x, self.labels)


def best(run, repeats):
    times = []
    with torch.no_grad():
        for i in range(repeats + 2):
            t = time.perf_counter()
            out = run()
            times.append(time.perf_counter() - t)
    return min(times[2:]) * 1000, out


def ours(build, model, batch_file, threads, repeats, out):
    got = subprocess.run(
        [build / "bench" / "bench-forward-run", model, batch_file, str(threads), str(repeats),
         out], check=True, stdout=subprocess.PIPE)
    return json.loads(got.stdout)


def main():
    ap = argparse.ArgumentParser(description="forward pass against torch")
    ap.add_argument("--model", type=pathlib.Path)
    ap.add_argument("--shape", default="256 4 4 1024 8192 128",
                    help="of the random model: hidden layers heads inner vocab positions")
    ap.add_argument("--rows", type=int, default=32)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--repeats", type=int, default=15)
    ap.add_argument("--turns", type=int, default=3)
    a = ap.parse_args()
    build = pathlib.Path(os.environ.get("BBT_BUILD", ROOT / "build"))
    torch.set_num_threads(a.threads)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        model = a.model
        if not model:
            model = tmp / "model"
            c = golden_lm.config("bert", *map(int, a.shape.split()))
            golden_lm.write_folder(model, c, golden_lm.draw(c, 1), "F32", 1)
        c = json.loads((model / "config.json").read_text())
        batch = draw_batch(c, a.rows, 6)
        write_batch(tmp / "batch", c, batch)
        other = Torch(c, read_safetensors(model / "model.safetensors"), batch)
        mine, full, lean = [], [], []
        for _ in range(a.turns):
            mine.append(ours(build, model, tmp / "batch", a.threads, a.repeats,
                             tmp / "logits")["ours_ms"])
            t, want = best(lambda: other.run(False), a.repeats)
            full.append(t)
            t, _ = best(lambda: other.run(True), a.repeats)
            lean.append(t)
        got = np.fromfile(tmp / "logits", dtype=np.float32).reshape(a.rows, -1)
        diff = float(np.abs(got - want.numpy()).max())
    print(json.dumps({
        "ours_ms": round(min(mine), 2), "torch_ms": round(min(full), 2),
        "torch_lean_ms": round(min(lean), 2), "threads": a.threads, "rows": a.rows,
        "tokens": sum(batch[0]), "padded_tokens": a.rows * max(batch[0]),
        "max_abs_diff": float(f"{diff:.2g}")}))
    return 0 if diff <= 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""golden_lm.py OUT [--big DIR FAMILY] -- random masked language models in Hugging Face layout,
and what they answer according to an implementation independent of bbt-lm's.

Writes to OUT tiny folders (BERT and RoBERTa families; fp32, fp16, bf16; one file and two
shards) and cases.json: questions with the logits that torch computes in double precision from
the stored weights. Needs Debian's python3-torch and python3-numpy; made once, committed with
its results:

    tools/golden_lm.py tests/golden/lmserver

--big writes one larger random folder instead (12 layers x 768, 50265 tokens): for tests by
hand.  --shape "hidden layers heads inner vocab positions" changes that size.
"""
import argparse
import json
import math
import pathlib
import struct

import numpy as np
import torch

KIND = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def config(family, hidden=32, layers=2, heads=4, inner=64, vocab=120, positions=40):
    roberta = family == "roberta"
    return {
        "architectures": ["RobertaForMaskedLM" if roberta else "BertForMaskedLM"],
        "model_type": family, "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": inner, "vocab_size": vocab,
        "max_position_embeddings": positions, "type_vocab_size": 1 if roberta else 2,
        "pad_token_id": 1 if roberta else 0, "hidden_act": "gelu",
        "layer_norm_eps": 1e-5 if roberta else 1e-12, "tie_word_embeddings": True,
    }


def names(c):
    """Every tensor of the layout, with its shape and how it is drawn."""
    h, inner = c["hidden_size"], c["intermediate_size"]
    roberta = c["model_type"] == "roberta"
    base = "roberta." if roberta else "bert."
    head = "lm_head." if roberta else "cls.predictions."
    dense = head + ("dense" if roberta else "transform.dense")
    norm = head + ("layer_norm" if roberta else "transform.LayerNorm")
    out = [(base + "embeddings.word_embeddings.weight", (c["vocab_size"], h)),
           (base + "embeddings.position_embeddings.weight",
            (c["max_position_embeddings"], h)),
           (base + "embeddings.token_type_embeddings.weight", (c["type_vocab_size"], h)),
           (base + "embeddings.LayerNorm.weight", (h,)),
           (base + "embeddings.LayerNorm.bias", (h,))]
    for i in range(c["num_hidden_layers"]):
        p = f"{base}encoder.layer.{i}."
        for part, rows, cols in [("attention.self.query", h, h), ("attention.self.key", h, h),
                                 ("attention.self.value", h, h),
                                 ("attention.output.dense", h, h),
                                 ("intermediate.dense", inner, h), ("output.dense", h, inner)]:
            out += [(p + part + ".weight", (rows, cols)), (p + part + ".bias", (rows,))]
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            out += [(p + part + ".weight", (h,)), (p + part + ".bias", (h,))]
    out += [(dense + ".weight", (h, h)), (dense + ".bias", (h,)), (norm + ".weight", (h,)),
            (norm + ".bias", (h,)), (head + "bias", (c["vocab_size"],))]
    if not c["tie_word_embeddings"]:
        out.append((head + "decoder.weight", (c["vocab_size"], h)))
    return out


def draw(c, seed):
    g = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in names(c):
        noise = torch.randn(*shape, generator=g)
        if "norm" in name.lower() and name.endswith("weight"):
            tensors[name] = 1 + 0.2 * noise
        elif len(shape) == 2 and "embeddings" not in name:
            tensors[name] = noise * 1.4 / math.sqrt(shape[1])
        else:
            tensors[name] = 0.3 * noise
    return tensors


def write_safetensors(path, tensors, kind):
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, t in tensors.items():
        t = t.to(KIND[kind]).contiguous()
        raw = t.view(torch.int16).numpy() if t.element_size() == 2 else t.numpy()
        blob = raw.tobytes()
        header[name] = {"dtype": kind, "shape": list(t.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_folder(folder, c, tensors, kind, shards):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(c, indent=1) + "\n")
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors, kind)
        return
    keys, where = list(tensors), {}
    for i in range(shards):
        part = keys[i * len(keys) // shards:(i + 1) * len(keys) // shards]
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        write_safetensors(folder / file, {k: tensors[k] for k in part}, kind)
        where.update({k: file for k in part})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": where}, indent=1) + "\n")


class Model:
    """The forward pass from the architecture's description, on padded batches with an
    additive attention mask, as the usual library does it."""

    def __init__(self, c, tensors, dtype=torch.float64):
        self.c, self.t = c, {k: v.to(dtype) for k, v in tensors.items()}
        self.roberta = c["model_type"] == "roberta"
        self.base = "roberta." if self.roberta else "bert."

    def norm(self, x, name):
        return torch.nn.functional.layer_norm(
            x, (x.shape[-1],), self.t[name + ".weight"], self.t[name + ".bias"],
            self.c["layer_norm_eps"])

    def linear(self, x, name):
        return torch.nn.functional.linear(x, self.t[name + ".weight"], self.t[name + ".bias"])

    def layer(self, x, hide, i):
        p, heads = f"{self.base}encoder.layer.{i}.", self.c["num_attention_heads"]
        b, n, h = x.shape
        q, k, v = (self.linear(x, p + "attention.self." + s).view(b, n, heads, h // heads)
                   .transpose(1, 2) for s in ("query", "key", "value"))
        s = q @ k.transpose(-1, -2) / math.sqrt(h // heads) + hide
        y = (torch.softmax(s, -1) @ v).transpose(1, 2).reshape(b, n, h)
        x = self.norm(x + self.linear(y, p + "attention.output.dense"),
                      p + "attention.output.LayerNorm")
        y = torch.nn.functional.gelu(self.linear(x, p + "intermediate.dense"))
        return self.norm(x + self.linear(y, p + "output.dense"), p + "output.LayerNorm")

    def embed(self, ids, prompt, compose, at):
        """ids [B,T], prompt [B,L,H] or None -> hidden [B,T(+L),H]."""
        e, c = self.base + "embeddings.", self.c
        words = self.t[e + "word_embeddings.weight"][ids]
        front = prompt.shape[1] if prompt is not None and compose == "prepend" else 0
        if self.roberta:
            real = (ids != c["pad_token_id"]).long()
            pos = torch.cumsum(real, 1) * real + c["pad_token_id"]
            first = c["pad_token_id"] + 1
        else:
            real = torch.ones_like(ids)
            pos = torch.arange(ids.shape[1]).expand_as(ids)
            first = 0
        if prompt is not None and at == "embedding":
            if front:
                words = torch.cat([prompt, words], 1)
                lead = torch.arange(first, first + front).expand(len(ids), front)
                pos = torch.cat([lead, pos + front * real], 1)
            else:
                words = words.clone()
                words[:, 1:1 + prompt.shape[1]] += prompt
        x = (words + self.t[e + "position_embeddings.weight"][pos]
             + self.t[e + "token_type_embeddings.weight"][0])
        x = self.norm(x, e + "LayerNorm")
        if prompt is not None and at == "hidden":
            if front:
                x = torch.cat([prompt, x], 1)
            else:
                x = x.clone()
                x[:, 1:1 + prompt.shape[1]] += prompt
        return x, front

    def logits(self, ids, keep, mask_pos, prompt=None, compose="add", at="hidden"):
        x, front = self.embed(ids, prompt, compose, at)
        keep = torch.cat([torch.ones(len(ids), front, dtype=keep.dtype), keep], 1)
        hide = (1 - keep.to(x.dtype))[:, None, None, :] * torch.finfo(x.dtype).min
        for i in range(self.c["num_hidden_layers"]):
            x = self.layer(x, hide, i)
        return self.head(x[torch.arange(len(ids)), mask_pos + front])

    def head(self, x, labels=None):
        p = "lm_head." if self.roberta else "cls.predictions."
        x = torch.nn.functional.gelu(
            self.linear(x, p + ("dense" if self.roberta else "transform.dense")))
        x = self.norm(x, p + ("layer_norm" if self.roberta else "transform.LayerNorm"))
        out = (self.t[self.base + "embeddings.word_embeddings.weight"]
               if self.c["tie_word_embeddings"] else self.t[p + "decoder.weight"])
        bias = self.t[p + "bias"]
        if labels is not None:
            out, bias = out[labels], bias[labels]
        return x @ out.T + bias


def batch(c, rows, cols, g):
    """Rows of different lengths, padded on the right; the mask anywhere behind column 4."""
    pad = c["pad_token_id"]
    ids = torch.randint(5, c["vocab_size"], (rows, cols), generator=g)
    keep, mask_pos = torch.zeros(rows, cols, dtype=torch.long), []
    for r in range(rows):
        n = cols - 3 * r
        ids[r, n:] = pad
        keep[r, :n] = 1
        mask_pos.append(5 + int(torch.randint(0, n - 5, (1,), generator=g)))
    return ids, keep, torch.tensor(mask_pos)


def cases(name, c, model, seed):
    g = torch.Generator().manual_seed(seed)
    h = c["hidden_size"]
    ids, keep, mask_pos = batch(c, 3, 16, g)
    holes = keep.clone()  # tokens in the middle that do not count
    holes[:, 2:4] = 0
    asks = [("none", "add", "hidden", 0), ("holes", "prepend", "embedding", 2)]
    asks += [(s, m, a, n) for s, n in (("shared", 4), ("row", 3)) for m in ("add", "prepend")
             for a in ("hidden", "embedding")]
    for sets, compose, at, n in asks:
        prompt = None
        if n:
            prompt = torch.randn(3 if sets == "row" else 1, n, h, generator=g)
            prompt = (prompt * 100).round() / 100  # short in the file, exact in fp32 below
        full = (None if prompt is None else
                prompt.float().expand(3, n, h).to(torch.float64))
        mask = holes if sets == "holes" else keep
        out = model.logits(ids, mask, mask_pos, full, compose, at)
        yield {"model": name, "compose": compose, "prompt_at": at,
               "prompt_rows": n, "prompt_sets": 0 if prompt is None else len(prompt),
               "rows": 3, "cols": 16, "input_ids": ids.flatten().tolist(),
               "attention_mask": mask.flatten().tolist(), "mask_pos": mask_pos.tolist(),
               "prompt": [] if prompt is None else
               [round(float(v), 2) for v in prompt.flatten()],
               "logits": [round(float(v), 6) for v in out.flatten()]}


def tiny(out):
    done = []
    for seed, (name, family, kind, shards, more) in enumerate([
            ("bert-f32", "bert", "F32", 1, {}), ("bert-f16", "bert", "F16", 2, {}),
            ("roberta-f32", "roberta", "F32", 2, {"tie_word_embeddings": False}),
            ("roberta-bf16", "roberta", "BF16", 1, {})]):
        c = {**config(family), **more}
        tensors = draw(c, 1000 + seed)
        write_folder(out / name, c, tensors, kind, shards)
        stored = {k: v.to(KIND[kind]) for k, v in tensors.items()}
        done += list(cases(name, c, Model(c, stored), 2000 + seed))
    lines = ",\n".join(json.dumps(d, separators=(",", ":")) for d in done)
    (out / "cases.json").write_text("[" + lines + "]\n")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out", type=pathlib.Path, nargs="?")
    ap.add_argument("--big", nargs=2, metavar=("DIR", "FAMILY"))
    ap.add_argument("--shape", default="768 12 12 3072 50265 514")
    a = ap.parse_args()
    if a.big:
        c = config(a.big[1], *map(int, a.shape.split()))
        write_folder(pathlib.Path(a.big[0]), c, draw(c, 1), "F32", 1)
    if a.out:
        tiny(a.out)


if __name__ == "__main__":
    main()

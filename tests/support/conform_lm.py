"""conform_lm.py -- a tiny deterministic language model in numpy, its byte-level BPE vocabulary,
and the files of both for the side that asks: vocab.json, merges.txt, config.json, safetensors.

One layer of attention and one of mixing. Small enough to read, large enough that every position
matters, order included, and that soft rows move the label words' log-probabilities smoothly.
Words carry a valence, so that a text's sentiment reaches the label words.
"""
import json
import re
import struct
from pathlib import Path

import numpy as np

WORDS = ("good bad it was the a film plot actor scene very quite dull bright slow warm cold story "
         "end joy tears laugh sleep gem mess great terrible yes no positive negative delight is "
         "not and of this movie sentiment review text answer or to in that awful fine world "
         "sports business science").split()
BARE = ["good", "bad", "great", "terrible", "yes", "no"]  # also without a space before
POSITIVE = set("good bright warm joy laugh gem great yes positive delight fine".split())
NEGATIVE = set("bad dull cold tears mess slow sleep terrible no negative awful".split())
FIRST = ["<s>", "<pad>", "</s>", "<unk>"]
BOS, PAD, EOS, UNK = range(4)
LAST = ["<mask>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<think>",
        "<prompt_embeds>"] + [f"<|slot_{k}|>" for k in range(8)]
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def printable():
    """GPT-2's printable alphabet of the 256 bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    chars = {b: chr(b) for b in keep}
    for b in range(256):
        if b not in chars:
            chars[b] = chr(256 + len(chars) - len(keep))
    return chars


class Vocabulary:
    """Text to ids and back; ' word' is one piece for each of WORDS."""

    def __init__(self):
        self.char = printable()
        self.byte = {c: b for b, c in self.char.items()}
        self.pieces = FIRST + [self.char[b] for b in range(256)]
        self.merges = []
        for word in [self.char[32] + w for w in WORDS] + BARE:
            left = word[0]
            for c in word[1:]:
                if left + c not in self.pieces:
                    self.merges.append((left, c))
                    self.pieces.append(left + c)
                left += c
        self.special = {}
        for name in LAST:
            self.special[name] = len(self.pieces)
            self.pieces.append(name)
        self.rank = {pair: n for n, pair in enumerate(self.merges)}
        self.id = {piece: n for n, piece in enumerate(self.pieces)}

    def __len__(self):
        return len(self.pieces)

    def word(self, text):
        """The ids of one part of the split."""
        parts = [self.char[b] for b in text.encode()]
        while len(parts) > 1:
            ranks = [self.rank.get(pair, 1 << 30) for pair in zip(parts, parts[1:])]
            best = min(ranks)
            if best == 1 << 30:
                break
            at = ranks.index(best)
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return [self.id[p] for p in parts]

    def encode(self, text):
        return [t for part in SPLIT.findall(text) for t in self.word(part)]

    def bytes_of(self, token):
        """What a token writes; a special one writes its name."""
        piece = self.pieces[token]
        if token < len(FIRST) or token >= len(self.pieces) - len(LAST):
            return piece.encode()
        return bytes(self.byte[c] for c in piece)

    def decode(self, tokens):
        return b"".join(self.bytes_of(t) for t in tokens).decode(errors="replace")

    def valence(self, token):
        word = self.bytes_of(token).decode(errors="replace").strip()
        return (word in POSITIVE) - (word in NEGATIVE)


def bf16_bits(x):
    """float32 to bfloat16 by round-to-nearest-even, as uint16."""
    u = np.ascontiguousarray(x, "<f4").view("<u4").astype(np.uint64)
    return ((u + 0x7FFF + ((u >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype("<u2")


def as_bf16(x):
    return (bf16_bits(x).astype("<u4") << np.uint32(16)).view("<f4")


def rounded(x, dtype):
    """What is left of numbers in the model's type."""
    x = np.asarray(x, np.float32)
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return x.astype(np.float16).astype(np.float32)
    return as_bf16(x) if dtype == "bfloat16" else x


class Model:
    """embed() gives the input rows of tokens, scores() the logits that follow rows."""

    def __init__(self, vocabulary, hidden=16, dtype="float32", scale=1.0, seed=1):
        self.vocabulary, self.hidden, self.dtype, self.scale = vocabulary, hidden, dtype, scale
        rng = np.random.Generator(np.random.PCG64(seed))
        n, h = len(vocabulary), hidden
        unit = lambda *shape: rng.standard_normal(shape) / np.sqrt(shape[-1])
        table = 0.8 * unit(n, h)
        meaning = unit(1, h)[0]
        meaning /= np.linalg.norm(meaning)
        feeling = np.array([vocabulary.valence(t) for t in range(n)], float)
        table += 0.5 * feeling[:, None] * meaning
        self.table = rounded(table, dtype)
        self.query, self.key = unit(h, h), unit(h, h)
        self.value = 0.7 * unit(h, h) + 1.5 * np.outer(meaning, meaning)
        self.wide, self.narrow = 1.5 * unit(h, 2 * h), 0.5 * unit(2 * h, h)
        self.place = unit(64, h)
        self.usual = np.array([self.prior(t) for t in range(n)])

    def prior(self, token):
        """Words are likelier than bytes, words with a valence likelier still."""
        text = self.vocabulary.bytes_of(token)
        word = text[:1] == b" " and text[1:].decode(errors="replace") in WORDS
        return (3.0 if self.vocabulary.valence(token) else 1.0) if word else -2.0

    def embed(self, tokens):
        return self.scale * self.table[np.asarray(tokens, int)].astype(float).reshape(
            -1, self.hidden)

    def scores(self, rows, at=-1, causal=True):
        """Logits [V] at position `at`; the masked variant sees both sides."""
        rows = rounded(rows, self.dtype).astype(float)
        at %= len(rows)
        seen = rows[:at + 1] if causal else rows
        place = self.place[np.arange(len(seen)) % len(self.place)]
        key = (seen + place) @ self.key
        weight = key @ ((rows[at] + self.place[at % len(self.place)]) @ self.query)
        weight = np.exp(weight - weight.max())
        state = 0.3 * rows[at] + (weight @ ((seen + 0.3 * place) @ self.value)) / weight.sum()
        state = state + np.tanh(state @ self.wide) @ self.narrow
        return 4.0 * (self.table.astype(float) @ state) + self.usual


def log_softmax(logits):
    top = logits.max()
    return logits - (top + np.log(np.exp(logits - top).sum()))


def safetensors(path, tensors):
    """tensors: {name: (dtype, shape, bytes)}."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape, data) in tensors.items():
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(data for _, _, data in tensors.values()))


def packed(array, kind):
    """An array as a safetensors entry of type F32, F16 or BF16."""
    if kind == "BF16":
        return kind, array.shape, bf16_bits(array).tobytes()
    return kind, array.shape, array.astype("<f4" if kind == "F32" else "<f2").tobytes()


def write(model, folder, kind="F32", shards=1, name="model.embed_tokens.weight"):
    """The folder that bbtd reads: vocabulary, configuration, weights. With several shards the
    embedding stands in the last one, and the index says so."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    v = model.vocabulary
    (folder / "vocab.json").write_text(json.dumps(v.id, ensure_ascii=False))
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in v.merges))
    (folder / "config.json").write_text(json.dumps({
        "model_type": "gpt2", "hidden_size": model.hidden, "vocab_size": len(v),
        "bos_token_id": BOS, "eos_token_id": EOS, "torch_dtype": model.dtype}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
        "mask_token": "<mask>", "cls_token": "<s>", "sep_token": "</s>",
        "add_prefix_space": False}))
    parts = [("model.norm.weight", np.ones(model.hidden, np.float32)),
             ("model.layers.0.self_attn.k_proj.weight", model.key), (name, model.table)]
    entries = [(n, packed(a, kind)) for n, a in parts]
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    if shards == 1:
        safetensors(folder / "model.safetensors", dict(entries))
        return
    where = {}
    for s in range(shards):
        own = [e for k, e in enumerate(entries) if s == min(k, shards - 1)]
        file = f"model-{s + 1:05}-of-{shards:05}.safetensors"
        safetensors(folder / file, dict(own))
        where.update((n, file) for n, _ in own)
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {"total_size": sum(len(e[2]) for _, e in entries)}, "weight_map": where}))

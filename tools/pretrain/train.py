#!/usr/bin/env python3
"""Train the bundled masked language model.

    tools/pretrain/train.py WORKDIR (--minutes M | --steps N) [--device cuda] [--threads 2]

WORKDIR holds corpus.txt and vocab.txt; checkpoint.pt and progress.json appear there. The learning
rate rises over the first steps and then falls to zero at the end of the time or the
steps given, so a run cannot be prolonged afterwards. With --tokens-only the text becomes
tokens.npz, all that a run elsewhere needs beside the vocabulary.
"""
import argparse
import json
import os
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

import init
from model import CONFIG, BertForMaskedLM, Precision
from tokenizer import Tokenizer

LENGTH = 64  # tokens of a row
MASK_SHARE = 0.3  # of the words
SPECIALS = 16  # ids below are special or unused
HELD_OUT = 200  # every 200th document is for validation
SHIFT_SHARE = 0.5  # rows that start at a random position instead of 0


def tokenise(workdir, tokenizer):
    """All documents as one id array, each closed by [SEP], and where they start."""
    cache = workdir / "tokens.npz"
    if cache.exists():
        with np.load(cache) as saved:
            return saved["ids"], saved["starts"]
    ids, starts = [], [0]
    with open(workdir / "corpus.txt", encoding="utf-8") as lines:
        for line in lines:
            ids += tokenizer.encode(line)
            ids.append(tokenizer.sep)
            starts.append(len(ids))
    ids, starts = np.array(ids, np.uint16), np.array(starts, np.int64)
    np.savez_compressed(cache, ids=ids, starts=starts)
    return ids, starts


def pack(ids, starts, documents, cls):
    """Rows of [CLS] and what is next of all documents one after another."""
    length = (starts[1:] - starts[:-1])[documents]
    first = starts[documents] - np.cumsum(length) + length
    stream = ids[np.repeat(first, length) + np.arange(length.sum())]
    rows = stream[:len(stream) // (LENGTH - 1) * (LENGTH - 1)].reshape(-1, LENGTH - 1)
    return torch.from_numpy(np.insert(rows.astype(np.int64), 0, cls, axis=1))


class Masker:
    """Whole words: 80 % [MASK], 10 % a random piece, 10 % as they are."""

    def __init__(self, tokenizer, seed, device):
        self.mask = torch.tensor(tokenizer.mask, device=device)
        self.size = len(tokenizer.pieces)
        self.inner = torch.tensor([piece.startswith("##") for piece in tokenizer.pieces],
                                  device=device)
        self.draws = {"generator": torch.Generator(device).manual_seed(seed), "device": device}

    def __call__(self, rows):
        word = torch.cumsum(~self.inner[rows], 1)  # number of each piece's word
        draw = torch.rand(rows.shape, **self.draws).gather(1, word.clamp(max=LENGTH - 1))
        chosen = (draw < MASK_SHARE) & (rows >= SPECIALS)
        how = torch.rand(rows.shape, **self.draws)
        noise = torch.randint(SPECIALS, self.size, rows.shape, **self.draws)
        masked = torch.where(chosen & (how < 0.8), self.mask, rows)
        return torch.where(chosen & (how >= 0.9), noise, masked), chosen


def loss_of(model, masker, rows, offset):
    masked, chosen = masker(rows)
    hidden = model.encode(masked, offset)
    return F.cross_entropy(model.logits(hidden[chosen]), rows[chosen])


@torch.no_grad()
def validate(model, tokenizer, rows):
    masker = Masker(tokenizer, 5, rows.device)
    model.eval()
    losses = [loss_of(model, masker, part, 0).item() for part in rows.split(100)]
    model.train()
    return sum(losses) / len(losses)


def make_optimizer(model, rate):
    wide = [p for p in model.parameters() if p.ndim > 1]
    thin = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": wide, "weight_decay": 0.01}, {"params": thin, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), eps=1e-6, foreach=True)


class Progress:
    """How much of the run is done, by the clock or by steps."""

    def __init__(self, args):
        self.args = args
        self.begin = time.monotonic()
        self.step = 0

    def seconds(self):
        return time.monotonic() - self.begin

    def done(self):
        if self.args.steps:
            return self.step / self.args.steps
        return self.seconds() / 60 / self.args.minutes

    def rate(self):
        return self.args.rate * min(1, (self.step + 1) / self.args.warmup) * (1 - self.done())


def save(model, path):
    torch.save(model.state_dict(), f"{path}.part")
    os.replace(f"{path}.part", path)


def batches(ids, starts, documents, cls, args, rng):
    """Endless batches; every epoch packs the documents in another order."""
    while True:
        rows = pack(ids, starts, rng.permutation(documents), cls)
        rows = rows[torch.from_numpy(rng.permutation(len(rows)))].to(args.device)
        for part in rows.split(args.batch):
            if len(part) == args.batch:
                yield part


def train(args, model, tokenizer, ids, starts):
    rng = np.random.default_rng(args.seed)
    documents = np.arange(len(starts) - 1)
    held = pack(ids, starts, documents[::HELD_OUT], tokenizer.cls)[:600].to(args.device)
    seen = np.delete(documents, np.s_[::HELD_OUT])
    masker = Masker(tokenizer, args.seed, args.device)
    optimizer = make_optimizer(model, args.rate)
    progress, mean = Progress(args), 0.0
    for rows in batches(ids, starts, seen, tokenizer.cls, args, rng):
        if progress.done() >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = progress.rate()
        offset = rng.integers(0, LENGTH + 1) if rng.random() < SHIFT_SHARE else 0
        loss = loss_of(model, masker, rows, offset)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress.step += 1
        weight = max(0.02, 1 / progress.step)
        mean = (1 - weight) * mean + weight * loss.detach()
        if progress.step % args.report == 0:
            save(model, args.workdir / "checkpoint.pt")
            report(args, progress, mean, validate(model, tokenizer, held))
    save(model, args.workdir / "checkpoint.pt")
    report(args, progress, mean, validate(model, tokenizer, held))


def report(args, progress, mean, held_loss):
    tokens = progress.step * args.batch * LENGTH
    state = {"steps": progress.step, "tokens": tokens,
             "minutes": round(progress.seconds() / 60, 1),
             "tokens_per_second": round(tokens / progress.seconds()),
             "train_loss": round(mean.item(), 3), "held_out_loss": round(held_loss, 3),
             "batch": args.batch, "rate": args.rate, "warmup": args.warmup,
             "dropout": args.dropout, "device": args.device}
    (args.workdir / "progress.json").write_text(json.dumps(state) + "\n")
    print(json.dumps(state), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("workdir", type=pathlib.Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--warmup", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--tokens-only", action="store_true")
    parser.add_argument("--report", type=int, default=250, help="steps between reports")
    args = parser.parse_args()
    if not (args.minutes or args.steps or args.tokens_only):
        parser.error("give --minutes or --steps")
    torch.set_num_threads(args.threads)
    Precision.bf16 = True
    tokenizer = Tokenizer(args.workdir / "vocab.txt")
    ids, starts = tokenise(args.workdir, tokenizer)
    print(f"{len(ids)} tokens in {len(starts) - 1} documents", flush=True)
    if args.tokens_only:
        return
    model = BertForMaskedLM(dict(CONFIG, vocab_size=len(tokenizer.pieces),
                                 hidden_dropout_prob=args.dropout))
    init.initialise(model, ids.astype(np.int64), SPECIALS, args.seed)
    train(args, model.to(args.device), tokenizer, ids, starts)


if __name__ == "__main__":
    main()

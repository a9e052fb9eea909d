#!/usr/bin/env python3
"""Black-box tuning of the demo task in torch: the figures bbtd's are compared with.

    tools/pretrain/tune_reference.py MODELDIR [--seeds 0 1 2 3 4] [--evaluations N] ...

Shares no code with the daemon or bbt-lm: the forward pass is torch's, CMA-ES is
Debian's python3-cmaes. Prints one JSON line per seed and a last one over all seeds.
--data pool measures on the training texts outside the few-shot sets (for choosing
settings), --data test on the test glosses.
"""
import argparse
import json
import math
import statistics
import time

import cmaes
import numpy as np
import torch

import fewshot
import model as bert
from tokenizer import Tokenizer

LOSSES = {"ce": fewshot.cross_entropy, "hinge": fewshot.hinge}
WARM = 16  # ids below are special or unused


class Search:
    """p = p0 + A z, and what CMA-ES needs to know about it."""

    def __init__(self, args, model, seed):
        self.args = args
        random = torch.Generator().manual_seed(seed)
        table = model.bert.embeddings.word_embeddings.weight
        width = table.shape[1]
        self.shape = (args.length, width)
        self.start = torch.zeros(self.shape)
        if args.compose == "prepend":
            picked = torch.randint(WARM, len(table), (args.length,), generator=random)
            self.start = table[picked].clone() * args.start_scale
        size = (args.length * width, args.dim)
        if args.projection == "uniform":
            self.matrix = (torch.rand(size, generator=random) * 2 - 1) / math.sqrt(args.dim)
            self.matrix *= args.scale
        else:
            std = args.scale * table.std().item() / (math.sqrt(args.dim) * args.sigma)
            self.matrix = torch.randn(size, generator=random) * std
        self.cma = cmaes.CMA(mean=np.zeros(args.dim), sigma=args.sigma, seed=seed,
                             population_size=args.popsize)

    def prompt(self, z):
        move = self.matrix @ torch.from_numpy(z).float()
        return self.start + move.view(self.shape)


class Run:
    """One seed: few-shot sets, search, choice on the dev set."""

    def __init__(self, args, model, tokenizer, task, seed):
        self.args, self.model, self.seed = args, model, seed
        self.words = fewshot.label_ids(tokenizer, args.words)
        train, dev, rest = fewshot.few_shot(task["train"], args.shots, seed)
        measured = task["test"] if args.data == "test" else rest
        self.train, self.dev, self.test = (
            fewshot.Texts(tokenizer, args.template, rows) for rows in (train, dev, measured))
        self.loss = LOSSES[args.loss]
        self.best, self.best_prompt, self.best_at = (-math.inf,), None, 0

    def scores(self, texts, prompt=None):
        return texts.scores(self.model, self.words, prompt, compose=self.args.compose,
                            prompt_at=self.args.prompt_at)

    def consider(self, prompt, evaluations):
        """Keeps the prompt that does best on dev: by its loss, or by accuracy first."""
        scores = self.scores(self.dev, prompt)
        key = (-self.loss(scores, self.dev.labels),)
        if self.args.select == "accuracy":
            key = (fewshot.accuracy(scores, self.dev.labels), *key)
        if key > self.best:
            self.best, self.best_prompt, self.best_at = key, prompt, evaluations

    def search(self):
        search, evaluations = Search(self.args, self.model, self.seed), 0
        generation = 0
        while evaluations < self.args.evaluations:
            asked = []
            for _ in range(self.args.popsize):
                z = search.cma.ask()
                scores = self.scores(self.train, search.prompt(z))
                asked.append((z, self.loss(scores, self.train.labels)))
            search.cma.tell(asked)
            evaluations += len(asked)
            generation += 1
            self.train_loss = min(loss for _, loss in asked)
            if generation % self.args.dev_every == 0:
                self.consider(search.prompt(search.cma._mean), evaluations)
                if self.args.trace:
                    self.trace(search, evaluations)
        self.last_prompt = search.prompt(search.cma._mean)

    def trace(self, search, evaluations):
        dev = self.scores(self.dev, search.prompt(search.cma._mean))
        print(f"  {evaluations}: train {self.train_loss:.3f} "
              f"dev {fewshot.cross_entropy(dev, self.dev.labels):.3f} "
              f"{fewshot.accuracy(dev, self.dev.labels):.3f} "
              f"sigma {search.cma._sigma:.3f}", flush=True)

    def measure(self, prompt=None, bias=0.0):
        scores = self.scores(self.test, prompt).log_softmax(1) - bias
        return fewshot.accuracy(scores, self.test.labels)

    def result(self):
        begin = time.monotonic()
        self.search()
        bias = fewshot.label_bias(self.scores(self.train))
        return {
            "seed": self.seed, "manual_test": round(self.measure(), 4),
            "calibrated_test": round(self.measure(bias=bias), 4),
            "tuned_test": round(self.measure(self.best_prompt), 4),
            "last_mean_test": round(self.measure(self.last_prompt), 4),
            "dev": round(abs(self.best[0]), 4), "train_loss": round(self.train_loss, 4),
            "best_at": self.best_at, "evaluations": self.args.evaluations,
            "seconds": round(time.monotonic() - begin, 1)}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("modeldir")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", choices=("test", "pool"), default="test")
    parser.add_argument("--template", default=fewshot.TEMPLATE)
    parser.add_argument("--words", nargs="+", default=fewshot.LABELS)
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--length", type=int, default=7, help="prompt tokens")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--popsize", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--sigma", type=float, default=1.0)
    parser.add_argument("--scale", type=float, default=8.0)
    parser.add_argument("--start-scale", type=float, default=1.0)
    parser.add_argument("--projection", choices=("uniform", "normal"), default="normal")
    parser.add_argument("--compose", choices=("add", "prepend"), default="add")
    parser.add_argument("--prompt-at", choices=("hidden", "embedding"), default="hidden")
    parser.add_argument("--loss", choices=LOSSES, default="ce")
    parser.add_argument("--select", choices=("accuracy", "loss"), default="loss")
    parser.add_argument("--dev-every", type=int, default=5, help="generations")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="faster and less exact")
    parser.add_argument("--trace", action="store_true")
    return parser.parse_args()


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    bert.Precision.bf16 = args.bf16
    model = bert.load(args.modeldir)
    tokenizer = Tokenizer(f"{args.modeldir}/vocab.txt")
    task = fewshot.wngloss.select()
    results = []
    for seed in args.seeds:
        results.append(Run(args, model, tokenizer, task, seed).result())
        print(json.dumps(results[-1]), flush=True)
    tuned = [result["tuned_test"] for result in results]
    calibrated = statistics.median(result["calibrated_test"] for result in results)
    print(json.dumps({
        "seeds": len(results), "manual_test": results[0]["manual_test"],
        "calibrated_test_median": calibrated, "tuned_test_median": statistics.median(tuned),
        "tuned_test_sd": round(statistics.pstdev(tuned), 4)}))


if __name__ == "__main__":
    main()

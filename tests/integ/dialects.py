#!/usr/bin/env python3
"""dialects.py BUILD -- every dialect from a job file to its result: the real daemon against the
conformance server, which refuses what the real servers refuse and counts it."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

sys.path.insert(0, str(tiny.ROOT / "tests/support"))
import conform  # noqa: E402
import session  # noqa: E402

BUILD = sys.argv[1]
SLOT = "<|slot_0|>"
GOOD, BAD = ["warm", "bright", "joy", "gem", "laugh"], ["cold", "dull", "tears", "mess", "slow"]


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        have = subprocess.run([conform.PYTHON, "-c", "import numpy"], check=False,
                              stderr=subprocess.DEVNULL)
        self.numpy = have.returncode == 0
        self.model = self.folder / "model"
        if self.numpy:
            subprocess.run([conform.PYTHON, str(conform.HERE / "conform.py"), "--only-write",
                            "--write-model", str(self.model), "--weights", "BF16", "--shards",
                            "2", "--dtype", "bfloat16"], check=True)
            self.pieces = json.loads((self.model / "vocab.json").read_text())
        self.n = 0

    def server(self, dialect, **modes):
        if not self.numpy:
            raise tap.Skip("no numpy for the conformance server")
        return conform.Server(dialect, args=("--dtype", "bfloat16"), **modes)

    def session(self):
        self.n += 1
        return session.Session(BUILD, self.folder / f"s{self.n}")

    def task(self, **job):
        """Data and a job file for a language model; the path of the job file."""
        folder = self.folder / f"t{self.n}"
        folder.mkdir(parents=True, exist_ok=True)
        for part, count in (("train", 40), ("test", 24)):
            rows = ["text\tlabel"]
            for i in range(count):
                side = (GOOD if i % 2 else BAD)
                other = (BAD if i % 2 else GOOD)[(i * 3) % 5]
                rows.append(f"the {['film', 'plot', 'actor', 'scene'][i // 2 % 4]} was "
                            f"{side[i // 2 % 5]} and {other if i % 3 == 0 else 'very'} "
                            f"{side[(i * 3 + 1) % 5]} {part} {i}\t{'up' if i % 2 else 'down'}")
            (folder / f"{part}.tsv").write_text("\n".join(rows) + "\n")
        doc = {"apiVersion": "bbt/v1", "kind": "TuningJob", "name": "dialect", "provider": "p",
               "model": "m", "data": {"train": {"file": "train.tsv", "shots": 8},
                                      "test": {"file": "test.tsv"}},
               "task": {"template": "{text} . sentiment: {mask}",
                        "labels": {"up": "good", "down": "bad"}},
               "prompt": {"tokens": 3, "intrinsic_dim": 12, "mode": "concat", "at": "embedding",
                          "projection": {"distribution": "normal", "scale": 1.0}},
               "optimizer": {"popsize": 8, "sigma": 1.0, "seed": 5}, "dev_every": 2,
               "stop": {"evaluations": 96}}
        for key, value in job.items():
            doc[key] = {**doc[key], **value} if isinstance(value, dict) and key in doc else value
        path = folder / "job.yaml"
        path.write_text(json.dumps(doc, indent=1))
        return path


def provider(kind, url, **model):
    more = {"mode": model.pop("mode")} if "mode" in model else {}
    return {"name": "p", "kind": kind, "url": url, "concurrency": 4, **more,
            "models": [{"name": "m", **model}]}


def refused(server):
    """What the server refused. None of it may be a fault of ours; a hosted API has no health."""
    return [r for r in server.stats()["refusals"] if r["route"] != "GET /health"]


def tune(ctx, server, entry, **job):
    """Runs a job; (record, score sheet, generations)."""
    with ctx.session() as s:
        s.configure([entry])
        s.start_daemon()
        rec = s.finish(s.submit(ctx.task(**job)), 120)
        equal(rec["state"], "completed", f"{rec} {s.log('bbtd')}")
        equal(refused(server), [], "refused by the server")
        return rec, s.json("result", rec["id"]), s.json("plot", rec["id"])


def falls(gens):
    """The best training loss goes down clearly."""
    loss = [g["loss_best"] for g in gens["items"]]
    true(min(loss[-3:]) < loss[0] - 0.02, f"losses {loss}")


@case
def vllm_chat_part(ctx):
    """a soft prompt is tuned through vLLM's chat parts: the server does everything else"""
    with ctx.server("vllm") as server:
        entry = provider("vllm", server.url, hidden=16)
        rec, sheet, gens = tune(ctx, server, entry, prompt={
            "tokens": 8, "intrinsic_dim": 12, "mode": "concat", "at": "embedding",
            "projection": {"distribution": "normal", "scale": 3.0}})
        falls(gens)
        equal(rec["usage"]["evaluations"], 96)
        true(sheet["tuned_test"] is not None and sheet["manual_test"] is not None, sheet)


@case
def vllm_embeds(ctx):
    """and through whole prompts as rows, in batches, from sharded bfloat16 weights"""
    with ctx.server("vllm") as server:
        entry = provider("vllm", server.url, mode="embeds", embeddings=str(ctx.model), batch=8)
        _, sheet, gens = tune(ctx, server, entry, prompt={
            "tokens": 3, "intrinsic_dim": 12, "mode": "concat", "at": "embedding",
            "init": "random_tokens", "projection": {"distribution": "normal"}})
        falls(gens)
        true(0.1 < sheet["embed_std"] < 0.4, sheet["embed_std"])


@case
def sglang_score(ctx):
    """and through SGLang's scores, the prompt once for a whole batch"""
    with ctx.server("sglang") as server:
        entry = provider("sglang-score", server.url, hidden=16, slot_id=ctx.pieces[SLOT],
                         batch=16)
        _, _, gens = tune(ctx, server, entry)
        falls(gens)


@case
def sglang_generate(ctx):
    """and through SGLang's generation from rows"""
    with ctx.server("sglang") as server:
        entry = provider("sglang-generate", server.url, batch=4,
                         embeddings=str(ctx.model / "model.safetensors.index.json"))
        _, _, gens = tune(ctx, server, entry)
        falls(gens)


BASELINES = {"prompt": {"kind": "none"},
             "baselines": ["manual", {"in_context": {"shots": 2, "orders": 3}}]}


def baselines(ctx, dialect, entry, **job):
    with ctx.server(dialect) as server:
        entry["url"] = server.url
        rec, sheet, _ = tune(ctx, server, entry, **{**BASELINES, **job})
    equal(rec["usage"]["evaluations"], 0)
    for key in ("manual_test", "calibrated_test"):
        true(0 <= sheet[key] <= 1, sheet)
    told = sheet["in_context"]
    equal((told["shots"], told["used"], told["orders"]), (2, 2, 3))
    true(0 <= told["least"] <= told["test"] <= told["most"] <= 1, told)
    return rec, sheet


@case
def openai(ctx):
    """the baselines are measured through completions of a hosted API"""
    baselines(ctx, "openai", provider("openai", "", batch=8))


@case
def openai_chat(ctx):
    """and through chat"""
    baselines(ctx, "openai", provider("openai-chat", ""))


@case
def llamacpp(ctx):
    """and through llama.cpp's own route"""
    baselines(ctx, "llamacpp", provider("llamacpp", ""))


@case
def baselines_elsewhere(ctx):
    """and on the servers that take soft prompts"""
    baselines(ctx, "vllm", provider("vllm", ""))
    baselines(ctx, "vllm", provider("vllm", "", mode="embeds", embeddings=str(ctx.model)))
    baselines(ctx, "sglang", provider("sglang-score", "", batch=8))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-dialects-") as tmp:
        sys.exit(tap.run(Context(tmp)))

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
        if rec["usage"]["evaluations"]:
            said = s.json("predict", rec["id"], "a warm and bright film")
            true("up" in json.dumps(said) or "down" in json.dumps(said), said)
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


@case
def trtllm(ctx):
    """and through the prompt table of TensorRT-LLM, whose KV cache is reused"""
    with ctx.server("trtllm", datatype="FP16", kv_reuse=True) as server:
        entry = soft(ctx, "trtllm")
        entry["url"] = server.url
        rec, sheet, gens = tune(ctx, server, entry)
        falls(gens)
        equal(rec["usage"]["evaluations"], 96)
        true(sheet["tuned_test"] is not None and sheet["manual_test"] is not None, sheet)


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
    baselines(ctx, "trtllm", soft(ctx, "trtllm"))


def tested(ctx, dialect, entry, want_ok, **modes):
    """The table of `bbtctl provider test`: {row: (yes/no/open, sentence)}."""
    with ctx.server(dialect, **modes) as server, ctx.session() as s:
        entry["url"] = server.url
        s.configure([entry])
        s.start_daemon()
        status, out, err = s.ctl("provider", "test", "p", check=False)
        equal(status == 0, want_ok, out + err)
        doc = json.loads(s.ctl("provider", "test", "p", "--json", check=False)[1])
        model = doc["models"][0]
        equal(model["ok"], want_ok, model)
        rows = {a["name"]: (a["is"], a["text"]) for a in model["abilities"]}
        for name, (mark, text) in rows.items():
            shown = {"yes": "✔", "no": "✘", "open": "-"}[mark]
            true(any(line.strip().startswith(f"{shown} {name.replace('_', ' ')} ")
                     and text[:7] in line for line in out.split("\n")), f"{name} not in {out}")
        return rows


def soft(ctx, kind, **more):
    """A provider's entry with all that soft prompts need."""
    if kind == "sglang-score":
        return provider(kind, "", hidden=16, slot_id=ctx.pieces[SLOT], **more)
    if kind == "trtllm":
        return provider(kind, "", hidden=16, vocab_size=len(ctx.pieces),
                        tokenizer=str(ctx.model), **more)
    if kind == "vllm" and "mode" not in more:
        return provider(kind, "", hidden=16, **more)
    return provider(kind, "", embeddings=str(ctx.model), **more)


@case
def provider_test(ctx):
    """provider test prints what it found out, with marks and sentences, and as JSON"""
    rows = tested(ctx, "vllm", soft(ctx, "vllm", mode="embeds"), True)
    equal([rows[r][0] for r in ("reach", "model", "tokeniser", "soft_prompts", "label_logprobs",
                                "repeats", "batch", "context", "embedding_std")], ["yes"] * 9)
    true("token 0" in rows["tokeniser"][1], rows)
    true("4096" in rows["context"][1], rows)
    rows = tested(ctx, "openai", provider("openai-chat", ""), True)
    equal((rows["soft_prompts"][0], rows["label_logprobs"][0]), ("no", "yes"), rows)
    tested(ctx, "sglang", soft(ctx, "sglang-score"), True)
    tested(ctx, "sglang", soft(ctx, "sglang-generate"), True)
    tested(ctx, "llamacpp", provider("llamacpp", ""), True)
    rows = tested(ctx, "trtllm", soft(ctx, "trtllm"), True)
    equal([rows[r][0] for r in ("reach", "model", "tokeniser", "soft_prompts", "label_logprobs",
                                "repeats", "batch")], ["yes"] * 7)


CANARIES = [
    # what is wrong with the server; how it is asked; the row; a word of the sentence
    ("vllm", {"embeds": False}, {"kind": "vllm"}, "soft_prompts", "enable-prompt-embeds"),
    ("vllm", {"front": "rust"}, {"kind": "vllm"}, "soft_prompts", "front end"),
    ("vllm", {"old": True, "max_logprobs": 20}, {"kind": "vllm", "mode": "embeds"},
     "soft_prompts", "log-probability"),
    ("vllm", {"prefix_cache": "mixing", "drop_fields": ["cache_salt"]}, {"kind": "vllm"},
     "soft_prompts", "prefix cache"),
    ("sglang", {"old": True}, {"kind": "sglang-score"}, "soft_prompts", "ignores"),
    ("sglang", {"radix_cache": True}, {"kind": "sglang-generate"}, "soft_prompts",
     "disable-radix-cache"),
    ("triton", {}, {"kind": "trtllm"}, "model", "input"),
    ("openai", {"reasoning": True}, {"kind": "openai-chat"}, "label_logprobs", "reasoning"),
    ("openai", {"model": "other"}, {"kind": "openai"}, "model", "other"),
    ("openai", {"key": "k"}, {"kind": "openai"}, "key", "401"),
]


@case
def canaries(ctx):
    """what would spoil a run is found at start-up, in the row where it belongs"""
    for dialect, modes, how, row, word in CANARIES:
        entry = soft(ctx, **how) if how["kind"][:6] != "openai" else provider(url="", **how)
        rows = tested(ctx, dialect, entry, False, **modes)
        equal(rows[row][0], "no", f"{modes}: {rows}")
        true(word in rows[row][1], f"{modes}: {rows[row]}")


@case
def scaled_embeddings(ctx):
    """a server that multiplies embeddings (P6), and a template that joins parts (P3), are told"""
    with conform.Server("vllm", args=("--dtype", "bfloat16", "--scale", "4")) as server, \
            ctx.session() as s:
        s.configure([{**soft(ctx, "vllm", mode="embeds"), "url": server.url}])
        s.start_daemon()
        status, out, _ = s.ctl("provider", "test", "p", check=False)
        true(status != 0 and "scales" in out, out)
    rows = tested(ctx, "vllm", soft(ctx, "vllm"), True, content_format="string")
    true(rows["soft_prompts"][0] == "no" and "1 more token" in rows["soft_prompts"][1], rows)


@case
def refused_at_validate(ctx):
    """what a provider cannot do is said before anything is sent, with the line of the job file"""
    with ctx.server("openai") as server, ctx.session() as s:
        s.configure([provider("openai", server.url),
                     {**provider("vllm", server.url, hidden=16), "name": "v"}])
        s.start_daemon()
        for changes, says in (
                ({}, ["job.yaml:", "text only", "kind: none"]),
                ({"provider": "v", "prompt": {"mode": "add"}}, ["prompt.mode", "concat"]),
                ({"provider": "v", "prompt": {"at": "hidden"}}, ["prompt.at", "at: embedding"]),
                ({"provider": "v", "prompt": {"projection": {"scale": "auto"}}},
                 ["prompt.projection.scale", "embeddings"]),
                ({"provider": "v", "task": {"template": "{text} {mask} ."}},
                 ["task.template", "end the template with {mask}"])):
            job = ctx.task(**changes)
            for command in (["submit", job], ["submit", "--dry-run", job],
                            ["validate", "--online", job]):
                status, out, err = s.ctl(*command, check=False)
                equal(status, 6, f"{changes}: {out}{err}")
                for word in says:
                    true(word in err, f"{word}: {err}")
        equal(server.stats()["requests"], 0, "nothing was sent")
        job = ctx.task(**BASELINES)
        equal(s.ctl("validate", "--online", job)[0], 0)


@case
def label_words(ctx):
    """a label word of several tokens pauses the job and is named with its pieces"""
    with ctx.server("vllm") as server, ctx.session() as s:
        s.configure([{**soft(ctx, "vllm"), "url": server.url}])
        s.start_daemon()
        job = s.submit(ctx.task(task={"labels": {"up": "good", "down": "wonderful"}}))
        rec = s.finish(job, 60)
        equal(rec["state"], "failed", rec)
        true("wonderful" in rec["detail"] and "tokens" in rec["detail"], rec)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-dialects-") as tmp:
        sys.exit(tap.run(Context(tmp)))

#!/usr/bin/env python3
"""conform.py -- the conformance server of tests/support tested itself: requests written by hand
out of the servers' documentation, good and bad, each with the status that it must get; the
worlds' own files (torch's) read by it; and every recorded request of tests/golden accepted."""
import base64
import json
import math
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from tap import Skip, case, equal, run, true

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import conform  # noqa: E402  pylint: disable=wrong-import-position,import-self

H = 4
LABELS = [270, 280]


# ---- a torch file with every part exchangeable ----

def pickle(rows, cols, storage="FloatStorage", stride=None, tail=b".", grad=b"\x89",
           rebuild=b"ctorch._utils\n_rebuild_tensor_v2\n", proto=b"\x80\2"):
    i32 = lambda v: b"J" + struct.pack("<i", v)
    stride = stride or (cols, 1)
    return (proto + rebuild + b"((X\7\0\0\0storagectorch\n" + storage.encode()
            + b"\nX\1\0\0\x000X\3\0\0\0cpu" + i32(rows * cols) + b"tQK\0" + i32(rows) + i32(cols)
            + b"\x86" + i32(stride[0]) + i32(stride[1]) + b"\x86" + grad
            + b"ccollections\nOrderedDict\n)RtR" + tail)


def zipped(entries, align=64, flags=0x800, method=0, crc=None, end=b""):
    body, central = b"", b""
    for name, data in entries:
        name = name.encode()
        fill = -(len(body) + 34 + len(name)) % align if align else 0
        extra = (b"FB" + struct.pack("<H", fill) + b"Z" * fill) if align else b""
        sizes = struct.pack("<HHHHHIII", 0, flags, method, 0, 0,
                            zlib.crc32(data) if crc is None else crc, len(data), len(data))
        central += (b"PK\1\2\0\0" + sizes + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0,
                                                        len(body)) + name)
        body += (b"PK\3\4" + sizes + struct.pack("<HH", len(name), len(extra)) + name + extra
                 + data)
    return body + central + b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, len(entries), len(entries), len(central), len(body), 0) + end


def parts(rows, storage="FloatStorage", data=None, code=None):
    values = [v for row in rows for v in row]
    if data is None:
        data = struct.pack(f"<{len(values)}f", *values)
    return [("archive/data.pkl", code or pickle(len(rows), len(rows[0]), storage)),
            ("archive/byteorder", b"little"), ("archive/data/0", data),
            ("archive/version", b"3\n")]


def b64(blob):
    return base64.b64encode(blob).decode()


def soft(n=3, h=H, by=0.125):
    return [[((r * h + c) * 7 % 11 - 5) * by for c in range(h)] for r in range(n)]


GOOD = b64(zipped(parts(soft())))


def statuses(server, path, base, changes, method="POST"):
    """Every change to a good request, and the status that it must get."""
    equal(server.ask(method, path, base)[0], 200, f"{path} {base}")
    for change, status in changes:
        doc = {k: v for k, v in dict(base, **change).items() if v is not ...}
        got = server.ask(method, path, doc)
        equal(got[0], status, f"{path} {str(change)[:200]} -> {str(got[2])[:300]}")


# ---- vLLM ----

COMPLETION = {"model": "m", "prompt_embeds": [GOOD, GOOD], "max_tokens": 1, "temperature": 0,
              "logprobs": 2, "logprob_token_ids": LABELS, "allowed_token_ids": LABELS,
              "return_tokens_as_token_ids": True, "cache_salt": "run7-gen12-cand3",
              "add_special_tokens": False, "repetition_penalty": 1.0, "presence_penalty": 0,
              "frequency_penalty": 0}
CHAT = {"model": "m", "messages": [{"role": "user", "content": [
    {"type": "prompt_embeds", "data": GOOD},
    {"type": "text", "text": "the film is a delight . Sentiment:"}]}],
    "max_completion_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 2,
    "logprob_token_ids": LABELS, "return_tokens_as_token_ids": True,
    "cache_salt": "run7-gen12-cand3"}


def vllm(**modes):
    return conform.Server("vllm", args=["--hidden", H], **modes)


def said(*content):
    return {"messages": [{"role": "user", "content": list(content)}]}


def text_part(text):
    return {"type": "text", "text": text}


def embeds_part(data=GOOD):
    return {"type": "prompt_embeds", "data": data}


@case
def completions_fields():
    """vllm: completions with prompt_embeds, field by field"""
    with vllm() as s:
        statuses(s, "/v1/completions", COMPLETION, [
            ({}, 200), ({"prompt_embeds": GOOD}, 200), ({"prompt": "text too"}, 200),
            ({"model": None}, 200), ({"model": "other"}, 404), ({"prompt_embeds": []}, 400),
            ({"prompt_embeds": ..., "prompt": ""}, 400),
            ({"prompt_embeds": ..., "prompt": "the film"}, 200),
            ({"prompt_embeds": ..., "prompt": [3, 4]}, 200),
            ({"prompt_embeds": ..., "prompt": [[3, 4], [5]]}, 200),
            ({"prompt_embeds": [GOOD] * 65}, 400),
            ({"echo": True}, 400), ({"prompt_logprobs": 1}, 400), ({"suffix": "x"}, 400),
            ({"logprobs": ...}, 400), ({"logprobs": 20}, 200), ({"logprobs": 21}, 400),
            ({"logprobs": -1}, 400), ({"logprobs": True}, 400), ({"logprobs": "2"}, 400),
            ({"logprob_token_ids": []}, 400), ({"logprob_token_ids": list(range(128))}, 200),
            ({"logprob_token_ids": list(range(129))}, 400),
            ({"logprob_token_ids": [10**6]}, 400), ({"logprob_token_ids": [1.5]}, 400),
            ({"cache_salt": ""}, 400), ({"cache_salt": "x" * 1025}, 400),
            ({"max_tokens": 4096}, 400), ({"temperature": -1}, 400), ({"stream": True}, 400)])
        equal(s.ask("GET", "/v1/completions")[0], 405, "method")
        equal(s.ask("POST", "/v1/nothing", {})[0], 404, "route")
        equal(s.ask("POST", "/v1/completions", COMPLETION, {"Content-Type": "text/plain"})[0],
              415, "content type")
        for raw in (b"[]", b"{", b'{"model":"m","model":"m"}', b'{"temperature":NaN}',
                    b'{"prompt":"\xff"}', b'{"prompt":"\\ud800"}'):
            equal(s.ask("POST", "/v1/completions", raw=raw)[0], 400, raw)


@case
def completions_answer():
    """vllm: choices by index in any order, token_id:N keys, the sampled token extra"""
    with vllm() as s:
        doc = dict(COMPLETION, prompt_embeds=[GOOD, b64(zipped(parts(soft(2, by=0.5))))],
                   prompt=" the film was warm")
        del doc["allowed_token_ids"]
        orders, seen = set(), {}
        for _ in range(12):
            status, _, got = s.ask("POST", "/v1/completions", doc)
            equal(status, 200)
            orders.add(tuple(c["index"] for c in got["choices"]))
            for c in got["choices"]:
                top = c["logprobs"]["top_logprobs"][0]
                true(set(top) >= {f"token_id:{t}" for t in LABELS}, f"labels in {top}")
                true(c["logprobs"]["tokens"][0] in top, "the sampled token")
                equal(seen.setdefault(c["index"], top), top, "the same answer")
        equal(sorted(seen), [0, 1, 2], "an answer per prompt")
        true(len(orders) > 1, "the order of choices changes")
        true(any(len(t) == 3 for t in seen.values()), "a sampled token beside the labels")
        equal(got["usage"]["prompt_tokens"], 3 + 2 + 4, "rows count as tokens")
        clamped = s.ask("POST", "/v1/completions", dict(
            COMPLETION, allowed_token_ids=[LABELS[0]]))[2]
        true(clamped["choices"][0]["logprobs"]["top_logprobs"][0][f"token_id:{LABELS[1]}"]
             > -9999, "raw log-probabilities know no mask")
        s.mode(logprobs_mode="processed_logprobs")
        clamped = s.ask("POST", "/v1/completions", dict(
            COMPLETION, allowed_token_ids=[LABELS[0]], temperature=1))[2]
        equal(clamped["choices"][0]["logprobs"]["top_logprobs"][0][f"token_id:{LABELS[1]}"],
              -9999.0, "minus infinity is clamped")


@case
def tensors():
    """vllm: the torch file, part by part; strict base64"""
    rows = soft()
    good = parts(rows)
    wide = parts(soft(3, H + 1))
    named = lambda entries, old, new: [(n.replace(old, new), d) for n, d in entries]
    code = lambda c: zipped([("archive/data.pkl", c)] + good[1:])
    half = struct.pack("<12e", *[v for r in rows for v in r])
    cases = [
        (zipped(good), 200), (zipped(good, align=0), 200), (zipped(good, align=16), 200),
        (zipped(good, flags=0), 200), (zipped(named(good, "archive", "x")), 200),
        (zipped([good[2], good[0], good[1], good[3]]), 200),
        (zipped([good[0], good[2], good[3]]), 200),  # no byteorder
        (zipped([good[0], good[2], ("archive/version", b"10")]), 200),
        (zipped(parts(rows, "HalfStorage", half)), 200),
        (zipped(parts(rows, "BFloat16Storage", half)), 200),
        (zipped(parts(rows, "DoubleStorage", struct.pack("<12d", *sum(rows, [])))), 200),
        (zipped(parts(rows, "LongStorage", struct.pack("<12q", *range(12)))), 400),
        (zipped(wide), 400), (zipped(good, method=8), 400), (zipped(good, crc=1), 400),
        (zipped(good[:3]), 400),  # no version
        (zipped(good[1:]), 400), (zipped(good, end=b"x"), 400), (b"x" + zipped(good), 400),
        (zipped(named(good, "archive/", "")), 400),
        (zipped(good + [("archive/.format_version", b"1")]), 400),
        (zipped(good + [("archive/.storage_alignment", b"64")]), 400),
        (zipped(good[:3] + [("other/version", b"3\n")]), 400),
        (zipped(good[:1] + [("archive/byteorder", b"big")] + good[2:]), 400),
        (zipped(parts(rows, data=b"\0" * 44)), 400),
        (zipped(parts(rows, data=struct.pack("<12f", *[math.nan] * 12))), 400),
        (zipped(parts(rows, data=struct.pack("<12f", *[math.inf] * 12))), 400),
        (code(pickle(3, H, proto=b"\x80\4")), 400), (code(pickle(3, H, tail=b".x")), 400),
        (code(pickle(3, H, grad=b"\x88")), 400), (code(pickle(3, H, stride=(H + 1, 1))), 400),
        (code(pickle(3, H, stride=(1, 3))), 200),  # a transposed view: fine, if odd
        (code(pickle(3, H, rebuild=b"cos\nsystem\n")), 400),
        (code(b"\x80\2cos\nsystem\nX\2\0\0\0id\x85R."), 400),
        (code(pickle(3, H)[:-1]), 400), (code(b"\x80\2]."), 400), (b"", 400), (b"PK", 400)]
    with vllm() as s:
        texts = [(b64(blob), status) for blob, status in cases]
        texts += [(GOOD[:76] + "\n" + GOOD[76:], 400), (GOOD + "\n", 400), (GOOD[:-1], 400),
                  (GOOD.rstrip("=") if GOOD.endswith("=") else GOOD + "=", 400),
                  (" " + GOOD[1:], 400), (GOOD[:-8] + "-_" + GOOD[-6:], 400), (7, 400)]
        for n, (text, status) in enumerate(texts):
            got = s.ask("POST", "/v1/completions", dict(COMPLETION, prompt_embeds=[text]))
            equal(got[0], status, f"tensor {n}: {got[2]}")
        equal(s.stats()["refused"], sum(status == 400 for _, status in texts), "refusals")


@case
def chat_fields():
    """vllm: chat with prompt_embeds parts, field by field"""
    with vllm() as s:
        statuses(s, "/v1/chat/completions", CHAT, [
            (said(text_part("a"), embeds_part(), text_part("b"), embeds_part()), 200),
            ({"messages": [{"role": "user", "content": "the film"}]}, 200),
            (said(text_part("say <prompt_embeds>")), 400),
            ({"messages": [{"role": "user", "content": "say <prompt_embeds>"}]}, 400),
            (said({"type": "prompt_embeds"}), 400), (said(embeds_part("")), 400),
            (said(embeds_part(GOOD[:-1])), 400), (said({"type": "picture"}), 400),
            (said(), 400), ({"messages": []}, 400), ({"messages": ...}, 400),
            (said(embeds_part(b64(zipped(parts(soft(3, 5)))))), 400),
            ({"logprobs": 2}, 400), ({"logprobs": ...}, 400), ({"top_logprobs": 21}, 400),
            ({"logprob_token_ids": ...}, 200), ({"top_logprobs": ...}, 200),
            ({"max_completion_tokens": ..., "max_tokens": 1}, 200),
            ({"max_completion_tokens": 5000}, 400), ({"chat_template": "x"}, 400),
            ({"continue_final_message": True, "add_generation_prompt": True}, 400),
            ({"continue_final_message": True, "add_generation_prompt": False}, 200),
            ({"chat_template_kwargs": {"enable_thinking": False}}, 200)])
        _, _, got = s.ask("POST", "/v1/chat/completions", CHAT)
        top = got["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        true({t["token"] for t in top} >= {f"token_id:{t}" for t in LABELS}, "label ids")


def label_scores(s, doc, labels=LABELS):
    status, _, got = s.ask("POST", "/v1/chat/completions", doc)
    equal(status, 200, got)
    top = got["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    by = {t["token"]: t["logprob"] for t in top}
    return [by.get(f"token_id:{t}") for t in labels]


def chat_with(rows, **more):
    return dict(CHAT, **said(embeds_part(b64(zipped(parts(rows)))), text_part(
        "the film is a delight , joy and laugh . Sentiment:")), **more)


@case
def chat_prefix_cache():
    """vllm: a mixing prefix cache is seen without a salt, and harmless with one (P1)"""
    a, b = chat_with(soft()), chat_with(soft(by=-1.0))
    bare = lambda d: {k: v for k, v in d.items() if k != "cache_salt"}
    with vllm() as s:
        right = [label_scores(s, a), label_scores(s, b), label_scores(s, a)]
        true(right[0] == right[2] != right[1], f"A B A {right}")
        s.mode(prefix_cache="on", details=True)
        equal([label_scores(s, bare(d)) for d in (a, b, a)], right, "a right cache")
        got = s.ask("POST", "/v1/chat/completions", bare(a))[2]
        true(got["usage"]["prompt_tokens_details"]["cached_tokens"] > 0, "cached tokens")
        s.mode(prefix_cache="mixing")
        mixed = [label_scores(s, bare(d)) for d in (a, b, a)]
        true(mixed[1] != right[1], "B got A's blocks")
        equal([label_scores(s, dict(d, cache_salt=f"c{n}")) for n, d in enumerate((a, b, a))],
              right, "own salts")
        hits = s.ask("GET", "/metrics")[2].decode()
        true("vllm:prefix_cache_hits_total" in hits, hits)


@case
def chat_templates():
    """vllm: newlines between parts (P3), think tokens (P14)"""
    with vllm() as s:
        doc = chat_with(soft())
        plain = label_scores(s, doc)
        s.mode(content_format="string")
        true(label_scores(s, doc) != plain, "a newline changes the scores")
        s.mode(content_format="openai", think=True)
        calm = label_scores(s, dict(doc, chat_template_kwargs={"enable_thinking": False}))
        equal(calm, plain, "thinking is off")
        true(all(a < b - 10 for a, b in zip(label_scores(s, doc), plain)), "a think token first")


@case
def vllm_modes():
    """vllm: flag off, penalties that kill, dead engine, old servers, the Rust front end"""
    with vllm(embeds=False) as s:
        equal(s.ask("POST", "/v1/completions", COMPLETION)[0], 400, "flag off")
        equal(s.ask("POST", "/v1/chat/completions", CHAT)[0], 400, "flag off")
        equal(s.ask("POST", "/v1/completions", dict(
            COMPLETION, prompt_embeds=None, prompt="<prompt_embeds>"))[0], 200, "text goes on")
    with vllm(penalties_crash=True) as s:
        statuses(s, "/v1/completions", COMPLETION, [({"repetition_penalty": ...}, 500),
                                                    ({}, 500)])
        equal(s.ask("GET", "/health")[0], 503, "dead")
        s.mode(dead=False)
        equal(s.ask("GET", "/health")[0], 200, "restarted")
    with vllm(old=True) as s:
        statuses(s, "/v1/completions", COMPLETION, [({"prompt_embeds": [b64(b"PK")]}, 500)])
        got = s.ask("POST", "/v1/completions", dict(COMPLETION, logprobs=1))[2]
        top = got["choices"][0]["logprobs"]["top_logprobs"][0]
        true(not set(top) >= {f"token_id:{t}" for t in LABELS}, "ids were ignored")
        equal(s.ask("POST", "/v1/chat/completions", CHAT)[0], 400, "no such part")
        s.ask("POST", "/v1/completions", dict(COMPLETION, prompt_embeds=[
            b64(zipped(parts(soft(3, 5))))]))
        equal(s.ask("GET", "/health")[0], 503, "a wrong hidden size kills it")
    with vllm(front="rust") as s:
        equal(s.ask("POST", "/v1/completions", COMPLETION)[0], 400, "embeds")
        base = dict(COMPLETION, prompt="the film")
        del base["prompt_embeds"]
        statuses(s, "/v1/completions", base, [({"logprobs": 1}, 400), ({"logprobs": 3}, 400)])
    with conform.Server("dynamo", args=["--hidden", H]) as s:
        statuses(s, "/v1/completions", dict(COMPLETION, prompt_embeds=GOOD),
                 [({"prompt_embeds": [GOOD]}, 400), ({"prompt_embeds": GOOD[:128]}, 400)])


@case
def vllm_small_routes():
    """vllm: tokenize, detokenize, models, keys; which routes are open"""
    with vllm(key="sesame") as s:
        equal(s.ask("GET", "/v1/models")[0], 401, "no key")
        equal(s.ask("POST", "/v1/completions", COMPLETION,
                    {"Authorization": "Bearer Sesame"})[0], 401, "a wrong key")
        mine = {"Authorization": "Bearer sesame"}
        equal(s.ask("POST", "/v1/completions", COMPLETION, mine)[0], 200, "the key")
        equal(s.ask("GET", "/v1/models", headers=mine)[2]["data"][0]["max_model_len"], 4096)
        got = s.ask("POST", "/tokenize", {"model": "m", "prompt": " good",
                                          "add_special_tokens": False})[2]
        equal((got["count"], len(got["tokens"])), (1, 1), "one token")
        first = s.ask("POST", "/tokenize", {"prompt": " good"})[2]["tokens"]
        equal(first, [0] + got["tokens"], "BOS")
        text = "the film's\n\u00fcbel \u65e5\u672c  x "
        ids = s.ask("POST", "/tokenize", {"prompt": text, "add_special_tokens": False})[2]
        equal(s.ask("POST", "/detokenize", {"tokens": ids["tokens"]})[2]["prompt"], text)
        equal(s.ask("POST", "/tokenize", {"model": "x", "prompt": "a"})[0], 404, "model")
        true("sesame" not in json.dumps(s.stats()), "the key is not shown")


# ---- SGLang ----

SLOT = 470
SCORE = {"model": "m", "query": [SLOT] * 3, "items": [[260, 265, 7], [261, 8]],
         "embed_override_token_id": SLOT, "query_embed_overrides": soft(),
         "label_token_ids": LABELS, "apply_softmax": False}
GENERATE = {"input_embeds": soft(), "sampling_params": {"max_new_tokens": 1, "temperature": 0},
            "return_logprob": True, "logprob_start_len": -1, "top_logprobs_num": 0,
            "token_ids_logprob": LABELS}


def sglang(**modes):
    return conform.Server("sglang", args=["--hidden", H], **modes)


@case
def score_fields():
    """sglang: scores with overrides, field by field"""
    with sglang() as s:
        statuses(s, "/v1/score", SCORE, [
            ({"query": [SLOT] * 2}, 400), ({"query_embed_overrides": soft(2)}, 400),
            ({"query_embed_overrides": soft(3, 5)}, 400), ({"item_first": True}, 400),
            ({"embed_override_token_id": ...}, 400), ({"embed_override_token_id": 10**6}, 400),
            ({"items": [[260, SLOT]]}, 400),
            ({"items": [[260, SLOT]], "item_embed_overrides": [soft(1)]}, 200),
            ({"item_embed_overrides": [None]}, 400),
            ({"item_embed_overrides": [None, None]}, 200),
            ({"label_token_ids": ...}, 400), ({"label_token_ids": [10**6]}, 400),
            ({"items": ...}, 400), ({"items": []}, 400), ({"items": ["a", "b"]}, 400),
            ({"query": "text"}, 400), ({"apply_softmax": 1}, 400), ({"model": "x"}, 404),
            ({"query": [0], "query_embed_overrides": ..., "embed_override_token_id": ...}, 200),
            ({"query": "the film", "items": [" was warm", " was cold"],
              "query_embed_overrides": ..., "embed_override_token_id": ...}, 200)])
        got = s.ask("POST", "/v1/score", SCORE)[2]
        equal([len(r) for r in got["scores"]], [2, 2], "a row per item")
        equal(got["usage"]["prompt_tokens"], 3 + 3 + 3 + 2, "tokens")
        soft_max = s.ask("POST", "/v1/score", dict(SCORE, apply_softmax=True))[2]["scores"]
        for plain, row in zip(got["scores"], soft_max):
            true(abs(sum(row) - 1) < 1e-9 and abs(row[0] / row[1] - plain[0] / plain[1]) < 1e-6,
                 "softmax over the labels")
        other = dict(SCORE, query_embed_overrides=soft(by=-1.0))
        true(s.ask("POST", "/v1/score", other)[2]["scores"] != got["scores"], "rows matter")
    with sglang(old=True) as s:
        one, two = (s.ask("POST", "/v1/score", d)[2]["scores"] for d in (SCORE, other))
        equal(one, two, "an old server ignores the overrides")


@case
def score_leak():
    """sglang: overrides leak into later plain requests where the cache is at fault (P1)"""
    plain = {k: v for k, v in SCORE.items() if "override" not in k}
    with sglang() as s:
        right = s.ask("POST", "/v1/score", plain)[2]["scores"]
        s.mode(prefix_cache="mixing")
        equal(s.ask("POST", "/v1/score", plain)[2]["scores"], right, "nothing in it yet")
        s.ask("POST", "/v1/score", SCORE)
        true(s.ask("POST", "/v1/score", plain)[2]["scores"] != right, "leaked")


@case
def generate_fields():
    """sglang: generate with input_embeds; text wins silently, ints are no floats (P13)"""
    whole = [[float(v) for v in row] for row in soft(3, H, 1.0)]
    with sglang() as s:
        statuses(s, "/generate", GENERATE, [
            ({"input_embeds": [soft(), soft(2)]}, 200), ({"input_embeds": []}, 400),
            ({"input_embeds": ...}, 400), ({"input_embeds": soft(3, 5)}, 400),
            ({"input_embeds": [soft(), soft(2, 5)]}, 400), ({"input_embeds": whole}, 200),
            ({"input_embeds": [[1, 2.0, 3.0, 4.0]]}, 400),
            ({"input_embeds": [[1.0, 2, 3.0, 4.0]]}, 400),
            ({"token_ids_logprob": [10**6]}, 400), ({"token_ids_logprob": []}, 200),
            ({"input_embeds": [soft(), soft(2)], "token_ids_logprob": [LABELS, LABELS]}, 200),
            ({"input_embeds": [soft(), soft(2)], "token_ids_logprob": [LABELS]}, 400),
            ({"sampling_params": {"max_new_tokens": 9999}}, 400)])
        one = s.ask("POST", "/generate", GENERATE)[2]
        both = s.ask("POST", "/generate", dict(GENERATE, input_embeds=[soft(), soft(2)]))[2]
        true(isinstance(one, dict) and isinstance(both, list), "an array for a batch")
        told = lambda d: sorted(d["meta_info"]["output_token_ids_logprobs"][0], key=lambda e: e[1])
        equal(told(one), told(both[0]), "a batch changes nothing")
        equal([e[1] for e in told(one)], LABELS, "ids")
        text = s.ask("POST", "/generate", dict(GENERATE, text="the film"))[2]
        ids = s.ask("POST", "/generate", dict(GENERATE, text="the film", input_embeds=None))[2]
        equal(told(text), told(ids), "text wins, without a word")
        true(told(text) != told(one), "and is another prompt")
        s.mode(radix_cache=True)
        status, _, doc = s.ask("POST", "/generate", GENERATE)
        equal(status, 400, "radix cache")
        true("--disable-radix-cache" in doc["error"]["message"], doc)
        s.mode(loading=2)
        equal([s.ask("GET", "/health")[0] for _ in range(3)], [503, 503, 200], "starting")
        equal(s.ask("GET", "/model_info")[2]["is_generation"], True)
        equal(s.ask("POST", "/v1/tokenize", {"model": "m", "prompt": " good",
                                             "add_special_tokens": False})[2]["count"], 1)


# ---- KServe v2 ----

B, L, P = 2, 8, 3
IDS = [[0, 5, 6, 7, 265, 4, 12, 2], [0, 5, 6, 7, 4, 2, 1, 1]]
SEEN = [[1] * 8, [1] * 6 + [0] * 2]


def infer(server, tensors_, head=None, length=None, extra=b"", headers=None, path=None):
    """tensors_: [(name, datatype, shape, struct code, values)], sent as binary."""
    doc, raw = {"inputs": []}, b""
    for name, kind, shape, code, values in tensors_:
        data = struct.pack(f"<{len(values)}{code}", *values)
        raw += data
        doc["inputs"].append({"name": name, "datatype": kind, "shape": shape,
                              "parameters": {"binary_data_size": len(data)}})
    doc["outputs"] = [{"name": "logits", "parameters": {"binary_data": True}}]
    doc.update(head or {})
    text = json.dumps(doc).encode()
    h = {"Content-Type": "application/octet-stream",
         "Inference-Header-Content-Length": str(len(text) if length is None else length)}
    h.update(headers or {})
    h = {k: v for k, v in h.items() if v is not None}
    return server.ask("POST", path or "/v2/models/m/infer", raw=text + raw + extra, headers=h)


def question(prompt_shape=(B, P, H), code="f", kind="FP32"):
    flat = lambda t: [v for row in t for v in row]
    rows = flat(soft()) * (prompt_shape[0] if len(prompt_shape) == 3 else 1)
    return [("input_ids", "INT64", [B, L], "q", flat(IDS)),
            ("attention_mask", "INT64", [B, L], "q", flat(SEEN)),
            ("prompt_embedding", kind, list(prompt_shape), code, rows),
            ("mask_pos", "INT64", [B, 1], "q", [5, 4])]


def as_json(tensors_, **more):
    return dict({"inputs": [{"name": n, "datatype": k, "shape": s, "data": v}
                            for n, k, s, _, v in tensors_]}, **more)


@case
def triton_binary():
    """triton: binary tensors; wrong lengths, sizes, names, types and left-over bytes"""
    q = question()
    swap = lambda n, *t: [t if e[0] == n else e for e in q]
    with conform.Server("triton", args=["--hidden", H]) as s:
        status, headers, data = infer(s, q, {"id": "r7g12c3"})
        equal(status, 200, data)
        cut = int(headers["Inference-Header-Content-Length"])
        doc = json.loads(data[:cut])
        out = doc["outputs"][0]
        equal((doc["id"], out["shape"][0], out["datatype"]), ("r7g12c3", B, "FP32"))
        equal(len(data) - cut, 4 * out["shape"][0] * out["shape"][1], "the tensor's bytes")
        bad = {
            "no header length": infer(s, q, headers={"Inference-Header-Content-Length": None}),
            "length too long": infer(s, q, length=10**6), "length short": infer(s, q, length=20),
            "length no number": infer(s, q, length="+5"),
            "left over": infer(s, q, extra=b"\0"), "an input missing": infer(s, q[:1] + q[2:]),
            "an input twice": infer(s, q + q[:1]),
            "json type": infer(s, q, headers={"Content-Type": "application/json"}),
            "unknown input": infer(s, q + [("x", "INT64", [1], "q", [1])]),
            "datatype": infer(s, swap("mask_pos", "mask_pos", "INT32", [B, 1], "i", [5, 4])),
            "rank": infer(s, swap("mask_pos", "mask_pos", "INT64", [B], "q", [5, 4])),
            "size": infer(s, swap("mask_pos", "mask_pos", "INT64", [B, 1], "q", [5])),
            "id": infer(s, swap("input_ids", "input_ids", "INT64", [B, L], "q",
                                [10**6] * 16)),
            "mask": infer(s, swap("mask_pos", "mask_pos", "INT64", [B, 1], "q", [5, 7])),
            "hidden": infer(s, question((B, P, H + 1))),
            "unknown output": infer(s, q, {"outputs": [{"name": "x"}]}),
            "member": infer(s, q, {"extra": 1})}
        for why, got in bad.items():
            equal(got[0], 400, why)
        equal(infer(s, q, path="/v2/models/other/infer")[0], 404, "model")
        equal(infer(s, q, headers={"Content-Encoding": "br"})[0], 501, "encoding")
        equal(infer(s, q, path="/v2/models/m/versions/1/infer")[0], 200, "version")
        equal(s.stats()["refused"], len(bad) + 2, "refusals are counted")
        s.mode(ready=False)
        equal([s.ask("GET", p)[0] for p in ("/v2/health/live", "/v2/health/ready",
                                            "/v2/models/m/ready")], [200, 400, 400], "ready")
        equal(infer(s, q)[0], 400, "not ready")


@case
def triton_json():
    """triton: JSON tensors; half floats are refused in JSON, MLServer takes nothing else"""
    q = question()
    with conform.Server("triton", args=["--hidden", H]) as s:
        binary = infer(s, q)
        got = s.ask("POST", "/v2/models/m/infer", as_json(q))
        equal(got[0], 200, got[2])
        cut = int(binary[1]["Inference-Header-Content-Length"])
        flat = got[2]["outputs"][0]["data"]
        equal([struct.unpack("<f", struct.pack("<f", v))[0] for v in flat],
              list(struct.unpack(f"<{len(flat)}f", binary[2][cut:])), "both forms agree")
        wrong = as_json(q)
        wrong["inputs"][0]["data"] = wrong["inputs"][0]["data"][:-1]
        equal(s.ask("POST", "/v2/models/m/infer", wrong)[0], 400, "too few values")
        wrong["inputs"][0]["data"] = [1.5] * 16
        equal(s.ask("POST", "/v2/models/m/infer", wrong)[0], 400, "reals for ids")
        s.mode(datatype="FP16")
        equal(s.ask("POST", "/v2/models/m/infer", as_json(question(kind="FP16")))[0], 400,
              "FP16 in JSON")
        equal(infer(s, question(kind="FP16", code="e"))[0], 200, "FP16 as binary")
    with conform.Server("mlserver", args=["--hidden", H]) as s:
        equal(s.ask("GET", "/v2")[2]["extensions"], [], "no binary extension")
        equal(infer(s, q)[0], 400, "binary")
        equal(s.ask("POST", "/v2/models/m/infer", as_json(q))[0], 200, "JSON")


@case
def kserve_shapes():
    """kserve: what is declared is what is taken; outputs [B,C], [B,V], [B,L,V]"""
    for compose in ("add", "replace", "prepend"):
        with conform.Server("openvino", args=["--hidden", H], compose=compose, output="token",
                            labels=LABELS) as s:
            tokens = s.ask("POST", "/v2/models/m/infer", as_json(question()))[2]["outputs"][0]
            n, rows, v = tokens["shape"]
            equal((n, rows), (B, L + (P if compose == "prepend" else 0)), "rows")
            s.mode(output="vocab")
            vocab = s.ask("POST", "/v2/models/m/infer", as_json(question()))[2]["outputs"][0]
            s.mode(output="label")
            label = s.ask("POST", "/v2/models/m/infer", as_json(question()))[2]["outputs"][0]
            equal((vocab["shape"], label["shape"]), ([B, v], [B, 2]), "shapes")
            for b, at in enumerate((5, 4)):
                at += P if compose == "prepend" else 0
                own = tokens["data"][(b * rows + at) * v:][:v]
                equal(vocab["data"][b * v:][:v], own, "the mask's row")
                equal(label["data"][b * 2:][:2], [own[t] for t in LABELS], "the labels")
    with conform.Server("triton", args=["--hidden", H], prompt="one", prompt_rows=P) as s:
        equal(infer(s, question((1, P, H)))[0], 200, "[1,P,H]")
        equal(infer(s, question((B, P, H)))[0], 400, "[B,P,H] where [1,P,H] is declared")
        shape = {i["name"]: i["shape"] for i in s.ask("GET", "/v2/models/m")[2]["inputs"]}
        equal(shape["prompt_embedding"], [1, P, H], "metadata")
        s.mode(prompt="flat")
        equal(infer(s, question((P, H)))[0], 200, "[P,H]")


@case
def trtllm_table():
    """trtllm: virtual tokens from V on, a prompt table, extra ids where the cache is reused"""
    with conform.Server("trtllm", args=["--hidden", H], datatype="FP16") as s:
        v = s.ask("GET", "/v2/models/m")[2]["outputs"][2]["shape"][-1]
        ids = [0, v, v + 1, v + 2, 260, 265]
        one = lambda n, x: (n, "INT32", [1, 1], "i", [x])

        def ask(rows, more=(), own=ids):
            got = infer(s, [("input_ids", "INT32", [1, len(own)], "i", own),
                            one("input_lengths", len(own)), one("request_output_len", 1),
                            ("return_generation_logits", "BOOL", [1, 1], "?", [True]),
                            *([("prompt_embedding_table", "FP16", [1, P, H], "e",
                                [x for r in rows for x in r]), one("prompt_vocab_size", P)]
                              if rows else []), *more],
                        {"outputs": [{"name": "generation_logits",
                                      "parameters": {"binary_data": True}}]})
            cut = int(got[1].get("Inference-Header-Content-Length", 0))
            return got[0], got[2][cut:] if cut else got[2]

        status, first = ask(soft())
        equal((status, len(first)), (200, 4 * v), "logits")
        true(ask(soft(by=-1.0))[1] != first, "the table matters")
        equal(ask(None, own=[0, 260, 265])[0], 200, "no table")
        equal(ask(None)[0], 400, "virtual tokens without a table")
        equal(ask(soft(), own=[0, v + 3])[0], 400, "a virtual token past the table")
        s.mode(kv_reuse=True)
        equal(ask(soft())[0], 400, "extra ids are needed")
        extra = lambda x: [("prompt_table_extra_ids", "UINT64", [1, 6], "Q",
                            [0, x, x, x, 0, 0])]
        equal(ask(soft(), extra(0))[0], 400, "extra ids begin at 1")
        equal(ask(soft(), extra(7)), (200, first), "reuse")
        equal(ask(soft(by=-1.0), extra(7)), (200, first), "the same ids: the old table")
        true(ask(soft(by=-1.0), extra(8))[1] != first, "own ids")


# ---- text ----

@case
def openai_fields():
    """openai: hosted maxima, unknown arguments, bytes, usage of three kinds"""
    base = {"model": "m", "prompt": ["the film was warm", "a"], "max_tokens": 1, "logprobs": 5,
            "temperature": 0, "seed": 0}
    chat = {"model": "m", "messages": [{"role": "user", "content": "the film was warm"}],
            "max_completion_tokens": 1, "logprobs": True, "top_logprobs": 20, "temperature": 0}
    with conform.Server("openai", key="k") as s:
        plain, s.ask = s.ask, lambda m, p, d=None, h=None, raw=None: plain(
            m, p, d, dict(h or {}, Authorization="Bearer k"), raw)
        statuses(s, "/v1/completions", base, [
            ({"logprobs": 6}, 400), ({"logprobs": True}, 400), ({"prompt_embeds": GOOD}, 400),
            ({"model": ...}, 400), ({"model": "x"}, 404), ({"prompt": ...}, 400),
            ({"cache_salt": "x"}, 400), ({"logit_bias": {"7": 101}}, 400),
            ({"logit_bias": {"7": 100}}, 200), ({"logprobs": ...}, 200)])
        statuses(s, "/v1/chat/completions", chat, [
            ({"top_logprobs": 21}, 400), ({"logprobs": 5}, 400), ({"logprobs": ...}, 400),
            ({"messages": []}, 400), ({"max_completion_tokens": ..., "max_tokens": 1}, 200)])
        kinds, order = set(), set()
        for _ in range(6):
            got = s.ask("POST", "/v1/completions", base)[2]
            kinds.add(str(got["usage"].get("prompt_tokens_details", "absent"))[:4])
            order.add(got["choices"][0]["index"])
        equal((len(kinds), order), (3, {0, 1}), "usage in three forms, choices in any order")
        entry = s.ask("POST", "/v1/chat/completions", chat)[2]["choices"][0]["logprobs"]
        for t in entry["content"][0]["top_logprobs"]:
            equal(bytes(t["bytes"]).decode(errors="replace"), t["token"], "bytes")
        s.mode(reasoning=True)
        equal(s.ask("POST", "/v1/chat/completions", chat)[2]["choices"][0]["logprobs"], None)
        equal(plain("POST", "/v1/completions", base)[0], 401, "no key")
    with conform.Server("azure", key="k") as s:
        path = "/openai/deployments/m/chat/completions?api-version=2024-10-21"
        equal(s.ask("POST", path, chat, {"api-key": "k"})[0], 200, "api-key")
        equal(s.ask("POST", path, chat)[0], 401, "no key")
        equal(s.ask("POST", path.split("?")[0], chat, {"api-key": "k"})[0], 400, "no version")


@case
def llamacpp_fields():
    """llamacpp: completion, loading, and low bits that differ unless cache_prompt is false"""
    base = {"prompt": "the film was warm", "n_predict": 1, "temperature": -1, "n_probs": 1000,
            "post_sampling_probs": False, "cache_prompt": False}
    with conform.Server("llamacpp", loading=2) as s:
        status, _, doc = s.ask("GET", "/health")
        equal((status, doc["error"]["message"]), (503, "Loading model"))
        equal(s.ask("POST", "/completion", base)[0], 503, "loading")
        equal(s.ask("GET", "/health")[2], {"status": "ok"})
        statuses(s, "/completion", base, [
            ({"prompt": [0, "the film", 7]}, 200), ({"prompt": ...}, 400), ({"n_predict": ...}, 400),
            ({"prompt": ["a", "b"]}, 200), ({"prompt": [10**6]}, 400), ({"stream": True}, 400),
            ({"n_probs": "5"}, 400), ({"logit_bias": [[5, False]]}, 200)])
        told = lambda doc: [(e["id"], e["logprob"]) for e in s.ask(
            "POST", "/completion", doc)[2]["completion_probabilities"][0]["top_logprobs"]]
        equal(told(base), told(base), "the same")
        true(abs(sum(math.exp(v) for _, v in told(base)) - 1) < 1e-9, "the whole vocabulary")
        warm = {k: v for k, v in base.items() if k != "cache_prompt"}
        true(told(warm) != told(warm), "cache_prompt is on by default: other low bits")
        got = s.ask("POST", "/tokenize", {"content": " good", "add_special": False})[2]
        equal(len(got["tokens"]), 1, "one token")
        equal(s.stats()["refused"], 5, "a loading server is no refusal")


# ---- the frame ----

def wire(server, data):
    """The first line of the answer to raw bytes."""
    connection = conform.Connection(server.address)
    connection.connect()
    connection.sock.sendall(data)
    got = connection.sock.makefile("rb").readline()
    connection.sock.close()
    return got.decode().strip()


@case
def framing():
    """http: chunked bodies, Expect, missing lengths and broken heads are refused (P12)"""
    with vllm() as s:
        head = b"POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        for more, status in ((b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
                             (b"Content-Length: 14\r\nExpect: 100-continue\r\n\r\n", 417),
                             (b"\r\n", 411), (b"Content-Length: x\r\n\r\n", 400),
                             (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
                             (b"X: a\nY: b\r\n\r\n", 400), (b"nonsense\r\n\r\n", 400),
                             (b'Content-Length: 14\r\n\r\n{"prompt":"a"}', 200)):
            true(wire(s, head + more).startswith(f"HTTP/1.1 {status}"), f"{more} {status}")
        true(wire(s, b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n").startswith("HTTP/1.1 400"), "1.0")
        true(wire(s, b"GET /health HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 400"), "no host")
        s.mode(max_body=100)
        equal(s.ask("POST", "/tokenize", {"prompt": "x" * 200})[0], 413, "a proxy's limit")


@case
def faults():
    """plan: status sequences, hints, vendors' headers, cut and silent answers"""
    ask = lambda s: s.ask("GET", "/v1/models")
    with vllm() as s:
        s.plan({"statuses": [429, 503, 200, 529], "retry_after": 1.5, "vendor": "openai",
                "limits": {"requests": {"limit": 600, "remaining": 0, "reset_s": 360},
                           "tokens": {"limit": 9, "remaining": 2, "reset_s": 0.012}}})
        first = ask(s)
        equal(first[0], 429)
        equal({k: v for k, v in first[1].items() if k.startswith(("x-", "retry"))}, {
            "x-ratelimit-limit-requests": "600", "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s", "x-ratelimit-limit-tokens": "9",
            "x-ratelimit-remaining-tokens": "2", "x-ratelimit-reset-tokens": "12ms",
            "retry-after": "2", "retry-after-ms": "1500"})
        equal([ask(s)[0] for _ in range(4)], [503, 200, 529, 200], "the sequence")
        equal(s.stats()["faults"], 3, "faults")
        equal(s.stats()["refused"], 0, "planned answers are no refusals")
        for action in ("reset", "close", "half", "garbage"):
            s.plan({"action": action})
            try:
                ask(s)
                raise AssertionError(f"{action} was an answer")
            except (OSError, conform.http.client.HTTPException, ValueError):
                pass
            equal(ask(s)[0], 200, "once")
        whole = s.ask("POST", "/tokenize", {"prompt": "the film " * 200})[2]
        for action in ("chunked", "drip"):
            s.plan({"action": action})
            equal(s.ask("POST", "/tokenize", {"prompt": "the film " * 200})[2], whole, action)
        for action in ("hang", "head"):
            s.plan({"action": action})
            connection = conform.Connection(s.address, timeout=0.2)
            connection.request("GET", "/v1/models")
            try:
                connection.getresponse().read()
                raise AssertionError(f"{action} was an answer")
            except TimeoutError:
                connection.close()
        s.plan({"status": 429, "quota": True}, {"status": 500, "body": "<html>", "skip": 1})
        equal(ask(s)[2]["error"]["code"], "insufficient_quota")
        equal(ask(s)[0], 200, "skipped")
        equal(ask(s)[2], b"<html>")
        for wrong in ({"what": 1}, {"action": "x"}, {"vendor": "x"}):
            try:
                s.plan(wrong)
                raise AssertionError(f"{wrong} was taken")
            except ValueError:
                pass


@case
def limits_and_money():
    """limiter: nothing above the rate in any window; queue limits; the bill"""
    with conform.Server("vllm", args=["--price", "2,10,0.001"]) as s:
        doc = {"model": "m", "prompt": [0, 5, 6], "max_tokens": 2}
        s.plan(limiter={"requests": 3, "window_s": 60, "vendor": "openai"})
        got = [s.ask("POST", "/v1/completions", doc) for _ in range(5)]
        equal([g[0] for g in got], [200, 200, 200, 429, 429], "three a minute")
        equal(got[2][1]["x-ratelimit-remaining-requests"], "0", "headers")
        stats = s.stats(reset=True)
        equal((stats["limited"], stats["refused"]), (2, 0), "limited, not refused")
        equal(stats["charged_nano_usd"], 3 * (3 * 2000 + 2 * 10000 + 10**6), "the bill")
        equal(s.stats()["requests"], 0, "reset")
        s.plan()
        s.mode(queue_max=0)
        equal(s.ask("POST", "/v1/completions", doc)[0], 503, "queue")


# ---- the worlds' own files ----

def have_torch():
    return subprocess.run([conform.PYTHON, "-c", "import torch"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


TORCH = """
import base64, io, json, sys, torch
sys.path.insert(0, sys.argv[1])
import conform_torch
out = []
for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
    for shape in ((1, 4), (3, 4), (300, 4), (70000, 4), (1, 3, 4)):
        t = torch.randn(*shape).to(dtype)
        f = io.BytesIO()
        torch.save(t, f)
        got = conform_torch.rows(base64.b64encode(f.getvalue()).decode(), 4)
        want = (t[0] if t.ndim == 3 else t).double().numpy()
        assert (got == want).all(), (dtype, shape)
for t in (torch.zeros(3, 4, dtype=torch.int64), torch.zeros(4), torch.zeros(3, 4).to_sparse(),
          torch.zeros(3, 4, requires_grad=True), [torch.zeros(3, 4)], {"a": 1}):
    f = io.BytesIO()
    torch.save(t, f)
    try:
        conform_torch.rows(base64.b64encode(f.getvalue()).decode(), 4)
    except conform_torch.BadTensor:
        continue
    raise AssertionError(f"taken: {t}")
for blob in json.load(sys.stdin):
    raw = base64.b64decode(blob)
    t = torch.load(io.BytesIO(raw), weights_only=True)
    assert (conform_torch.rows(blob, t.shape[-1]) == t.double().numpy()).all()
"""


@case
def torch_agrees():
    """torch: what torch.save writes is read equal; what we take, torch.load reads the same"""
    if not have_torch():
        raise Skip("python3-torch is not installed")
    blobs = [GOOD, b64(zipped(parts(soft()), align=0)), b64(zipped(parts(soft(), "HalfStorage",
             struct.pack("<12e", *sum(soft(), [])))))]
    subprocess.run([conform.PYTHON, "-c", TORCH, str(ROOT / "tests/support")], check=True,
                   input=json.dumps(blobs), text=True)


@case
def model_files():
    """model: its safetensors in three types and two shapes hold the same embedding"""
    code = """
import json, pathlib, sys, tempfile
sys.path.insert(0, sys.argv[1])
import numpy as np, conform_lm as lm
def read(folder, name):
    index = folder / "model.safetensors.index.json"
    file = json.loads(index.read_text())["weight_map"][name] if index.exists() \\
        else "model.safetensors"
    raw = (folder / file).read_bytes()
    n = int.from_bytes(raw[:8], "little")
    e = json.loads(raw[8:8 + n])[name]
    a, b = e["data_offsets"]
    data = raw[8 + n + a:8 + n + b]
    code = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[e["dtype"]]
    x = np.frombuffer(data, code)
    if e["dtype"] == "BF16":
        x = (x.astype("<u4") << np.uint32(16)).view("<f4")
    return x.astype(np.float32).reshape(e["shape"])
for kind, dtype in (("F32", "float32"), ("F16", "float16"), ("BF16", "bfloat16")):
    model = lm.Model(lm.Vocabulary(), 8, dtype)
    for shards in (1, 3):
        folder = pathlib.Path(tempfile.mkdtemp())
        lm.write(model, folder, kind, shards)
        got = read(folder, "model.embed_tokens.weight")
        assert (got == model.table).all(), (kind, shards)
        assert len(json.loads((folder / "vocab.json").read_text())) == len(model.table)
for word in lm.WORDS:
    assert len(model.vocabulary.encode(" " + word)) == 1, word
"""
    subprocess.run([conform.PYTHON, "-c", code, str(ROOT / "tests/support")], check=True)


# ---- our recorded requests ----

HOW = {  # name's beginning: dialect and the modes that the recording supposes
    "vllm-": ("vllm", {}), "sglang-": ("sglang", {}), "openai-": ("openai", {}),
    "llamacpp-": ("llamacpp", {}), "req-row": ("triton", {}), "req-json": ("mlserver", {}),
    "req-flat": ("triton", {"prompt": "flat", "label_input": True, "output": "label",
                            "int_type": "INT32", "mask_pos": "tensor", "mask_rank": 1}),
    "req-shared": ("triton", {"model": "a model/\u00e9", "prompt": "one", "datatype": "FP16",
                              "compose": "prepend", "mask_pos": "none", "output": "token"}),
    "req-manual": ("triton", {}), "trtllm-bare": ("trtllm", {}),
    "trtllm-bf16": ("trtllm", {"datatype": "BF16", "kv_reuse": True}),
    "trtllm-": ("trtllm", {"datatype": "FP16", "kv_reuse": True})}
ELSEWHERE = {"req-embed": "the look-up of embeddings is bbt-lm's own"}


@case
def recorded_requests():
    """golden: every recorded request of bbtd's encoders is accepted"""
    files = sorted((ROOT / "tests/golden/prov").glob("*req*.http"))
    true(len(files) > 10, "recordings")
    for path in files:
        if path.stem in ELSEWHERE:
            continue
        dialect, modes = next(v for k, v in HOW.items() if path.stem.startswith(k))
        head, _, body = path.read_bytes().partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        with conform.Server(dialect, args=["--hidden", H], **modes) as s:
            status, _, got = s.ask(method, target, raw=body, headers=headers)
            equal(status, 200, f"{path.name}: {str(got)[:400]}")
            equal((s.stats()["refused"], s.stats()["unknown_fields"]), (0, {}), path.name)


if __name__ == "__main__":
    sys.exit(run())

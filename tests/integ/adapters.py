#!/usr/bin/env python3
"""adapters.py BUILD -- bbtd's adapters against the conformance server: what they ask is accepted,
what they read is what the model behind it says, computed here from the rows alone."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import case, equal, run, true

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import conform  # noqa: E402  pylint: disable=wrong-import-position

try:
    import numpy as np
    import conform_lm as lm
except ImportError:
    np = None

H = 16
TEXTS = ["the film's plot was a \"delight\" .\n\tIt was", "nicht \u00fcbel \\ \u65e5\u672c . It was",
         "a dull , slow mess . It was"]
WORDS = [" good", " bad", " great"]


class Context:
    """The adapters' program, and the model that the server has."""

    def __init__(self, build):
        self.program = Path(build) / "tests/support/asker"
        self.folder = Path(tempfile.mkdtemp())
        self.vocabulary = lm.Vocabulary()
        self.models = {}
        self.labels = [self.vocabulary.encode(w)[0] for w in WORDS]
        self.ids = [[lm.BOS] + self.vocabulary.encode(t) for t in TEXTS]
        rng = np.random.Generator(np.random.PCG64(3))
        self.prompt = np.float32(0.5 * rng.standard_normal((3, H)))

    def model(self, dtype="float32", scale=1.0):
        return lm.Model(self.vocabulary, H, dtype, scale)

    def table(self):
        path = self.folder / "table.f32"
        if not path.exists():
            path.write_bytes(self.model().table.astype("<f4").tobytes())
        return str(path)

    def question(self, adapter, rows=1, prompt=True, **more):
        """A question for that adapter, with all that any of them reads."""
        model = dict({"name": "m", "hidden": H, "bos_id": lm.BOS,
                      "slot_id": self.vocabulary.special["<|slot_0|>"]}, **more.pop("model", {}))
        doc = {"adapter": adapter, "model": model, "ids": self.ids[:rows], "text": TEXTS[:rows],
               "table": self.table(), "labels": self.labels, "label_text": WORDS}
        if prompt:
            doc["prompt"] = np.float64(self.prompt).tolist()
        return dict(doc, **more)

    def ask(self, server, question):
        """The adapter's result; this function is the network."""
        path = self.folder / "question.json"
        path.write_text(json.dumps(question))
        with subprocess.Popen([str(self.program), str(path)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as p:
            while True:
                words = p.stdout.readline().split()
                if not words:
                    raise AssertionError(f"asker ended with {p.wait()}")
                if words[0] == b"end":
                    return json.loads(p.stdout.read(int(words[1])))
                method, target, count, size = words[1:]
                headers = dict(p.stdout.readline().decode().strip().split(": ", 1)
                               for _ in range(int(count)))
                body = p.stdout.read(int(size))
                self.relay(server, p, method.decode(), target.decode(), headers, body)

    @staticmethod
    def relay(server, p, method, target, headers, body):
        connection = conform.Connection(server.address)
        connection.request(method, target, body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        lines = "".join(f"{n}: {v}\n" for n, v in answer.headers.items())
        p.stdin.write(f"{answer.status} {len(answer.headers)} {len(data)}\n{lines}".encode())
        p.stdin.write(data)
        p.stdin.flush()
        connection.close()


def server(dialect, *args, **modes):
    return conform.Server(dialect, args=["--hidden", H, *args], **modes)


def near(got, want, within=2e-5):
    equal(len(got), len(want), "rows")
    for a, b in zip(got, want):
        true(np.abs(np.array(a) - b).max() < within, f"{a} is not {b}")


def good(s, result, usage=None):
    """The result has an answer, and the server had nothing to refuse."""
    equal((result["rc"], result["why"]), ("ok", ""), "answer")
    stats = s.stats()
    equal(stats["refusals"], [], "refusals")
    equal(stats["unknown_fields"], {}, "unknown fields")
    if usage is not None:
        equal((result["tokens_in"], result["tokens_out"]), usage, "usage")
    return result


def whole(c, model, ids, compose="prepend"):
    """Rows of one example with the prompt, behind the first token."""
    rows = model.embed(ids)
    if compose == "add":
        rows[1:1 + len(c.prompt)] += c.prompt
        return rows
    return np.vstack([rows[:1], c.prompt, rows[1:]])


def told(c, model, rows, labels=None):
    return lm.log_softmax(model.scores(rows))[labels or c.labels]


@case
def vllm_embeds(c):
    """vllm-embeds: whole prompts as rows, in batches, prepended and added"""
    model = c.model()
    for compose in ("prepend", "add"):
        with server("vllm") as s:
            got = c.ask(s, c.question("vllm-embeds", 3, compose=compose))
            want = [told(c, model, whole(c, model, ids, compose)) for ids in c.ids]
            more = 3 if compose == "prepend" else 0
            near(good(s, got, (sum(map(len, c.ids)) + 3 * more, 3))["logit"], want)


@case
def vllm_embeds_narrow(c):
    """vllm-embeds: bfloat16 and float16 rows, rounded as torch rounds"""
    for kind, dtype in ((3, "float16"), (4, "bfloat16")):  # of enum prov_type
        model = c.model(dtype)
        with server("vllm", "--dtype", dtype) as s:
            got = c.ask(s, c.question("vllm-embeds", 2, model={"embed_type": kind}))
            near(good(s, got)["logit"], [told(c, model, whole(c, model, i)) for i in c.ids[:2]],
                 2e-3)


@case
def scaled_embeddings(c):
    """whole prompts: a model that scales its embeddings, and another model's file (P6)"""
    other = c.folder / "other.f32"
    other.write_bytes(lm.Model(c.vocabulary, H, seed=2).table.astype("<f4").tobytes())
    for dialect, adapter in (("vllm", "vllm-embeds"), ("sglang", "sglang-generate")):
        for args, more in ((["--scale", 4], {}), ([], {"table": str(other)})):
            with server(dialect, *args) as s:
                got = c.ask(s, c.question(adapter, 2, **more))
                equal((got["rc"], got["probed"]), ("invalid", False), f"{adapter} {args}")
                true("as rows" in got["why"], got["why"])
    model = c.model(scale=4)  # soft rows among text are in the server's coordinates: no fault
    with server("vllm", "--scale", 4) as s:
        near(good(s, c.ask(s, c.question("vllm")))["logit"],
             [told(c, model, chat_rows(c, model, TEXTS[0]))])


def chat_rows(c, model, text, soft=True):
    v = c.vocabulary
    embed = lambda *ids: model.embed(list(ids))
    return np.vstack([embed(lm.BOS, v.special["<|user|>"]), *([c.prompt] if soft else []),
                      embed(*v.encode(text)),
                      embed(v.special["<|end|>"], v.special["<|assistant|>"])])


@case
def vllm_chat(c):
    """vllm: a part of soft rows in a chat message, and none"""
    model = c.model()
    with server("vllm") as s:
        for n, text in enumerate(TEXTS):
            for soft in (True, False):
                doc = c.question("vllm", prompt=soft, ids=[c.ids[n]], text=[text])
                rows = chat_rows(c, model, text, soft)
                near(good(s, c.ask(s, doc), (len(rows), 1))["logit"], [told(c, model, rows)])


@case
def vllm_faults(c):
    """vllm: mixing caches, dropped fields, old servers, flags, newlines and a busy server"""
    q, whole_q = c.question("vllm"), c.question("vllm-embeds", 2)
    with server("vllm", prefix_cache="mixing") as s:
        near(good(s, c.ask(s, q))["logit"], [told(c, c.model(), chat_rows(c, c.model(),
                                                                          TEXTS[0]))])
        s.mode(drop_fields=["cache_salt"])  # P1, P17: a gateway forgets the salt
        got = c.ask(s, q)
        equal((got["rc"], got["probed"]), ("invalid", False), got["why"])
    for modes, question in (({"embeds": False}, q), ({"embeds": False}, whole_q),  # P15
                            ({"front": "rust"}, q), ({"front": "rust"}, whole_q),  # P17
                            ({"old": True}, q), ({"old": True}, whole_q),
                            ({"drop_fields": ["logprobs"]}, q),
                            ({"drop_fields": ["prompt_embeds"]}, whole_q)):
        with server("vllm", **modes) as s:
            got = c.ask(s, question)
            true(got["rc"] in ("invalid", "corrupt") and not got["probed"], f"{modes} {got}")
            true(got["why"], "a sentence")
    with server("vllm", penalties_crash=True) as s:  # P2
        good(s, c.ask(s, q))
        good(s, c.ask(s, whole_q))
    with server("vllm", content_format="string") as s:  # P3: all the same but for a newline
        model, v = c.model(), c.vocabulary
        rows = chat_rows(c, model, "\n" + TEXTS[0])
        parts = np.vstack([rows[:5], model.embed(v.encode("\n") + v.encode(TEXTS[0])), rows[-2:]])
        near(good(s, c.ask(s, q))["logit"], [told(c, model, parts)])
    with server("vllm", noise=1e-3) as s:  # P10: other low bits in every answer
        near(good(s, c.ask(s, q))["logit"], [told(c, c.model(), chat_rows(c, c.model(),
                                                                          TEXTS[0]))], 3e-3)
    with server("vllm", think=True) as s:  # P14
        near(good(s, c.ask(s, q))["logit"], [told(c, c.model(), chat_rows(c, c.model(),
                                                                          TEXTS[0]))])


@case
def many_labels(c):
    """vllm: more labels than the server lists by default, and the most that it takes"""
    labels = list(range(300, 340))
    with server("vllm") as s:
        got = c.ask(s, c.question("vllm-embeds", 2, labels=labels, label_text=None))
        model = c.model()
        near(good(s, got)["logit"], [told(c, model, whole(c, model, i), labels)
                                     for i in c.ids[:2]])
        got = c.ask(s, c.question("vllm", labels=labels, label_text=None))
        near(good(s, got)["logit"], [told(c, model, chat_rows(c, model, TEXTS[0]), labels)])


@case
def tokens(c):
    """tokenise calls: the labels' ids without special tokens"""
    for dialect, adapter in (("vllm", "vllm"), ("vllm", "vllm-embeds"),
                             ("sglang", "sglang-score"), ("llamacpp", "llamacpp")):
        with server(dialect) as s:
            for text in (" good", "good", " goodbye", "\u00fc"):
                got = c.ask(s, c.question(adapter, tokens=text, labels=[]))
                equal(got.get("tokens"), c.vocabulary.encode(text), f"{adapter} {text!r} {got}")


@case
def sglang_score(c):
    """sglang-score: one request for the whole batch; old servers are found"""
    model = c.model()
    with server("sglang") as s:
        got = c.ask(s, c.question("sglang-score", 3))
        near(good(s, got, (sum(map(len, c.ids)) + 9, 0))["logit"],
             [told(c, model, whole(c, model, i)) for i in c.ids])
        got = c.ask(s, c.question("sglang-score", 3, prompt=False))
        near(good(s, got)["logit"], [told(c, model, model.embed(i)) for i in c.ids])
        s.mode(prefix_cache="mixing")  # P1: texts without a prompt hold no placeholder
        for prompt in (True, False):
            rows = whole if prompt else lambda _, m, ids: m.embed(ids)
            got = c.ask(s, c.question("sglang-score", 3, prompt=prompt))
            near(good(s, got)["logit"], [told(c, model, rows(c, model, i)) for i in c.ids])
    with server("sglang", old=True) as s:
        got = c.ask(s, c.question("sglang-score", 3))
        equal((got["rc"], got["probed"]), ("invalid", False), got["why"])


@case
def sglang_generate(c):
    """sglang-generate: whole prompts as rows, floats with a point (P13)"""
    model = c.model()
    with server("sglang") as s:
        for n in (1, 3):
            got = c.ask(s, c.question("sglang-generate", n))
            near(good(s, got, (sum(map(len, c.ids[:n])) + 3 * n, n))["logit"],
                 [told(c, model, whole(c, model, i)) for i in c.ids[:n]])
        flat = c.question("sglang-generate", 1)  # rows of whole numbers are floats all the same
        flat["prompt"] = [[float(k % 3) for k in range(H)]]
        good(s, c.ask(s, flat))
    for modes in ({"radix_cache": True}, {"drop_fields": ["token_ids_logprob"]}):
        with server("sglang", **modes) as s:
            got = c.ask(s, c.question("sglang-generate", 2))
            true(got["rc"] in ("invalid", "corrupt") and not got["probed"], got)


def masked(c, model, ids, at, compose="add"):
    if compose == "prepend":
        rows, at = np.vstack([c.prompt, model.embed(ids)]), at + len(c.prompt)
    else:
        rows = whole(c, model, ids, "add")
    return model.scores(rows, at, causal=False)[c.labels]


@case
def kserve2(c):
    """kserve2: binary and JSON; rows, shared and flat prompts; every output; half floats"""
    model, at = c.model(), [len(i) - 1 for i in c.ids]
    forms = [("triton", {}), ("triton", {"output": "token"}), ("triton", {"prompt": "one"}),
             ("triton", {"output": "label", "labels": c.labels}), ("mlserver", {}),
             ("triton", {"prompt": "flat", "int_type": "INT32", "mask_rank": 1}),
             ("openvino", {"output": "token", "mask_pos": "none"}),
             ("triton", {"datatype": "FP16"}), ("triton", {"datatype": "BF16"}),
             ("mlserver", {"output": "token"}), ("triton", {"label_input": True,
                                                            "output": "label"})]
    for dialect, modes in forms:
        for compose in ("add", "prepend"):
            with server(dialect, compose=compose, **modes) as s:
                got = c.ask(s, c.question("kserve2", 3, compose=compose, mask_pos=at,
                                          at_embedding=False))
                within = {"FP16": 2e-2, "BF16": 2e-1}.get(modes.get("datatype"), 1e-4)
                near(good(s, got)["logit"], [masked(c, model, i, a, compose)
                                             for i, a in zip(c.ids, at)], within)
    with server("triton", output="hidden") as s:
        equal(c.ask(s, c.question("kserve2", 3, mask_pos=at, at_embedding=False))["rc"],
              "invalid", "hidden states")
    with server("triton", ready=False) as s:
        got = c.ask(s, c.question("kserve2", 3, mask_pos=at, at_embedding=False))
        equal((got["rc"], got["probed"]), ("again", False), got["why"])


@case
def trtllm(c):
    """trtllm: the prompt as a table in every type, with the KV cache reused and not (P1)"""
    model, size = c.model(), {"vocab": len(c.vocabulary)}
    for modes, within in (({"datatype": "FP16"}, 2e-2), ({"datatype": "FP32"}, 1e-4),
                          ({"datatype": "BF16"}, 2e-1),
                          ({"datatype": "FP16", "kv_reuse": True}, 2e-2)):
        with server("trtllm", **modes) as s:
            for n, ids in enumerate(c.ids):
                got = good(s, c.ask(s, c.question("trtllm", ids=[ids], model=size)),
                           (len(ids) + 3, 1))["logit"]
                near(got, [model.scores(whole(c, model, ids))[c.labels]], within)
                got = good(s, c.ask(s, c.question("trtllm", ids=[ids], prompt=False,
                                                  model=size)), (len(ids), 1))["logit"]
                near(got, [model.scores(model.embed(ids))[c.labels]])
                front = c.question("trtllm", ids=[ids], model={**size, "bos_id": -1})
                rows = np.vstack([c.prompt, model.embed(ids)])
                near(good(s, c.ask(s, front))["logit"], [model.scores(rows)[c.labels]], within)
    with server("trtllm") as s:
        for wrong in ({"vocab": len(c.vocabulary) + 1}, {"vocab": 0}, {**size, "hidden": H + 1}):
            got = c.ask(s, c.question("trtllm", model=wrong))
            equal((got["rc"], got["probed"]), ("invalid", False), got["why"])
        s.mode(ready=False)
        got = c.ask(s, c.question("trtllm", model=size))
        equal((got["rc"], got["probed"]), ("again", False), got["why"])
    with server("triton") as s:  # another backend
        got = c.ask(s, c.question("trtllm", model=size))
        equal((got["rc"], got["probed"]), ("invalid", False), got["why"])


@case
def openai(c):
    """openai: labels by text among the likeliest, the others at the least of the list (P9)"""
    model, v = c.model(), c.vocabulary
    logprobs = lambda ids: lm.log_softmax(model.scores(model.embed(ids)))
    chat = [lm.BOS, v.special["<|user|>"], *v.encode(TEXTS[0]), v.special["<|end|>"],
            v.special["<|assistant|>"]]
    best = [int(np.argmax(logprobs(ids))) for ids in [*c.ids, chat]]  # every row knows one
    labels = sorted(set(best + [v.encode(" sports")[0]]))
    words = {"labels": labels, "label_text": [v.decode([t]) for t in labels], "prompt": False}
    with server("openai") as s:
        got = good(s, c.ask(s, c.question("openai", 3, **words)))
        absent = 0
        for ids, row in zip(c.ids, got["logit"]):
            lp = logprobs(ids)
            near([row], [[max(lp[t], np.sort(lp)[-5]) for t in labels]])
            absent += sum(lp[t] < np.sort(lp)[-5] for t in labels)
        equal(got["censored"], absent, "labels that were not told")
        true(absent > 0, "some were not told")
        got = good(s, c.ask(s, c.question("openai-chat", 1, **words)))
        lp = logprobs(chat)
        near(got["logit"], [[max(lp[t], np.sort(lp)[-20]) for t in labels]])
        s.mode(reasoning=True)
        equal(c.ask(s, c.question("openai-chat", 1, **words))["rc"], "invalid", "no numbers")


@case
def llamacpp(c):
    """llamacpp: labels by id in a long list, the same twice (P10), loading is not ready"""
    model = c.model()
    with server("llamacpp") as s:
        got = [good(s, c.ask(s, c.question("llamacpp", 1, prompt=False)))["logit"]
               for _ in range(2)]
        near(got[0], [told(c, model, model.embed(c.ids[0]))])
        equal(got[0], got[1], "cache_prompt is off")
        equal(s.stats()["refusals"], [])
        s.mode(loading=1)
        equal(c.ask(s, c.question("llamacpp", 1, prompt=False))["rc"], "again", "loading")


def bendable(c):
    """(dialect, route, question) of every kind of answer."""
    at = [len(i) - 1 for i in c.ids]
    masked_ = c.question("kserve2", 2, mask_pos=at[:2], at_embedding=False, compose="add")
    v = c.vocabulary
    best = [int(np.argmax(lm.log_softmax(c.model().scores(c.model().embed(i)))))
            for i in c.ids[:2]]
    words = {"labels": best, "label_text": [v.decode([t]) for t in best], "prompt": False}
    return [("vllm", "/v1/chat", c.question("vllm")),
            ("vllm", "/v1/completions", c.question("vllm-embeds", 2)),
            ("sglang", "/v1/score", c.question("sglang-score", 2)),
            ("sglang", "/generate", c.question("sglang-generate", 2)),
            ("triton", "/infer", masked_), ("mlserver", "/infer", masked_),
            ("trtllm", "/infer", c.question("trtllm", model={"vocab": len(v)})),
            ("openai", "/v1/completions", c.question("openai", 2, **words)),
            ("llamacpp", "/completion", c.question("llamacpp", 1, prompt=False))]


@case
def bent_answers(c):
    """no bent answer is taken for an answer; chunks and drops make no difference"""
    import conform_bend  # pylint: disable=import-outside-toplevel
    for dialect, route, question in bendable(c):
        with server(dialect) as s:
            right = c.ask(s, question)
            equal(right["rc"], "ok", f"{dialect} {right}")
            trials = sum(n for r, n in s.stats()["routes"].items() if route in r) - 1
            for action in ("chunked", "drip"):
                s.plan({"path": route, "times": None, "action": action})
                equal(c.ask(s, question), right, f"{dialect} {action}")
            for how in conform_bend.HOW:
                s.plan({"path": route, "skip": trials, "action": "bend", "bend": how})
                got = c.ask(s, question)
                equal(s.stats(reset=True)["faults"], 1, f"{dialect} {route} {how}: bent once")
                if how == "label-missing" and dialect in ("openai", "llamacpp"):
                    # lists of the likeliest: a bound for every label, counted as such (P9)
                    true(got["rc"] == "ok" and got["censored"] >= len(question["labels"])
                         and len(set(got["logit"][0])) == 1, f"{dialect} {how}: {got}")
                    continue
                true(got["rc"] in ("corrupt", "invalid") and "logit" not in got and got["why"],
                     f"{dialect} {route} {how}: {got}")


if __name__ == "__main__":
    if np is None:
        print("1..0 # SKIP numpy is not installed")
        sys.exit(0)
    sys.exit(run(Context(sys.argv[1])))

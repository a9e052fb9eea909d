#!/usr/bin/env python3
"""Writes tests/golden/prov: HTTP messages of the dialects of JSON and text (vLLM, SGLang,
OpenAI, llama.cpp), made from their documentation with json, struct and zlib alone (never from
bbtd's encoder).

Sources: vLLM, docs/features/prompt_embeds and the OpenAI-compatible server's protocol.py;
torch's container format as in src/prov/torchzip.h; SGLang, ScoringRequest and
GenerateReqInput; openai-python, src/openai/types; llama.cpp, tools/server/README.

Usage: tools/golden_dialogs.py FOLDER
"""
import base64
import hashlib
import json
import os
import struct
import sys
import zlib

H = 4
IDS = [[2, 5, 6, 7, 11, 4, 12, 3], [2, 5, 6, 7, 4, 3]]
BOS = 2
SLOT = 99
LABELS = [9, 30, 1]
WORDS = [" good", " bad", " s\u00f6"]
TEXTS = ["the film is a \"delight\" .\n\tIt was", "nicht \u00fcbel \\ \u65e5\u672c . It was"]
PROMPT = [[((r * H + c) * 7 % 11 - 5) / 8 for c in range(H)] for r in range(3)]
PENALTIES = {"repetition_penalty": 1.0, "presence_penalty": 0, "frequency_penalty": 0}


def embedding(token):
    return [token + h / 4 for h in range(H)]


def lp(row, token):
    return (row * 40 + token - 200) / 4


def salt():
    flat = [v for row in PROMPT for v in row]
    digest = hashlib.sha256(struct.pack("<%df" % len(flat), *flat)).digest()
    return "bbt-%016x" % struct.unpack("<Q", digest[:8])


def torch_file(rows):
    """A float32 tensor as torch.save writes it, with pickle counts of fixed size."""
    n, cols = len(rows), len(rows[0])
    i32 = lambda v: b"J" + struct.pack("<i", v)
    pickle = (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
              b"FloatStorage\nX\1\0\0\0" b"0X\3\0\0\0cpu" + i32(n * cols) + b"tQK\0" + i32(n) +
              i32(cols) + b"\x86" + i32(cols) + b"K\1\x86\x89ccollections\nOrderedDict\n)RtR.")
    data = b"".join(struct.pack("<%df" % cols, *row) for row in rows)
    body, central = b"", b""
    for name, content in ((b"archive/data.pkl", pickle), (b"archive/byteorder", b"little"),
                          (b"archive/data/0", data), (b"archive/version", b"3\n")):
        fill = -(len(body) + 34 + len(name)) % 64
        sizes = struct.pack("<HHHHHIII", 0, 0x800, 0, 0, 0, zlib.crc32(content), len(content),
                            len(content))
        central += (b"PK\1\2\0\0" + sizes + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0,
                                                        len(body)) + name)
        body += (b"PK\3\4" + sizes + struct.pack("<HH", len(name), 4 + fill) + name + b"FB" +
                 struct.pack("<H", fill) + b"Z" * fill + content)
    return body + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 4, 4, len(central),
                                                    len(body), 0)


def tensor(rows):
    return base64.b64encode(torch_file(rows)).decode()


def whole(ids):
    return [embedding(ids[0])] + PROMPT + [embedding(t) for t in ids[1:]]


def added(ids):
    rows = [embedding(t) for t in ids]
    for r, row in enumerate(PROMPT):
        rows[1 + r] = [a + b for a, b in zip(rows[1 + r], row)]
    return rows


def http(start, doc):
    body = json.dumps(doc, separators=(",", ":")).encode() if doc is not None else b""
    head = start + "\r\n" + ("Content-Type: application/json\r\n" if body else "")
    return head.encode() + b"\r\n" + body


def post(path, doc):
    return http("POST %s HTTP/1.1" % path, doc)


def ok(doc):
    return http("HTTP/1.1 200 OK", doc)


def vllm():
    part = {"type": "prompt_embeds", "data": tensor(PROMPT)}
    tail = dict(PENALTIES, temperature=0, logprob_token_ids=LABELS,
                return_tokens_as_token_ids=True)
    chat = dict(tail, model="m", max_completion_tokens=1, logprobs=True, top_logprobs=3,
                chat_template_kwargs={"enable_thinking": False})
    ask = lambda content: [{"role": "user", "content": content}]
    said = [{"type": "text", "text": TEXTS[0]}]
    yield "vllm-chat-req", post("/v1/chat/completions", dict(
        chat, messages=ask([part] + said), cache_salt=salt()))
    yield "vllm-chat-manual-req", post("/v1/chat/completions", dict(chat, messages=ask(said)))
    top = [{"token": "token_id:%d" % t, "logprob": lp(0, t), "bytes": [32]}
           for t in (30, 9, 77, 1)]
    yield "vllm-chat-ans", ok({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1790000000, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": " bad"},
                     "logprobs": {"content": [dict(top[0], top_logprobs=top)]},
                     "finish_reason": "length", "stop_reason": None}],
        "usage": {"prompt_tokens": 21, "completion_tokens": 1, "total_tokens": 22,
                  "prompt_tokens_details": None}})
    rows = dict(tail, model="m", max_tokens=1, logprobs=3, allowed_token_ids=LABELS,
                add_special_tokens=False, cache_salt=salt())
    yield "vllm-embeds-req", post("/v1/completions", dict(
        rows, prompt_embeds=[tensor(whole(ids)) for ids in IDS]))
    yield "vllm-embeds-add-req", post("/v1/completions", dict(
        rows, prompt_embeds=[tensor(added(ids)) for ids in IDS]))
    plain = {k: v for k, v in rows.items() if k != "cache_salt"}
    yield "vllm-embeds-plain-req", post("/v1/completions", dict(plain, prompt=IDS))
    choice = lambda r: {
        "index": r, "text": " bad", "finish_reason": "length", "stop_reason": None,
        "logprobs": {"tokens": ["token_id:30"], "token_logprobs": [lp(r, 30)],
                     "text_offset": [0],
                     "top_logprobs": [{"token_id:%d" % t: lp(r, t) for t in (30, 1, 9, 5)}]}}
    yield "vllm-embeds-ans", ok({
        "id": "cmpl-5f0a", "object": "text_completion", "created": 1790000000, "model": "m",
        "choices": [choice(1), choice(0)],
        "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}})
    yield "vllm-models", ok({"object": "list", "data": [
        {"id": "other", "object": "model", "owned_by": "vllm", "max_model_len": 9},
        {"id": "m", "object": "model", "owned_by": "vllm", "max_model_len": 4096}]})
    yield "vllm-tokens", ok({"count": 2, "max_model_len": 4096, "tokens": [64, 7],
                             "token_strs": None})
    yield "vllm-tokens-req", post("/tokenize", {"model": "m", "prompt": " good",
                                                "add_special_tokens": False})


def sglang():
    score = {"model": "m", "items": [ids[1:] for ids in IDS], "label_token_ids": LABELS,
             "apply_softmax": False, "item_first": False}
    yield "sglang-score-req", post("/v1/score", dict(
        score, query=[BOS, SLOT, SLOT, SLOT], embed_override_token_id=SLOT,
        query_embed_overrides=PROMPT))
    yield "sglang-score-manual-req", post("/v1/score", dict(score, query=[BOS]))
    yield "sglang-score-ans", ok({
        "scores": [[0.5, 0.25, 0.125], [0.0625, 0.0, 0.5]], "model": "m", "object": "scoring",
        "usage": {"prompt_tokens": 24, "total_tokens": 24, "completion_tokens": 0}})
    generate = {
        "sampling_params": {"max_new_tokens": 1, "temperature": 0}, "return_logprob": True,
        "logprob_start_len": -1, "top_logprobs_num": 0,
        "token_ids_logprob": [LABELS, LABELS]}
    yield "sglang-generate-req", post("/generate", dict(
        {"input_embeds": [whole(ids) for ids in IDS]}, **generate, extra_key=salt()))
    yield "sglang-generate-plain-req", post("/generate", dict({"input_ids": IDS}, **generate))
    one = lambda r: {
        "text": " bad", "output_ids": [30],
        "meta_info": {"id": "x%d" % r, "finish_reason": {"type": "length", "length": 1},
                      "prompt_tokens": len(IDS[r]) + 3, "completion_tokens": 1,
                      "cached_tokens": 0,
                      "output_token_logprobs": [[lp(r, 30), 30, None]],
                      "output_token_ids_logprobs": [[[lp(r, t), t, None]
                                                     for t in (1, 30, 9)]]}}
    yield "sglang-generate-ans", ok([one(0), one(1)])
    yield "sglang-generate-one-ans", ok(one(0))


def openai():
    yield "openai-req", post("/v1/completions", {
        "model": "m", "prompt": TEXTS, "max_tokens": 1, "logprobs": 5, "temperature": 0,
        "seed": 0})
    yield "openai-chat-req", post("/v1/chat/completions", {
        "model": "m", "messages": [{"role": "user", "content": TEXTS[0]}],
        "max_completion_tokens": 1, "logprobs": True, "top_logprobs": 20, "temperature": 0,
        "seed": 0})
    tops = lambda r: sorted(zip([lp(r, t) for t in LABELS + [40, 31]], WORDS + [" a", "\n"]),
                            reverse=True)
    choice = lambda r: {
        "text": " a", "index": r, "finish_reason": "length",
        "logprobs": {"tokens": [" a"], "token_logprobs": [tops(r)[0][0]], "text_offset": [9],
                     "top_logprobs": [{word: v for v, word in tops(r)}]}}
    yield "openai-ans", ok({
        "id": "cmpl-7", "object": "text_completion", "created": 1790000000, "model": "m",
        "system_fingerprint": "fp_1", "choices": [choice(1), choice(0)],
        "usage": {"prompt_tokens": 25, "completion_tokens": 2, "total_tokens": 27}})
    entry = lambda v, word: {"token": word.strip(" "), "logprob": v,
                             "bytes": list(word.strip(" ").encode())}
    yield "openai-chat-ans", ok({
        "id": "chatcmpl-7", "object": "chat.completion", "created": 1790000000, "model": "m",
        "choices": [{"index": 0, "finish_reason": "length", "logprobs": {
            "content": [dict(entry(*tops(0)[0]), top_logprobs=[entry(*t) for t in tops(0)])],
            "refusal": None}, "message": {"role": "assistant", "content": "a"}}],
        "usage": {"prompt_tokens": 17, "completion_tokens": 1, "total_tokens": 18,
                  "prompt_tokens_details": {"cached_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 0}}})


def llamacpp():
    yield "llamacpp-req", post("/completion", {
        "prompt": TEXTS[0], "n_predict": 1, "temperature": -1, "n_probs": 1024,
        "post_sampling_probs": False, "cache_prompt": False})
    top = [{"id": t, "token": " x%d" % t, "bytes": [32, 120], "logprob": lp(0, t)}
           for t in (40, 30, 9, 1)]
    yield "llamacpp-ans", ok({
        "content": " x40", "tokens": [], "id_slot": 0, "stop": True, "model": "m.gguf",
        "tokens_predicted": 1, "tokens_evaluated": 16, "tokens_cached": 16,
        "truncated": False, "stop_type": "limit", "timings": {"prompt_n": 16},
        "completion_probabilities": [dict(top[0], top_logprobs=top)]})
    yield "llamacpp-tokens-req", post("/tokenize", {"content": " good", "add_special": False})


def main():
    folder = sys.argv[1]
    for dialect in (vllm, sglang, openai, llamacpp):
        for name, message in dialect():
            with open(os.path.join(folder, name + ".http"), "wb") as f:
                f.write(message)


if __name__ == "__main__":
    main()

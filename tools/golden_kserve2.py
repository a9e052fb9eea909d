#!/usr/bin/env python3
"""Writes tests/golden/prov: HTTP messages of the Open Inference Protocol v2, made from its
documentation with json and struct alone (never from bbtd's encoder).

Sources: kserve/open-inference-protocol, specification/protocol/inference_rest.md;
triton-inference-server/server, docs/protocol/extension_binary_data.md; for TensorRT-LLM
NVIDIA/TensorRT-LLM, triton_backend/all_models/inflight_batcher_llm/tensorrt_llm/config.pbtxt.

Usage: tools/golden_kserve2.py FOLDER
"""
import hashlib
import json
import os
import struct
import sys

B, L, P, H, V = 2, 8, 3, 4, 32
IDS = [[2, 5, 6, 7, 11, 4, 12, 3], [2, 5, 6, 7, 4, 3, 0, 0]]
LEN = [8, 6]
MASK_POS = [5, 4]
LABELS = [9, 30, 1]
PROMPT = [((i * 7) % 11 - 5) / 8 for i in range(P * H)]
CODE = {"INT64": "q", "INT32": "i", "FP64": "d", "FP32": "f", "FP16": "e",
        "UINT64": "Q", "BOOL": "?"}


def raw(kind, values):
    if kind == "BF16":  # upper half of a float; the values used here have no lower half
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    return struct.pack("<%d%s" % (len(values), CODE[kind]), *values)


def text(doc):
    return json.dumps(doc, separators=(",", ":")).encode()


def http(start, headers, body):
    lines = [start] + ["%s: %s" % kv for kv in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def request(path, head, tensors, binary):
    """head: the JSON part without its inputs; tensors: (name, shape, kind, values)."""
    doc, tail = {}, b""
    if "id" in head:
        doc["id"] = head["id"]
    if "parameters" in head:
        doc["parameters"] = head["parameters"]
    doc["inputs"] = []
    for name, shape, kind, values in tensors:
        entry = {"name": name, "shape": shape, "datatype": kind}
        if binary:
            data = raw(kind, values)
            entry["parameters"] = {"binary_data_size": len(data)}
            tail += data
        else:  # whole reals are written without a fraction: the same JSON number
            entry["data"] = [int(v) if v == int(v) else v for v in values]
        doc["inputs"].append(entry)
    doc["outputs"] = [dict(name=n, **({"parameters": {"binary_data": True}} if binary else {}))
                      for n in head.get("outputs", ["logits"])]
    first = text(doc)
    headers = {"Content-Type": "application/octet-stream" if binary else "application/json"}
    if binary:
        headers["Inference-Header-Content-Length"] = str(len(first))
    return http("POST %s HTTP/1.1" % path, headers, first + tail)


def response(outputs, binary, name="m", ident=None, **extra):
    doc, tail = {"model_name": name, "model_version": "1"}, b""
    if ident:
        doc["id"] = ident
    doc.update(extra)
    doc["outputs"] = []
    for oname, shape, kind, values in outputs:
        entry = {"name": oname, "datatype": kind, "shape": shape}
        if binary:
            data = raw(kind, values)
            entry["parameters"] = {"binary_data_size": len(data)}
            tail += data
        else:
            entry["data"] = values
        doc["outputs"].append(entry)
    first = text(doc)
    headers = {"Content-Type": "application/json"}
    if binary:
        headers = {"Content-Type": "application/octet-stream",
                   "Inference-Header-Content-Length": str(len(first))}
    return http("HTTP/1.1 200 OK", headers, first + tail)


def flat(rows):
    return [v for row in rows for v in row]


def texts(kind="INT64"):
    mask = [[int(c < n) for c in range(L)] for n in LEN]
    return [("input_ids", [B, L], kind, flat(IDS)),
            ("attention_mask", [B, L], kind, flat(mask))]


def logit(b, v):
    """Score of word v in row b: exact in every format, bf16 included."""
    return (b * 40 + v - 50) / 4


def vocab():
    return [logit(b, v) for b in range(B) for v in range(V)]


def tokens(shift):
    """[B, L + shift, V], where only the mask's row holds the scores, the rest a decoy."""
    out = []
    for b in range(B):
        for t in range(L + shift):
            out += [logit(b, v) if t == MASK_POS[b] + shift else 99.0 for v in range(V)]
    return out


def nested(values, shape):
    if len(shape) == 1:
        return values
    step = len(values) // shape[0]
    return [nested(values[i * step:(i + 1) * step], shape[1:]) for i in range(shape[0])]


def requests():
    at = ("mask_pos", [B, 1], "INT64", MASK_POS)
    own = {"compose": "add", "prompt_at": "hidden"}
    path = "/v2/models/m/infer"
    yield "req-row", request(path, {"id": "r7g12c3"}, texts() + [
        ("prompt_embedding", [B, P, H], "FP32", PROMPT * B), at], True)
    yield "req-json", request(path, {"id": "r7g12c3"}, texts() + [
        ("prompt_embedding", [B, P, H], "FP32", PROMPT * B), at], False)
    yield "req-flat", request(path, {"parameters": own}, texts("INT32") + [
        ("prompt_embedding", [P, H], "FP32", PROMPT),
        ("mask_pos", [B], "INT32", MASK_POS),
        ("label_ids", [len(LABELS)], "INT32", LABELS)], True)
    yield "req-shared", request("/v2/models/a%20model%2F%C3%A9/versions/3/infer", {
        "parameters": dict(own, compose="prepend", prompt_at="embedding", note="a\"b",
                           top=1)},
        texts() + [("prompt_embedding", [1, P, H], "FP16", PROMPT)], True)
    yield "req-manual", request(path, {}, texts() + [at], True)
    yield "req-embed", request("/v2/models/m-embedding/infer", {
        "outputs": ["embedding", "mean", "std"]},
        [("input_ids", [3], "INT64", LABELS)], True)


TRT_V = 40
TRT_WIDTH = 48  # engines pad the vocabulary
TRT_ONES = {"end_id": -1, "pad_id": 0, "beam_width": 1, "runtime_top_k": 1}


def trt_request(head, kind, bos, extra, ones):
    """The first example; `bos` tokens stay before the prompt, which may be absent (kind None)."""
    n = P if kind else 0
    ids, size = IDS[0][:bos] + list(range(TRT_V, TRT_V + n)) + IDS[0][bos:], LEN[0] + n
    one = lambda name, v: (name, [1, 1], "INT32", [v])
    tensors = [("input_ids", [1, size], "INT32", ids), one("input_lengths", size),
               one("request_output_len", 1),
               ("return_generation_logits", [1, 1], "BOOL", [True])]
    if kind:
        tensors.append(one("prompt_vocab_size", P))
    tensors += [one(name, TRT_ONES[name]) for name in ones]
    if kind:
        tensors.append(("prompt_embedding_table", [1, P, H], kind, PROMPT))
    if extra:
        digest = hashlib.sha256(struct.pack("<%df" % len(PROMPT), *PROMPT)).digest()
        own = struct.unpack("<Q", digest[:8])[0]
        tensors.append(("prompt_table_extra_ids", [1, size], "UINT64",
                        [own if t >= TRT_V else 0 for t in ids]))
    return request("/v2/models/m/infer", dict(head, outputs=["generation_logits"]), tensors, True)


def trt_requests():
    yield "trtllm-req", trt_request({"id": "r7g12c3", "parameters": {"note": "x"}}, "FP16", 1,
                                    True, TRT_ONES)
    yield "trtllm-bare-req", trt_request({}, "FP32", 0, False, [])
    yield "trtllm-bf16-req", trt_request({}, "BF16", 0, True, ["pad_id"])
    yield "trtllm-manual-req", trt_request({}, None, 1, False, TRT_ONES)


def trt_answers():
    logits = ("generation_logits", [1, 1, 1, TRT_WIDTH], "FP32",
              [(v - 200) / 4 for v in range(TRT_WIDTH)])
    yield "trtllm-ans", response([logits], True)
    yield "trtllm-json-ans", response([logits], False)
    yield "trtllm-several-ans", response([
        ("output_ids", [1, 1, 9], "INT32", list(range(9))),
        logits[:2] + ("FP16",) + logits[3:],
        ("sequence_length", [1, 1], "INT32", [9])], True)


def trt_metadata():
    one = lambda name: (name, "INT32", [-1, 1])
    yield "trtllm-meta", meta(
        [("input_ids", "INT32", [-1, -1]), one("input_lengths"), one("request_output_len"),
         *map(one, TRT_ONES), ("prompt_embedding_table", "FP16", [-1, -1, -1]),
         one("prompt_vocab_size"), ("prompt_table_extra_ids", "UINT64", [-1, -1]),
         ("return_log_probs", "BOOL", [-1, 1]), ("return_generation_logits", "BOOL", [-1, 1])],
        [("output_ids", "INT32", [-1, -1, -1]),
         ("generation_logits", "FP32", [-1, -1, -1, -1])], "tensorrt_llm")


def answers():
    picked = [logit(b, v) for b in range(B) for v in LABELS]
    lab = ("logits", [B, len(LABELS)], "FP32", picked)
    voc = ("logits", [B, V], "FP32", vocab())
    yield "ans-label", response([lab], True)
    yield "ans-label-id", response([lab], True, ident="r7g12c3")
    yield "ans-label-json", response([lab], False)
    yield "ans-vocab", response([voc], True)
    yield "ans-vocab-fp64", response([voc[:2] + ("FP64",) + voc[3:]], True)
    yield "ans-vocab-fp16", response([voc[:2] + ("FP16",) + voc[3:]], True)
    yield "ans-vocab-bf16", response([voc[:2] + ("BF16",) + voc[3:]], True)
    yield "ans-vocab-json", response([voc], False)
    yield "ans-vocab-nested", response(
        [voc[:3] + (nested(vocab(), [B, V]),)], False, ident="r7g12c3",
        parameters={"content_type": "np"})
    yield "ans-vocab-gathered", response([("logits", [B, 1, V], "FP32", vocab())], True)
    yield "ans-token", response([("logits", [B, L, V], "FP32", tokens(0))], True)
    yield "ans-token-prepend", response([("logits", [B, L + P, V], "FP32", tokens(P))], True)
    yield "ans-token-nested", response(
        [("logits", [B, L, V], "FP32", nested(tokens(0), [B, L, V]))], False)
    # Other outputs before and behind, one of a type that bbtd cannot read.
    yield "ans-several", response([
        ("hidden", [B, H], "FP32", [0.0] * B * H), voc,
        ("seconds", [1], "FP64", [0.25])], True)
    yield "ans-embed", response([
        ("embedding", [3, H], "FP32", PROMPT[:3 * H]), ("mean", [1], "FP32", [-0.0078125]),
        ("std", [1], "FP32", [0.125])], True, name="m-embedding")


def meta(inputs, outputs, platform):
    def side(ts):
        return [{"name": n, "datatype": k, "shape": s} for n, k, s in ts]
    doc = {"name": "m", "versions": ["1"], "platform": platform,
           "inputs": side(inputs), "outputs": side(outputs)}
    return http("HTTP/1.1 200 OK", {"Content-Type": "application/json"}, text(doc))


def metadata():
    ids = [("input_ids", "INT64", [-1, -1]), ("attention_mask", "INT64", [-1, -1])]
    at = ("mask_pos", "INT64", [-1, 1])
    yield "meta-triton-server", http("HTTP/1.1 200 OK", {"Content-Type": "application/json"},
        text({"name": "triton", "version": "2.47.0", "extensions": [
            "classification", "sequence", "binary_tensor_data", "parameters"]}))
    yield "meta-mlserver-server", http("HTTP/1.1 200 OK",
        {"Content-Type": "application/json"},
        text({"name": "mlserver", "version": "1.6.0", "extensions": []}))
    yield "meta-triton", meta(ids + [("prompt_embedding", "FP32", [-1, 50, 1024]), at],
                              [("logits", "FP32", [-1, 50265])], "onnxruntime_onnx")
    yield "meta-mlserver", meta(ids + [("prompt_embedding", "FP32", [1, -1, 4]), at],
                                [("scores", "FP32", [-1, -1])], "")
    yield "meta-ovms", meta(
        [("input_ids", "INT32", [4, 128]), ("attention_mask", "INT32", [4, 128]),
         ("prompt_embedding", "FP32", [50, 768])],
        [("logits", "FP32", [4, 128, 30522])], "OpenVINO")
    yield "meta-bbt-lm", meta(
        ids + [("prompt_embedding", "FP32", [1, -1, 4]), at, ("label_ids", "INT64", [-1])],
        [("logits", "FP32", [-1, -1])], "bbt-lm")
    yield "meta-embedding", meta([("input_ids", "INT64", [-1])],
        [("embedding", "FP32", [-1, 4]), ("mean", "FP32", [1]), ("std", "FP32", [1])],
        "bbt-lm")
    # The authors' export: the output that is called "logits" holds hidden states.
    yield "meta-hidden", meta(ids + [("prompt_embedding", "FP32", [-1, 50, 1024])],
                              [("logits", "FP32", [-1, -1, 1024])], "onnxruntime_onnx")


def main():
    for group in (requests(), answers(), metadata(), trt_requests(), trt_answers(),
                  trt_metadata()):
        for name, data in group:
            with open(os.path.join(sys.argv[1], name + ".http"), "wb") as f:
                f.write(data)


if __name__ == "__main__":
    main()

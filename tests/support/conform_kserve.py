"""conform_kserve.py -- KServe v2 (Open Inference Protocol) over HTTP as Triton, OpenVINO,
MLServer and TensorRT-LLM's backend serve it, with a masked language model behind the first
three and a causal one with a prompt table behind the last.

Modes that declare the deployment: `output` label, vocab, token or hidden; `prompt` batch
([-1,P,H]), one ([1,P,H]) or flat ([P,H]), with `prompt_rows` P; `datatype` of the prompt;
`compose` add, replace or prepend; `mask_pos` tensor or
none, with `mask_rank` 2 ([-1,1]) or 1; `labels` (the ids of output label).
"""
import gzip
import json
import zlib

import numpy as np

from conform_api import Dialect, Refuse, Reply, bad, need, parse
from conform_lm import as_bf16, bf16_bits

CODE = {"BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
        "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2",
        "FP32": "<f4", "FP64": "<f8", "BF16": "<u2"}
LENGTH = "inference-header-content-length"
DEPTH_MAX = 100


def depth_of(body):
    """Nesting of a JSON text, counted outside its strings."""
    depth = most = 0
    quoted = skip = False
    for c in body:
        if skip:
            skip = False
        elif quoted:
            skip, quoted = c == 0x5C, c != 0x22
        elif c == 0x22:
            quoted = True
        elif c in b"[{":
            depth += 1
            most = max(most, depth)
        elif c in b"]}":
            depth -= 1
    return most


def flat(data):
    for v in data:
        if isinstance(v, list):
            yield from flat(v)
        else:
            yield v


def nested_like(data, shape):
    """Is nested data shaped as declared? Flat data always is."""
    if not any(isinstance(v, list) for v in data):
        return True
    return len(data) == shape[0] and all(
        isinstance(v, list) and (len(shape) == 1 or nested_like(v, shape[1:])) for v in data)


def raw_of(array, kind):
    if kind == "BF16":
        return bf16_bits(array).tobytes()
    return np.ascontiguousarray(array).astype(CODE[kind]).tobytes()


class Kserve(Dialect):
    name, version, platform = "triton", "2.60.0", "onnxruntime_onnx"
    extensions = ["classification", "sequence", "binary_tensor_data", "parameters"]
    binary, half_in_json, not_ready, size_max = True, False, 400, 64 << 20
    body_of_health = b""

    def __init__(self, *args):
        super().__init__(*args)
        self.index = None

    def find(self, request):
        parts = request.raw_path.strip("/").split("/")
        get, post = request.method == "GET", request.method == "POST"
        if parts[0] != "v2":
            raise Refuse(404, "not found")
        if get and parts == ["v2"]:
            return lambda _: Reply({"name": self.name, "version": self.version,
                                    "extensions": self.extensions})
        if get and parts in (["v2", "health", "live"], ["v2", "health", "ready"]):
            return lambda _: self.state(parts[2] == "live" or self.ready)
        if len(parts) < 3 or parts[1] != "models":
            raise Refuse(404, "not found")
        rest = parts[3:]
        name = request.path.strip("/").split("/versions/")[0] if "versions" in parts[3:4] else None
        model = (name or request.path.strip("/"))[len("v2/models/"):]
        if rest[:1] == ["versions"]:
            if rest[1:2] not in (["1"], ["3"]):
                raise Refuse(404, f"Request for unknown model: '{model}' version {rest[1:2]}")
            rest = rest[2:]
        if name is None and rest:
            model = model[:-len("/" + "/".join(rest))]
        if model != self.model_name:
            raise Refuse(404, f"Request for unknown model: '{model}' is not found")
        if get and rest == []:
            return lambda _: self.metadata()
        if get and rest == ["ready"]:
            return lambda _: self.state(self.ready)
        if rest == ["infer"]:
            if not post:
                raise Refuse(405, "Method Not Allowed")
            return self.infer
        raise Refuse(404, "not found")

    def authorize(self, request):
        super().authorize(request)
        if self.gate is not None:  # --http-restricted-api: a header of the operator's choice
            name, value = self.gate
            if request.headers.get(name.lower()) != value:
                raise Refuse(403, "This API is restricted, expecting header " + name)

    def refusal(self, why):
        return Reply({"error": str(why)}, why.status)

    def state(self, good):
        return Reply(self.body_of_health if good else b"", 200 if good else self.not_ready)

    # ---- what is declared ----

    def inputs(self):
        """[(name, datatype, shape)]"""
        p, h = self.prompt_rows, self.model.hidden
        shape = {"batch": [-1, p, h], "one": [1, p, h], "flat": [p, h]}[self.prompt]
        found = [("input_ids", self.int_type, [-1, -1]),
                 ("attention_mask", self.int_type, [-1, -1]),
                 ("prompt_embedding", self.datatype, shape)]
        if self.mask_pos == "tensor":
            found.append(("mask_pos", self.int_type, [-1, 1][:self.mask_rank]))
        if self.label_input:
            found.append(("label_ids", self.int_type, [-1]))
        return found

    def optional(self):
        return {"prompt_embedding"}

    def outputs(self):
        v, h = len(self.vocabulary), self.model.hidden
        shape = {"label": [-1, -1 if self.label_input else len(self.labels or [])],
                 "vocab": [-1, v], "token": [-1, -1, v], "hidden": [-1, -1, h]}[self.output]
        return [("logits", "FP32", shape)]

    def metadata(self):
        need(self.ready, f"Request for unknown model: '{self.model_name}' is not ready")
        show = lambda ts: [{"name": n, "datatype": k, "shape": s} for n, k, s in ts]
        return Reply({"name": self.model_name, "versions": ["1"], "platform": self.platform,
                      "inputs": show(self.inputs()), "outputs": show(self.outputs())})

    # ---- a request ----

    def decoded(self, request):
        coding = request.headers.get("content-encoding")
        if coding not in (None, "identity", "gzip", "deflate"):
            raise Refuse(501, f"Content-Encoding {coding} is not supported")
        body = request.body
        try:
            if coding == "gzip":
                body = gzip.decompress(body)
            elif coding == "deflate":
                body = zlib.decompress(body)
        except (OSError, zlib.error, EOFError):
            bad(f"body is no {coding}")
        need(len(body) <= self.size_max, f"request is larger than {self.size_max} bytes")
        return body

    def split(self, request):
        """(JSON document, raw bytes behind it)."""
        body, length = self.decoded(request), request.headers.get(LENGTH)
        kind = request.headers.get("content-type", "").split(";")[0].strip()
        if length is None or not self.binary:
            need(kind != "application/octet-stream" or not self.binary,
                 f"binary body without {LENGTH}")
            need(depth_of(body) <= DEPTH_MAX, f"JSON nesting above {DEPTH_MAX}")
            return parse(body), b""
        need(length.isascii() and length.isdigit(), f"{LENGTH} is no number")
        need(kind == "application/octet-stream", f"Content-Type {kind!r} of a binary body")
        need(0 < int(length) <= len(body), f"{LENGTH} {length} of a body of {len(body)} bytes")
        head, raw = body[:int(length)], body[int(length):]
        need(depth_of(head) <= DEPTH_MAX, f"JSON nesting above {DEPTH_MAX}")
        return parse(head), raw

    def from_json(self, name, kind, shape, data):
        need(isinstance(data, list), f"{name}: data is no list")
        need(kind not in ("FP16", "BF16") or self.half_in_json,
             f"{name}: {kind} is not supported in JSON")
        need(nested_like(data, shape), f"{name}: nested data is not of shape {shape}")
        values = list(flat(data))
        need(len(values) == int(np.prod(shape, dtype=object)), f"{name}: {len(values)} values "
             f"for shape {shape}")
        if kind == "BOOL":
            need(all(type(v) is bool for v in values), f"{name}: BOOL wants true and false")
        elif kind.startswith("FP"):
            need(all(type(v) in (int, float) for v in values), f"{name}: a value is no number")
        else:
            low, high = np.iinfo(CODE[kind]).min, np.iinfo(CODE[kind]).max
            need(all(type(v) is int and low <= v <= high for v in values),
                 f"{name}: a value is no {kind}")
        return np.array(values, CODE[kind]).reshape(shape)

    def from_raw(self, name, kind, shape, data):
        size = int(np.prod(shape, dtype=object)) * np.dtype(CODE[kind]).itemsize
        need(len(data) == size, f"{name}: {len(data)} bytes, shape {shape} of {kind} has {size}")
        array = np.frombuffer(data, CODE[kind]).reshape(shape)
        return as_bf16_array(array) if kind == "BF16" else array

    def tensor(self, entry, declared, raw):
        """(name, array, the raw bytes that are left)."""
        need(isinstance(entry, dict) and isinstance(entry.get("name"), str), "an input's name")
        name, kind, shape = entry["name"], entry.get("datatype"), entry.get("shape")
        need(name in declared, f"unexpected inference input '{name}' for model "
             f"'{self.model_name}'")
        want_kind, want_shape = declared[name]
        need(kind == want_kind, f"{name}: datatype {kind}, declared is {want_kind}")
        need(isinstance(shape, list) and len(shape) == len(want_shape)
             and all(type(n) is int and n > 0 and w in (-1, n)
                     for n, w in zip(shape, want_shape)),
             f"{name}: shape {shape}, declared is {want_shape}")
        params = entry.get("parameters") or {}
        need(isinstance(params, dict), f"{name}: parameters")
        size = params.get("binary_data_size")
        unknown = set(entry) - {"name", "datatype", "shape", "parameters", "data"}
        need(not unknown, f"{name}: unknown members {sorted(unknown)}")
        if size is None:
            need("data" in entry, f"{name}: neither data nor binary_data_size")
            return name, self.from_json(name, kind, shape, entry["data"]), raw
        need(self.binary, f"{name}: data is missing")
        need("data" not in entry, f"{name}: data and binary_data_size")
        need(type(size) is int and 0 <= size <= len(raw), f"{name}: binary_data_size {size}, "
             f"{len(raw)} bytes are left")
        return name, self.from_raw(name, kind, shape, raw[:size]), raw[size:]

    def infer(self, request):
        need(self.ready, f"model '{self.model_name}' is not ready")
        doc, raw = self.split(request)
        unknown = set(doc) - {"id", "parameters", "inputs", "outputs"}
        need(not unknown, f"unknown members {sorted(unknown)}")
        need(isinstance(doc.get("id", ""), str), "id must be a string")
        need(isinstance(doc.get("inputs"), list) and doc["inputs"], "no inputs")
        declared = {n: (k, s) for n, k, s in self.inputs()}
        given = {}
        for entry in doc["inputs"]:
            name, array, raw = self.tensor(entry, declared, raw)
            need(name not in given, f"input '{name}' twice")
            need(array.dtype.kind != "f" or np.isfinite(array).all(), f"{name}: not finite")
            given[name] = array
        need(not raw, f"{len(raw)} bytes left over after the last tensor")
        missing = set(declared) - set(given) - self.optional()
        need(not missing, f"missing inputs {sorted(missing)}")
        results, usage = self.compute(given)
        return self.reply(doc, results, usage)

    def reply(self, doc, results, usage):
        """results: {name: (datatype, array)}"""
        params = doc.get("parameters") or {}
        need(isinstance(params, dict), "parameters")
        every = params.get("binary_data_output", False)
        need(type(every) is bool, "binary_data_output")
        wanted = doc.get("outputs")
        if wanted is None:
            wanted = [{"name": n} for n in results]
        need(isinstance(wanted, list) and wanted, "outputs")
        head, tail = {"model_name": self.model_name, "model_version": "1"}, b""
        if "id" in doc:
            head["id"] = doc["id"]
        head["outputs"] = []
        for entry in wanted:
            need(isinstance(entry, dict) and entry.get("name") in results,
                 f"unexpected inference output {entry}")
            kind, array = results[entry["name"]]
            own = (entry.get("parameters") or {}).get("binary_data", every)
            need(type(own) is bool, "binary_data must be true or false")
            out = {"name": entry["name"], "datatype": kind, "shape": list(array.shape)}
            if own and self.binary:
                data = raw_of(array, kind)
                out["parameters"] = {"binary_data_size": len(data)}
                tail += data
            else:
                out["data"] = [float(v) if kind.startswith("FP") else int(v)
                               for v in array.astype(CODE[kind]).ravel()]
            head["outputs"].append(out)
        text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
        if not tail:
            return Reply(text, usage=usage)
        return Reply(text + tail, headers=[("Inference-Header-Content-Length", str(len(text)))],
                     usage=usage, kind="application/octet-stream")

    # ---- the masked model ----

    def composed(self, ids, mask, soft):
        """(rows, positions in front) of one example: the soft rows in their place."""
        seen = int(mask.sum())
        need(seen > 0 and (mask[:seen] == 1).all() and (mask[seen:] == 0).all(),
             "attention_mask is not ones, then zeros")
        rows = self.model.embed(self.tokens_in([int(t) for t in ids[:seen]], "input_ids"))
        if soft is None:
            return rows, 0
        if self.compose == "prepend":
            return np.vstack([soft, rows]), len(soft)
        need(1 + len(soft) <= seen, "the prompt does not fit into the example")
        if self.compose == "add":
            rows[1:1 + len(soft)] += soft
        else:
            rows[1:1 + len(soft)] = soft
        return rows, 0

    def compute(self, given):
        ids, mask = given["input_ids"], given["attention_mask"]
        batch, length = ids.shape
        need(mask.shape == ids.shape, "attention_mask and input_ids differ in shape")
        soft = given.get("prompt_embedding")
        if soft is not None:
            soft = soft.astype(float).reshape(-1, *soft.shape[-2:])
            need(len(soft) in (1, batch), "prompt_embedding's batch differs from input_ids'")
            need(self.prompt != "batch" or len(soft) == batch, "prompt_embedding's batch "
                 "differs from input_ids'")
        out = []
        for b in range(batch):
            rows, front = self.composed(ids[b], mask[b], None if soft is None
                                        else soft[min(b, len(soft) - 1)])
            out.append(self.output_row(rows, front, ids[b], given, b, length))
        usage = int(mask.sum()) + (batch * soft.shape[1] if soft is not None
                                   and self.compose == "prepend" else 0)
        return {"logits": ("FP32", np.array(out))}, (usage, 0)

    def mask_at(self, ids, given, b, seen):
        if self.mask_pos == "tensor":
            at = int(given["mask_pos"].reshape(-1, 1)[b, 0])
        else:
            found = np.flatnonzero(ids == self.vocabulary.special["<mask>"])
            need(len(found) == 1, "an example without exactly one mask")
            at = int(found[0])
        need(0 <= at < seen, f"mask position {at} is outside the example")
        return at

    def output_row(self, rows, front, ids, given, b, length):
        if self.output == "hidden":
            grid = np.zeros((length + front, self.model.hidden))
            grid[:len(rows)] = rows
            return grid
        if self.output == "token":
            grid = np.zeros((length + front, len(self.vocabulary)))
            for at in range(len(rows)):
                grid[at] = self.model.scores(rows, at, causal=False)
            return grid
        if self.mask_pos == "tensor":
            need(len(given["mask_pos"]) == len(given["input_ids"]), "mask_pos' batch")
        logits = self.model.scores(rows, front + self.mask_at(ids, given, b, len(rows) - front),
                                   causal=False)
        if self.output == "vocab":
            return logits
        labels = given["label_ids"].ravel() if self.label_input else (self.labels or [])
        return logits[self.tokens_in([int(t) for t in labels], "label_ids")]


def as_bf16_array(bits):
    return (bits.astype("<u4") << np.uint32(16)).view("<f4")


class Openvino(Kserve):
    name, version, platform = "OpenVINO Model Server", "2026.1", "OpenVINO"
    extensions = ["binary_tensor_data"]
    not_ready = 503


class Mlserver(Kserve):
    """REST is JSON only: the inference header means nothing to it."""
    name, version, platform, binary = "mlserver", "1.7.0", "", False
    extensions = []


class Trtllm(Kserve):
    """TensorRT-LLM behind Triton: the prompt table is p-tuning, virtual tokens are V, V+1, ..."""
    platform = "tensorrt_llm"

    def inputs(self):
        return [("input_ids", "INT32", [-1, -1]), ("input_lengths", "INT32", [-1, 1]),
                ("request_output_len", "INT32", [-1, 1]), ("end_id", "INT32", [-1, 1]),
                ("pad_id", "INT32", [-1, 1]), ("beam_width", "INT32", [-1, 1]),
                ("runtime_top_k", "INT32", [-1, 1]),
                ("prompt_embedding_table", self.datatype, [-1, -1, self.model.hidden]),
                ("prompt_vocab_size", "INT32", [-1, 1]),
                ("prompt_table_extra_ids", "UINT64", [-1, -1]),
                ("return_log_probs", "BOOL", [-1, 1]),
                ("return_context_logits", "BOOL", [-1, 1]),
                ("return_generation_logits", "BOOL", [-1, 1])]

    def optional(self):
        return {n for n, _, _ in self.inputs()} - {"input_ids", "input_lengths",
                                                   "request_output_len"}

    def outputs(self):
        v = len(self.vocabulary)
        return [("output_ids", "INT32", [-1, -1, -1]), ("sequence_length", "INT32", [-1, -1]),
                ("generation_logits", "FP32", [-1, -1, -1, v]),
                ("context_logits", "FP32", [-1, -1, v]),
                ("cum_log_probs", "FP32", [-1, -1]), ("output_log_probs", "FP32", [-1, -1, -1])]

    def compute(self, given):
        ids = given["input_ids"]
        for name, array in given.items():
            need(len(array) == 1, f"{name}: one request has the first dimension 1")
        one = lambda name, default: int(given[name].ravel()[0]) if name in given else default
        need(one("input_lengths", 0) == ids.shape[1], "input_lengths differs from input_ids")
        need(one("request_output_len", 0) == 1, "request_output_len: this server makes one token")
        need(one("beam_width", 1) == 1, "beam_width")
        v = len(self.vocabulary)
        table, count = given.get("prompt_embedding_table"), one("prompt_vocab_size", 0)
        need((table is None) == (count == 0), "prompt_embedding_table and prompt_vocab_size "
             "belong together")
        need(table is None or table.shape[1] == count, "prompt_vocab_size is not the table's rows")
        need(all(0 <= t < v + count for t in ids[0]), "an id is neither a token nor of the table")
        table = self.reused(given, table)
        rows = np.array([self.model.embed([int(t)])[0] if t < v else table[int(t) - v]
                         for t in ids[0]])
        logits = self.logits(rows)
        results = {"output_ids": ("INT32", np.append(ids[0], np.argmax(logits))[None, None, :]),
                   "sequence_length": ("INT32", np.array([[ids.shape[1] + 1]]))}
        if one("return_generation_logits", 0):
            results["generation_logits"] = ("FP32", logits[None, None, None, :])
        if one("return_context_logits", 0):
            results["context_logits"] = ("FP32", np.array(
                [[self.model.scores(rows, at) for at in range(len(rows))]]))
        if one("return_log_probs", 0):
            need("runtime_top_k" in given, "return_log_probs needs a sampling parameter")
            best = float(logits.max() - (logits.max() + np.log(
                np.exp(logits - logits.max()).sum())))
            results["cum_log_probs"] = ("FP32", np.array([[best]]))
            results["output_log_probs"] = ("FP32", np.array([[[best]]]))
        return results, (len(rows), 1)

    def reused(self, given, table):
        """The table that the KV cache knows under the extra ids (reuse on): the same ids for
        another table give the old one's answers."""
        if table is None:
            return None
        table = table[0].astype(float)
        if not self.kv_reuse:
            return table
        extra = given.get("prompt_table_extra_ids")
        need(extra is not None and extra.shape == given["input_ids"].shape,
             "prompt_table_extra_ids is needed with KV cache reuse")
        virtual = given["input_ids"][0] >= len(self.vocabulary)
        need((extra[0][virtual] >= 1).all(), "prompt_table_extra_ids of virtual tokens must be "
             "at least 1")
        key = tuple(int(e) for e in extra[0][virtual])
        return self.cache.setdefault(key, table)

"""conform_api.py -- what the dialects of the conformance server share: replies and refusals,
JSON without leniency, typed fields, the model behind them, and the modes that a test sets."""
import asyncio
import json

import numpy as np

import conform_lm

DEFAULTS = {
    "model": "m", "key": None, "embeds": True, "front": "python", "old": False,
    "max_logprobs": 20, "logprobs_mode": "raw_logprobs", "max_len": 4096, "max_prompts": 64,
    "content_format": "openai", "trust_template": False, "prefix_cache": "off", "block": 4,
    "token_ids_default": False, "details": False, "penalties_crash": False, "think": False,
    "dead": False, "loading": 0, "queue_max": None, "latency_s": 0.0, "noise": 0.0,
    "shuffle": True, "radix_cache": False, "metrics": True, "max_body": None,
    "reasoning": False, "drop_fields": [], "output": "vocab", "labels": None, "prompt": "batch",
    "prompt_rows": -1, "datatype": "FP32", "compose": "add", "mask_pos": "tensor", "mask_rank": 2,
    "label_input": False, "int_type": "INT64", "ready": True, "kv_reuse": False, "gate": None}


class Refuse(Exception):
    """A request that the real server would not serve. `expected`: not the client's fault, so
    it is not counted as a refusal (a server that is loading, a full queue)."""

    def __init__(self, status, why, param=None, expected=False):
        super().__init__(why)
        self.status, self.param, self.expected = status, param, expected


class Reply:
    def __init__(self, body, status=200, headers=(), usage=(0, 0), kind="application/json"):
        self.body, self.status, self.headers = body, status, list(headers)
        self.usage, self.kind = usage, kind


def bad(why, param=None):
    raise Refuse(400, why, param)


def need(condition, why, param=None):
    if not condition:
        bad(why, param)


def no_constant(name):
    bad(f"{name} is no JSON")


def no_twins(pairs):
    doc = dict(pairs)
    if len(doc) != len(pairs):
        bad("a key stands twice in a JSON object")
    return doc


def parse(body):
    """The JSON object of a body; NaN, double keys, broken UTF-8 are refused."""
    try:
        doc = json.loads(body.decode("utf-8"), parse_constant=no_constant,
                         object_pairs_hook=no_twins)
        json.dumps(doc, ensure_ascii=False).encode()  # refuses half surrogates
    except (ValueError, RecursionError) as e:
        raise Refuse(400, f"body is no JSON: {e}") from None
    need(isinstance(doc, dict), "body is no JSON object")
    return doc


def is_int(v):
    return type(v) is int


def is_number(v):
    return type(v) in (int, float)


def is_ints(v):
    return isinstance(v, list) and all(map(is_int, v))


def is_list_of(test):
    return lambda v: isinstance(v, list) and all(map(test, v))


CHECK = {"int": is_int, "number": is_number, "bool": lambda v: type(v) is bool,
         "str": lambda v: isinstance(v, str), "object": lambda v: isinstance(v, dict),
         "ints": is_ints, "list": lambda v: isinstance(v, list),
         "strs": is_list_of(lambda v: isinstance(v, str)), "any": lambda v: True}


class Fields:
    """The fields of a request with their types; null is as absent."""

    def __init__(self, doc, table, stats=None):
        """table: {name: "type" or "type|type"}."""
        for name, value in doc.items():
            if name not in table:
                if stats is not None:
                    stats.unknown_fields[name] += 1
            elif value is not None:
                kinds = table[name].split("|")
                need(any(CHECK[k](value) for k in kinds), f"{name} must be {table[name]}", name)
        self.doc, self.table = doc, table

    def __call__(self, name, default=None):
        assert name in self.table, name
        value = self.doc.get(name)
        return default if value is None else value


class Dialect:
    """A family of routes over the model. Subclasses fill `routes`: {(method, path): function}
    where the function takes the request and gives a Reply or raises Refuse."""

    open_paths = ()

    def __init__(self, model, stats, mode):
        self.model, self.stats = model, stats
        self.mode = dict(DEFAULTS)
        self.set_mode(mode)
        self.vocabulary = model.vocabulary
        self.cache, self.queries, self.hits = {}, 0, 0
        self.turn = self.waiting = 0
        self.routes = {}

    def set_mode(self, changes):
        unknown = set(changes) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown modes {sorted(unknown)}")
        self.mode.update(changes)

    def __getattr__(self, name):
        try:
            return self.__dict__["mode"][name]
        except KeyError:
            raise AttributeError(name) from None

    # ---- the request's way ----

    def authorize(self, request):
        if self.key is None or request.path in self.open_paths:
            return
        if request.headers.get("authorization") != "Bearer " + self.key:
            raise Refuse(401, "wrong or missing Authorization")

    def limited(self, request):
        """Does the rate limit count it?"""
        return request.method == "POST"

    def find(self, request):
        found = self.routes.get((request.method, request.path))
        if found is None:
            if any(path == request.path for _, path in self.routes):
                raise Refuse(405, "Method Not Allowed")
            raise Refuse(404, "Not Found")
        return found

    async def handle(self, request):
        self.authorize(request)
        handler = self.find(request)
        if request.method == "POST":
            if self.max_body is not None and len(request.body) > self.max_body:
                raise Refuse(413, "Request Entity Too Large")
            if self.queue_max is not None and self.waiting >= self.queue_max:
                raise Refuse(503, "The request queue is full.", expected=True)
        self.waiting += 1
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            return handler(request)
        finally:
            self.waiting -= 1

    def refusal(self, why):
        """The reply of a refusal in the dialect's words."""
        kind = {401: "AuthenticationError", 404: "NotFoundError", 500: "InternalServerError",
                503: "ServiceUnavailableError"}.get(why.status, "BadRequestError")
        return Reply({"error": {"message": str(why), "type": kind, "param": why.param,
                                "code": why.status}}, why.status)

    def document(self, request):
        """The JSON body of a request that says that it is JSON."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":
            raise Refuse(415, f"Content-Type {kind or 'is missing'}, not application/json")
        doc = parse(request.body)
        for name in self.drop_fields:  # a gateway that forgets what it does not know (P17)
            doc.pop(name, None)
        return doc

    def check_model(self, fields):
        name = fields("model")
        if name is not None and name != self.model_name:
            raise Refuse(404, f"The model `{name}` does not exist.", "model")

    @property
    def model_name(self):
        return self.mode["model"]

    # ---- the model ----

    def tokens_in(self, ids, name):
        need(all(0 <= t < len(self.vocabulary) for t in ids), f"{name}: id outside the "
             "vocabulary", name)
        return ids

    def logits(self, rows):
        """Scores after the rows, with the low bits of a busy server where the mode says so."""
        self.turn += 1
        logits = self.model.scores(rows)
        if self.noise:
            rng = np.random.Generator(np.random.PCG64(self.turn))
            logits = logits + self.noise * rng.uniform(-1, 1, len(logits))
        return logits

    def shuffled(self, items):
        """Another order in every answer."""
        items = list(items)
        if self.shuffle:
            rng = np.random.Generator(np.random.PCG64(7 + self.turn))
            rng.shuffle(items)
        return items

    def cached(self, rows, ids, key, by_rows):
        """The rows that the server really computes with, and how many came from its prefix
        cache. With `by_rows` a block's key holds its embeddings; without, only the ids: the
        fault that mixes soft prompts (P1)."""
        self.queries += len(ids)
        if self.prefix_cache == "off":
            return rows, 0
        rows, hits = np.array(rows, float), 0
        for end in range(self.block, len(ids), self.block):
            name = (key, tuple(ids[:end]), rows[:end].tobytes() if by_rows else None)
            if name in self.cache:
                rows[end - self.block:end] = self.cache[name]
                hits = end
            else:
                self.cache[name] = rows[end - self.block:end].copy()
        self.hits += hits
        return rows, hits


def log_softmax(logits):
    return conform_lm.log_softmax(logits)

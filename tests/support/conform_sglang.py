"""conform_sglang.py -- SGLang's native server: /v1/score with embedding overrides, /generate
with input_embeds, and the routes beside them. Modes: `old` (overrides are ignored without a
word), `radix_cache` (input_embeds refused), `prefix_cache` mixing (overrides leak into later
requests over the same ids)."""
import numpy as np

from conform_api import Dialect, Fields, Refuse, Reply, is_ints, log_softmax, need
from conform_lm import BOS

SCORE = {"query": "str|ints", "items": "any", "label_token_ids": "ints", "apply_softmax": "bool",
         "item_first": "bool", "embed_override_token_id": "int", "query_embed_overrides": "list",
         "item_embed_overrides": "list", "model": "str"}
GENERATE = {"text": "any", "input_ids": "list", "input_embeds": "list",
            "sampling_params": "object|list", "return_logprob": "bool|list",
            "logprob_start_len": "int|list", "top_logprobs_num": "int|list",
            "token_ids_logprob": "list", "return_text_in_logprobs": "bool", "stream": "bool",
            "cache_salt": "str", "extra_key": "any", "rid": "any", "lora_path": "any",
            "priority": "int", "model": "str"}
SAMPLING = {"max_new_tokens": "int", "temperature": "number", "top_p": "number", "top_k": "int",
            "min_p": "number", "n": "int", "ignore_eos": "bool", "stop": "str|strs",
            "frequency_penalty": "number", "presence_penalty": "number",
            "repetition_penalty": "number", "min_new_tokens": "int",
            "skip_special_tokens": "bool"}
OVERRIDES = ("embed_override_token_id", "query_embed_overrides", "item_embed_overrides")


class Sglang(Dialect):
    open_paths = ("/health", "/health_generate")

    def __init__(self, *args):
        super().__init__(*args)
        self.tree = {}
        self.routes = {
            ("POST", "/v1/score"): self.score, ("POST", "/generate"): self.generate,
            ("POST", "/v1/tokenize"): self.tokenize, ("POST", "/v1/detokenize"): self.detokenize,
            ("GET", "/health"): self.health, ("GET", "/health_generate"): self.health,
            ("GET", "/model_info"): self.info, ("GET", "/get_model_info"): self.info,
            ("GET", "/server_info"): self.server, ("GET", "/v1/models"): self.models,
            ("GET", "/metrics"): self.show_metrics}

    def refusal(self, why):
        if why.status == 400 and why.param == "native":
            return Reply({"error": {"message": str(why)}}, 400)
        return Reply({"object": "error", "message": str(why), "type": "BadRequestError"
                      if why.status == 400 else "Error", "param": why.param,
                      "code": why.status}, why.status)

    # ---- the small routes ----

    def health(self, _):
        if self.loading > 0:
            self.mode["loading"] -= 1
            raise Refuse(503, "starting", expected=True)
        return Reply(b"")

    def info(self, _):
        return Reply({"model_path": self.model_name, "tokenizer_path": self.model_name,
                      "is_generation": True, "preferred_sampling_params": None})

    def server(self, _):
        return Reply({"model_path": self.model_name, "version": "0.4.9" if self.old else "0.5.12",
                      "disable_radix_cache": not self.radix_cache, "chunked_prefill_size": -1})

    def models(self, _):
        return Reply({"object": "list", "data": [{
            "id": self.model_name, "object": "model", "created": 1790000000,
            "owned_by": "sglang", "root": self.model_name, "max_model_len": self.max_len}]})

    def show_metrics(self, _):
        if not self.metrics:
            raise Refuse(404, "Not Found", expected=True)
        return Reply("sglang:num_running_reqs 0.0\n", kind="text/plain")

    def tokenize(self, request):
        f = Fields(self.document(request), {"model": "str", "prompt": "str|strs",
                                            "add_special_tokens": "bool"}, self.stats)
        need(f("prompt") is not None, "prompt is missing", "prompt")
        first = [BOS] * f("add_special_tokens", True)
        if isinstance(f("prompt"), list):
            ids = [first + self.vocabulary.encode(t) for t in f("prompt")]
            count = [len(i) for i in ids]
        else:
            ids = first + self.vocabulary.encode(f("prompt"))
            count = len(ids)
        return Reply({"tokens": ids, "count": count, "max_model_len": self.max_len})

    def detokenize(self, request):
        f = Fields(self.document(request), {"model": "str", "tokens": "ints",
                                            "skip_special_tokens": "bool"}, self.stats)
        need(f("tokens") is not None, "tokens is missing", "tokens")
        return Reply({"text": self.vocabulary.decode(self.tokens_in(f("tokens"), "tokens"))})

    # ---- scoring ----

    def vectors(self, given, what):
        """Override rows [k, hidden]."""
        need(isinstance(given, list), f"{what} must be a list of vectors", what)
        for row in given:
            need(isinstance(row, list) and all(type(v) in (int, float) for v in row),
                 f"{what} must be lists of numbers", what)
            need(len(row) == self.model.hidden, f"{what}: vector of {len(row)} numbers, hidden "
                 f"size is {self.model.hidden}", what)
        rows = np.array(given, float).reshape(-1, self.model.hidden)
        need(np.isfinite(rows).all(), f"{what}: not finite", what)
        return rows

    def overridden(self, ids, slot, vectors, what):
        """Rows of ids with the placeholders replaced, in their order."""
        places = [n for n, t in enumerate(ids) if t == slot]
        need(len(places) == len(vectors), f"{what}: found {len(places)} placeholder tokens but "
             f"{len(vectors)} vectors", what)
        rows = self.model.embed(ids)
        rows[places] = vectors
        return rows

    def scored(self, ids, rows, overrides):
        """The logits after one prompt, through a prefix cache that may be at fault: overrides
        are stored under plain ids, and plain requests find them (P1)."""
        self.queries += len(ids)
        if self.prefix_cache == "mixing":
            for end in range(1, len(ids)):
                if overrides:
                    self.tree[tuple(ids[:end])] = rows[end - 1].copy()
                elif tuple(ids[:end]) in self.tree:
                    self.hits += 1
                    rows[end - 1] = self.tree[tuple(ids[:end])]
        return self.logits(rows)

    def pieces(self, f):
        """(query ids, item ids each): both texts, or both ids."""
        query, items = f("query"), f("items")
        need(items is not None, "items is missing", "items")
        if isinstance(items, str):
            items = [items]
        need(isinstance(items, list) and items, "items is empty", "items")
        if all(isinstance(i, str) for i in items):
            need(query is None or isinstance(query, str), "query and items must both be texts or "
                 "both be ids", "query")
            return (self.vocabulary.encode(query or ""),
                    [self.vocabulary.encode(i) for i in items])
        need(all(is_ints(i) for i in items), "items: texts, or lists of ids", "items")
        need(query is None or is_ints(query), "query and items must both be texts or both be ids",
             "query")
        return (self.tokens_in(query or [], "query"),
                [self.tokens_in(i, "items") for i in items])

    def score(self, request):
        doc = self.document(request)
        if self.old:
            for name in OVERRIDES:
                doc.pop(name, None)
        f = Fields(doc, SCORE, self.stats)
        if f("model") not in (None, self.model_name, "default"):
            raise Refuse(404, f"model {f('model')} not found", "model")
        labels = f("label_token_ids")
        need(labels, "label_token_ids is missing", "label_token_ids")
        self.tokens_in(labels, "label_token_ids")
        query, items = self.pieces(f)
        slot, soft = f("embed_override_token_id"), f("query_embed_overrides")
        per_item = f("item_embed_overrides")
        overrides = soft is not None or per_item is not None
        if overrides:
            need(slot is not None, "embed_override_token_id is required with overrides",
                 "embed_override_token_id")
            need(not f("item_first", False), "item_first must be false with overrides",
                 "item_first")
            self.tokens_in([slot], "embed_override_token_id")
        need(per_item is None or len(per_item) == len(items), "item_embed_overrides must have "
             "one entry per item", "item_embed_overrides")
        vectors = self.vectors(soft or [], "query_embed_overrides")
        rows_q = self.overridden(query, slot, vectors, "query_embed_overrides")
        scores, total = [], 0
        for n, item in enumerate(items):
            own = self.vectors((per_item[n] if per_item else None) or [], "item_embed_overrides")
            rows_i = self.overridden(item, slot, own, "item_embed_overrides")
            first = f("item_first", False)
            ids = item + query if first else query + item
            need(0 < len(ids) <= self.max_len, f"prompt of {len(ids)} tokens", "items")
            logits = self.scored(ids, np.vstack([rows_i, rows_q] if first else [rows_q, rows_i]),
                                 overrides)
            shown = log_softmax(logits)[labels]
            if f("apply_softmax"):
                shown = log_softmax(shown)
            scores.append([float(v) for v in np.exp(shown)])
            total += len(ids)
        return Reply({"scores": scores, "model": self.model_name, "object": "scoring",
                      "usage": {"prompt_tokens": total, "total_tokens": total,
                                "completion_tokens": 0}}, usage=(total, 0))

    # ---- generate ----

    def refuse_native(self, condition, why):
        need(condition, why, "native")

    def batch_of(self, f):
        """([(ids or None, rows)], single?) of a request; text wins, then ids, then rows."""
        text, ids, soft = f("text"), f("input_ids"), f("input_embeds")
        if text is not None:
            single = isinstance(text, str)
            texts = [text] if single else text
            self.refuse_native(isinstance(texts, list) and all(isinstance(t, str) for t in texts),
                               "text")
            ids = [[BOS] + self.vocabulary.encode(t) for t in texts]
        elif ids is not None:
            single = is_ints(ids)
            ids = [ids] if single else ids
            self.refuse_native(all(is_ints(i) and i for i in ids), "input_ids")
        else:
            self.refuse_native(bool(soft), "Either text, input_ids or input_embeds should be "
                               "provided.")
            return self.soft_batch(soft)
        for i in ids:
            self.refuse_native(all(0 <= t < len(self.vocabulary) for t in i), "input_ids")
        return [(i, self.model.embed(i)) for i in ids], single

    def soft_batch(self, soft):
        self.refuse_native(not self.radix_cache, "input_embeds is provided while "
                           "disable_radix_cache is False. Please add `--disable-radix-cache` "
                           "when you launch the server")
        try:  # the server looks at the first scalar alone
            single = type(soft[0][0]) is float
        except (TypeError, IndexError, KeyError):
            self.refuse_native(False, "input_embeds: no list of vectors")
        batch = []
        for seq in [soft] if single else soft:
            self.refuse_native(isinstance(seq, list) and bool(seq), "input_embeds: no sequence")
            for row in seq:
                self.refuse_native(isinstance(row, list) and len(row) == self.model.hidden,
                                   f"input_embeds: hidden size is {self.model.hidden}")
                self.refuse_native(all(type(v) is float for v in row), "input_embeds: a number "
                                   "without point or exponent is no float")
            rows = np.array(seq, float)
            self.refuse_native(np.isfinite(rows).all(), "input_embeds: not finite")
            batch.append((None, rows))
        return batch, single

    @staticmethod
    def each(value, n, default):
        """A parameter that stands for all items, or one per item."""
        if value is None:
            return [default] * n
        if isinstance(value, list):
            need(len(value) == n, "a list of parameters must have one entry per item", "native")
            return value
        return [value] * n

    def generate(self, request):
        f = Fields(self.document(request), GENERATE, self.stats)
        self.refuse_native(not f("stream"), "this server does not stream")
        batch, single = self.batch_of(f)
        n = len(batch)
        wanted = f("token_ids_logprob") or None
        if wanted is not None and is_ints(wanted):
            wanted = [wanted] * n
        sampling = self.each(f("sampling_params"), n, {})
        logprob, tops = self.each(f("return_logprob"), n, False), self.each(
            f("top_logprobs_num"), n, 0)
        wanted = self.each(wanted, n, None)
        for w in wanted:
            self.refuse_native(w is None or (is_ints(w) and all(
                0 <= t < len(self.vocabulary) for t in w)), "token_ids_logprob")
        for salt in (f("cache_salt"), f("extra_key")):
            if isinstance(salt, str):
                self.stats.salts.add(salt)
        docs, usage = [], (0, 0)
        for (ids, rows), params, lp, top, want in zip(batch, sampling, logprob, tops, wanted):
            docs.append(self.one(ids, rows, Fields(params, SAMPLING, self.stats), lp, (top, want)))
            meta = docs[-1]["meta_info"]
            usage = (usage[0] + meta["prompt_tokens"], usage[1] + meta["completion_tokens"])
        return Reply(docs[0] if single else docs, usage=usage)

    def one(self, ids, rows, params, logprob, ask):
        top, want = ask
        steps = params("max_new_tokens", 128)
        self.refuse_native(0 < steps and len(rows) + steps <= self.max_len,
                           f"{len(rows)} tokens and {steps} new ones: longer than the model's "
                           f"context length {self.max_len}")
        prompt, heat, out = len(rows), params("temperature", 1.0), []
        said, chosen, by_id, best = [], [], [], []
        for _ in range(steps):
            logits = self.logits(rows) if ids is None or said else self.scored(ids, rows, False)
            lp = log_softmax(logits / heat if heat > 0 else logits)
            token = int(np.argmax(logits))
            said.append(token)
            chosen.append([float(lp[token]), token, None])
            by_id.append([[float(lp[t]), t, None] for t in self.shuffled(want or [])])
            best.append([[float(lp[t]), int(t), None] for t in np.argsort(-lp)[:top]])
            rows = np.vstack([rows, self.model.embed([token])])
        out = {"text": self.vocabulary.decode(said), "output_ids": said, "meta_info": {
            "id": f"{self.turn:032x}", "finish_reason": {"type": "length", "length": steps},
            "prompt_tokens": prompt, "completion_tokens": steps, "cached_tokens": 0,
            "e2e_latency": 0.01}}
        if logprob:
            meta = out["meta_info"]
            meta["input_token_logprobs"] = []
            meta["output_token_logprobs"] = chosen
            if top:
                meta["output_top_logprobs"] = best
            if want:
                meta["output_token_ids_logprobs"] = by_id
        return out

"""conform_text.py -- servers that take text only: a hosted OpenAI-style API with its small
maxima, Azure's paths of the same, and llama.cpp's own routes."""
import numpy as np

from conform_api import Dialect, Fields, Refuse, Reply, is_int, log_softmax, need
from conform_lm import BOS, EOS

COMPLETION = {"model": "str", "prompt": "any", "max_tokens": "int", "logprobs": "int",
              "temperature": "number", "top_p": "number", "n": "int", "seed": "int",
              "stop": "str|strs", "stream": "bool", "echo": "bool", "suffix": "str",
              "logit_bias": "object", "user": "str", "best_of": "int",
              "presence_penalty": "number", "frequency_penalty": "number"}
CHAT = {"model": "str", "messages": "list", "max_completion_tokens": "int", "max_tokens": "int",
        "logprobs": "bool", "top_logprobs": "int", "temperature": "number", "top_p": "number",
        "n": "int", "seed": "int", "stop": "str|strs", "stream": "bool", "logit_bias": "object",
        "user": "str", "presence_penalty": "number", "frequency_penalty": "number",
        "reasoning_effort": "str", "store": "bool", "metadata": "object", "service_tier": "str"}


class Openai(Dialect):
    completion_top, chat_top = 5, 20

    def __init__(self, *args):
        super().__init__(*args)
        self.routes = {("POST", "/v1/completions"): self.completions,
                       ("POST", "/v1/chat/completions"): self.chat,
                       ("GET", "/v1/models"): self.models}

    def refusal(self, why):
        code = {401: "invalid_api_key", 404: "model_not_found"}.get(why.status)
        return Reply({"error": {"message": str(why), "type": "invalid_request_error",
                                "param": why.param, "code": code}}, why.status)

    def models(self, _):
        return Reply({"object": "list", "data": [{"id": self.model_name, "object": "model",
                                                  "created": 1790000000, "owned_by": "system"}]})

    def common(self, f, doc):
        unknown = sorted(set(doc) - set(f.table))
        need(not unknown, f"Unrecognized request argument supplied: {', '.join(unknown)}")
        need(f("model") is not None, "you must provide a model parameter", "model")
        self.check_model(f)
        need(not f("stream"), "this server does not stream", "stream")
        need(0 <= f("temperature", 1) <= 2, "temperature is 0 to 2", "temperature")
        need(f("n", 1) >= 1, "n", "n")
        bias = f("logit_bias", {})
        need(all(k.isdigit() and int(k) < len(self.vocabulary)
                 and type(v) in (int, float) and -100 <= v <= 100 for k, v in bias.items()),
             "logit_bias: id to a number of -100 to 100", "logit_bias")
        return {int(k): v for k, v in bias.items()}

    def usage(self, prompt, completion):
        """The details are there, null, or absent, from answer to answer."""
        doc = {"prompt_tokens": prompt, "completion_tokens": completion,
               "total_tokens": prompt + completion}
        if self.turn % 3 == 1:
            doc.update(prompt_tokens_details=None, completion_tokens_details=None)
        elif self.turn % 3 == 2:
            doc["prompt_tokens_details"] = {"cached_tokens": 0, "audio_tokens": None}
            doc["completion_tokens_details"] = {"reasoning_tokens": 0}
        return doc

    def step(self, ids, bias, count):
        """One token after the ids: (token, its log-probability, [(id, log-probability)] of the
        `count` most likely ones)."""
        logits = self.logits(self.model.embed(ids))
        lp, chosen = log_softmax(logits), logits.copy()
        for t, b in bias.items():
            chosen[t] += b
        order = np.argsort(-lp, kind="stable")[:count]
        token = int(np.argmax(chosen))
        return token, float(lp[token]), [(int(t), float(lp[t])) for t in order]

    def run(self, ids, bias, count, steps):
        need(len(ids) + steps <= self.max_len, "maximum context length is "
             f"{self.max_len} tokens", "prompt")
        out = []
        while len(out) < steps and (not out or out[-1][0] != EOS):
            out.append(self.step(ids + [t for t, _, _ in out], bias, count))
        return out

    def word(self, token):
        """A token's text: bytes that are no UTF-8 are mangled, as JSON cannot show them."""
        return self.vocabulary.bytes_of(token).decode(errors="replace")

    # ---- completions ----

    def prompts(self, f):
        prompt = f("prompt")
        if isinstance(prompt, str):
            prompt = [prompt]
        need(isinstance(prompt, list) and prompt, "prompt", "prompt")
        if all(map(is_int, prompt)):
            prompt = [prompt]
        if all(isinstance(p, str) for p in prompt):
            return [[BOS] + self.vocabulary.encode(p) for p in prompt]
        need(all(isinstance(p, list) and p and all(map(is_int, p)) for p in prompt), "prompt",
             "prompt")
        return [self.tokens_in(p, "prompt") for p in prompt]

    def completions(self, request):
        doc = self.document(request)
        f = Fields(doc, COMPLETION)
        bias = self.common(f, doc)
        need(f("suffix") is None and not f("echo"), "echo and suffix are not served")
        count = f("logprobs")
        need(count is None or 0 <= count <= self.completion_top,
             f"logprobs: at most {self.completion_top}", "logprobs")
        steps = f("max_tokens", 16)
        need(steps >= 1, "max_tokens", "max_tokens")
        choices, prompt, said = [], 0, 0
        for n, ids in enumerate(self.prompts(f)):
            for k in range(f("n", 1)):
                out = self.run(ids, bias, count or 0, steps)
                said += len(out)
                choices.append(self.choice(n * f("n", 1) + k, out, count))
            prompt += len(ids)
        return Reply({"id": f"cmpl-{self.turn}", "object": "text_completion",
                      "created": 1790000000, "model": self.model_name,
                      "system_fingerprint": f"fp_{self.turn % 2}",
                      "choices": self.shuffled(choices), "usage": self.usage(prompt, said)},
                     usage=(prompt, said))

    def choice(self, index, out, count):
        words = [self.word(t) for t, _, _ in out]
        doc = {"text": "".join(words), "index": index, "logprobs": None,
               "finish_reason": "length"}
        if count is not None:
            tops = []
            for t, lp, top in out:
                pairs = {self.word(i): v for i, v in reversed(top)}
                pairs[self.word(t)] = lp
                tops.append(dict(self.shuffled(pairs.items())))
            doc["logprobs"] = {"tokens": words, "token_logprobs": [lp for _, lp, _ in out],
                               "text_offset": [0] * len(out), "top_logprobs": tops}
        return doc

    # ---- chat ----

    def conversation(self, messages):
        need(isinstance(messages, list) and messages, "messages", "messages")
        ids, v = [BOS], self.vocabulary
        for m in messages:
            need(isinstance(m, dict) and m.get("role") in ("system", "developer", "user",
                                                           "assistant"), "role", "messages")
            content = m.get("content")
            if isinstance(content, list):
                need(all(isinstance(p, dict) and p.get("type") == "text"
                         and isinstance(p.get("text"), str) for p in content),
                     "Invalid content part: only text is served", "messages")
                content = "".join(p["text"] for p in content)
            need(isinstance(content, str), "content", "messages")
            role = "system" if m["role"] == "developer" else m["role"]
            ids += [v.special[f"<|{role}|>"], *v.encode(content), v.special["<|end|>"]]
        return ids + [v.special["<|assistant|>"]]

    def chat(self, request):
        doc = self.document(request)
        f = Fields(doc, CHAT)
        bias = self.common(f, doc)
        need(f("messages") is not None, "messages is missing", "messages")
        count = f("top_logprobs", 0)
        need(f("top_logprobs") is None or f("logprobs"), "top_logprobs needs logprobs",
             "top_logprobs")
        need(0 <= count <= self.chat_top, f"top_logprobs: at most {self.chat_top}",
             "top_logprobs")
        if self.reasoning:
            need(f("max_tokens") is None, "Unsupported parameter: 'max_tokens' is not supported "
                 "with this model. Use 'max_completion_tokens' instead.", "max_tokens")
        steps = f("max_completion_tokens", f("max_tokens", 16))
        need(steps >= 1, "max_completion_tokens", "max_completion_tokens")
        ids = self.conversation(f("messages"))
        choices, said = [], 0
        for k in range(f("n", 1)):
            out = self.run(ids, bias, count, steps)
            said += len(out)
            logprobs = None
            if f("logprobs") and not self.reasoning:
                logprobs = {"content": [dict(self.entry(t, lp), top_logprobs=[
                    self.entry(*pair) for pair in top]) for t, lp, top in out], "refusal": None}
            choices.append({"index": k, "finish_reason": "length", "logprobs": logprobs,
                            "message": {"role": "assistant", "refusal": None, "content": "".join(
                                self.word(t) for t, _, _ in out).strip()}})
        return Reply({"id": f"chatcmpl-{self.turn}", "object": "chat.completion",
                      "created": 1790000000, "model": self.model_name,
                      "system_fingerprint": f"fp_{self.turn % 2}",
                      "choices": self.shuffled(choices), "usage": self.usage(len(ids), said)},
                     usage=(len(ids), said))

    def entry(self, token, lp):
        """Very unlikely tokens are all -9999.0; the bytes are right where the text is not."""
        raw = self.vocabulary.bytes_of(token)
        return {"token": self.word(token), "logprob": lp if lp > -30 else -9999.0,
                "bytes": list(raw)}


class Azure(Openai):
    """The same behind /openai/deployments/NAME/...?api-version=V, with an api-key header."""

    def authorize(self, request):
        if self.key is not None and request.headers.get("api-key") != self.key:
            super().authorize(request)

    def find(self, request):
        head = f"/openai/deployments/{self.model_name}/"
        if not request.path.startswith(head):
            raise Refuse(404, "DeploymentNotFound")
        need("api-version" in request.query, "api-version is missing")
        request.path = "/v1/" + request.path[len(head):]
        return super().find(request)

    def document(self, request):
        return dict({"model": self.model_name}, **super().document(request))


COMPLETE = {"prompt": "any", "n_predict": "int", "temperature": "number", "n_probs": "int",
            "post_sampling_probs": "bool", "cache_prompt": "bool", "return_tokens": "bool",
            "logit_bias": "any", "id_slot": "int", "stream": "bool", "seed": "int",
            "top_k": "int", "top_p": "number", "min_p": "number", "stop": "strs",
            "samplers": "any", "min_keep": "int", "n_keep": "int", "model": "str"}


class Llamacpp(Dialect):
    """llama.cpp's own routes: no log-probability of chosen ids, but as many as there are."""
    open_paths = ("/health", "/v1/health")

    def __init__(self, *args):
        super().__init__(*args)
        self.routes = {("POST", "/completion"): self.complete,
                       ("POST", "/completions"): self.complete,
                       ("POST", "/tokenize"): self.tokenize,
                       ("POST", "/detokenize"): self.detokenize,
                       ("GET", "/health"): self.health, ("GET", "/props"): self.props,
                       ("GET", "/slots"): self.slots, ("GET", "/v1/models"): self.models}

    async def handle(self, request):
        if self.loading > 0:
            self.mode["loading"] -= 1
            raise Refuse(503, "Loading model", expected=True)
        return await super().handle(request)

    def refusal(self, why):
        kind = {401: "authentication_error", 404: "not_found_error",
                503: "unavailable_error"}.get(why.status, "invalid_request_error")
        return Reply({"error": {"code": why.status, "message": str(why), "type": kind}},
                     why.status)

    def health(self, _):
        return Reply({"status": "ok"})

    def props(self, _):
        return Reply({"default_generation_settings": {"n_ctx": self.max_len}, "total_slots": 1,
                      "model_path": self.model_name, "build_info": "b7000"})

    def slots(self, request):
        if request.query.get("fail_on_no_slot") and self.waiting > 1:
            raise Refuse(503, "no slot available", expected=True)
        return Reply([{"id": 0, "n_ctx": self.max_len, "is_processing": False}])

    def models(self, _):
        return Reply({"object": "list", "data": [{
            "id": self.model_name, "object": "model", "owned_by": "llamacpp",
            "meta": {"n_vocab": len(self.vocabulary), "n_embd": self.model.hidden}}]})

    def tokenize(self, request):
        f = Fields(self.document(request), {"content": "str", "add_special": "bool",
                                            "parse_special": "bool", "with_pieces": "bool"},
                   self.stats)
        need(f("content") is not None, "content is missing")
        ids = [BOS] * f("add_special", False) + self.vocabulary.encode(f("content"))
        if f("with_pieces"):
            return Reply({"tokens": [{"id": t, "piece": self.vocabulary.decode([t])}
                                     for t in ids]})
        return Reply({"tokens": ids})

    def detokenize(self, request):
        f = Fields(self.document(request), {"tokens": "ints"}, self.stats)
        need(f("tokens") is not None, "tokens is missing")
        return Reply({"content": self.vocabulary.decode(self.tokens_in(f("tokens"), "tokens"))})

    def ids_of(self, prompt):
        """A text, ids, or a mixture of both."""
        if isinstance(prompt, str):
            return [BOS] + self.vocabulary.encode(prompt)
        ids = []
        for part in prompt:
            need(is_int(part) or isinstance(part, str), "prompt: a text, ids, or both mixed")
            ids += [part] if is_int(part) else self.vocabulary.encode(part)
        return self.tokens_in(ids, "prompt")

    def complete(self, request):
        f = Fields(self.document(request), COMPLETE, self.stats)
        prompt = f("prompt")
        need(prompt not in (None, []), "\"prompt\" must be provided")
        need(not f("stream"), "this server does not stream")
        need(f("n_probs", 0) >= 0, "n_probs")
        many = isinstance(prompt, list) and any(isinstance(p, list) for p in prompt) or (
            isinstance(prompt, list) and len(prompt) > 1
            and all(isinstance(p, str) for p in prompt))
        docs = [self.one(f, n, self.ids_of(p)) for n, p in enumerate(
            prompt if many else [prompt])]
        usage = (sum(d["tokens_evaluated"] for d in docs),
                 sum(d["tokens_predicted"] for d in docs))
        return Reply(docs if many else docs[0], usage=usage)

    def biased(self, logits, bias):
        for pair in bias or []:
            need(isinstance(pair, list) and len(pair) == 2 and is_int(pair[0])
                 and 0 <= pair[0] < len(logits), "logit_bias: [[id, bias]]")
            logits[pair[0]] += -np.inf if pair[1] is False else pair[1]
        return logits

    def one(self, f, index, ids):
        steps = f("n_predict", -1)
        need(steps != -1, "n_predict: this server makes no endless text")
        need(0 < steps and len(ids) + steps <= self.max_len, "the request exceeds the available "
             f"context size ({self.max_len} tokens)")
        shown, said = [], []
        for _ in range(steps):
            logits = self.logits(self.model.embed(ids + said))
            if f("cache_prompt", True):  # the documented source of differing low bits
                logits = logits + 1e-3 * np.sin(self.turn + np.arange(len(logits)))
            lp = log_softmax(logits)
            token = int(np.argmax(self.biased(logits.copy(), f("logit_bias"))))
            said.append(token)
            top = np.argsort(-lp, kind="stable")[:f("n_probs", 0)]
            entry = lambda t: {"id": int(t), "token": self.vocabulary.decode([t]),
                               "bytes": list(self.vocabulary.bytes_of(t)),
                               "logprob": float(lp[t])}
            shown.append(dict(entry(token), top_logprobs=[entry(t) for t in top]))
        doc = {"index": index, "content": self.vocabulary.decode(said),
               "tokens": said if f("return_tokens") else [], "id_slot": 0, "stop": True,
               "model": self.model_name, "tokens_predicted": steps, "tokens_evaluated": len(ids),
               "truncated": False, "stop_type": "limit", "tokens_cached": len(ids),
               "timings": {"prompt_n": len(ids), "prompt_ms": 0.1}}
        if f("n_probs", 0):
            doc["completion_probabilities"] = shown
        return doc

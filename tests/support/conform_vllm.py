"""conform_vllm.py -- vLLM's OpenAI-compatible server as its documentation and sources describe
it: completions with prompt_embeds, chat with prompt_embeds parts, and the routes beside them.
Modes: `old` (before logprob_token_ids), `front` python or rust, and the faults of the issues.
Dynamo is the same wire with fewer liberties."""
import numpy as np

import conform_torch
from conform_api import Dialect, Fields, Refuse, Reply, bad, log_softmax, need
from conform_lm import BOS, EOS

IDS_MAX = 128
CLAMP = -9999.0
COMMON = {
    "model": "str", "temperature": "number", "top_p": "number", "top_k": "int", "min_p": "number",
    "n": "int", "seed": "int", "stop": "str|strs", "stop_token_ids": "ints", "stream": "bool",
    "stream_options": "object", "user": "str", "logprob_token_ids": "ints",
    "allowed_token_ids": "ints", "logit_bias": "object", "return_tokens_as_token_ids": "bool",
    "return_token_ids": "bool", "cache_salt": "str", "ignore_eos": "bool", "min_tokens": "int",
    "add_special_tokens": "bool", "priority": "int", "request_id": "str",
    "truncate_prompt_tokens": "int", "repetition_penalty": "number", "presence_penalty": "number",
    "frequency_penalty": "number", "prompt_logprobs": "int", "echo": "bool",
    "skip_special_tokens": "bool", "use_beam_search": "bool", "best_of": "int"}
COMPLETION = dict(COMMON, prompt="any", prompt_embeds="any", max_tokens="int", logprobs="int",
                  suffix="str")
CHAT = dict(COMMON, messages="list", max_tokens="int", max_completion_tokens="int",
            logprobs="bool", top_logprobs="int", add_generation_prompt="bool",
            continue_final_message="bool", chat_template="str", chat_template_kwargs="object",
            reasoning_effort="str", include_reasoning="bool")
TOKENIZE = {"model": "str", "prompt": "str", "messages": "list", "add_special_tokens": "bool",
            "return_token_strs": "bool", "add_generation_prompt": "bool"}
PLACEHOLDER = "<prompt_embeds>"


class Vllm(Dialect):
    dynamo = False

    def __init__(self, *args):
        super().__init__(*args)
        self.routes = {
            ("POST", "/v1/completions"): self.completions,
            ("POST", "/v1/chat/completions"): self.chat,
            ("POST", "/tokenize"): self.tokenize, ("POST", "/detokenize"): self.detokenize,
            ("GET", "/v1/models"): self.models, ("GET", "/health"): self.health,
            ("GET", "/metrics"): self.show_metrics, ("GET", "/version"): self.version}

    def authorize(self, request):
        if request.path.startswith("/v1"):
            super().authorize(request)

    def limited(self, request):
        return request.method == "POST" and request.path.startswith("/v1")

    def refusal(self, why):
        reply = super().refusal(why)
        if self.old:
            reply.body = dict(reply.body["error"], object="error")
        return reply

    # ---- the small routes ----

    def health(self, _):
        if self.dead:
            raise Refuse(503, "engine is dead", expected=True)
        return Reply(b"")

    def version(self, _):
        return Reply({"version": "0.9.2" if self.old else "0.28.0"})

    def models(self, _):
        return Reply({"object": "list", "data": [
            {"id": self.model_name, "object": "model", "created": 1790000000, "owned_by": "vllm",
             "root": self.model_name, "parent": None, "max_model_len": self.max_len}]})

    def show_metrics(self, _):
        label = '{engine="0",model_name="%s"}' % self.model_name
        return Reply(f"vllm:prefix_cache_queries_total{label} {float(self.queries)}\n"
                     f"vllm:prefix_cache_hits_total{label} {float(self.hits)}\n",
                     kind="text/plain; version=0.0.4; charset=utf-8")

    def tokenize(self, request):
        f = Fields(self.document(request), TOKENIZE, self.stats)
        self.check_model(f)
        if f("messages") is not None:
            ids, _ = self.rendered(f("messages"), f("add_generation_prompt", True), False, {})
        else:
            need(f("prompt") is not None, "prompt is missing", "prompt")
            ids = [BOS] * f("add_special_tokens", True) + self.vocabulary.encode(f("prompt"))
        strs = [self.vocabulary.pieces[t] for t in ids] if f("return_token_strs") else None
        return Reply({"count": len(ids), "max_model_len": self.max_len, "tokens": ids,
                      "token_strs": strs})

    def detokenize(self, request):
        f = Fields(self.document(request), {"model": "str", "tokens": "ints"}, self.stats)
        self.check_model(f)
        need(f("tokens") is not None, "tokens is missing", "tokens")
        return Reply({"prompt": self.vocabulary.decode(self.tokens_in(f("tokens"), "tokens"))})

    # ---- what both generating routes check ----

    def rows(self, text, param):
        """Soft rows of a base64 string; old servers answer 500, or die."""
        need(self.embeds, "You must set `--enable-prompt-embeds` to input `prompt_embeds`", param)
        need(self.front != "rust", "prompt_embeds is not supported by this front end", param)
        try:
            return conform_torch.rows(text, self.model.hidden, self.old)
        except conform_torch.BadTensor as e:
            if self.old and e.kind == "shape":
                self.mode["dead"] = True
            status = 500 if self.old and e.kind != "base64" else 400
            raise Refuse(status, f"prompt_embeds: {e}", param) from None

    def common(self, f, count):
        """Checks the fields of both routes. `count`: top-N that was asked for, or None."""
        if self.dead:
            raise Refuse(500, "EngineCore encountered an issue.", expected=True)
        self.check_model(f)
        need(not f("stream"), "this server does not stream", "stream")
        need(f("temperature", 1) >= 0, "temperature must be non-negative", "temperature")
        need(1 <= f("n", 1) <= 16, "n", "n")
        need(not (f("use_beam_search") and f("logprob_token_ids")), "logprob_token_ids with "
             "beam search", "logprob_token_ids")
        if count is not None and not (count == -1 and self.max_logprobs == -1):
            need(count >= 0, "logprobs must be non-negative", "logprobs")
            need(self.max_logprobs == -1 or count <= self.max_logprobs,
                 f"Requested sample logprobs of {count}, which is greater than max allowed: "
                 f"{self.max_logprobs}", "logprobs")
        ids = f("logprob_token_ids")
        if ids is not None and not self.old:
            need(count is not None, "logprob_token_ids needs logprobs", "logprob_token_ids")
            need(1 <= len(ids) <= IDS_MAX, f"logprob_token_ids: 1 to {IDS_MAX} ids",
                 "logprob_token_ids")
            self.tokens_in(ids, "logprob_token_ids")
            need(self.front != "rust" or count == len(ids), "logprobs must equal the number of "
                 "logprob_token_ids", "logprobs")
        allowed = f("allowed_token_ids")
        if allowed is not None:
            need(1 <= len(allowed) <= 1024, "allowed_token_ids: 1 to 1024 ids",
                 "allowed_token_ids")
            self.tokens_in(allowed, "allowed_token_ids")
        salt = f("cache_salt")
        if salt is not None:
            need(1 <= len(salt) <= 1024, "cache_salt: 1 to 1024 characters", "cache_salt")
            self.stats.salts.add(salt)
        need(-2 <= f("presence_penalty", 0) <= 2 and -2 <= f("frequency_penalty", 0) <= 2
             and f("repetition_penalty", 1) > 0, "penalty out of range")

    def penalties(self, f):
        """P2: penalties with embeddings kill the engine; a model's own defaults have one."""
        if self.penalties_crash and (f("repetition_penalty", 1.1) != 1
                                     or f("presence_penalty", 0.1) != 0
                                     or f("frequency_penalty", 0.1) != 0):
            self.mode["dead"] = True
            raise Refuse(500, "EngineCore encountered an issue.")

    def tell(self, f, rows, count):
        """One token after the rows: (token, {id: log-probability}) as the server reports it."""
        logits = self.logits(rows)
        if self.think and not (f.doc.get("chat_template_kwargs") or {}).get(
                "enable_thinking") is False and "messages" in f.doc:
            logits[self.vocabulary.special["<think>"]] = logits.max() + 20.0
        shown, chosen = logits.copy(), logits.copy()
        allowed = f("allowed_token_ids")
        if allowed is not None:
            mask = np.full(len(logits), -np.inf)
            mask[allowed] = 0
            chosen = chosen + mask
        for key, bias in (f("logit_bias") or {}).items():
            need(key.isdigit() and int(key) < len(logits), "logit_bias", "logit_bias")
            chosen[int(key)] += bias
        if self.logprobs_mode.startswith("processed"):
            shown = chosen / (f("temperature", 1.0) or 1.0)
        if self.logprobs_mode.endswith("logprobs"):
            shown = log_softmax(shown)
        token = int(np.argmax(chosen))
        if count is None:
            return token, None
        ids = f("logprob_token_ids")
        if ids is None or self.old:
            order = np.argsort(-shown, kind="stable")
            ids = order if count == -1 else order[:count]
        return token, {int(t): max(float(shown[t]), CLAMP) for t in [token, *ids]}

    def generate(self, f, rows, tokens, count):
        """[(token, {id: log-probability})] of up to `tokens` steps."""
        out = []
        for _ in range(tokens):
            out.append(self.tell(f, rows, count))
            if out[-1][0] == EOS and not f("ignore_eos"):
                break
            rows = np.vstack([rows, self.model.embed([out[-1][0]])])
        return out

    def shown_token(self, f, token):
        if f("return_tokens_as_token_ids", self.token_ids_default):
            return f"token_id:{token}"
        return self.vocabulary.decode([token])

    def usage(self, prompt, completion, cached):
        doc = {"prompt_tokens": prompt, "completion_tokens": completion,
               "total_tokens": prompt + completion, "prompt_tokens_details": None}
        if self.details and cached:
            doc["prompt_tokens_details"] = {"cached_tokens": cached}
        return doc

    # ---- completions ----

    def text_prompts(self, f):
        """The prompts of `prompt` as id lists."""
        prompt = f("prompt")
        if prompt is None or prompt == [] or prompt == "":
            return []
        if isinstance(prompt, str):
            prompt = [prompt]
        need(isinstance(prompt, list), "prompt", "prompt")
        if all(type(t) is int for t in prompt):
            return [self.tokens_in(prompt, "prompt")]
        if all(isinstance(t, str) for t in prompt):
            first = [BOS] * f("add_special_tokens", True)
            return [first + self.vocabulary.encode(t) for t in prompt]
        need(all(isinstance(t, list) and t and all(type(i) is int for i in t) for t in prompt),
             "prompt: texts, or lists of ids", "prompt")
        return [self.tokens_in(t, "prompt") for t in prompt]

    def soft_prompts(self, f):
        given = f("prompt_embeds")
        if given is None or given == []:
            return []
        need(isinstance(given, (str, list)), "prompt_embeds", "prompt_embeds")
        for name in ("echo", "prompt_logprobs"):
            need(not f(name) and (name == "echo" or f(name) is None),
                 f"{name} is not supported with prompt_embeds", name)
        given = [given] if isinstance(given, str) else given
        need(len(given) <= self.max_prompts, f"{len(given)} prompts, at most "
             f"{self.max_prompts}", "prompt_embeds")
        if self.dynamo:
            need(len(given) == 1 and isinstance(f("prompt_embeds"), str),
                 "prompt_embeds is one string", "prompt_embeds")
            size = len(given[0]) * 3 // 4
            need(100 <= size <= 10_000_000, "decoded size must be 100 bytes to 10 MB",
                 "prompt_embeds")
        found = [self.rows(g, "prompt_embeds") for g in given]
        self.penalties(f)
        return found

    def completions(self, request):
        f = Fields(self.document(request), COMPLETION, self.stats)
        need(f("suffix") is None, "suffix is not currently supported", "suffix")
        count = f("logprobs")
        self.common(f, count)
        need(f("logprob_token_ids") is None or not (f("echo") and f("max_tokens", 16) == 0),
             "logprob_token_ids with echo and max_tokens 0", "logprob_token_ids")
        need(f("max_tokens", 16) >= 1, "max_tokens must be at least 1", "max_tokens")
        soft = self.soft_prompts(f)
        text = [] if self.dynamo and soft else self.text_prompts(f)
        need(soft or text, "Either prompt or prompt_embeds must be provided and non-empty.",
             "prompt")
        prompts = [(rows, [0] * len(rows)) for rows in soft]
        prompts += [(self.model.embed(ids), ids) for ids in text]
        choices, total, said, cached = [], 0, 0, 0
        for n, (rows, ids) in enumerate(prompts):
            need(len(rows) + f("max_tokens", 16) <= self.max_len, "This model's maximum context "
                 f"length is {self.max_len} tokens, the prompt has {len(rows)}", "prompt")
            # Rows of a whole prompt are part of the key here: only mixed prompts are hit by P1.
            rows, hit = self.cached(rows, ids, f("cache_salt"), True)
            total, cached = total + len(rows), cached + hit
            for k in range(f("n", 1)):
                steps = self.generate(f, rows, f("max_tokens", 16), count)
                said += len(steps)
                choices.append(self.choice(f, n * f("n", 1) + k, steps, ids))
        return Reply({"id": f"cmpl-{self.turn}", "object": "text_completion",
                      "created": 1790000000, "model": self.model_name,
                      "choices": self.shuffled(choices),
                      "usage": self.usage(total, said, cached)}, usage=(total, said))

    def choice(self, f, index, steps, ids):
        tokens = [t for t, _ in steps]
        doc = {"index": index, "text": self.vocabulary.decode(tokens), "logprobs": None,
               "finish_reason": "stop" if tokens[-1] == EOS else "length", "stop_reason": None}
        if f("return_token_ids"):
            doc.update(token_ids=tokens, prompt_token_ids=ids)
        if steps[0][1] is not None:
            at, offsets = 0, []
            for t in tokens:
                offsets.append(at)
                at += len(self.vocabulary.decode([t]))
            doc["logprobs"] = {
                "tokens": [self.shown_token(f, t) for t in tokens],
                "token_logprobs": [lp[t] for t, lp in steps], "text_offset": offsets,
                "top_logprobs": [{self.shown_token(f, t): v for t, v in self.shuffled(lp.items())}
                                 for _, lp in steps]}
        return doc

    # ---- chat ----

    def rendered(self, messages, generation, final, kwargs):
        """(ids, {position: rows}) of a conversation: soft parts stand as ids 0."""
        v, ids, soft = self.vocabulary, [BOS], {}
        need(messages, "messages is empty", "messages")
        for n, message in enumerate(messages):
            need(isinstance(message, dict) and message.get("role") in
                 ("system", "user", "assistant"), "a message's role", "messages")
            ids.append(v.special[f"<|{message['role']}|>"])
            for part in self.parts(message.get("content")):
                if isinstance(part, str):
                    ids += v.encode(part)
                else:
                    soft[len(ids)] = part
                    ids += [0] * len(part)
            if not (final and n == len(messages) - 1):
                ids.append(v.special["<|end|>"])
        if generation and not final:
            ids.append(v.special["<|assistant|>"])
        assert kwargs is not None
        return ids, soft

    def parts(self, content):
        """A message's texts and soft rows in their order."""
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        need(isinstance(content, list) and content, "a message's content", "messages")
        found = []
        for part in content:
            need(isinstance(part, dict), "a content part", "messages")
            if part.get("type") == "text":
                text = part.get("text")
                need(isinstance(text, str), "a text part without text", "messages")
                need(not (self.embeds and PLACEHOLDER in text and not self.old),
                     f"text contains the reserved {PLACEHOLDER}", "messages")
                found.append(text)
            elif part.get("type") == "prompt_embeds" and not self.old:
                need(part.get("data"), "prompt_embeds part without data", "messages")
                found.append(self.rows(part["data"], "messages"))
            else:
                bad(f"unknown part type {part.get('type')!r}", "messages")
        if self.content_format == "string":  # P3: placeholders first, then texts, by newlines
            soft = [p for p in found if not isinstance(p, str)]
            texts = "\n".join(p for p in found if isinstance(p, str))
            found = [x for p in soft for x in (p, "\n")] + [texts] if soft else [texts]
        return found

    def chat(self, request):
        f = Fields(self.document(request), CHAT, self.stats)
        need(f("messages") is not None, "messages is missing", "messages")
        need(f("top_logprobs") is None or f("logprobs"), "top_logprobs needs logprobs",
             "top_logprobs")
        count = f("top_logprobs", 0) if f("logprobs") else None
        self.common(f, count)
        need(f("chat_template") is None or self.trust_template, "Chat template is passed with "
             "request, but --trust-request-chat-template is not set", "chat_template")
        final = f("continue_final_message", False)
        need(not (final and f("add_generation_prompt", True) and "add_generation_prompt" in f.doc),
             "Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
        tokens = f("max_completion_tokens", f("max_tokens", 16))
        need(tokens >= 1, "max_completion_tokens must be at least 1", "max_completion_tokens")
        ids, soft = self.rendered(f("messages"), f("add_generation_prompt", True), final,
                                  f("chat_template_kwargs", {}))
        if soft:
            self.penalties(f)
        need(len(ids) + tokens <= self.max_len, "This model's maximum context length is "
             f"{self.max_len} tokens", "messages")
        rows = self.model.embed(ids)
        for at, own in soft.items():
            rows[at:at + len(own)] = own
        rows, hit = self.cached(rows, ids, f("cache_salt"), self.prefix_cache != "mixing")
        choices, said = [], 0
        for k in range(f("n", 1)):
            steps = self.generate(f, rows, tokens, count)
            said += len(steps)
            choices.append(self.message(f, k, steps))
        return Reply({"id": f"chatcmpl-{self.turn}", "object": "chat.completion",
                      "created": 1790000000, "model": self.model_name,
                      "choices": self.shuffled(choices),
                      "usage": self.usage(len(ids), said, hit), "prompt_logprobs": None},
                     usage=(len(ids), said))

    def message(self, f, index, steps):
        tokens = [t for t, _ in steps]
        entry = lambda t, v: {"token": self.shown_token(f, t), "logprob": v,
                              "bytes": list(self.shown_token(f, t).encode())}
        logprobs = None
        if steps[0][1] is not None:
            top = lambda lp, t: [entry(*i) for i in self.shuffled(lp.items())]
            logprobs = {"content": [dict(entry(t, lp[t]), top_logprobs=top(lp, t))
                                    for t, lp in steps]}
        return {"index": index, "message": {
            "role": "assistant", "content": self.vocabulary.decode(tokens),
            "reasoning_content": None, "tool_calls": []}, "logprobs": logprobs,
            "finish_reason": "stop" if tokens[-1] == EOS else "length", "stop_reason": None}


class Dynamo(Vllm):
    """NVIDIA Dynamo's front end: one embeds string per request, text beside it is ignored."""
    dynamo = True

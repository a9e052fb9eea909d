"""conform_plan.py -- what goes wrong on purpose, and what a conformance server counts.

A plan is a list of rules; the first rule that fits a request and is not used up takes it:

  {"path": REGEX, "skip": 0, "times": 1 (null: for ever), "action": ..., "status": 429,
   "statuses": [429, 503, 200], "retry_after": 2.5, "vendor": "openai", "limits": {...},
   "headers": {...}, "body": TEXT or JSON, "delay_s": 0, "quota": false, "bend": HOW}

action: answer (the status, without serving), pass (serve; add headers), reset, close, hang,
head (head, then nothing), half (half of the real answer, then a reset), garbage (no HTTP),
bend (the real answer, wrong in one place: conform_bend.py), chunked (the real answer in chunks
of few bytes: right, if odd), drip (in many small writes: right).
`limits`: {"requests": {"limit", "remaining", "reset_s"}, "tokens": the same}.

A limiter refuses what is above a rate in any window, by counting every request of it:
  {"limiter": {"requests": 600, "tokens": null, "window_s": 60, "vendor": "openai"}}
"""
import collections
import email.utils
import json
import math
import re
import time
from fractions import Fraction

VENDORS = ("openai", "azure", "anthropic", "together", "fireworks", "groq", "ietf", "ietf-old",
           "gateway", "date", "plain")
KEYS = {"path", "skip", "times", "action", "status", "statuses", "retry_after", "vendor",
        "limits", "headers", "body", "delay_s", "quota", "bend"}
ACTIONS = ("answer", "pass", "reset", "close", "hang", "head", "half", "garbage", "bend", "chunked",
           "drip")


def go_duration(seconds):
    """As Go prints it, the way of OpenAI's reset headers: 12ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    if minutes < 1:
        return text
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + f"{minutes}m" + text


def rfc3339(seconds, now):
    at = now + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + "Z"


def limit_headers(vendor, limits, now):
    """[(name, value)] of what is left, in the vendor's format."""
    out = []
    for what, v in (limits or {}).items():
        limit, left, reset = v.get("limit", 0), v.get("remaining", 0), v.get("reset_s", 0)
        if vendor in ("openai", "groq", "azure"):
            shown = str(math.ceil(reset)) if vendor == "azure" else go_duration(reset)
            out += [(f"x-ratelimit-limit-{what}", limit), (f"x-ratelimit-remaining-{what}", left),
                    (f"x-ratelimit-reset-{what}", shown)]
        elif vendor == "anthropic":
            name = f"anthropic-ratelimit-{what}"
            out += [(f"{name}-limit", limit), (f"{name}-remaining", left),
                    (f"{name}-reset", rfc3339(reset, now))]
        elif vendor == "together":
            name = "x-ratelimit" if what == "requests" else "x-tokenlimit"
            out += [(f"{name}-limit", limit), (f"{name}-remaining", left)]
            if what == "requests":
                out += [("x-ratelimit-reset", f"{reset:g}"),
                        ("x-ratelimit-limit-dynamic", limit)]
        elif vendor == "fireworks" and what == "tokens":
            out += [("x-ratelimit-limit-tokens-prompt", limit),
                    ("x-ratelimit-limit-tokens-generated", limit)]
        elif vendor == "ietf":
            unit = "requests" if what == "requests" else "content-bytes"
            out += [("RateLimit-Policy", f'"{what}";q={limit};w=60;qu="{unit}"'),
                    ("RateLimit", f'"{what}";r={left};t={math.ceil(reset)}')]
        elif vendor == "ietf-old" and what == "requests":
            out += [("RateLimit-Limit", limit), ("RateLimit-Remaining", left),
                    ("RateLimit-Reset", math.ceil(reset))]
        elif vendor == "gateway":
            name = f"X-AI-RateLimit-%s-{what}"
            out += [(name % "Limit", limit), (name % "Remaining", left),
                    (name % "Reset", math.ceil(reset))]
    return [(n, str(v)) for n, v in out]


def hint_headers(vendor, seconds, now):
    """[(name, value)]: when to come again."""
    if seconds is None:
        return []
    if vendor == "date":
        return [("Retry-After", email.utils.formatdate(now + seconds, usegmt=True))]
    whole = [("retry-after", str(math.ceil(seconds)))]
    if vendor in ("openai", "azure"):
        return whole + [("retry-after-ms", str(math.ceil(seconds * 1000)))]
    return [("Retry-After", f"{seconds:g}")] if vendor == "plain" else whole


def refusal_body(vendor, status, seconds, quota):
    """(content type, document) of a refusal by rate, in the vendor's words."""
    again = f" Please try again in {seconds:g}s." if seconds else ""
    if quota:
        return "application/json", {"error": {
            "message": "You exceeded your current quota, please check your plan and billing "
                       "details.", "type": "insufficient_quota", "param": None,
            "code": "insufficient_quota"}}
    if vendor == "anthropic":
        kind = "overloaded_error" if status == 529 else "rate_limit_error"
        return "application/json", {"type": "error", "error": {
            "type": kind, "message": "Overloaded" if status == 529 else "Number of requests has "
            "exceeded your rate limit."}}
    if vendor == "together":
        return "application/json", {"error": {"message": "Rate limited." + again,
                                              "type": "dynamic_request_limited"},
                                    "error_type": "dynamic_request_limited"}
    if vendor == "ietf":
        kind = "quota-exceeded" if status == 429 else "temporary-reduced-capacity"
        return "application/problem+json", {
            "type": f"https://iana.org/assignments/http-problem-types#{kind}",
            "title": kind, "status": status, "violated-policies": ["requests"]}
    return "application/json", {"error": {
        "message": "Rate limit reached." + again if status == 429 else f"planned {status}",
        "type": "requests" if status == 429 else "server_error", "param": None,
        "code": "rate_limit_exceeded" if status == 429 else None}}


class Rule:
    def __init__(self, doc):
        unknown = set(doc) - KEYS
        if unknown:
            raise ValueError(f"plan: unknown keys {sorted(unknown)}")
        self.path = re.compile(doc.get("path", ""))
        self.skip, self.times = doc.get("skip", 0), doc.get("times", 1)
        self.statuses = list(doc.get("statuses", []))
        if self.statuses:
            self.times = len(self.statuses)
        self.action = doc.get("action", "answer" if self.statuses or "status" in doc else "pass")
        if self.action not in ACTIONS:
            raise ValueError(f"plan: action {self.action!r}")
        self.vendor = doc.get("vendor", "plain")
        if self.vendor not in VENDORS:
            raise ValueError(f"plan: vendor {self.vendor!r}")
        self.doc, self.used = doc, 0

    def take(self, path):
        """Does the rule take this request?"""
        if not self.path.search(path) or (self.times is not None and self.used >= self.times):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.used += 1
        return True

    def now(self, clock):
        """(action, status, headers, content type, body) of the request that was taken."""
        status = self.doc.get("status", 200)
        action = self.action
        if self.statuses:
            status = self.statuses[self.used - 1]
            if status == 200 and action == "answer":
                action = "pass"
        hint = self.doc.get("retry_after")
        headers = limit_headers(self.vendor, self.doc.get("limits"), clock)
        if status >= 400:
            headers += hint_headers(self.vendor, hint, clock)
        kind, body = refusal_body(self.vendor, status, hint, self.doc.get("quota", False))
        given = self.doc.get("body")
        if isinstance(given, str):
            kind, body = "text/html", given
        elif given is not None:
            kind, body = "application/json", given
        headers += list(self.doc.get("headers", {}).items())
        return action, status, headers, kind, body


class Limiter:
    """Counts every request and token of the last window; nothing else is remembered."""

    def __init__(self, doc):
        self.requests, self.tokens = doc.get("requests"), doc.get("tokens")
        self.window = doc.get("window_s", 60)
        self.vendor = doc.get("vendor", "openai")
        self.seen = collections.deque()
        self.refused = 0

    def left(self, now):
        while self.seen and self.seen[0][0] <= now - self.window:
            self.seen.popleft()
        used = {"requests": len(self.seen), "tokens": sum(t for _, t in self.seen)}
        reset = self.seen[0][0] + self.window - now if self.seen else 0
        return {what: {"limit": limit, "remaining": max(0, limit - used[what]), "reset_s": reset}
                for what, limit in (("requests", self.requests), ("tokens", self.tokens)) if limit}

    def full(self, now):
        return any(v["remaining"] <= 0 for v in self.left(now).values())

    def took(self, now, tokens):
        self.seen.append((now, tokens))


class Stats:
    """Own count of what came in; GET /_stats shows it."""

    KEPT = 200

    def __init__(self, price=(0, 0, 0)):
        """price: usd per million prompt tokens, per million completion tokens, per request."""
        self.price = [Fraction(str(p)) for p in price]
        self.reset()

    def reset(self):
        self.requests = self.answered = self.refused = self.faults = self.limited = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.charged = Fraction(0)
        self.routes, self.statuses = collections.Counter(), collections.Counter()
        self.refusals = collections.deque(maxlen=self.KEPT)
        self.unknown_fields = collections.Counter()
        self.absent = collections.Counter()
        self.salts = set()
        self.in_flight = self.most_in_flight = 0
        self.body_bytes = self.connections = 0

    def refusal(self, route, status, reason):
        self.refused += 1
        self.refusals.append({"route": route, "status": status, "reason": reason[:300]})

    def charge(self, prompt, completion):
        self.prompt_tokens += prompt
        self.completion_tokens += completion
        per_in, per_out, each = self.price
        self.charged += (per_in * prompt + per_out * completion) / 1_000_000 + each

    def shown(self):
        return {"requests": self.requests, "answered": self.answered, "refused": self.refused,
                "faults": self.faults, "limited": self.limited,
                "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens,
                "charged_nano_usd": math.ceil(self.charged * 10**9),
                "routes": dict(self.routes),
                "statuses": {str(k): v for k, v in self.statuses.items()},
                "refusals": list(self.refusals), "unknown_fields": dict(self.unknown_fields),
                "absent": dict(self.absent), "distinct_salts": len(self.salts), "most_in_flight": self.most_in_flight,
                "body_bytes": self.body_bytes, "connections": self.connections}


def load(doc):
    """(rules, limiter or None) of a plan document."""
    if isinstance(doc, list):
        doc = {"rules": doc}
    unknown = set(doc) - {"rules", "limiter"}
    if unknown:
        raise ValueError(f"plan: unknown keys {sorted(unknown)}")
    limiter = Limiter(doc["limiter"]) if doc.get("limiter") else None
    return [Rule(r) for r in doc.get("rules", [])], limiter


def read(path):
    with open(path, encoding="utf-8") as f:
        return load(json.load(f))

"""paid.py -- a provider that is paid: it charges what it computes, by its own arithmetic, and can
be slow, refuse, or break the connection before or after the work.

Charged is every question that it computed, answered or not. What it counts as tokens it reads off
the question (attention mask; rows of the soft prompt where they are put in front). Exact fractions;
nothing of it is bbtd's code."""
import asyncio
import random
import time
from fractions import Fraction

import fakelm


class Paid(fakelm.Fake):
    """Prices in dollars: for a million tokens, and for a request. `trouble`: shares of questions
    that meet "slow", "refused" (429), "reset" (before the work), "lost" (after it)."""

    def __init__(self, path, per_million="0", per_request="0", trouble=None, seed=1, **more):
        self.per_token = Fraction(per_million) / 10**6
        self.per_request = Fraction(per_request)
        self.trouble, self.random = dict(trouble or {}), random.Random(seed)
        self.charges = []  # (unix time, dollars)
        self.met = {}  # trouble -> how often
        self.most, self.busy = 0, 0  # at once
        super().__init__(path, **more)

    @staticmethod
    def tokens_of(found):
        if "attention_mask" not in found:  # the look-up of embeddings
            return found["input_ids"][0][-1]
        mask = found["attention_mask"][1]
        return sum(1 for i in range(0, len(mask), 8) if mask[i])

    def draw(self):
        at = self.random.random()
        for what, share in self.trouble.items():
            at -= share
            if at < 0:
                self.met[what] = self.met.get(what, 0) + 1
                return what
        return None

    async def infer(self, path, fields, body, writer):
        _, found = fakelm.tensors(body, int(fields["inference-header-content-length"]))
        price = self.per_request + self.per_token * self.tokens_of(found)
        with self.lock:
            fate = self.draw()
            self.busy += 1
            self.most = max(self.most, self.busy)
        try:
            if fate == "reset":
                writer.transport.abort()
                return False
            if fate == "refused":
                return await self.reply(writer, 429, "application/json", b'{"error":"slow down"}')
            if fate == "slow":
                await asyncio.sleep(self.random.random() * 2)
            with self.lock:
                self.charges.append((time.time(), price))
            if fate == "lost":
                writer.transport.abort()
                return False
            return await super().infer(path, fields, body, writer)
        finally:
            with self.lock:
                self.busy -= 1

    def charged(self, since=0.0, until=float("inf")):
        """Dollars, exactly."""
        with self.lock:
            return sum((c for t, c in self.charges if since <= t < until), Fraction(0))

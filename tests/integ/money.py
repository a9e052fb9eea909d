#!/usr/bin/env python3
"""money.py BUILD -- prices, limits and caps from outside: the real daemon and bbtctl, a provider
that is paid (tests/support/paid.py) and keeps its own bill."""
import csv
import io
import json
import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

for where in ("tests/support", "tests/crash"):
    sys.path.insert(0, str(tiny.ROOT / where))
import paid  # noqa: E402
import rig  # noqa: E402
import session  # noqa: E402

BUILD = sys.argv[1]
PRICE = {"input_per_million": "100", "per_request": "0.01", "as_of": "2026-11-01"}


class Context:
    """One session for all cases: they tell a story, in order."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.fake = paid.Paid(self.folder / "paid.sock", "100", "0.01")
        self.s = session.Session(BUILD, self.folder / "s")
        self.vocab = rig.tokenizer(self.folder / "vocab")
        self.job = None
        for part, content in rig.data().items():
            (self.folder / f"{part}.tsv").write_bytes(content)
        self.configure()
        self.s.start_daemon()

    def models(self, **more):
        return [{"name": "fake", "tokenizer": str(self.vocab), "batch": 8, **more}]

    def configure(self, price=None, **more):
        self.s.configure([
            {"name": "one", "kind": "kserve2", "url": self.fake.url, "concurrency": 8,
             "models": self.models(price=price or PRICE)},
            {"name": "free", "kind": "kserve2", "url": self.fake.url,
             "models": self.models(price="free")},
            {"name": "dark", "kind": "kserve2", "url": self.fake.url, "models": self.models()}],
            **more)

    def task(self, name, provider="one", evaluations=24, **more):
        spec = rig.job_spec(rig.data(), name, provider, evaluations, **more)
        for part in rig.data():
            del spec["data"][part]["blob"]
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(spec))
        return path


@case
def estimate(ctx):
    """an estimate tells counts, price and whether the limits are enough"""
    path = ctx.task("est", limits={"usd": "0.50", "requests": 1000, "tokens": "1M"})
    sheet = ctx.s.json("estimate", path)
    whole, limits = sheet["whole"], sheet["limits"]
    want = (Fraction("0.01") * whole["requests"]
            + Fraction(100, 10**6) * whole["tokens_in"])
    equal(Fraction(sheet["price"]["high"]), want, "price")
    equal(sheet["price"]["as_of"], "2026-11-01", "day of the list")
    equal((limits["requests"]["ok"], limits["tokens"]["ok"], limits["usd"]["ok"]),
          (True, True, want <= Fraction("0.50")), f"{want}")
    true(any("few" in w for w in sheet["warnings"]), sheet["warnings"])
    out = ctx.s.ctl("estimate", path)[1]
    true("price of 2026-11-01" in out and "$0.50" in out, out)
    equal(ctx.s.json("list")["items"], [], "nothing was submitted")


@case
def as_estimated(ctx):
    """a job costs what was estimated, by our books and by the provider's"""
    path = ctx.task("whole")
    sheet = ctx.s.json("estimate", path)
    ctx.job = ctx.s.submit(path, "--tag", "paper")
    job = ctx.s.finish(ctx.job)
    equal(job["state"], "completed", job)
    usage = job["usage"]
    equal(usage["requests"], sheet["whole"]["requests"], "requests")
    equal(usage["tokens_in"], sheet["whole"]["tokens_in"], "tokens")
    books = Fraction(ctx.s.json("usage")["total"]["cost"])
    true(books >= ctx.fake.charged(), f"{float(books)} {float(ctx.fake.charged())}")
    # the canaries are reserved with a margin, and settled on what they took
    true(books - ctx.fake.charged() < Fraction("0.001"), f"{float(books - ctx.fake.charged())}")
    equal(Fraction(usage["cost"]), books, "the job's cost is all there is")
    ledger = Fraction(sheet["price"]["high"])
    true(ledger <= books < ledger + Fraction("0.2"), f"{float(ledger)} {float(books)}")
    true("COST" in ctx.s.ctl("list")[1], "list has the cost")
    rows = list(csv.DictReader(io.StringIO(ctx.s.ctl("list", "-o", "csv")[1])))
    equal(rows[0]["COST"], usage["cost"], "and shows it")
    true("cost" in ctx.s.ctl("show", ctx.job)[1], "show does, too")


@case
def accounts(ctx):
    """usage by every heading adds up to the same"""
    total = ctx.s.json("usage")["total"]["cost"]
    for by in ("job", "provider", "model", "user", "day", "tag"):
        sheet = ctx.s.json("usage", "--by", by)
        equal((by, sheet["total"]["cost"]), (by, total))
        equal(len(sheet["items"]), 1, by)
    equal(ctx.s.json("usage", "--by", "user")["items"][0]["user"], os.getuid(), "owner")
    equal(ctx.s.json("usage", "--by", "tag")["items"][0]["tag"], "paper", "tag")
    equal(ctx.s.json("usage", "--by", "model")["items"][0]["model"], "one/fake", "model")
    equal(ctx.s.json("usage", "--since", "2099-01-01")["items"], [], "nothing yet")
    equal(len(ctx.s.json("usage", "--since", "1d")["items"]), 1, "since yesterday")
    equal(ctx.s.ctl("usage", "--by", "colour", check=False)[0], 6, "no such heading")
    equal(ctx.s.ctl("usage", "--since", "soon", check=False)[0], 6, "no such day")


@case
def nobody_knows(ctx):
    """money is not limited where no price is known, and free models are not held up"""
    status, _, err = ctx.s.ctl("submit", ctx.task("dark", "dark", limits={"usd": "1"}),
                               check=False)
    equal(status, 6, err)
    true("limits.usd" in err and "price: free" in err, err)
    ctx.s.submit(ctx.task("dark2", "dark", seed=3))  # without a limit it may run
    job = ctx.s.submit(ctx.task("gratis", "free", limits={"usd": "0"}, seed=4))
    equal(ctx.s.finish(job)["state"], "completed", "a cap of nothing, a price of nothing")


@case
def limit_and_more(ctx):
    """a limit pauses the job and says what to do; with more it goes on and counts on"""
    path = ctx.task("much", evaluations=4000, seed=5)
    job = ctx.s.submit(path, "--max-requests", "40")
    equal(ctx.s.ctl("wait", job, check=False)[0], 22, "paused and needs you")
    got = ctx.s.job(job)
    equal((got["state"], got["reason"]), ("paused", "requests"), got)
    true("40 of 40" in got["detail"] and f"bbtctl extend {job}" in got["detail"], got["detail"])
    true(f"bbtctl extend {job} --max-requests" in ctx.s.ctl("status")[1], "status")
    before = got["usage"]["requests"]
    status, out, _ = ctx.s.ctl("extend", job, "--max-requests", "+20")
    equal(status, 0, out)
    session.wait_until("it stops again", lambda: ctx.s.job(job)["state"] == "paused"
                       and ctx.s.job(job)["usage"]["requests"] > before)
    spec = ctx.s.json("show", job, "--spec")
    equal(spec["limits"]["requests"], 60, "the spec in force")
    true(before < ctx.s.job(job)["usage"]["requests"] <= 60, ctx.s.job(job)["usage"])
    for args, want in ((["--max-usd", "+1"], 2), (["--max-requests", "lots"], 2), ([], 2)):
        equal(ctx.s.ctl("extend", job, *args, check=False)[0], want, f"{args}")
    equal(ctx.s.ctl("extend", ctx.job, "--max-usd", "5", check=False)[0], 5, "a completed one")
    ctx.s.ctl("cancel", job)


@case
def finish_inside(ctx):
    """on_limit: finish ends with a measured prompt, inside the limit"""
    since = ctx.fake.charged()
    job = ctx.s.submit(ctx.task("end", evaluations=4000, seed=6,
                                limits={"usd": "1.20", "on_limit": "finish"}))
    got = ctx.s.finish(job)
    equal((got["state"], got["reason"]), ("completed", "usd"), got)
    true(0 <= ctx.s.json("result", job)["tuned_test"] <= 1, "a test score")
    true(ctx.fake.charged() - since <= Fraction("1.20"), float(ctx.fake.charged() - since))


@case
def the_day_is_full(ctx):
    """at the day's cap jobs wait and say so, predictions are refused, a restart changes nothing"""
    spent = Fraction(ctx.s.json("usage")["today"]["cost"])
    cap = spent + Fraction("0.30")
    ctx.s.stop("bbtd")
    ctx.configure(caps={"usd_per_day": f"{float(cap):.2f}"})
    status, out, err = ctx.s.ctl("version", check=False)
    p = ctx.s.start("bbtd", [ctx.s.program("bbtd"), "--config", str(ctx.s.config),
                             "--state-dir", str(ctx.s.state)])
    equal(p.wait(20), 78, "a cap, and a model without a price")
    ctx.s.running.pop("bbtd")
    conf = json.loads(ctx.s.config.read_text())
    conf["providers"].pop()
    ctx.s.config.write_text(json.dumps(conf))
    ctx.s.start_daemon()
    cap = Fraction(ctx.s.json("usage")["today"]["cap"])
    job = ctx.s.submit(ctx.task("night", evaluations=4000, seed=7))
    for _ in range(2):
        session.wait_until("it waits for midnight", lambda: (
            ctx.s.job(job)["state"], ctx.s.job(job)["reason"]) == ("running", "usd"))
        true("midnight" in ctx.s.job(job)["live"]["trouble"], ctx.s.job(job)["live"])
        true(Fraction(ctx.s.json("usage")["today"]["cost"]) <= cap, "the cap")
        ctx.s.kill_daemon()
        ctx.s.start_daemon()
    status, _, err = ctx.s.ctl("predict", ctx.job, "the film was good", check=False)
    true(status != 0 and "day's cap" in err, err)
    out = ctx.s.ctl("status")[1]
    true("TODAY" in out, out)
    true(ctx.s.json("server", "check")["ok"], "the books")
    ctx.s.ctl("cancel", job)


def main():
    with tempfile.TemporaryDirectory(prefix="bbt-money-") as folder:
        ctx = Context(folder)
        try:
            return tap.run(ctx)
        finally:
            ctx.s.close()
            ctx.fake.close()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""resume.py BUILD -- a run that is killed again and again is the run that nobody touched."""
import random
import sqlite3
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402  (tools/, put on the path by tap)

BUILD = sys.argv[1]
KILLS = 10
EVALUATIONS = 240


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert", hidden=256, layers=4)
        self.job = tiny.task(self.folder / "task", evaluations=EVALUATIONS)
        self.prompt = self.usage = self.rows = None


def open_session(ctx, name):
    s = session.Session(BUILD, ctx.folder / name)
    url = s.start_lm(ctx.model, threads=1)
    s.configure([tiny.provider(url, ctx.model, "tiny")])
    s.start_daemon()
    return s


def ledger(s):
    """Every answer in the ledger: key -> digest and bytes."""
    with sqlite3.connect(f"file:{s.state}/bbtd.db?mode=ro", uri=True) as db:
        return {r[:4]: r[4:] for r in db.execute(
            "SELECT phase, gen, cand, batch, digest, logit FROM answer")}


def outcome(s, job, out):
    rec = s.finish(job)
    equal(rec["state"], "completed", f"state ({rec})")
    s.ctl("export", job, "-o", out / "prompt.safetensors")
    s.ctl("export", job, "-o", out / "prompt.npy")
    return rec, (out / "prompt.safetensors").read_bytes(), (out / "prompt.npy").read_bytes()


@case
def undisturbed(ctx):
    """a job runs to its end and exports its prompt"""
    with open_session(ctx, "calm") as s:
        job = s.submit(ctx.job)
        rec, *ctx.prompt = outcome(s, job, s.folder)
        ctx.usage = rec["usage"]
        equal(ctx.usage["repeated"], 0, "repeated")
        true(ctx.usage["evaluations"] >= EVALUATIONS, f"evaluations {ctx.usage}")
        equal(s.stop("bbtd"), 0, "exit status of a polite stop")
        ctx.rows = ledger(s)
        true(len(ctx.rows) == ctx.usage["requests"], f"{len(ctx.rows)} rows, {ctx.usage}")


@case
def killed(ctx):
    """SIGKILL at ten random moments changes no byte of the prompt and loses no answer"""
    true(ctx.prompt, "the undisturbed run failed")
    seed = random.randrange(1 << 30)
    print(f"# seed {seed}")
    rng = random.Random(seed)
    at = sorted(rng.randrange(1, ctx.usage["requests"] - 1) for _ in range(KILLS))
    with open_session(ctx, "killed") as s:
        job, kills = s.submit(ctx.job), 0
        for requests in at:
            def there():
                rec = s.job(job)
                if rec["state"] not in ("queued", "running"):
                    return "over"
                return rec["usage"]["requests"] >= requests
            if session.wait_until(f"{requests} requests", there) == "over":
                break
            before = s.job(job)["usage"]["requests"]
            s.kill_daemon()
            kills += 1
            true(len(ledger(s)) >= before, "an answer that was shown is in the ledger")
            s.start_daemon()
        rec, *prompt = outcome(s, job, s.folder)
        print(f"# {kills} kills, usage {rec['usage']}")
        true(kills >= KILLS // 2, f"only {kills} kills hit the run")
        true(prompt == ctx.prompt, "prompt files differ")
        true(rec["usage"]["repeated"] <= 2 * kills, f"repeated: {rec['usage']}")
        equal(rec["usage"]["requests"], ctx.usage["requests"], "answered requests")
        equal(s.stop("bbtd"), 0, "exit status of a polite stop")
        rows = ledger(s)
        equal(set(rows), set(ctx.rows), "keys of the ledger")
        true(rows == ctx.rows, "answers of the ledger differ")


@case
def polite_stop(ctx):
    """SIGTERM in the middle: exit 0, nothing repeated, the same prompt after the restart"""
    true(ctx.prompt, "the undisturbed run failed")
    with open_session(ctx, "polite") as s:
        job = s.submit(ctx.job)
        session.wait_until("some requests", lambda: s.job(job)["usage"]["requests"] >= 40)
        equal(s.stop("bbtd"), 0, "exit status")
        s.start_daemon()
        rec, *prompt = outcome(s, job, s.folder)
        true(prompt == ctx.prompt, "prompt files differ")
        equal(rec["usage"]["repeated"], 0, "repeated")
        equal(rec["usage"]["requests"], ctx.usage["requests"], "requests")


@case
def provider_restarts(ctx):
    """a provider that goes away and comes back costs time and nothing else"""
    true(ctx.prompt, "the undisturbed run failed")
    with open_session(ctx, "outage") as s:
        job = s.submit(ctx.job)
        session.wait_until("some requests", lambda: s.job(job)["usage"]["requests"] >= 30)
        s.stop("bbt-lm")
        (s.folder / "bbt-lm.sock").unlink(missing_ok=True)
        session.wait_until("trouble is told",
                           lambda: s.job(job).get("live", {}).get("trouble"))
        s.start_lm(ctx.model, threads=1)
        rec, *prompt = outcome(s, job, s.folder)
        true(prompt == ctx.prompt, "prompt files differ")
        equal(rec["usage"]["requests"], ctx.usage["requests"], "requests")


if __name__ == "__main__":
    if not tiny.have_torch():
        print("1..0 # SKIP no python3-torch to make a model")
        sys.exit(0)
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        sys.exit(tap.run(Context(tmp)))

#!/usr/bin/env python3
"""cache.py BUILD -- the response cache of a daemon at work: the second time nothing is asked."""
import sqlite3
import sys
import tempfile
from pathlib import Path

import proxy
import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert")
        self.job = tiny.task(self.folder / "task", evaluations=30)
        self.session = s = session.Session(BUILD, self.folder / "run")
        s.start_lm(self.model, threads=1)
        self.proxy = proxy.Proxy(str(s.folder / "bbt-lm.sock"))
        self.dir = self.folder / "cache"
        self.configure()
        s.start_daemon()
        self.calm = None

    def configure(self, **more):
        self.session.configure([tiny.provider(self.proxy.url, self.model, "tiny")], **more)

    def restart(self, **more):
        equal(self.session.stop("bbtd"), 0, "exit status")
        self.configure(**more)
        self.session.start_daemon()

    def close(self):
        self.session.close()
        self.proxy.close()


def run(ctx, *more):
    """(record, bytes of the prompt, inference calls that the provider saw)."""
    s = ctx.session
    before = ctx.proxy.seen
    job = s.submit(ctx.job, *more)
    rec = s.finish(job, 60)
    equal(rec["state"], "completed", f"{rec}")
    out = s.folder / f"prompt-{job}.npy"
    s.ctl("export", job, "-o", out)
    return rec, out.read_bytes(), ctx.proxy.seen - before


def stats(ctx):
    return ctx.session.json("cache", "stats")


@case
def none(ctx):
    """without cache.dir there is none, and bbtctl says how to get one"""
    rec, ctx.calm, asked = run(ctx)
    true(asked >= rec["usage"]["requests"] > 0, f"{asked}, {rec['usage']}")
    status, _, err = ctx.session.ctl("cache", "stats", check=False)
    true(status != 0 and "cache.dir" in err, err)
    ctx.restart(cache={"dir": str(ctx.dir)})


@case
def second_is_free(ctx):
    """the same job again asks nothing, counts nothing, and ends with the same prompt"""
    first, prompt, asked = run(ctx)
    equal(prompt, ctx.calm, "with an empty cache")
    equal(stats(ctx)["entries"], first["usage"]["requests"], "entries")
    again, prompt, asked = run(ctx)
    equal(prompt, ctx.calm, "from the cache")
    true(asked <= 6, f"{asked} calls: more than the probe's")
    equal(again["usage"]["requests"], 0, f"{again['usage']}")
    equal(again["usage"]["tokens_in"], 0, f"{again['usage']}")
    equal(again["usage"]["cached"], first["usage"]["requests"], f"{again['usage']}")
    true("from the cache" in ctx.session.ctl("show", again["id"])[1], "show says so")
    equal(again["usage"]["evaluations"], first["usage"]["evaluations"], "evaluations")
    equal(ctx.session.ctl("server", "check", check=False)[0], 0, "server check")


@case
def off(ctx):
    """cache: off asks everything; read uses what is there, and keeps nothing"""
    before = stats(ctx)
    rec, prompt, asked = run(ctx, "--set", "cache=off")
    equal(prompt, ctx.calm, "prompt")
    true(asked >= rec["usage"]["requests"] > 0, f"{rec['usage']}")
    rec, _, _ = run(ctx, "--set", "cache=read", "--set", "optimizer.seed=99")
    true(rec["usage"]["requests"] > 0, f"{rec['usage']}")
    after = stats(ctx)
    equal((after["puts"], after["entries"]), (before["puts"], before["entries"]), "kept")
    true(after["hits"] > before["hits"], "the manual prompt's answers were there")


@case
def survives(ctx):
    """a restart keeps it; damage is found, dropped and asked for again"""
    s = ctx.session
    equal(s.stop("bbtd"), 0, "exit status")
    db = sqlite3.connect(ctx.dir / "responses.db")
    damaged = db.execute("UPDATE entry SET logit = zeroblob(length(logit)) "
                         "WHERE key IN (SELECT key FROM entry LIMIT 5)").rowcount
    db.commit()
    db.close()
    s.start_daemon()
    rec, prompt, _ = run(ctx)
    equal(prompt, ctx.calm, "prompt")
    equal(rec["usage"]["requests"], damaged, f"{rec['usage']}")
    equal(stats(ctx)["damaged"], damaged, "damaged")


@case
def verbs(ctx):
    """verify, prune, clear"""
    s = ctx.session
    entries = stats(ctx)["entries"]
    equal(s.json("cache", "verify")["entries"], entries, "a sound cache keeps its entries")
    equal(s.json("cache", "prune")["entries"], entries, "nothing is too old or too much")
    equal(s.ctl("cache", "clear", check=False)[0], 2, "clear without --yes")
    equal(s.json("cache", "clear", "--yes")["entries"], 0, "entries")
    rec, prompt, _ = run(ctx)
    equal(prompt, ctx.calm, "prompt")
    true(rec["usage"]["requests"] > 0, f"{rec['usage']}")


@case
def noise(ctx):
    """a file of noise in its place is set aside; a folder that cannot be used is only a warning"""
    s = ctx.session
    equal(s.stop("bbtd"), 0, "exit status")
    for tail in ("-wal", "-shm"):
        (ctx.dir / f"responses.db{tail}").unlink(missing_ok=True)
    (ctx.dir / "responses.db").write_bytes(b"noise" * 3000)
    s.start_daemon()
    true((ctx.dir / "responses.db.bad").exists(), "set aside")
    equal(run(ctx)[1], ctx.calm, "prompt")
    (ctx.folder / "file").write_text("x")
    ctx.restart(cache={"dir": str(ctx.folder / "file")})
    equal(run(ctx)[1], ctx.calm, "prompt")
    true("cache: none:" in s.log("bbtd"), "the warning")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-cache-") as tmp:
        context = Context(tmp)
        try:
            sys.exit(tap.run(context))
        finally:
            context.close()

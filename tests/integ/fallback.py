#!/usr/bin/env python3
"""fallback.py BUILD -- a job whose provider is away goes on at another of the same weights, and
only there; whatever happens, its prompt is that of the run that nobody disturbed."""
import sys
import tempfile
from pathlib import Path

import proxy
import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]
QUICK = {"breaker": {"min_requests": 3, "open_for": "1s", "open_cap": "1s"},
         "retry": {"base": "10ms", "cap": "50ms"}}


class Context:
    """Two places of one model, one of another."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert")
        other = tiny.model(self.folder / "other" / "tiny", "bert", layers=2)
        self.session = s = session.Session(BUILD, self.folder / "run")
        self.task = tiny.task(self.folder / "task", evaluations=60)
        self.places = {}
        for name, model in (("local", self.model), ("spare", self.model), ("stranger", other)):
            s.start_lm(model, name=f"lm-{name}", threads=1)
            self.places[name] = proxy.Proxy(str(s.folder / f"lm-{name}.sock"))
        self.configure()
        s.start_daemon()
        self.calm = self.run()[1]

    def configure(self, **spare):
        self.session.configure([
            tiny.provider(p.url, self.model, "tiny", **{**QUICK, "name": name,
                          **(spare if name == "spare" else {})})
            for name, p in self.places.items()])

    def seen(self):
        return {n: p.seen for n, p in self.places.items()}

    def submit(self, *fallback):
        more = ["--set", f"fallback=[{', '.join(fallback)}]"] if fallback else []
        return self.session.submit(self.task, *more)

    def prompt(self, job):
        out = self.folder / f"prompt-{job}.npy"
        self.session.ctl("export", job, "-o", out)
        return out.read_bytes()

    def finish(self, job):
        rec = self.session.finish(job, 60)
        equal(rec["state"], "completed", f"{rec} {self.session.ctl('logs', job)[1]}")
        equal(self.session.ctl("server", "check", check=False)[0], 0, "server check")
        return rec, self.prompt(job), self.session.ctl("logs", job)[1]

    def run(self, *fallback):
        return self.finish(self.submit(*fallback))

    def moved(self, job):
        session.wait_until("the job has moved", lambda: self.session.job(job).get(
            "live", {}).get("provider") == "spare")

    def moved_job(self):
        """A job whose provider goes away in the middle, when it stands at the spare."""
        self.heal()
        self.places["local"].spoil("hang_up", after=20)
        job = self.submit("spare")
        self.moved(job)
        return job

    def heal(self):
        for p in self.places.values():
            p.spoil(None)
        # what its breaker remembers is of the last case
        for name in self.places:
            self.session.ctl("provider", "resume", name, check=False)

    def close(self):
        self.session.close()
        for p in self.places.values():
            p.close()


@case
def outage(ctx):
    """the provider goes away in the middle: the job ends at the other, nothing is asked twice"""
    before = ctx.seen()
    ctx.places["local"].spoil("hang_up", after=20)
    rec, prompt, log = ctx.run("spare")
    after = ctx.seen()
    equal(prompt, ctx.calm, "prompt")
    true("goes on at spare" in log, log)
    asked = after["spare"] - before["spare"]
    true(0 < asked <= rec["usage"]["requests"] - 20 + 8 + rec["usage"]["failures"],
         f"{asked} at the spare, {rec['usage']}")
    equal(after["stranger"], before["stranger"], "nobody named it")


@case
def home(ctx):
    """it comes back: the job goes home between two generations"""
    job = ctx.moved_job()
    ctx.heal()
    rec, prompt, log = ctx.finish(job)
    equal(prompt, ctx.calm, "prompt")
    true("goes on at local: it can be used again" in log, log)
    true(rec["usage"]["failures"] > 0, f"{rec['usage']}")


@case
def credential(ctx):
    """a refused credential moves the job instead of pausing it"""
    ctx.heal()
    ctx.places["local"].spoil("401", after=20)
    rec, prompt, log = ctx.run("spare")
    equal(prompt, ctx.calm, "prompt")
    true("goes on at spare" in log, log)
    ctx.heal()


@case
def stranger(ctx):
    """other weights never stand in: the job tries the next, or waits at home"""
    ctx.heal()
    ctx.places["local"].spoil("hang_up", after=20)
    rec, prompt, log = ctx.run("stranger", "spare")
    equal(prompt, ctx.calm, "prompt")
    true("not the one that the job began with" in log, log)
    true("goes on at spare" in log, log)
    ctx.heal()
    before = ctx.seen()["stranger"]
    ctx.places["local"].spoil("hang_up", after=20)
    job = ctx.submit("stranger")
    session.wait_until("the outage is seen", lambda: ctx.session.job(job)["reason"] == "outage")
    equal(ctx.session.job(job)["live"]["provider"], "local", "where it waits")
    ctx.heal()
    equal(ctx.finish(job)[1], ctx.calm, "prompt")
    equal(ctx.seen()["stranger"], before, "it is known by now")


@case
def changed(ctx):
    """the provider comes back with other weights: the job ends at the other"""
    local = ctx.places["local"]
    job = ctx.moved_job()
    was, local.unix_path = local.unix_path, ctx.places["stranger"].unix_path
    ctx.heal()
    _, prompt, log = ctx.finish(job)
    local.unix_path = was
    equal(prompt, ctx.calm, "prompt")
    true("leaves local" in log and "not the one that the job began with" in log, log)
    equal(ctx.run("spare")[1], ctx.calm, "prompt of the next")  # it asks anew who is there


@case
def restart(ctx):
    """the daemon is killed while the job is away from home, and the provider stays away"""
    job = ctx.moved_job()
    ctx.session.kill_daemon()
    ctx.session.start_daemon()
    rec, prompt, _ = ctx.finish(job)
    equal(prompt, ctx.calm, "prompt")
    ctx.heal()


@case
def refused(ctx):
    """what cannot stand in is refused before anything is sent, with the reason"""
    s = ctx.session
    for names, why in (("nobody", 'no provider "nobody"'), ("local", "named already"),
                       ("spare,spare", "named already")):
        status, _, err = s.ctl("submit", ctx.task, "--set", f"fallback=[{names}]", check=False)
        true(status == 6 and why in err, f"{names}: {status} {err}")
    ctx.configure(models=[{"name": "tiny", "tokenizer": str(ctx.model), "batch": 3}])
    equal(s.stop("bbtd"), 0, "exit status")
    s.start_daemon()
    status, _, err = s.ctl("submit", ctx.task, "--set", "fallback=[spare]", check=False)
    true(status == 6 and "`batch`" in err, f"{status} {err}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-fall-") as tmp:
        context = Context(tmp)
        try:
            sys.exit(tap.run(context))
        finally:
            context.close()

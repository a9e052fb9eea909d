#!/usr/bin/env python3
"""hostile.py BUILD -- a provider that answers garbage stops the job with a reason. It is never a
score, never a crash, never a flood; once the provider is well again, the job ends as if nothing had
happened."""
import re
import sys
import tempfile
from pathlib import Path

import proxy
import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]
# a sanitizer keeps freed memory back for a while
RSS_MAX_MB = 1000 if tap.sanitized(BUILD) else 150
# mode of the proxy -> what the reason and its sentence must speak of (any of the words)
GARBAGE = {
    "html": "response|json|html|answer",
    "empty": "response|json|empty|answer|short|body",
    "json-of-another-kind": "output|logits|answer",
    "half": "half|early|short|clos|connection|transfer|partial|outage",
    "wrong-shape": "shape|size|length|rows|logits",
    "nan": "nan|finite|number",
    "huge-length": "large|limit|cap|more than|big|long",
    "endless-chunks": "large|limit|cap|more than|big|long",
    "endless-header": "large|limit|cap|head|big|long|connection|outage",
    "400": "prompt_embedding is not supported today",
    "401": "who are you|auth|credential|401",
    "404": "unknown model",
    "500": "out of gpu memory|500",
    "hang-up": "connection|clos|reset|outage|reply|empty",
}


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert")
        self.job = tiny.task(self.folder / "task", evaluations=24)
        self.session = s = session.Session(BUILD, self.folder / "run")
        s.start_lm(self.model, threads=1)
        self.proxy = proxy.Proxy(str(s.folder / "bbt-lm.sock"))
        s.configure([tiny.provider(self.proxy.url, self.model, "tiny",
                                   http={"timeout": "5s", "connect_timeout": "2s"},
                                   retry={"base": "10ms", "cap": "100ms", "give_up_after": "1s"})])
        s.start_daemon()
        self.prompt = None

    def close(self):
        self.session.close()
        self.proxy.close()


def rss_mb(s):
    """(now, peak) of the daemon."""
    text = Path(f"/proc/{s.running['bbtd'].pid}/status").read_text()
    return tuple(int(re.search(rf"{k}:\s+(\d+)", text).group(1)) / 1024 for k in ("VmRSS", "VmHWM"))


def prompt_of(s, job):
    out = s.folder / f"prompt-{job}.npy"
    s.ctl("export", job, "-o", out)
    return out.read_bytes()


@case
def healthy(ctx):
    """through an honest proxy the job completes"""
    s = ctx.session
    job = s.submit(ctx.job)
    rec = s.finish(job, 60)
    equal(rec["state"], "completed", f"{rec}")
    ctx.prompt = prompt_of(s, job)


def spoil(mode, words):
    def test(ctx):
        s = ctx.session
        true(ctx.prompt, "the healthy run failed")
        ctx.proxy.spoil(mode, after=12)  # past the probe, in the middle of the search
        job = s.submit(ctx.job)
        s.ctl("wait", job, "--for", "paused", "--timeout", "60s", check=False)
        rec = s.job(job)
        print(f"# {mode}: {rec['state']} {rec.get('reason')}: {rec.get('detail')}")
        equal(rec["state"], "paused", f"state ({rec})")
        true(rec["reason"], "a reason")
        said = f"{rec['reason']} {rec['detail']}".lower()
        true(re.search(words.lower(), said), f"'{said}' says nothing of {words}")
        true(ctx.proxy.spoiled > 0, "the proxy spoiled something")
        true(ctx.proxy.drowned < 100e6, f"{ctx.proxy.drowned} bytes were taken")
        true(s.running["bbtd"].poll() is None, "bbtd lives")
        true(rss_mb(s)[1] < RSS_MAX_MB, f"memory {rss_mb(s)} MB")
        ctx.proxy.spoil(None)
        s.ctl("resume", job)
        rec = s.finish(job, 60)
        equal(rec["state"], "completed", f"{rec}")
        true(prompt_of(s, job) == ctx.prompt, "the prompt differs")
        true(rec["usage"]["failures"] > 0, f"failures are counted: {rec['usage']}")
        equal(rec["usage"]["repeated"], 0, "repeated: there was no crash")
    test.__doc__ = f"{mode}: paused with a reason, then completed with the same prompt"
    return test


for _mode, _words in GARBAGE.items():
    case(spoil(_mode, _words))


@case
def slow_down(ctx):
    """429 with Retry-After is waited out, not paused"""
    s = ctx.session
    ctx.proxy.spoil("429", after=12)
    job = s.submit(ctx.job)
    session.wait_until("a refusal", lambda: ctx.proxy.spoiled >= 1)
    ctx.proxy.spoil(None)
    rec = s.finish(job, 60)
    equal(rec["state"], "completed", f"{rec}")
    true(prompt_of(s, job) == ctx.prompt, "the prompt differs")


@case
def no_money(ctx):
    """402 pauses the job and keeps others from the same wall; provider resume lets all go on"""
    s = ctx.session
    ctx.proxy.echo = (402, b'{"error":"out of credit"}', "application/json")
    ctx.proxy.spoil("echo", after=12)
    first = s.submit(ctx.job)
    s.ctl("wait", first, "--for", "paused", "--timeout", "60s", check=False)
    equal((s.job(first)["state"], s.job(first)["reason"]), ("paused", "quota"), "first job")
    second = s.submit(ctx.job)
    session.wait_until("the second says why",
                       lambda: s.job(second)["reason"] == "provider_paused")
    equal(s.job(second)["state"], "queued", "second job")
    true("out of credit" in s.job(second)["detail"], f"{s.job(second)}")
    true(ctx.proxy.spoiled <= 4, f"{ctx.proxy.spoiled} ran into the wall: more than were under way")
    ctx.proxy.spoil(None)
    true("quota" in s.ctl("provider", "show", "local")[1], "provider show")
    s.ctl("provider", "resume", "local")
    for job in (first, second):
        equal(s.finish(job, 60)["state"], "completed", f"{s.job(job)}")
        true(prompt_of(s, job) == ctx.prompt, "the prompt differs")


@case
def spoiled_probe(ctx):
    """garbage during the probe stops the job before it begins"""
    s = ctx.session
    ctx.proxy.spoil("html")
    job = s.submit(ctx.job)
    s.ctl("wait", job, "--for", "paused", "--timeout", "60s", check=False)
    rec = s.job(job)
    true(rec["state"] in ("paused", "failed") and rec["reason"], f"{rec}")
    equal(rec["usage"]["evaluations"], 0, "evaluations")
    ctx.proxy.spoil(None)
    s.ctl("cancel", job, check=False)


@case
def still_well(ctx):
    """after all of it the daemon is small, quick and stops with 0"""
    s = ctx.session
    now, peak = rss_mb(s)
    print(f"# rss {now:.0f} MB, peak {peak:.0f} MB")
    true(peak < RSS_MAX_MB, f"peak {peak} MB")
    equal(s.stop("bbtd"), 0, "exit status")


if __name__ == "__main__":
    if not tiny.have_torch():
        print("1..0 # SKIP no python3-torch to make a model")
        sys.exit(0)
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        context = Context(tmp)
        try:
            status = tap.run(context)
        finally:
            context.close()
        sys.exit(status)

#!/usr/bin/env python3
"""ctl_job.py BUILD -- bbtctl through the life of one real job: the real daemon, the real model
server, the bundled model."""
import csv
import datetime
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]
MODEL = tiny.ROOT / "models/bbt-mini"


def near(got, want):
    true(abs(got - want) < 1e-9, f"got {got}, want {want}")


class Context:
    """One session for all cases: they tell a story, in order."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.task = tiny.task(self.folder / "task", model_name="m", evaluations=36,
                              dev_mean=True, dev_every=4)
        self.s = session.Session(BUILD, self.folder / "s")
        url = self.s.start_lm(MODEL)
        self.s.configure([tiny.provider(url, MODEL, "m")
                          | {"models": [{"name": MODEL.name, "tokenizer": str(MODEL),
                                         "batch": 4}]}])
        self.task.write_text(self.task.read_text().replace('"model": "m"',
                                                           f'"model": "{MODEL.name}"'))
        self.s.start_daemon()
        self.job = None
        self.counts = {}


@case
def dry_run(ctx):
    """a dry run counts what the job will take and submits nothing"""
    status, out, err = ctx.s.ctl("submit", ctx.task, "--dry-run")
    equal(status, 0, err)
    true("6 generations × 6 candidates × 8 examples" in out, out)
    told = {}
    for line in out.split("\n"):
        got = re.match(r"(evaluations|examples|requests) +([\d,]+) +([\d,]+)$", line)
        if got:
            told[got[1]] = int(got[3].replace(",", ""))
    equal(len(told), 3, out)
    equal(ctx.s.ctl("estimate", ctx.task)[1], out, "estimate is the same")
    sheet = ctx.s.json("estimate", ctx.task)
    equal(sheet["kind"], "Estimate", "json")
    ctx.counts = sheet["whole"]
    equal({k: ctx.counts[k] for k in told}, told, "table and JSON")
    equal(sheet["price"], None, "nobody knows the price")
    true(any("no price" in w for w in sheet["warnings"]), sheet["warnings"])
    equal(ctx.s.json("list")["items"], [], "jobs")


@case
def validate(ctx):
    """validate needs no daemon"""
    p = subprocess.run([ctx.s.program("bbtctl"), "validate", str(ctx.task)], text=True,
                       env={**ctx.s.env, "BBTCTL_SOCKET": "/nowhere"}, check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    true("valid" in p.stdout and "train 16" in p.stdout, p.stdout)


@case
def submit_and_watch(ctx):
    """submit --watch shows every generation and ends with the job"""
    status, out, err = ctx.s.ctl("submit", ctx.task, "--watch", "--tag", "paper")
    equal(status, 0, out + err)
    ctx.job = int(re.search(r"queued: job (\d+) tiny", out)[1])
    true("completed" in out.strip().split("\n")[-1], out)
    true("gen 6/6" in out, out)


@case
def what_it_took(ctx):
    """what the dry run counted is what the job took, to the request"""
    usage = ctx.s.job(ctx.job)["usage"]
    equal((usage["evaluations"], usage["requests"], usage["tokens_in"]),
          (ctx.counts["evaluations"], ctx.counts["requests"], ctx.counts["tokens_in"]), "counts")


@case
def result(ctx):
    """result: four scores and a verdict; --json is the score sheet"""
    sheet = ctx.s.json("result", ctx.job)
    for key in ("manual_test", "calibrated_test", "tuned_test", "majority"):
        true(0 <= sheet[key] <= 1, sheet)
    near(sheet["gain_vs_manual"], sheet["tuned_test"] - sheet["manual_test"])
    out = ctx.s.ctl("result", ctx.job)[1]
    for words in (sheet["verdict"], "tuned prompt", "manual prompt", "bias removed",
                  f"{sheet['tuned_test']:.4f}", "36 evaluations"):
        true(words in out, f"{words}: {out}")
    rows = list(csv.DictReader(io.StringIO(ctx.s.ctl("result", ctx.job, "-o", "csv")[1])))
    equal(rows[0]["TUNED"], f"{sheet['tuned_test']:.4f}", "csv")


@case
def selectors(ctx):
    """the job is found by id, name, state, tag and @last; result of an absent one is 4"""
    for sel in (ctx.job, "tiny", "state:completed", "tag:paper", "@last",
                f"{ctx.job}..99 state:completed"):
        equal([j["id"] for j in ctx.s.json("list", sel)["items"]], [ctx.job], f"{sel}")
    for sel in ("tag:other", "state:failed", "!tiny", "99"):
        equal(ctx.s.ctl("list", sel, check=False)[0], 4, sel)
    equal(ctx.s.ctl("result", 99, check=False)[0], 4, "result")


@case
def show(ctx):
    """show --spec prints a job file that can be submitted again"""
    spec = ctx.s.json("show", ctx.job, "--spec")
    again = ctx.task.with_name("again.yaml")
    for part in ("train", "dev", "test"):
        del spec["data"][part]["blob"]
    again.write_text(json.dumps(spec))
    equal(ctx.s.ctl("validate", again)[0], 0, "validate")
    status, out, _ = ctx.s.ctl("submit", again, "--key", "k", "--set", "stop.evaluations=6")
    equal(status, 0, out)
    one = ctx.s.json("submit", again, "--key", "k", "--set", "stop.evaluations=6")
    true(one["existed"], "the same key is the same job")
    equal(ctx.s.ctl("wait", one["id"])[0], 0, "wait")


@case
def curve(ctx):
    """plot: a picture with its axes; the same numbers as CSV; an SVG that is XML"""
    out = ctx.s.ctl("plot", ctx.job)[1]
    true("┤" in out and "●" in out and "generation" in out, out)
    true(all(len(line) <= 80 for line in out.split("\n")), out)
    target = ctx.folder / "curve.csv"
    ctx.s.ctl("plot", ctx.job, "-o", target)
    rows = list(csv.DictReader(target.open()))
    equal([r["evaluations"] for r in rows], ["6", "12", "18", "24", "30", "36"], "csv")
    svg = ctx.folder / "curve.svg"
    ctx.s.ctl("plot", ctx.job, "--y", "dev", "-o", svg)
    import xml.dom.minidom
    true(xml.dom.minidom.parse(str(svg)).getElementsByTagName("circle").length == 2, "points")


@case
def prompt_files(ctx):
    """export: npy and safetensors hold the same numbers, of the right shape"""
    npy, safe = ctx.folder / "p.npy", ctx.folder / "p.safetensors"
    ctx.s.ctl("export", ctx.job, "-o", npy)
    ctx.s.ctl("export", ctx.job, "-o", safe)
    a, b = npy.read_bytes(), safe.read_bytes()
    hidden = json.loads((MODEL / "config.json").read_text())["hidden_size"]
    head = json.loads(b[8:8 + struct.unpack("<Q", b[:8])[0]])
    (name,) = [k for k in head if k != "__metadata__"]
    equal((head[name]["dtype"], head[name]["shape"]), ("F32", [3, hidden]), "safetensors")
    true(f"({3}, {hidden})".encode() in a[:200], a[:200])
    equal(a[-3 * hidden * 4:], b[-3 * hidden * 4:], "numbers")
    true(any(struct.unpack(f"<{3 * hidden}f", a[-3 * hidden * 4:])), "they are not all zero")


@case
def predict(ctx):
    """predict gives labels with probabilities that sum to one; a test line scores as told"""
    got = ctx.s.json("predict", ctx.job, "--file", ctx.task.parent / "test.tsv")["items"]
    equal(len(got), 24, "items")
    for item in got:
        true(abs(sum(item["probabilities"].values()) - 1) < 1e-6, item)
        equal(item["label"], max(item["probabilities"], key=item["probabilities"].get), "label")
    truth = [line.split("\t")[1] for line in
             (ctx.task.parent / "test.tsv").read_text().strip().split("\n")[1:]]
    right = sum(i["label"] == t for i, t in zip(got, truth))
    near(right / 24, ctx.s.json("result", ctx.job)["tuned_test"])


@case
def provider(ctx):
    """provider list, show, test tell of the model; an unknown one is 4"""
    true("local" in ctx.s.ctl("provider")[1], "list")
    true(MODEL.name in ctx.s.ctl("provider", "show", "local")[1], "show")
    true("fit for tuning" in ctx.s.ctl("provider", "test", "local")[1], "test")
    equal(ctx.s.ctl("provider", "show", "n/o %", check=False)[0], 4, "unknown")


@case
def pause_resume(ctx):
    """pause, wait (22), resume across a killed daemon, wait (0): one story"""
    job = ctx.s.submit(ctx.task, "--set", "optimizer.seed=5", "--set", "stop.evaluations=600")
    ctx.s.ctl("pause", job, "--reason", "lunch")
    equal(ctx.s.ctl("wait", job, check=False)[0], 22, "wait")
    status, out, _ = ctx.s.ctl("pause", job)
    true(status == 0 and "already" in out, out)
    true("lunch" in ctx.s.ctl()[1], "the screen tells why")
    ctx.s.ctl("set", job, "priority=42")
    equal(ctx.s.job(job)["priority"], 42, "priority")
    true("priority 42, was 0" in ctx.s.ctl("logs", job)[1], "the log tells it")
    ctx.s.ctl("resume", job)
    p = subprocess.Popen([ctx.s.program("bbtctl"), "--socket", str(ctx.s.socket), "wait",
                          str(job)], env=ctx.s.env, stderr=subprocess.PIPE, text=True)
    session.wait_until("it runs", lambda: ctx.s.job(job)["usage"]["generations"] >= 2)
    ctx.s.kill_daemon()
    true("Waiting" in p.stderr.readline(), "wait says that the daemon is gone")
    ctx.s.start_daemon()
    ctx.s.ctl("cancel", job)
    _, err = p.communicate(timeout=60)
    equal(p.returncode, 21, err)
    equal(ctx.s.ctl("resume", job, check=False)[0], 5, "resume of a cancelled job")
    equal(ctx.s.ctl("set", job, "priority=1", check=False)[0], 5, "priority of a cancelled job")


@case
def hours(ctx):
    """a job waits for its hours and says until when; one whose start is past runs"""
    now = datetime.datetime.now(datetime.timezone.utc)
    closed = f"{(now.hour + 2) % 24}:00-{(now.hour + 3) % 24}:00"
    opens = now.replace(minute=0, second=0, microsecond=0) + datetime.timedelta(hours=2)
    until = opens.strftime("%Y-%m-%dT%H:00:00Z")
    status, out, err = ctx.s.ctl("submit", ctx.task, "--dry-run", "--window", closed)
    true(status == 0 and f"window {(now.hour + 2) % 24:02}:00-" in out, out + err)
    job = ctx.s.submit(ctx.task, "--window", closed, "--set", "optimizer.seed=6")
    later = ctx.s.submit(ctx.task, "--at", until, "--set", "optimizer.seed=7")
    session.wait_until("they wait", lambda: {ctx.s.job(j)["reason"] for j in (job, later)}
                       == {"window", "start_time"})
    got = ctx.s.job(job)
    equal((got["state"], got["reason"], got["until"], got["detail"]),
          ("queued", "window", until, f"outside of its hours until {until}"), "the job")
    true(until in ctx.s.ctl("show", job)[1], "show")
    true(f"not before {until}" in ctx.s.ctl("logs", later)[1], "logs")
    true(re.search(f"{job} +tiny +queued +window", ctx.s.ctl("list")[1]), ctx.s.ctl("list")[1])
    true("WAITING" in ctx.s.ctl()[1] and "window until " in ctx.s.ctl()[1], "the screen")
    ctx.s.kill_daemon()
    ctx.s.start_daemon()
    session.wait_until("it waits", lambda: ctx.s.job(job)["reason"] == "window")
    equal(ctx.s.job(job)["usage"]["requests"], 0, "nothing was sent")
    past = ctx.s.submit(ctx.task, "--at", "2026-01-01T00:00:00+01:00", "--window", "00:00-24:00")
    equal(ctx.s.ctl("wait", past)[0], 0, "it runs")
    status, _, err = ctx.s.ctl("submit", ctx.task, "--window", "{zone: Europe/Berln}", check=False)
    true(status == 6 and "there is no time zone Europe/Berln" in err, err)
    status, _, err = ctx.s.ctl("submit", ctx.task, "--window", "8-9", check=False)
    true(status == 6 and "must be hours" in err, err)
    equal(ctx.s.ctl("cancel", f"{job},{later}", "--yes")[0], 0, "cancel")


@case
def trash(ctx):
    """delete hides a job, undelete brings it back as it was, --purge lets it go for good"""
    job = ctx.s.submit(ctx.task, "--set", "optimizer.seed=8", "--set", "stop.evaluations=100000")
    shown = lambda *sel: [j["id"] for j in ctx.s.json("list", *sel)["items"]]
    session.wait_until("it runs", lambda: ctx.s.job(job)["state"] == "running")
    status, _, err = ctx.s.ctl("delete", job, check=False)
    true(status == 5 and f"bbtctl cancel {job}" in err, err)
    ctx.s.ctl("pause", job)
    ctx.s.ctl("delete", job)
    true(job not in shown() and shown("state:deleted") == [job], "in the trash")
    got = ctx.s.job(job)
    equal((got["state"], got["was"]), ("deleted", "paused"), got)
    for verb in ("resume", "cancel"):
        equal(ctx.s.ctl(verb, job, check=False)[0], 5, f"{verb} of a deleted job")
    ctx.s.kill_daemon()
    ctx.s.start_daemon()
    ctx.s.ctl("undelete", job)
    equal(ctx.s.job(job)["state"], "paused", "back")
    true("into the trash" in ctx.s.ctl("logs", job)[1], "the log tells it")
    ctx.s.ctl("delete", job)
    ctx.s.ctl("delete", "--purge", job)
    equal(ctx.s.ctl("show", job, check=False)[0], 4, "gone")
    equal(shown("state:deleted") if ctx.s.ctl("list", "state:deleted", check=False)[0] == 0
          else [], [], "not in the trash either")
    equal(ctx.s.ctl("server", "check")[0], 0, "check")


@case
def on_a_terminal(ctx):
    """on a terminal the progress is one line that is written over, never wider than it"""
    job = ctx.s.submit(ctx.task, "--set", "optimizer.seed=6")
    master, slave = pty.openpty()
    import fcntl
    import termios
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with subprocess.Popen([ctx.s.program("bbtctl"), "--socket", str(ctx.s.socket), "watch",
                           str(job)], env={**ctx.s.env, "TERM": "xterm", "LC_ALL": "C.UTF-8"},
                          stdin=slave, stdout=slave, stderr=subprocess.DEVNULL) as p:
        os.close(slave)
        said = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            true(ready, "silence")
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            said += piece
        equal(p.wait(30), 0, said)
    os.close(master)
    lines = said.decode().rstrip("\r\n").split("\r")
    true(len(lines) >= 2, said)
    for line in lines:
        true(len(line.replace("\x1b[K", "")) <= 60, line)
    true("gen 6/6" in lines[-1], lines[-1])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-ctl-") as tmp:
        context = Context(tmp)
        try:
            sys.exit(tap.run(context))
        finally:
            context.s.close()

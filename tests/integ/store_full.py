#!/usr/bin/env python3
"""store_full.py BUILD -- the disk is full, or takes no writes, while a job runs: it says so, waits,
and goes on by itself to the very same prompt.

The full disk is a real one: a small tmpfs in a mount namespace of this test's own. The failing one
is a file size limit put on the running daemon."""
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402  (tools/, put on the path by tap)

BUILD = sys.argv[1]
EVALUATIONS = 150
MIB = 1 << 20


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert", hidden=128, layers=2)
        self.job = tiny.task(self.folder / "task", evaluations=EVALUATIONS)
        self.calm = None
        self.mounts = []


class Unix(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def get(s, path):
    """(status, JSON) of a control API page."""
    c = Unix(s.socket)
    c.request("GET", path)
    r = c.getresponse()
    body = json.loads(r.read())
    c.close()
    return r.status, body


def open_session(ctx, name, state=None):
    s = session.Session(BUILD, ctx.folder / name)
    if state:
        s.state = Path(state)
    url = s.start_lm(ctx.model, threads=1)
    s.configure([tiny.provider(url, ctx.model, "tiny")])
    s.start_daemon()
    return s


def outcome(s, job):
    rec = s.finish(job, 180)
    equal(rec["state"], "completed", f"state ({rec})")
    s.ctl("export", job, "-o", s.folder / "prompt.npy")
    return (s.folder / "prompt.npy").read_bytes(), rec["usage"]


def same(ctx, s, job):
    """The run ended as if nobody had touched it."""
    prompt, usage = outcome(s, job)
    true(prompt == ctx.calm[0], "the prompt differs from the undisturbed run's")
    for key in ("generations", "evaluations", "examples", "requests", "tokens_in"):
        equal(usage[key], ctx.calm[1][key], key)
    return usage


def small_disk(ctx, name):
    """A folder that holds a few MiB, or Skip."""
    at = ctx.folder / name
    at.mkdir(exist_ok=True)
    if os.environ.get("BBT_MOUNTS") != "yes":
        raise tap.Skip("no mount namespace to be had here")
    p = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(at)],
                       check=False, stderr=subprocess.PIPE, text=True)
    if p.returncode != 0:
        raise tap.Skip(f"mount is not permitted: {p.stderr.strip()}")
    ctx.mounts.append(at)
    return at


def fill(at):
    """Takes every last block."""
    fd = os.open(at / "ballast", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    size = MIB
    try:
        while size:
            try:
                os.write(fd, b"x" * size)
            except OSError:
                size //= 2
    finally:
        os.close(fd)


def look(s, job):
    """The job as it is shown. A question that shares its group with a write that fails goes down
    with it, and is asked again."""
    def once():
        try:
            return s.job(job)
        except session.Failed as e:
            true("503" in str(e), str(e))
            return None
    return session.wait_until("the job is shown", once)


def some_way(s, job, requests):
    session.wait_until(f"{requests} requests",
                       lambda: look(s, job)["usage"]["requests"] >= requests)


def says(s, job, reason):
    rec = look(s, job)
    return rec["state"] == "paused" and rec["reason"] == reason and rec


@case
def undisturbed(ctx):
    """a job on a good disk"""
    with open_session(ctx, "calm") as s:
        ctx.calm = outcome(s, s.submit(ctx.job))
        equal(get(s, "/readyz")[0], 200, "readyz")


@case
def full(ctx):
    """a full file system: disk_full, not ready, nothing sent; with room it completes the same"""
    true(ctx.calm, "the undisturbed run failed")
    disk = small_disk(ctx, "disk")
    with open_session(ctx, "full", disk / "state") as s:
        job = s.submit(ctx.job)
        for requests in (20, 90):
            some_way(s, job, requests)
            fill(disk)
            rec = session.wait_until("the job says disk_full", lambda: says(s, job, "disk_full"))
            true("full" in rec["detail"], f"detail: {rec['detail']}")
            status, body = get(s, "/readyz")
            equal(status, 503, "readyz")
            true("full" in body["detail"], f"readyz: {body}")
            before = look(s, job)["usage"]["requests"]
            refused = s.ctl("submit", ctx.job, "--id-only", check=False)
            true(refused[0] != 0, "a submit that cannot be kept is refused")
            true("full" in refused[2], f"it says why: {refused[2]}")
            equal(look(s, job)["usage"]["requests"], before, "requests while full")
            (disk / "ballast").unlink()
            session.wait_until("ready again", lambda: get(s, "/readyz")[0] == 200)
        usage = same(ctx, s, job)
        equal(usage["repeated"], 0, "repeated")
        equal(len(s.json("list")["items"]), 1, "jobs")


@case
def full_and_killed(ctx):
    """killed while the file system is full, started again with room: the same prompt"""
    true(ctx.calm, "the undisturbed run failed")
    disk = small_disk(ctx, "disk2")
    with open_session(ctx, "fullkill", disk / "state") as s:
        job = s.submit(ctx.job)
        some_way(s, job, 40)
        fill(disk)
        session.wait_until("the job says disk_full", lambda: says(s, job, "disk_full"))
        s.kill_daemon()
        (disk / "ballast").unlink()
        s.start_daemon()
        usage = same(ctx, s, job)
        true(usage["repeated"] <= 2, f"repeated: {usage}")


@case
def started_full(ctx):
    """a start on a full file system: either it serves, or it ends with a sentence that says so"""
    true(ctx.calm, "the undisturbed run failed")
    disk = small_disk(ctx, "disk3")
    with open_session(ctx, "startfull", disk / "state") as s:
        job = s.submit(ctx.job)
        some_way(s, job, 20)
        s.kill_daemon()
        fill(disk)
        p = s.start_daemon(wait=False)
        session.wait_until("it serves or ends", lambda: p.poll() is not None or
                           s.ctl("version", check=False)[0] == 0)
        if p.poll() is not None:
            equal(s.stop("bbtd"), 1, "exit status")
            true("No space left" in s.log("bbtd") or "full" in s.log("bbtd"), s.log("bbtd"))
            (disk / "ballast").unlink()
            s.start_daemon()
        else:
            (disk / "ballast").unlink()
        session.wait_until("ready again", lambda: get(s, "/readyz")[0] == 200)
        same(ctx, s, job)


@case
def no_writes(ctx):
    """every write fails for a while: reason io, not ready; when it works again, the same prompt"""
    true(ctx.calm, "the undisturbed run failed")
    with open_session(ctx, "io") as s:
        job = s.submit(ctx.job)
        pid = s.running["bbtd"].pid
        old = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        for requests in (20, 90):
            some_way(s, job, requests)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, old[1]))
            rec = session.wait_until("the job says io", lambda: says(s, job, "io"))
            true("I/O" in rec["detail"], f"detail: {rec['detail']}")
            equal(get(s, "/readyz")[0], 503, "readyz")
            resource.prlimit(pid, resource.RLIMIT_FSIZE, old)
            session.wait_until("ready again", lambda: get(s, "/readyz")[0] == 200)
        equal(same(ctx, s, job)["repeated"], 0, "repeated")


@case
def idle_and_full(ctx):
    """without any job, too, readiness tells about a disk that takes no writes, and about its end"""
    with open_session(ctx, "idle") as s:
        pid = s.running["bbtd"].pid
        old = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        equal(get(s, "/readyz")[0], 200, "readyz")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, old[1]))
        status, body = get(s, "/readyz")
        equal(status, 503, f"readyz: {body}")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, old)
        session.wait_until("ready again", lambda: get(s, "/readyz")[0] == 200, 10)


if __name__ == "__main__":
    if not tiny.have_torch():
        print("1..0 # SKIP no python3-torch to make a model")
        sys.exit(0)
    tap.own_namespace()
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        context = Context(tmp)
        code = tap.run(context)
        for mount in context.mounts:
            subprocess.run(["umount", str(mount)], check=False)
        sys.exit(code)

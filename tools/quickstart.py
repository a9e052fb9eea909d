#!/usr/bin/env python3
"""quickstart.py BUILD -- the session that ./quickstart shows. Talk on stderr and stdout, and as
the last line of stdout one line of JSON."""
import argparse
import contextlib
import http.client
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import session
from session import ROOT

MODEL = ROOT / "models/bbt-mini"
JOB = ROOT / "examples/wngloss.yaml"
DATA = ROOT / "build/demo"
FIGURES = ("manual_test", "calibrated_test", "tuned_test", "test_examples")


def say(text):
    print(f"[{time.monotonic() - BEGIN:6.1f} s] {text}", file=sys.stderr, flush=True)


BEGIN = time.monotonic()


class Server:
    """GET /v1/server over one connection: quick enough to catch the daemon between two
    generations."""

    def __init__(self, path):
        self.http = http.client.HTTPConnection("localhost", timeout=10)
        self.http.sock = socket.socket(socket.AF_UNIX)
        self.http.sock.connect(str(path))

    def get(self, path="/v1/server"):
        self.http.request("GET", path)
        return json.loads(self.http.getresponse().read())

    def close(self):
        self.http.close()


def follow(s, job, until):
    """Reports the progress of a job until `until(record)`; the record."""
    said = time.monotonic()
    while True:
        rec = s.job(job)
        if until(rec):
            return rec
        if time.monotonic() - said > 10:
            said = time.monotonic()
            usage, plan = rec["usage"], rec["plan"]
            loss = rec["last_loss"]
            say(f"{rec['state']} ({rec['reason']}): {usage['evaluations']} of "
                f"{plan['evaluations']} evaluations, {usage['requests']} requests"
                + (f", loss {loss:.4f}" if loss is not None else ""))
        time.sleep(0.2)


def ended(rec):
    return rec["state"] not in ("queued", "running")


def stopped(pid):
    return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
               for task in session.Path(f"/proc/{pid}/task").iterdir())


def nothing_on_the_wire(db):
    """No request that the daemon's own marks say may be under way (schema/*.sql)."""
    try:
        return db.execute("SELECT count(*) FROM mark").fetchone()[0] == 0
    except sqlite3.OperationalError:
        return False  # in the middle of a checkpoint


def kill_between(s, patience_s=60.0):
    """SIGKILL between two generations, when nothing is on the wire and so no request need be
    repeated: as soon as no mark is left the daemon is frozen, looked at again, and killed or let
    go. Where no such moment comes, it is killed at any; its own count of repeated requests tells."""
    daemon, end = s.running["bbtd"], time.monotonic() + patience_s
    with contextlib.closing(sqlite3.connect(f"file:{s.state}/bbtd.db?mode=ro", uri=True)) as db:
        while time.monotonic() < end:
            if nothing_on_the_wire(db):
                daemon.send_signal(signal.SIGSTOP)
                session.wait_until("bbtd is frozen", lambda: stopped(daemon.pid), every_s=0.0002)
                if nothing_on_the_wire(db):
                    break
                daemon.send_signal(signal.SIGCONT)
            time.sleep(0.0003)
        s.kill_daemon()


def run(s, model, job_file):
    s.start_lm(model)
    url = f"unix:{s.folder}/bbt-lm.sock"
    s.configure([{"name": "local", "kind": "kserve2", "url": url, "concurrency": 2, "models": [
        {"name": model.name, "tokenizer": str(model), "batch": 32}]}])
    s.start_daemon()
    say(f"bbt-lm serves {model.name}, bbtd is ready")
    job = s.submit(job_file)
    say(f"job {job} submitted")
    half = follow(s, job, lambda r: ended(r) or r["usage"]["evaluations"]
                  >= r["plan"]["evaluations"] / 2)
    if ended(half):
        raise session.Failed(f"the job ended early: {half}")
    turns = Server(s.socket).get()
    kill_between(s)
    say(f"bbtd killed with SIGKILL after {half['usage']['evaluations']} evaluations; starting it "
        "again")
    s.start_daemon()
    resumed = s.job(job)["usage"]["evaluations"] >= half["usage"]["evaluations"]
    rec = follow(s, job, ended)
    if rec["state"] != "completed":
        raise session.Failed(f"job {job} is {rec['state']}: {rec['reason']} {rec['detail']}")
    after = Server(s.socket).get()
    say("completed")
    print(s.ctl("result", job)[1], flush=True)
    s.ctl("export", job, "-o", DATA / "prompt.safetensors", "--force")
    result = s.json("result", job)
    usage = rec["usage"]
    line = {name: round(result[name], 4) for name in FIGURES}
    line.update(
        evaluations=usage["evaluations"], requests=usage["requests"],
        repeated_requests=usage["repeated"], resumed=resumed,
        rss_mb=round(max(turns["rss_peak_mb"], after["rss_peak_mb"]), 1),
        loop_turn_p99_ms=round(max(turns["loop_turn_p99_ms"], after["loop_turn_p99_ms"]), 3),
        seconds=round(time.monotonic() - BEGIN, 1))
    if s.stop("bbtd") != 0:
        raise session.Failed("bbtd did not stop cleanly")
    return line


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("build")
    ap.add_argument("--model", type=session.Path, default=MODEL)
    ap.add_argument("--job", type=session.Path, default=JOB)
    a = ap.parse_args()
    if not (a.model / "config.json").exists():
        raise session.Failed(f"no model in {a.model}")
    subprocess.run([sys.executable, str(ROOT / "tools/wngloss.py"), str(DATA)], check=True,
                   stdout=sys.stderr)
    with session.Session(a.build) as s:
        try:
            line = run(s, a.model, a.job)
        except Exception:
            print(s.log("bbtd"), s.log("bbt-lm"), file=sys.stderr)
            raise
    print(json.dumps(line))


if __name__ == "__main__":
    try:
        main()
    except (session.Failed, subprocess.CalledProcessError) as e:
        sys.exit(f"quickstart: {e}")

#!/usr/bin/env python3
"""store_upkeep.py BUILD -- backup, restore, check, vacuum and retention of a daemon at work."""
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402  (tools/, put on the path by tap)

BUILD = sys.argv[1]


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert", hidden=128, layers=2)
        self.job = tiny.task(self.folder / "task", evaluations=150)
        self.calm = self.copy = None


def open_session(ctx, name, **conf):
    s = session.Session(BUILD, ctx.folder / name)
    url = s.start_lm(ctx.model, threads=1)
    s.configure([tiny.provider(url, ctx.model, "tiny")], **conf)
    s.start_daemon()
    return s


def prompt(s, job):
    rec = s.finish(job, 180)
    equal(rec["state"], "completed", f"state ({rec})")
    s.ctl("export", job, "-o", s.folder / "prompt.npy", "--force")
    return (s.folder / "prompt.npy").read_bytes()


def sound(s):
    status, out, err = s.ctl("server", "check", check=False)
    equal(status, 0, out + err)
    true("good" in out, out)


def some_way(s, job, requests):
    session.wait_until(f"{requests} requests",
                       lambda: s.job(job)["usage"]["requests"] >= requests)


def rows(s, sql):
    with sqlite3.connect(f"file:{s.state}/bbtd.db?mode=ro", uri=True) as db:
        return db.execute(sql).fetchone()[0]


@case
def backup(ctx):
    """backups and checks while a job runs: they do not disturb it, and find nothing"""
    with open_session(ctx, "run") as s:
        sound(s)
        job = s.submit(ctx.job)
        some_way(s, job, 60)
        ctx.copy = s.folder / "copy.db"
        out = s.ctl("server", "backup", ctx.copy)[1]
        true(str(ctx.copy.stat().st_size) in out, out)
        equal(ctx.copy.stat().st_mode & 0o777, 0o600, "mode")
        sound(s)
        status, _, err = s.ctl("server", "backup", ctx.copy, check=False)
        equal(status, 5, err)
        true("exists" in err, err)
        status, _, err = s.ctl("server", "backup", s.folder / "no/copy.db", check=False)
        equal(status, 4, err)
        for requests in (80, 100, 120):
            some_way(s, job, requests)
            sound(s)
            s.ctl("server", "backup", s.folder / f"copy{requests}.db")
        ctx.calm = prompt(s, job)
        sound(s)
        equal(s.job(job)["usage"]["repeated"], 0, "repeated")


@case
def relative(ctx):
    """a backup's name is meant from where bbtctl is called"""
    with open_session(ctx, "relative") as s:
        p = subprocess.run([s.program("bbtctl"), "--socket", str(s.socket), "server", "backup",
                            "here.db"], cwd=s.folder, env=s.env, check=False)
        equal(p.returncode, 0, "status")
        true((s.folder / "here.db").exists(), "the file is there")


@case
def restore(ctx):
    """a backup from the middle of a job is put in place, and runs to the same prompt"""
    true(ctx.calm, "the run with the backup failed")
    s = session.Session(BUILD, ctx.folder / "restored")
    url = s.start_lm(ctx.model, threads=1)
    s.configure([tiny.provider(url, ctx.model, "tiny")])

    def put(*more):
        p = subprocess.run([s.program("bbtd"), "--config", s.config, "--state-dir", s.state,
                            "--restore", ctx.copy, *more], env=s.env, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return p.returncode, p.stdout
    with s:
        status, said = put()
        equal(status, 0, said)
        s.start_daemon()
        status, said = put("--force")
        equal(status, 75, said)
        sound(s)
        true(prompt(s, 1) == ctx.calm, "the prompt differs")
        equal(s.stop("bbtd"), 0, "status")
        status, said = put()
        equal(status, 1, said)
        true("--force" in said, said)
        status, said = put("--force")
        equal(status, 0, said)
        true("before-" in said, said)
        equal(len(list(s.state.glob("bbtd.db.before-*"))), 1, "set aside")
        s.start_daemon()
        true(prompt(s, 1) == ctx.calm, "the prompt differs the second time")


@case
def damage(ctx):
    """counters that do not agree with the ledger are told, exit 1"""
    true(ctx.calm, "the run with the backup failed")
    s = session.Session(BUILD, ctx.folder / "run")
    s.configure([])
    with s:
        with sqlite3.connect(s.state / "bbtd.db") as db:
            db.execute("UPDATE job SET requests = requests + 3")
            db.execute("DELETE FROM gen WHERE gen = 2")
        db.close()
        s.start_daemon()
        status, out, _ = s.ctl("server", "check", check=False)
        equal(status, 1, out)
        true("job 1: counted" in out and "generations 0 to" in out, out)
        equal(s.ctl("server", "check", "--json", check=False)[0], 1, "status with --json")


@case
def retention(ctx):
    """what the configuration does not keep goes, the counters stay; room is given back"""
    with open_session(ctx, "short", retention={"ledger": "1ms"}) as s:
        job = s.submit(ctx.job)
        s.finish(job, 180)
        before = s.job(job)
        true(rows(s, "SELECT count(*) FROM answer") > 0, "a ledger")
        out = s.ctl("server", "vacuum")[1]
        true("in 1 steps" in out, out)
        equal(rows(s, "SELECT count(*) FROM answer"), 0, "answers")
        equal(rows(s, "PRAGMA freelist_count"), 0, "unused pages")
        equal(s.job(job)["usage"], before["usage"], "counters")
        prompt(s, job)
        s.ctl("result", job)
        sound(s)
    with open_session(ctx, "gone", retention={"finished_jobs": "1ms"}) as s:
        job = s.submit(ctx.job)
        s.finish(job, 180)
        s.ctl("server", "vacuum")
        equal(s.json("list")["items"], [], "jobs")
        sound(s)
        s.ctl("server", "vacuum")
        equal(rows(s, "SELECT count(*) FROM blob"), 0, "data files")


if __name__ == "__main__":
    if not tiny.have_torch():
        print("1..0 # SKIP no python3-torch to make a model")
        sys.exit(0)
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        sys.exit(tap.run(Context(tmp)))

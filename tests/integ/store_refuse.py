#!/usr/bin/env python3
"""store_refuse.py BUILD -- state directories that bbtd must not use: a sentence and an exit status
for each, and not a byte of them changed."""
import os
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
        self.n = 0

    def session(self):
        self.n += 1
        s = session.Session(BUILD, self.folder / f"s{self.n}")
        s.configure([tiny.provider("http://127.0.0.1:9", self.folder, "tiny")])
        return s


def bbtd(s, *args, **env):
    p = subprocess.run([s.program("bbtd"), "--config", s.config, "--state-dir", s.state,
                        *map(str, args)], env={**s.env, **env}, text=True, timeout=30,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, check=False)
    return p.returncode, p.stdout + p.stderr


def made(s):
    """A state directory as a daemon leaves it; the database file."""
    s.start_daemon()
    equal(s.stop("bbtd"), 0, "status")
    return s.state / "bbtd.db"


def refused(s, db, status, words):
    before = db.read_bytes()
    got, said = bbtd(s)
    equal(got, status, said)
    for word in words:
        true(word in said, f"'{word}' is not in: {said}")
    true(db.read_bytes() == before, "the file was changed")


@case
def two_daemons(ctx):
    """another daemon on the same directory: 75, with its process number"""
    with ctx.session() as s:
        p = s.start_daemon()
        other = s.folder / "other.yaml"
        other.write_text(s.config.read_text().replace("bbtd.sock", "other.sock"))
        s.config = other
        status, said = bbtd(s)
        equal(status, 75, said)
        true(f"process {p.pid}" in said, said)


@case
def newer(ctx):
    """a database of a later version: 78, with both version numbers"""
    with ctx.session() as s:
        db = made(s)
        with sqlite3.connect(db) as c:
            c.execute("PRAGMA user_version = 97")
        c.close()
        refused(s, db, 78, ["97", "newer bbtd"])


@case
def foreign(ctx):
    """a database of another program: 78"""
    with ctx.session() as s:
        s.state.mkdir()
        db = s.state / "bbtd.db"
        with sqlite3.connect(db) as c:
            c.execute("CREATE TABLE t (a)")
        c.close()
        refused(s, db, 78, ["another program"])


@case
def no_database(ctx):
    """a file that is no database at all: not 0, and it stays as it is"""
    with ctx.session() as s:
        s.state.mkdir()
        db = s.state / "bbtd.db"
        db.write_bytes(b"Dear diary, " * 1000)
        refused(s, db, 1, ["not a database"])


@case
def read_only(ctx):
    """a read-only directory: 77"""
    with ctx.session() as s:
        made(s)
        if os.environ.get("BBT_MOUNTS") != "yes":
            raise tap.Skip("no mount namespace to be had here")
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(s.state)],
                           check=False, stderr=subprocess.PIPE, text=True)
        if p.returncode != 0:
            raise tap.Skip(f"mount is not permitted: {p.stderr.strip()}")
        status, said = bbtd(s)
        subprocess.run(["umount", str(s.state)], check=True)
        equal(status, 77, said)
        true("Read-only file system" in said, said)


@case
def no_permission(ctx):
    """somebody else's directory: 77"""
    if os.geteuid() == 0:
        raise tap.Skip("root may write everywhere")
    with ctx.session() as s:
        made(s)
        s.state.chmod(0o500)
        (s.state / "lock").unlink(missing_ok=True)
        status, said = bbtd(s)
        s.state.chmod(0o700)
        equal(status, 77, said)
        true("Permission denied" in said, said)


@case
def network(ctx):
    """a network file system: 78 with the way out, and the way out works"""
    shim = Path(BUILD) / "tests/support/libnetfs.so"
    if not shim.exists():
        raise tap.Skip("built without tests")
    if tap.sanitized(BUILD):
        raise tap.Skip("the shim cannot come before the sanitizer's runtime")
    with ctx.session() as s:
        status, said = bbtd(s, LD_PRELOAD=str(shim))
        equal(status, 78, said)
        true("network file system" in said, said)
        s.configure([tiny.provider("http://127.0.0.1:9", ctx.folder, "tiny")],
                    state_on_network=True)
        s.env["LD_PRELOAD"] = str(shim)
        s.start_daemon()
        equal(s.stop("bbtd"), 0, "status")


if __name__ == "__main__":
    tap.own_namespace()
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        sys.exit(tap.run(Context(tmp)))

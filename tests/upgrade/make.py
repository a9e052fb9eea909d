#!/usr/bin/env python3
"""make.py BUILD -- writes vN.db and vN.txt beside this file, N the schema version of BUILD's bbtd: one
finished job, one in the middle of a generation. Run once for every version, when it is the newest; the
files are committed and never made again.

vN.txt: a line per job: id, state, requests, generations, evaluations."""
import sqlite3
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integ"))

import tap  # noqa: E402,F401  (puts tools/ on the path)
import tiny  # noqa: E402

import session  # noqa: E402


def keep(state):
    """A copy without its WAL; its schema version."""
    src = sqlite3.connect(state / "bbtd.db")
    version = src.execute("PRAGMA user_version").fetchone()[0]
    out = HERE / f"v{version}.db"
    out.unlink(missing_ok=True)
    dst = sqlite3.connect(out)
    src.backup(dst)
    src.close()
    dst.execute("PRAGMA journal_mode = DELETE")
    rows = dst.execute("SELECT id, state, requests, generations, evaluations FROM job").fetchall()
    dst.close()
    (HERE / f"v{version}.txt").write_text("".join(" ".join(map(str, r)) + "\n" for r in rows))
    return out


def main(build):
    with tempfile.TemporaryDirectory(prefix="bbt-upgrade-") as tmp:
        tmp = Path(tmp)
        model = tiny.model(tmp / "tiny", "bert", hidden=128, layers=2)
        done = tiny.task(tmp / "done", "done", evaluations=30)
        # snapshots are rare: the unfinished one must be past its second
        half = tiny.task(tmp / "half", "half", evaluations=600)
        with session.Session(build, tmp / "s") as s:
            s.configure([tiny.provider(s.start_lm(model, threads=1), model, "tiny")])
            s.start_daemon()
            s.finish(s.submit(done))
            job = s.submit(half)
            session.wait_until("29 generations",
                               lambda: s.job(job)["usage"]["generations"] >= 29)
            s.kill_daemon()
            out = keep(s.state)
    print(f"{out.name}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])

"""outage.py [--only CASE] [--seconds N] -- a provider that is away, in every way, and what the jobs
make of it.

virtual-refused: the engine in virtual time, connection refused for two hours (bench/outage-sim).
killed: bbt-lm is killed and comes back after 30 real seconds.
hangs, cut, 502, 503, 529: a counting provider (tests/support/fakelm.py) that takes the question and
does not answer, breaks off in the middle of the body, or answers with that status, N real seconds.

Every job must complete, with the prompt of the same job without an outage (`identical`).
requests_during: what reached the provider while it was away, by its own count (killed: what the
daemon sent, by the daemon's); requests_allowed: in flight when it went away, the failures that open
the breaker, and one probe per `open_for`."""
import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(os.environ["BBT_ROOT"])
BUILD = Path(os.environ["BBT_BUILD"])
for where in ("tools", "tests/crash", "tests/support"):
    sys.path.insert(0, str(ROOT / where))
import fakelm  # noqa: E402
import rig  # noqa: E402
import session  # noqa: E402

JOBS, SLOTS = 3, 4
OPEN_S, OPEN_CAP_S, MIN_REQUESTS = 1.0, 2.0, 4
BREAKER = {"window": "10s", "min_requests": MIN_REQUESTS, "failure_ratio": 0.5,
           "open_for": f"{OPEN_S:g}s", "open_cap": f"{OPEN_CAP_S:g}s"}
RETRY = {"base": "100ms", "cap": "2s"}


def result(case, **figures):
    print(json.dumps({"case": case, **figures}), flush=True)


def allowed(seconds):
    """In flight, then failures until the breaker opens, then a probe after each wait."""
    return SLOTS + MIN_REQUESTS + 2 + int(seconds / OPEN_S) + 1


class Moody(fakelm.Fake):
    """`mood`: None, "hangs", "cut" or a status. `during` counts the questions in a mood."""

    def __init__(self, path, **more):
        self.mood, self.during = None, 0
        super().__init__(path, **more)

    async def infer(self, path, fields, body, writer):
        mood = self.mood
        if mood is None:
            return await super().infer(path, fields, body, writer)
        with self.lock:
            self.during += 1
        if mood == "hangs":
            await asyncio.sleep(600)
            return False
        if mood == "cut":
            writer.write(b"HTTP/1.1 200 Said\r\nContent-Type: application/octet-stream\r\n"
                         b"Content-Length: 4000\r\nInference-Header-Content-Length: 400\r\n\r\n{")
            await writer.drain()
            return False
        return await self.reply(writer, mood, "application/json", b'{"error":"not now"}')


def run_jobs(r, files, outage=None):
    """Three jobs to their end, `outage` somewhere in the middle: ([state], [digest of prompt])."""
    for b in files.values():
        r.once("PUT", f"/v1/blobs/{rig.hashlib.sha256(b).hexdigest()}", b)
    ids = []
    for i in range(JOBS):
        spec = rig.job_spec(files, f"job-{i}", "one", 240, popsize=6, seed=i + 1)
        ids.append(r.once("POST", "/v1/jobs", spec, **{"Content-Type": "application/json"})[1]["id"])

    def job(i):
        return r.once("GET", f"/v1/jobs/{i}")[1]

    if outage:
        session.wait_until("the middle", lambda: all(
            job(i)["usage"]["generations"] >= 8 for i in ids))
        outage()
    session.wait_until("the end", lambda: all(
        job(i)["state"] not in ("queued", "running") for i in ids), timeout_s=300)
    states = [job(i)["state"] for i in ids]
    prompts = [rig.hashlib.sha256(r.once("GET", f"/v1/jobs/{i}/prompt")[1]).hexdigest()
               if s == "completed" else None for i, s in zip(ids, states)]
    return states, prompts


def one_run(mood, seconds):
    files = rig.data()
    with tempfile.TemporaryDirectory(prefix="bbt-outage-") as tmp:
        fake = Moody(Path(tmp) / "one.sock", delay_s=lambda _: 0.01)
        r = rig.Rig(BUILD / "daemon/bbtd", Path(tmp) / "rig", {"one": fake}, SLOTS)
        conf = json.loads((r.folder / "bbtd.yaml").read_text())
        conf["providers"][0].update(breaker=BREAKER, retry=RETRY, http={"timeout": "2s"})
        (r.folder / "bbtd.yaml").write_text(json.dumps(conf))

        def outage():
            fake.mood = mood
            time.sleep(seconds)
            fake.mood = None

        try:
            r.start()
            states, prompts = run_jobs(r, files, outage if mood else None)
            return states, prompts, fake.during
        finally:
            r.end()
            fake.close()


def moods(names, seconds):
    if not names:
        return
    calm = one_run(None, 0)[1]
    for name in names:
        mood = int(name) if name.isdigit() else name
        states, prompts, during = one_run(mood, seconds)
        result(name, jobs=JOBS, completed=states.count("completed"), identical=prompts == calm,
               requests_during=during, requests_allowed=allowed(seconds), seconds=seconds)


def one_kill(seconds):
    model = ROOT / "models/bbt-mini"
    with session.Session(BUILD) as s:
        url = s.start_lm(model)
        s.configure([{"name": "local", "kind": "kserve2", "url": url, "concurrency": SLOTS,
                      "breaker": BREAKER, "retry": RETRY,
                      "models": [{"name": model.name, "tokenizer": str(model), "batch": 32}]}])
        s.start_daemon()
        jobs = [s.submit(ROOT / "examples/wngloss.yaml", "--name", f"job-{i}", "--set",
                         f"optimizer.seed={i + 1}", "--set", "stop.evaluations=200", "--set",
                         "data.test.shots=16") for i in range(JOBS)]
        sent = [0, 0]
        if seconds:
            session.wait_until("the middle", lambda: all(
                s.job(j)["usage"]["generations"] >= 3 for j in jobs))
            s.stop("bbt-lm", session.signal.SIGKILL)
            (s.folder / "bbt-lm.sock").unlink(missing_ok=True)
            sent[0] = s.json("provider", "show", "local")["sent"]
            time.sleep(seconds)
            sent[1] = s.json("provider", "show", "local")["sent"]
            s.start_lm(model)
        states = [s.finish(j, 300)["state"] for j in jobs]
        prompts = []
        for j in jobs:
            s.ctl("export", j, "-o", s.folder / f"{j}.npy", check=False)
            path = s.folder / f"{j}.npy"
            prompts.append(path.read_bytes() if path.exists() else None)
        return states, prompts, sent[1] - sent[0]


def killed(seconds):
    subprocess.run([sys.executable, str(ROOT / "tools/wngloss.py"), str(ROOT / "build/demo")],
                   check=True, stdout=sys.stderr)
    calm = one_kill(0)[1]
    states, prompts, during = one_kill(seconds)
    result("killed", jobs=JOBS, completed=states.count("completed"), identical=prompts == calm,
           requests_during=during, requests_allowed=allowed(seconds), seconds=seconds)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--only", default="")
    ap.add_argument("--seconds", type=int, default=10)
    a = ap.parse_args()
    virtual = BUILD / "bench/outage-sim"
    if a.only in ("", "virtual-refused") and virtual.exists():
        subprocess.run([str(virtual)], check=True)
    if a.only in ("", "killed"):
        killed(30 if a.seconds == 10 else a.seconds)
    moods([m for m in ("hangs", "cut", "502", "503", "529") if a.only in ("", m)], a.seconds)


if __name__ == "__main__":
    main()

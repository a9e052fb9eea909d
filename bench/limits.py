"""limits.py [--only CASE] [--seconds N] -- is a limit kept, and is all of it used?

virtual-requests, virtual-tokens, tightens: the engine in virtual time against a strict sliding window
that is not our bucket code (the program bench/limits-sim; five virtual minutes).
real-requests, real-tokens: bbtd itself, twenty jobs of mixed size, against a strict provider
(tests/support/limiter.py) for two real minutes at 600 requests/min and at 100 000 tokens/min.
nginx: bbtd, Debian's nginx with limit_req, bbt-lm behind it: a limiter that we did not write.

delivered_ratio: answered in the measured time by the provider's own count, in shares of its limit.
own_429: answers 429 that our own sending caused. failed_jobs: jobs that failed or paused."""
import argparse
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
import limiter  # noqa: E402
import rig  # noqa: E402
import session  # noqa: E402

JOBS = 20
REQUESTS, TOKENS = 600, 100_000  # per minute


def say(text):
    print(text, file=sys.stderr, flush=True)


def result(case, **figures):
    print(json.dumps({"case": case, **figures}), flush=True)


def submit_all(r, files, evaluations):
    """Twenty jobs: small and large populations, few and many examples."""
    for b in files.values():
        r.once("PUT", f"/v1/blobs/{rig.hashlib.sha256(b).hexdigest()}", b)
    ids = []
    for i in range(JOBS):
        spec = rig.job_spec(files, f"job-{i}", "one", evaluations, popsize=(4, 8, 20)[i % 3],
                            seed=i + 1)
        spec["data"]["train"]["shots"] = (2, 4, 8)[i % 3]
        status, got = r.once("POST", "/v1/jobs", spec, **{"Content-Type": "application/json"})
        if status not in (200, 201):
            raise RuntimeError(f"submit: {status} {got}")
        ids.append(got["id"])
    return ids


def troubled(r):
    jobs = r.once("GET", "/v1/jobs?limit=1000")[1]["items"]
    return [j for j in jobs if j["state"] in ("failed", "paused")]


def real(case, seconds, **limits):
    """The daemon against one strict provider; figures over `seconds` after a short start."""
    files = rig.data()
    with tempfile.TemporaryDirectory(prefix="bbt-limits-") as tmp:
        fake = limiter.Limited(Path(tmp) / "one.sock", **limits, delay_s=lambda _: 0.05)
        quota = {"name": "vendor", "concurrency": 32, "headroom": "1%"}
        if "requests" in limits:
            quota["requests_per_minute"] = limits["requests"]
        if "tokens" in limits:
            quota["tokens_per_minute"] = limits["tokens"]
        r = rig.Rig(BUILD / "daemon/bbtd", Path(tmp) / "rig", {"one": fake},
                    queue={"max_running": JOBS}, quotas=[quota])
        conf = json.loads((r.folder / "bbtd.yaml").read_text())
        conf["providers"][0]["quota"] = "vendor"
        (r.folder / "bbtd.yaml").write_text(json.dumps(conf))
        try:
            r.start()
            ids = submit_all(r, files, 1_000_000)
            session.wait_until("all jobs at work", lambda: all(
                r.once("GET", f"/v1/jobs/{i}")[1]["usage"]["requests"] > 0 for i in ids))
            since = time.monotonic()
            session.wait_until("the end of the time", lambda: time.monotonic() > since + seconds,
                               timeout_s=seconds + 60, every_s=0.5)
            requests, tokens = fake.delivered(since, since + seconds)
            bad = troubled(r)
            for j in bad[:3]:
                say(f"{case}: job {j['id']} {j['state']} {j['reason']}: {j['detail']}")
            share = (requests / limits["requests"] if "requests" in limits
                     else tokens / limits["tokens"]) * 60 / seconds
            result(case, delivered_ratio=round(share, 4), own_429=len(fake.refusals),
                   failed_jobs=len(bad), seconds=seconds)
        finally:
            r.end()
            fake.close()


def nginx(case):
    """Small jobs through nginx: all complete, and it never had to refuse."""
    if not limiter.Nginx.there():
        say(f"{case}: left out, nginx is not installed (apt-get install nginx-light)")
        return
    model = ROOT / "models/bbt-mini"
    subprocess.run([sys.executable, str(ROOT / "tools/wngloss.py"), str(ROOT / "build/demo")],
                   check=True, stdout=sys.stderr)
    with session.Session(BUILD) as s:
        s.start_lm(model)
        with limiter.Nginx(s.folder / "nginx", s.folder / "bbt-lm.sock", 10, 10) as front:
            s.configure([{"name": "local", "kind": "kserve2", "url": f"unix:{front.socket}",
                          "quota": "front",
                          "models": [{"name": model.name, "tokenizer": str(model), "batch": 32}]}],
                        quotas=[{"name": "front", "requests_per_minute": REQUESTS,
                                 "concurrency": 4}], queue={"max_running": 4})
            s.start_daemon()
            began = time.monotonic()
            jobs = [s.submit(ROOT / "examples/wngloss.yaml", "--name", f"front-{i}", "--set",
                             f"optimizer.seed={i + 1}", "--set", "stop.evaluations=60", "--set",
                             "data.test.shots=16") for i in range(4)]
            states = [s.finish(j)["state"] for j in jobs]
            took = time.monotonic() - began
            told = front.statuses()
            good = told[200]
            result(case, delivered_ratio=round(good / took / (REQUESTS / 60), 4),
                   own_429=told[429], failed_jobs=sum(x != "completed" for x in states),
                   jobs=len(jobs), requests=good)


def virtual():
    program = BUILD / "bench/limits-sim"
    if program.exists():
        subprocess.run([str(program)], check=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--only", default="")
    ap.add_argument("--seconds", type=int, default=120)
    a = ap.parse_args()
    cases = {"virtual": virtual,
             "real-requests": lambda: real("real-requests", a.seconds, requests=REQUESTS),
             "real-tokens": lambda: real("real-tokens", a.seconds, tokens=TOKENS),
             "nginx": lambda: nginx("nginx")}
    for name, run in cases.items():
        if a.only in ("", name):
            run()


if __name__ == "__main__":
    main()

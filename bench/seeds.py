"""seeds.py [--seeds N] [--set KEY=VALUE ...] -- the demo job with several seeds.

Each seed draws its own few-shot examples, projection and search. One line per job on stderr,
one JSON line at the end: medians and deviation over the seeds. The manual prompt needs no
examples and is the same for all; the calibrated one is averaged over the seeds."""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(os.environ["BBT_ROOT"])
sys.path.insert(0, str(ROOT / "tools"))
import session  # noqa: E402

MODEL = ROOT / "models/bbt-mini"
JOB = ROOT / "examples/wngloss.yaml"


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(s, seeds, sets):
    url = s.start_lm(MODEL)
    s.configure([{"name": "local", "kind": "kserve2", "url": url, "concurrency": 2, "models": [
        {"name": MODEL.name, "tokenizer": str(MODEL), "batch": 32}]}])
    s.start_daemon()
    more = [a for one in sets for a in ("--set", one)]
    jobs = [s.submit(JOB, "--set", f"optimizer.seed={seed}", "--name", f"seed-{seed}", *more)
            for seed in seeds]
    sheets = []
    for job in jobs:
        session.wait_until(f"job {job}", lambda j=job: s.job(j)["state"] not in (
            "queued", "running"), timeout_s=3600, every_s=1.0)
        rec = s.job(job)
        if rec["state"] != "completed":
            raise session.Failed(f"job {job} is {rec['state']}: {rec['detail']}")
        sheets.append(s.json("result", job))
        say(f"{rec['name']}: " + json.dumps({k: sheets[-1][k] for k in (
            "manual_test", "calibrated_test", "tuned_test")}) + f" {rec['usage']['seconds']} s")
    return sheets


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--seeds", type=int, default=5)
    ap.add_argument("--set", action="append", default=[])
    a = ap.parse_args()
    subprocess.run([sys.executable, str(ROOT / "tools/wngloss.py"), str(ROOT / "build/demo")],
                   check=True, stdout=sys.stderr)
    with session.Session(os.environ["BBT_BUILD"]) as s:
        sheets = run(s, range(1, a.seeds + 1), a.set)
    tuned = [x["tuned_test"] for x in sheets]
    print(json.dumps({
        "seeds": a.seeds,
        "manual_test": round(statistics.mean(x["manual_test"] for x in sheets), 4),
        "calibrated_test": round(statistics.mean(x["calibrated_test"] for x in sheets), 4),
        "tuned_test_median": round(statistics.median(tuned), 4),
        "tuned_test_sd": round(statistics.stdev(tuned), 4) if len(tuned) > 1 else None,
        "evaluations": sum(x["usage"]["evaluations"] for x in sheets)}))


if __name__ == "__main__":
    main()

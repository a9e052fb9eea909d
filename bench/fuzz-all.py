"""fuzz-all.py [--seconds N] [--only NAME] -- runs every fuzz target, two at a time.

Builds tests/fuzz with clang and libFuzzer, ASan and UBSan into build-fuzz/ and gives each target
N seconds (60), starting from its committed corpus. What it finds new stays in
build-fuzz/found/NAME, so that the next run goes on from there; an input that breaks a target is
kept in build-fuzz/broken/NAME-*. Prints one JSON line per target: "runs" inputs tried, "crashes"
inputs that broke a law, a sanitizer or a limit of time and memory, "corpus" inputs that reach
something of their own. Exit status 1 where a target broke, or did not run at all."""
import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build-fuzz"
ONE_INPUT_S = 10
MEMORY_MB = 2048
AT_ONCE = 2


def say(text):
    print(text, file=sys.stderr, flush=True)


def names():
    """The targets of tests/fuzz/meson.build."""
    table = re.search(r"fuzz_targets = \{(.*?)\}", (ROOT / "tests/fuzz/meson.build").read_text(),
                      re.S).group(1)
    return re.findall(r"'(\w+)'\s*:", table)


def build(targets):
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["meson", "setup", BUILD, "-Dfuzz=true"], cwd=ROOT, check=True,
                       stdout=sys.stderr, env=os.environ | {"CC": "clang"})
    subprocess.run(["ninja", "-C", BUILD] + [f"tests/fuzz/fuzz-{t}" for t in targets], cwd=ROOT,
                   check=True, stdout=sys.stderr)


def run(target, seconds):
    """One target's JSON line as a dict."""
    found, broken = BUILD / "found" / target, BUILD / "broken"
    found.mkdir(parents=True, exist_ok=True)
    broken.mkdir(exist_ok=True)
    for old in broken.glob(f"{target}-*"):
        old.unlink()
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1",
                        "ASAN_OPTIONS": "allocator_may_return_null=1",
                        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    out = subprocess.run(
        [BUILD / f"tests/fuzz/fuzz-{target}", f"-max_total_time={seconds}",
         f"-timeout={ONE_INPUT_S}", f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1",
         f"-artifact_prefix={broken}/{target}-", found, ROOT / "tests/fuzz/corpus" / target],
        cwd=ROOT, env=env, capture_output=True, text=True, errors="replace", check=False)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", out.stderr)
    corpus = re.findall(r"corp: (\d+)/", out.stderr)
    crashes = len(list(broken.glob(f"{target}-*")))
    if out.returncode or crashes:
        say(f"--- {target}: exit status {out.returncode}\n" + out.stderr[-6000:])
    return {"target": target, "runs": int(runs.group(1)) if runs else 0,
            "crashes": max(crashes, int(out.returncode != 0)),
            "corpus": int(corpus[-1]) if corpus else 0}


def main():
    ask = argparse.ArgumentParser(prog="bench/run fuzz-all")
    ask.add_argument("--seconds", type=int, default=60)
    ask.add_argument("--only", choices=names(), metavar="NAME")
    opt = ask.parse_args()
    targets = [opt.only] if opt.only else names()
    build(targets)
    bad = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for line in pool.map(lambda t: run(t, opt.seconds), targets):
            print(json.dumps(line), flush=True)
            bad += line["crashes"] > 0 or line["runs"] == 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

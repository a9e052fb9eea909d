#!/usr/bin/env python3
"""conform_job.py BUILD -- whole jobs of the real daemon against the conformance server: nothing is
refused, the bill is the daemon's own count, and faults change nothing but the time."""
import json
import sys
import tempfile
from pathlib import Path

import tiny
from tap import case, equal, run, true

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import conform  # noqa: E402  pylint: disable=wrong-import-position
import session  # noqa: E402  pylint: disable=wrong-import-position

BUILD = sys.argv[1]
# dialect of the server: kind of the provider, modes, keys of the job file
SERVED = {
    "triton": ("kserve2", {"compose": "add"}, {}),
    "triton, one prompt in half precision": ("kserve2", {"compose": "add", "prompt": "one",
                                                         "datatype": "FP16"}, {}),
    "mlserver": ("kserve2", {"compose": "add", "output": "token"}, {}),
    "openvino, in front": ("kserve2", {"compose": "prepend", "output": "label",
                                       "label_input": True}, {"prompt__mode": "concat"})}
FAULTS = [{"path": "/infer", "skip": 20, "statuses": [503, 500, 429, 502], "retry_after": 0.05},
          {"path": "/infer", "skip": 10, "times": 2, "action": "reset"},
          {"path": "/infer", "skip": 10, "times": 2, "action": "half"},
          {"path": "/infer", "skip": 10, "action": "close"},
          {"path": "/infer", "skip": 10, "times": 5, "action": "chunked"}]


def job_of(folder, name, plan=(), **more):
    """Runs a job; its record, its prompt file and the server's statistics."""
    kind, modes, keys = SERVED[name]
    modes = {**modes, **more}
    dialect = name.split(",")[0]
    with conform.Server(dialect, listen=f"unix:{folder}/model.sock",
                        args=["--write-model", folder / "m"], **modes) as s:
        job = tiny.task(folder / "task", model_name="m", evaluations=120,
                        prompt__init="zero", prompt__projection={
                            "distribution": "normal", "scale": 0.5}, **keys)
        with session.Session(BUILD, folder / "run") as run_:
            run_.configure([tiny.provider(s.url, folder / "m", "m", concurrency=1, kind=kind,
                                          retry={"base": "10ms", "cap": "100ms"})])
            s.plan(*plan)
            run_.start_daemon()
            number = run_.submit(job)
            record = run_.finish(number, 120)
            true(record["state"] == "completed", json.dumps(record))
            record["log"] = run_.ctl("logs", number)
            run_.ctl("export", number, "-o", folder / "prompt.npy")
        return record, (folder / "prompt.npy").read_bytes(), s.stats()


@case
def served(folder):
    """jobs complete, nothing is refused, tokens are counted alike"""
    for n, name in enumerate(SERVED):
        own = folder / f"served-{n}"
        own.mkdir()
        record, _, stats = job_of(own, name)
        equal(stats["refusals"], [], name)
        equal(stats["unknown_fields"], {}, name)
        usage = record["usage"]
        infer = next(v for k, v in stats["routes"].items() if k.endswith("/infer"))
        true(usage["requests"] <= infer <= usage["requests"] + 8, f"{name}: {usage} {stats}")
        true(0 <= stats["prompt_tokens"] - usage["tokens_in"] < 200, f"{name}: {usage} {stats}")


@case
def disturbed(folder):
    """refusals by load, resets, cut and chunked answers: the same prompt, byte for byte"""
    prompts = []
    for name, plan in (("calm", ()), ("stormy", FAULTS)):
        own = folder / name
        own.mkdir()
        _, prompt, stats = job_of(own, "triton", plan)
        prompts.append(prompt)
    equal(stats["faults"], 9, "faults that came to pass")
    equal(prompts[0], prompts[1], "the prompts")


@case
def too_large(folder):
    """a server that takes smaller bodies: the job halves its requests and ends with the same prompt"""
    (folder / "any").mkdir()
    calm, prompt, stats = job_of(folder / "any", "triton")
    infer = next(v for k, v in stats["routes"].items() if k.endswith("/infer"))
    (folder / "small").mkdir()
    most = stats["body_bytes"] // infer * 3 // 4
    record, other, stats = job_of(folder / "small", "triton", max_body=most)
    refused = [r for r in stats["refusals"] if r["status"] == 413]
    equal(len(refused), len(stats["refusals"]), stats["refusals"])
    true(1 <= len(refused) <= 4, f"{refused}")
    true("from now on 2 examples a request instead of 4: local: " in str(record["log"]),
         f"{record['log']}")
    equal(other, prompt, "the prompts")
    for what in ("examples", "tokens_in", "generations"):
        equal(record["usage"][what], calm["usage"][what], what)
    true(record["usage"]["requests"] > calm["usage"]["requests"], f"{record} {calm}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.exit(run(Path(place)))

"""caps.py -- is a cap in money kept, by the provider's own count?

fifty: fifty requests at once against a job's 1.00 USD; the job pauses and says how to go on.
fifty-trouble: the same with slow answers, 429s, connections that break before and after the work.
extended: 0.50 more for the same job: it goes on counting.
finish: on_limit: finish ends with a measured result inside the same cap.
day-restart: a daily cap of 1.00 for all jobs; the daemon is killed three times on the way.
midnight-*: the engine in virtual time (bench/caps-sim): many days, deaths, the same cap every day.

cap_usd, spent_usd: dollars, charged by the provider's arithmetic. booked_usd: what bbtd has in its
books, which is never less."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

ROOT = Path(os.environ["BBT_ROOT"])
BUILD = Path(os.environ["BBT_BUILD"])
for where in ("tools", "tests/crash", "tests/support"):
    sys.path.insert(0, str(ROOT / where))
import paid  # noqa: E402
import rig  # noqa: E402
import session  # noqa: E402

PER_MILLION, PER_REQUEST = "100", "0.0101"
TROUBLE = {"slow": 0.1, "refused": 0.1, "reset": 0.1, "lost": 0.1}


class Broken(Exception):
    pass


def result(case, cap, fake, books, **more):
    """One line; the cap must hold to the cent and below."""
    spent = fake.charged()
    print(json.dumps({"case": case, "cap_usd": float(Fraction(cap)),
                      "spent_usd": round(float(spent), 6), "booked_usd": float(books),
                      "at_once": fake.most, **more}), flush=True)
    if spent > Fraction(cap):
        raise Broken(f"{case}: {float(spent)} charged")
    if Fraction(books) > Fraction(cap):
        raise Broken(f"{case}: {books} in the books")
    if Fraction(books) < spent:
        raise Broken(f"{case}: {books} in the books, {float(spent)} charged")


class Scene:
    """A daemon, one provider that is paid, data."""

    def __init__(self, tmp, trouble=None, caps=None, delay_s=0.05):
        self.fake = paid.Paid(Path(tmp) / "one.sock", PER_MILLION, PER_REQUEST, trouble,
                              delay_s=lambda _: delay_s)
        self.rig = rig.Rig(BUILD / "daemon/bbtd", Path(tmp) / "rig", {"one": self.fake},
                           concurrency=50, **({"caps": caps} if caps else {}))
        path = self.rig.folder / "bbtd.yaml"
        conf = json.loads(path.read_text())
        conf["providers"][0]["models"][0]["price"] = {
            "input_per_million": PER_MILLION, "per_request": PER_REQUEST, "as_of": "2026-11-01"}
        conf["providers"][0]["retry"] = {"base": "20ms", "cap": "200ms"}
        path.write_text(json.dumps(conf))
        self.files = rig.data()
        self.rig.start()
        for b in self.files.values():
            self.rig.once("PUT", f"/v1/blobs/{rig.hashlib.sha256(b).hexdigest()}", b)

    def ask(self, method, path, body=None):
        status, got = self.rig.once(method, path, body,
                                    **({"Content-Type": "application/json"} if body else {}))
        if status >= 300:
            raise Broken(f"{method} {path}: {status} {got}")
        return got

    def submit(self, name, **limits):
        spec = rig.job_spec(self.files, name, "one", 100000, popsize=64)
        if limits:
            spec["limits"] = limits
        return self.ask("POST", "/v1/jobs", spec)["id"]

    def job(self, ident):
        return self.ask("GET", f"/v1/jobs/{ident}")

    def until(self, ident, *states):
        return session.wait_until(f"job {ident} {states}", lambda: (
            lambda j: j if j["state"] in states else None)(self.job(ident)), 120, 0.1)

    def books(self):
        return self.ask("GET", "/v1/usage")["total"]["cost"]

    def sound(self):
        found = self.ask("POST", "/v1/server:check", {})
        if not found["ok"]:
            raise Broken(f"server check: {found['findings']}")

    def close(self):
        self.rig.end()
        self.fake.close()


def fifty(case, trouble=None):
    with tempfile.TemporaryDirectory(prefix="bbt-caps-") as tmp:
        s = Scene(tmp, trouble)
        try:
            j = s.until(s.submit("one", usd="1.00"), "paused", "failed", "completed")
            s.sound()
            result(case, "1.00", s.fake, s.books(), state=j["state"], reason=j["reason"],
                   met=s.fake.met)
            if (j["state"], j["reason"]) != ("paused", "usd"):
                raise Broken(f"{case}: {j['state']} {j['reason']}: {j['detail']}")
            if trouble:
                return
            s.ask("PATCH", f"/v1/jobs/{j['id']}", {"limits": {"usd": "1.50"}})
            more = session.wait_until("it stops again", lambda: (
                lambda n: n if n["state"] == "paused" and
                Fraction(n["usage"]["cost"]) > Fraction("1.2") else None)(s.job(j["id"])), 60, 0.1)
            s.sound()
            result("extended", "1.50", s.fake, s.books(), state=more["state"],
                   reason=more["reason"])
        finally:
            s.close()


def finish(case):
    with tempfile.TemporaryDirectory(prefix="bbt-caps-") as tmp:
        s = Scene(tmp)
        try:
            spec = rig.job_spec(s.files, "two", "one", 100000, popsize=4)
            spec["limits"] = {"usd": "1.00", "on_limit": "finish"}
            j = s.until(s.ask("POST", "/v1/jobs", spec)["id"], "paused", "failed", "completed")
            s.sound()
            result(case, "1.00", s.fake, s.books(), state=j["state"], reason=j["reason"])
            if (j["state"], j["reason"]) != ("completed", "usd"):
                raise Broken(f"{case}: {j['state']} {j['reason']}: {j['detail']}")
        finally:
            s.close()


def day(case):
    """Three jobs under one daily cap, three deaths."""
    with tempfile.TemporaryDirectory(prefix="bbt-caps-") as tmp:
        s = Scene(tmp, TROUBLE, caps={"usd_per_day": "1.00"})
        try:
            ids = [s.submit(f"job-{i}") for i in range(3)]
            for share in ("0.15", "0.35", "0.55"):
                session.wait_until("so much is spent",
                                   lambda want=share: s.fake.charged() > Fraction(want), 60, 0.02)
                s.rig.kill()
                s.rig.start()
            stuck = session.wait_until("they wait for the morning", lambda: [
                j for j in map(s.job, ids) if j["state"] == "running" and j["reason"] == "usd"
            ][2:], 120, 0.1)
            s.rig.kill()
            s.rig.start()
            session.wait_until("also after a restart", lambda: all(
                s.job(i)["reason"] == "usd" for i in ids), 60, 0.1)
            s.sound()
            result(case, "1.00", s.fake, s.books(), state=stuck[0]["state"],
                   reason=stuck[0]["reason"], deaths=4, met=s.fake.met)
        finally:
            s.close()


def midnight():
    subprocess.run([str(BUILD / "bench/caps-sim")], check=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--only", default="")
    a = ap.parse_args()
    cases = {"fifty": lambda: fifty("fifty"),
             "fifty-trouble": lambda: fifty("fifty-trouble", TROUBLE),
             "finish": lambda: finish("finish"), "day-restart": lambda: day("day-restart"),
             "midnight": midnight}
    for name, run in cases.items():
        if a.only in ("", name):
            run()


if __name__ == "__main__":
    main()

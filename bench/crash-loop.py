"""crash-loop.py [--kills N] [--seed N] -- SIGKILL at random moments, and the books afterwards.

At least four jobs run at two counting providers (tests/support/fakelm.py), while bbtctl and
HTTP clients list, show, pause, resume and change priorities. Each job is one of a few whose undisturbed run was
measured first; a new one is submitted whenever one ends, until all kills are spent.

After every kill, with the daemon dead, for every request id that a provider ever saw:

    asked  =>  in the ledger, or marked as on the wire            (else it is lost)
    in the ledger before  =>  in the ledger now, bit for bit      (else it is lost)
    acknowledged submit, pause, priority, result  =>  still so    (else it is lost)

and at the end, when all jobs are complete:

    provider_count (distinct ids answered)  ==  ledger_count (rows)
    repeated (questions beyond the first of an id, counted by the providers)
        <=  what the jobs' own counters call repeated
        <=  repeated_allowed (requests in flight, summed over the kills)

In flight at a kill is what this life of the daemon has marked and not answered. Start-up questions
(metadata, canaries, embedding look-up) belong to no job and are left out on both sides.
Prints one JSON line; exit status 1 where a law is broken."""
import argparse
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/crash"))
import rig  # noqa: E402

AT_ONCE = 4
KINDS = 4  # different jobs
EVALUATIONS = 400
POPSIZE = 10
SLOTS = 4  # per provider


def say(text):
    print(text, file=sys.stderr, flush=True)


class Loop:
    def __init__(self, build, folder, seed):
        self.build, self.draw = Path(build), random.Random(seed)
        delay = random.Random(seed + 1)
        self.fakes = {n: rig.fakelm.Fake(Path(folder) / f"{n}.sock",
                                         delay_s=lambda _: delay.expovariate(1 / 0.004))
                      for n in ("one", "two")}
        self.rig = rig.Rig(self.build / "daemon/bbtd", Path(folder) / "rig", self.fakes, SLOTS)
        self.files = rig.data()
        self.specs = [rig.job_spec(self.files, f"kind-{i}", ("one", "two")[i % 2], EVALUATIONS,
                                   POPSIZE, seed=i + 1) for i in range(KINDS)]
        self.lock = threading.Lock()
        self.kind = {}     # job -> number of its spec
        self.stands = {}   # job -> state that was acknowledged and must still be
        self.urged = {}    # job -> priority that was acknowledged
        self.done = set()
        self.over = threading.Event()
        self.calls = collections.Counter()
        self.lost, self.allowed, self.kills, self.widest = [], 0, 0, 0
        self.rows, self.marks, self.begun = {}, {}, collections.Counter()

    # ---- clients ----

    def ask(self, method, path, body=None, **headers):
        """(status, answer), or None where the daemon is not there."""
        try:
            return self.rig.once(method, path, body, timeout=20, **headers)
        except (OSError, rig.http.client.HTTPException):
            return None

    def need(self, method, path, body=None, want=(200, 201), **headers):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            got = self.ask(method, path, body, **headers)
            if got and got[0] in want:
                return got[1]
            if got and got[0] != 503:
                raise rig.Failed(f"{method} {path}: {got}")
            time.sleep(0.01)
        raise rig.Failed(f"{method} {path} is never answered: {self.rig.log()}")

    def send_files(self):
        for content in self.files.values():
            self.need("PUT", f"/v1/blobs/{rig.hashlib.sha256(content).hexdigest()}", content)

    def submit(self, number):
        """One attempt; the key makes the next one harmless."""
        kind = number % KINDS
        got = self.ask("POST", "/v1/jobs", self.specs[kind], **{"Idempotency-Key": f"n{number}"})
        if not got or got[0] not in (200, 201):
            return False
        with self.lock:
            self.kind[got[1]["id"]] = kind
            self.stands.setdefault(got[1]["id"], None)
        return True

    def note_ends(self):
        """Remembers what the API has called completed."""
        got = self.ask("GET", "/v1/jobs?state=completed")
        if got and got[0] == 200:
            with self.lock:
                for j in got[1]["items"]:
                    self.done.add(j["id"])
                    self.stands[j["id"]] = "completed"

    def ctl(self, *args):
        """True where the daemon acknowledged it."""
        program = self.build / "ctl/bbtctl"
        self.calls["bbtctl"] += 1
        p = subprocess.run([str(program), "--socket", str(self.rig.socket), *args],
                           env=self.rig.env, stdin=subprocess.DEVNULL, timeout=60, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return p.returncode == 0

    def by_http(self, verb, job, *words):
        self.calls["http"] += 1
        if verb == "set":
            key, value = words[0].split("=")
            got = self.ask("PATCH", f"/v1/jobs/{job}", {key: int(value)})
        else:
            got = self.ask("POST", f"/v1/jobs/{job}:{verb}", {})
        return bool(got) and got[0] == 200

    def urge(self, draw, who, act):
        """A new priority for one of the client's own jobs."""
        with self.lock:
            jobs = [j for j in self.kind if j not in self.done and j % 2 == who]
            job = draw.choice(jobs) if jobs else None
            self.urged.pop(job, None)
        n = draw.randint(-100, 100)
        if job and act("set", str(job), f"priority={n}"):
            self.calls["priority"] += 1
            with self.lock:
                self.urged[job] = n

    def stop_and_go(self, draw, who, act):
        """Pauses a job and lets it go on; an acknowledged pause must survive a death. Each
        client has its own jobs, so that nobody else undoes what it was told."""
        with self.lock:
            jobs = [j for j in self.kind if j not in self.done and j % 2 == who]
        if not jobs:
            return
        job = draw.choice(jobs)
        if act("pause", str(job)):
            with self.lock:
                if self.stands.get(job) is None:
                    self.stands[job] = "paused"
            time.sleep(draw.uniform(0, 0.05))
        with self.lock:
            if self.stands.get(job) == "paused":
                self.stands[job] = None
        while not act("resume", str(job)) and not self.over.is_set():
            got = self.ask("GET", f"/v1/jobs/{job}")
            if got and got[0] == 200 and got[1]["state"] != "paused":
                return
            time.sleep(0.02)

    def traffic(self, who, act):
        draw = random.Random(who)
        while not self.over.is_set():
            if draw.random() < 0.3:
                self.stop_and_go(draw, who, act)
            elif draw.random() < 0.3:
                self.urge(draw, who, act)
            elif draw.random() < 0.5:
                self.ctl("list")
            else:
                self.calls["http"] += 1
                self.ask("GET", draw.choice(["/v1/jobs", "/v1/providers", "/v1/server"]))
            time.sleep(draw.uniform(0.02, 0.2))

    # ---- one death ----

    def die(self):
        if self.rig.kill() != -9:
            raise rig.Failed(f"the daemon ended by itself: {self.rig.log()}")
        self.kills += 1
        with self.lock:
            stands, urged = dict(self.stands), dict(self.urged)
        while not all(f.idle() for f in self.fakes.values()):
            time.sleep(0.001)
        self.books(stands, urged)

    def books(self, stands, urged):
        priorities = self.rig.priorities()
        self.lost += [f"job {j}: acknowledged priority {n}, found {priorities.get(j)}"
                      for j, n in urged.items() if priorities.get(j) != n]
        states, rows, marks = self.rig.states(), self.rig.ledger(), self.rig.marks()
        begun = collections.Counter()
        for f in self.fakes.values():
            begun.update(f.counts()[0])
        for job, state in stands.items():
            if job not in states or (state and states[job] != state):
                self.lost.append(f"job {job}: acknowledged {state}, found {states.get(job)}")
        self.lost += [f"{i}: row gone or changed" for i, r in self.rows.items() if
                      rows.get(i) != r]
        self.lost += [f"{i}: asked {begun[i]} times, counted {r[2]} as repeated"
                      for i, r in rows.items() if i not in self.rows and begun[i] - 1 > r[2]]
        self.lost += [f"{i}: asked, in no book" for i in begun if
                      i not in rows and i not in marks]
        flying = sum(n - self.marks.get(i, 0) for i, n in marks.items())
        self.allowed += flying
        self.widest = max(self.widest, flying)
        self.rows, self.marks, self.begun = rows, marks, begun

    # ---- the whole ----

    def calm(self):
        """Every kind once, undisturbed: [(prompt, ledger)]."""
        if not self.rig.start():
            raise rig.Failed(f"no start: {self.rig.log()}")
        self.send_files()
        for i in range(KINDS):
            self.submit(i)
        self.until_done(KINDS)
        out = self.outcome()
        self.rig.stop()
        return [out[j] for j in sorted(out)]

    def until_done(self, n):
        end = time.monotonic() + 600
        while len(self.done) < n:
            if time.monotonic() > end:
                raise rig.Failed(f"jobs do not end: {self.need('GET', '/v1/jobs')}")
            self.note_ends()
            time.sleep(0.05)

    def outcome(self):
        """{job: (prompt, its ledger without the ids' heads)}; the daemon runs."""
        rows = self.rig.ledger()
        own = collections.defaultdict(dict)
        for i, r in rows.items():
            head, _, rest = i.partition("-")
            own[int(head[1:])][rest] = r[:2]
        return {j: (self.need("GET", f"/v1/jobs/{j}/prompt?format=npy"), own[j])
                for j in self.kind}

    def life(self, number):
        """Submits until enough jobs run, for a random while; the next job's number."""
        end = time.monotonic() + 0.02 * 30 ** self.draw.random()
        while time.monotonic() < end:
            self.note_ends()
            with self.lock:
                short = len(self.kind) - len(self.done) < AT_ONCE
            if short and self.submit(number):
                number += 1
            time.sleep(0.005)
        return number

    def run(self, kills):
        threads = [threading.Thread(target=self.traffic, args=(i, act), daemon=True)
                   for i, act in enumerate((self.ctl, self.by_http))]
        number, started = 0, False
        for k in range(kills):
            if self.draw.random() < 0.1:  # not even up yet
                self.rig.spawn()
                time.sleep(self.draw.uniform(0, 0.05))
            else:
                if not self.rig.start():
                    raise rig.Failed(f"no start: {self.rig.log()}")
                if not started:
                    self.send_files()
                    for t in threads:
                        t.start()
                    started = True
                number = self.life(number)
            self.die()
            if (k + 1) % 20 == 0:
                say(f"{k + 1} kills, {len(self.kind)} jobs, {len(self.rows)} rows, "
                    f"{len(self.lost)} lost, {dict(self.calls)}")
        if not self.rig.start():
            raise rig.Failed(f"no start: {self.rig.log()}")
        self.over.set()
        for t in threads:
            if t.ident:
                t.join(60)
        for job in [j for j, s in self.rig.states().items() if s == "paused"]:
            self.need("POST", f"/v1/jobs/{job}:resume", {}, want=(200, 409))
        self.until_done(len(self.kind))

    def line(self, calm):
        out = self.outcome()
        usage = {j: self.need("GET", f"/v1/jobs/{j}")["usage"] for j in self.kind}
        if self.rig.stop() != 0:
            raise rig.Failed(f"a polite stop: {self.rig.log()}")
        self.books(self.stands, self.urged)
        answered = collections.Counter()
        for f in self.fakes.values():
            answered.update(f.counts()[1])
            self.lost += [f"{i}: asked again about something else" for i in f.changed]
        self.lost += [f"{i}: answered, not in the ledger" for i in answered if
                      i not in self.rows]
        for what in self.lost[:20]:
            say(f"lost: {what}")
        for j, o in out.items():
            if o != calm[self.kind[j]]:
                say(f"job {j} of kind {self.kind[j]} differs from the undisturbed run")
        return {"kills": self.kills, "jobs": len(self.kind), "lost": len(self.lost),
                "repeated": sum(n - 1 for n in self.begun.values()),
                "repeated_counted": sum(u["repeated"] for u in usage.values()),
                "repeated_allowed": self.allowed,
                "identical": all(o == calm[self.kind[j]] for j, o in out.items()),
                "provider_count": len(answered), "ledger_count": len(self.rows),
                "requests": sum(u["requests"] for u in usage.values()),
                "in_flight_max": self.widest, "integrity": self.rig.integrity()}

    def close(self):
        self.over.set()
        self.rig.end()
        for f in self.fakes.values():
            f.close()


def holds(r):
    return (r["lost"] == 0 and r["identical"] and r["integrity"] and
            r["repeated"] <= r["repeated_counted"] <= r["repeated_allowed"] and
            r["provider_count"] == r["ledger_count"] == r["requests"])


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--kills", type=int, default=200)
    ap.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    ap.add_argument("--build", default=os.environ.get("BBT_BUILD", str(ROOT / "build")))
    a = ap.parse_args()
    began = time.monotonic()
    say(f"seed {a.seed}")
    with tempfile.TemporaryDirectory(prefix="bbt-crash-") as tmp:
        parts = []
        try:
            for name in ("calm", "killed"):
                (Path(tmp) / name).mkdir()
                parts.append(Loop(a.build, Path(tmp) / name, a.seed))
            calm = parts[0].calm()
            say(f"undisturbed: {time.monotonic() - began:.1f} s")
            parts[1].run(a.kills)
            result = parts[1].line(calm)
        finally:
            for p in parts:
                p.close()
    result["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(result))
    return 0 if holds(result) else 1


if __name__ == "__main__":
    sys.exit(main())

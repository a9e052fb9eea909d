#!/usr/bin/env python3
"""points.py DAEMON [POINT ...] -- dies once at every named point, and nobody can tell.

The points are read from the source, so a new one is run without being listed, and one that
the story below does not reach fails. Per point: the daemon dies at its first pass, is started
again, and finishes; and once more at a later pass drawn from the seed, on a database that the
first version of the schema made. Then

  - what was acknowledged before the death (submit, pause, priority, cancel, trash) is still so;
  - the prompts, the ledger and the counters are those of the run that nobody disturbed, also of a
    job whose provider takes fewer examples in a request than are configured;
  - the providers were asked again only what had a mark at the moment of death, those rows say
    so, and every distinct answer that they gave is in the ledger once;
  - `server check` has no finding, and a backup that was acknowledged is whole.
"""
import concurrent.futures
import http.client
import os
import random
import re
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

import rig
from rig import Failed, expect

PATIENCE_S = 120
PRICE = {"per_request": "0.01", "as_of": "2026-11-01"}
COMPLETED = ("main", "refused", "large")
COUNTERS = ("generations", "evaluations", "examples", "requests", "tokens_in", "tokens_out")


def points():
    found = []
    for folder in ("src", "daemon"):
        for path in sorted((rig.ROOT / folder).rglob("*.c")):
            found += re.findall(r'BBT_KILLPOINT\("([^"]+)"\)', path.read_text())
    twice = {p for p in found if found.count(p) > 1}
    expect(not twice, f"names used at two places: {twice}")
    expect(found, "no point in the source")
    return found


class Story:
    """What a user does, over one death."""

    def __init__(self, program, folder, point=None, old=False):
        self.point, self.old, self.deaths = point, old, 0
        self.fakes = {n: rig.fakelm.Fake(Path(folder) / f"{n}.sock", rows_max=most)
                      for n, most in (("one", None), ("two", None), ("three", 4))}
        self.rig = rig.Rig(program, folder, self.fakes, price=PRICE)
        if old:
            self.rig.old_database()
        self.files = rig.data()
        self.ids, self.stands = {}, {}  # job -> what was acknowledged last
        self.urged = {}  # job -> its acknowledged priority
        self.extended = set()
        self.trash, self.purged = {}, set()  # job -> whether it was acknowledged as deleted
        self.marked, self.before = {}, {}
        self.prompts, self.usage, self.results = {}, {}, {}

    def close(self):
        self.rig.end()
        for f in self.fakes.values():
            f.close()

    # ---- death and return ----

    def start(self):
        if not self.rig.start(self.point):
            self.back()

    def died(self):
        try:
            self.rig.p.wait(2)
        except rig.subprocess.TimeoutExpired:
            return False
        return True

    def back(self):
        """After the death: the books are read, what was acknowledged must stand."""
        status = self.rig.p.returncode
        expect(status == -9 and self.point, f"the daemon ended with {status}: {self.rig.log()}")
        expect(self.deaths == 0, "it died twice")
        self.deaths += 1
        self.marked, self.before = self.rig.marks(), self.rig.ledger()
        expect(self.rig.integrity(), "integrity_check of the dead daemon's database")
        states = self.rig.states()
        for job, state in self.stands.items():
            expect(job in states, f"job {job} was acknowledged and is gone")
            expect(not state or states[job] == state, f"job {job}: {state} was acknowledged, the "
                   f"database says {states[job]}")
        deleted = dict(self.rig.query("SELECT id, deleted_us > 0 FROM job"))
        for job, there in self.trash.items():
            expect(deleted.get(job) == there, f"job {job}: {deleted.get(job)}, not {there}")
        for job in self.purged:
            left = self.rig.query("SELECT (SELECT count(*) FROM answer WHERE job = ?1) + (SELECT "
                                  "count(*) FROM event WHERE job = ?1)", job)
            expect(job not in states and left == [(0,)], f"job {job} was purged: {left}")
        priorities = self.rig.priorities()
        for job, n in self.urged.items():
            expect(priorities.get(job) == n, f"job {job}: priority {n} was acknowledged, the "
                   f"database says {priorities.get(job)}")
        for f in self.fakes.values():
            self.until("the provider notices", f.idle)
        expect(self.rig.start(), f"does not start again: {self.rig.log()}")

    @staticmethod
    def until(what, check, every_s=0.01):
        end = time.monotonic() + PATIENCE_S
        while not check():
            expect(time.monotonic() < end, f"waited in vain: {what}")
            time.sleep(every_s)

    def ask(self, method, path, body=None, **headers):
        """An answer, whatever happens to the daemon meanwhile: what a careful client does."""
        for _ in range(200):
            try:
                status, got = self.rig.once(method, path, body, **headers)
            except (OSError, http.client.HTTPException):
                if self.died():
                    self.back()
                continue
            if status != 503:
                return status, got
            time.sleep(0.02)
        raise Failed(f"{method} {path} is never answered")

    # ---- what the user does ----

    def send_files(self):
        for content in self.files.values():
            name = rig.hashlib.sha256(content).hexdigest()
            status, _ = self.ask("PUT", f"/v1/blobs/{name}", content)
            expect(status in (200, 201), f"blob: {status}")

    def submit(self, name, provider, evaluations, **more):
        spec = rig.job_spec(self.files, name, provider, evaluations, **more)
        status, got = self.ask("POST", "/v1/jobs", spec, **{"Idempotency-Key": name})
        expect(status in (200, 201), f"submit: {status} {got}")
        self.ids[name] = got["id"]
        self.stands[got["id"]] = None

    def job(self, name):
        status, got = self.ask("GET", f"/v1/jobs/{self.ids[name]}")
        expect(status == 200, f"{name}: {status} {got}")
        return got

    def move(self, name, verb, to):
        """Sends an action; where it is acknowledged, it stands from then on."""
        job = self.ids[name]
        self.stands[job] = None
        status, got = self.ask("POST", f"/v1/jobs/{job}:{verb}", {})
        expect(status in (200, 409), f"{verb}: {status} {got}")
        if status == 200 and to:
            self.stands[job] = to
        return status == 200

    def urge(self, name, priority):
        job = self.ids[name]
        self.urged.pop(job, None)
        status, got = self.ask("PATCH", f"/v1/jobs/{job}", {"priority": priority})
        expect(status == 200 and got["priority"] == priority, f"priority: {status} {got}")
        self.urged[job] = priority

    def extend(self, name):
        """Another limit; once it is acknowledged, it is in the spec that is in force."""
        job = self.ids[name]
        status, got = self.ask("PATCH", f"/v1/jobs/{job}", {"limits": {"usd": "50.00"}})
        expect(status == 200, f"limits: {status} {got}")
        self.extended.add(job)

    def delete(self, name):
        """Into the trash, out of it, and away for good; each is acknowledged."""
        job = self.ids[name]
        for method, tail, there in (("DELETE", "", 1), ("POST", ":undelete", 0),
                                    ("DELETE", "", 1)):
            self.trash.pop(job, None)
            status, got = self.ask(method, f"/v1/jobs/{job}{tail}")
            expect(status in (200, 409) if tail else status == 200, f"{method}: {status} {got}")
            self.trash[job] = there
        del self.stands[job], self.trash[job]
        self.urged.pop(job, None)
        for _ in range(500):
            status, got = self.ask("DELETE", f"/v1/jobs/{job}?purge=1")
            if status != 409:  # answers on their way
                break
            time.sleep(0.01)
        expect(status == 200 or (status == 404 and self.deaths), f"purge: {status} {got}")
        self.purged.add(job)

    def pause_and_resume(self, name):
        if self.move(name, "pause", "paused"):
            expect(self.job(name)["state"] == "paused", "a paused job is paused")
        self.move(name, "resume", None)

    def close_and_open(self, provider):
        """A provider's pause stands once it is acknowledged, and so does its end."""
        for verb, paused in (("pause", "user"), ("resume", None)):
            status, got = self.ask("POST", f"/v1/providers/{provider}:{verb}", {})
            expect(status == 200, f"{verb}: {status} {got}")
            status, got = self.ask("GET", f"/v1/providers/{provider}")
            expect(status == 200 and got["paused"] == paused, f"after {verb}: {got}")

    def finish(self, name):
        self.until(f"job {name}", lambda: self.job(name)["state"] not in rig.OPEN)
        got = self.job(name)
        expect(got["state"] == "completed", f"{name}: {got}")
        self.stands[self.ids[name]] = "completed"

    def tell(self):
        """The whole of it; every step may meet the death."""
        self.start()
        self.send_files()
        self.fakes["two"].refuse = lambda _: 401
        self.submit("refused", "two", 4, seed=3)
        self.submit("main", "one", 24)
        self.submit("large", "three", 8, seed=11)
        self.submit("gone", "one", 4000, seed=5)
        self.urge("refused", -7)
        self.urge("main", 100)
        self.extend("main")
        self.until("requests", lambda: self.job("main")["usage"]["requests"] >= 6)
        self.pause_and_resume("main")
        self.close_and_open("one")
        self.move("gone", "cancel", "cancelled")
        self.delete("gone")
        self.until("the refusal", lambda: self.job("refused")["state"] == "paused")
        self.stands[self.ids["refused"]] = "paused"
        self.fakes["two"].refuse = lambda _: None
        self.move("refused", "resume", None)
        self.finish("main")
        self.finish("refused")
        self.finish("large")
        self.look_after()
        if self.point and not self.old and not self.deaths:
            self.chase()

    def look_after(self):
        """The house-keeping that the API offers."""
        file = self.rig.folder / "backup.db"
        status, got = self.ask("POST", "/v1/server:backup", {"file": str(file)})
        expect(status in (200, 409), f"backup: {status} {got}")
        expect(self.rig.integrity(file) and self.rig.query(
            "SELECT count(*) FROM answer", path=file)[0][0] > 0, "the backup is not whole")
        status, got = self.ask("POST", "/v1/server:vacuum", {})
        expect(status == 200 or self.old, f"vacuum: {status} {got}")
        status, got = self.ask("POST", "/v1/server:check", {})
        expect(status == 200 and got["ok"], f"check: {status} {got}")
        if self.old:
            kept = list((self.rig.state / "backups").glob("bbtd-v1-*.db"))
            expect(len(kept) > 0 and all(map(self.rig.integrity, kept)),
                   f"backups before the migration: {kept}")
        self.restore(file)

    def restore(self, file):
        """The backup back into its place; whatever happens, there is a whole database."""
        if not self.point or self.deaths:
            return
        if self.rig.stop() != 0:
            self.back()
            return
        for _ in range(2):
            status = self.rig.tool(self.point if not self.deaths else None,
                                   "--restore", file, "--force")
            if status == 0:
                break
            expect(status == -9 and not self.deaths, f"restore: {status} {self.rig.log()}")
            self.deaths += 1
            self.marked, self.before = self.rig.marks(), self.rig.ledger()
            expect(self.rig.integrity() and self.before, "the database after a dead restore")
        if self.deaths:
            expect(self.rig.start(), f"no start after a restore: {self.rig.log()}")
        else:
            self.start()

    def chase(self):
        """Points that need a lucky moment: a pause between a mark and its request."""
        self.submit("chased", "one", 4000, seed=9)
        for _ in range(60):
            if self.deaths:
                break
            was = self.job("chased")["usage"]["requests"]
            self.until("more", lambda: self.job("chased")["usage"]["requests"] > was + 3, 0.001)
            self.pause_and_resume("chased")
        self.move("chased", "cancel", "cancelled")

    # ---- the verdict ----

    def read(self):
        for job in self.extended:
            status, got = self.ask("GET", f"/v1/jobs/{job}/spec")
            expect(status == 200 and got["limits"].get("usd") == "50.00",
                   f"limits of job {job}: {status} {got}")
        for name in COMPLETED:
            status, raw = self.ask("GET", f"/v1/jobs/{self.ids[name]}/prompt?format=npy")
            expect(status == 200, f"prompt: {status}")
            self.prompts[name] = raw
            self.usage[name] = self.job(name)["usage"]
        expect(self.rig.stop() == 0, f"a polite stop: {self.rig.log()}")
        self.rows = self.rig.ledger()
        self.left = self.rig.marks()

    def own(self, name, books):
        head = f"j{self.ids[name]}-"
        return {k[len(head):]: v for k, v in books.items() if k.startswith(head)}

    def kept(self, id_):
        return int(id_[1:].partition("-")[0]) not in self.purged

    def judge(self, calm):
        for id_, row in self.before.items():
            expect(not self.kept(id_) or self.rows.get(id_, ())[:2] == row[:2],
                   f"{id_} was in the ledger and is not")
        for name in COMPLETED:
            expect(self.prompts[name] == calm.prompts[name], f"the prompt of {name} differs")
            mine, theirs = self.own(name, self.rows), calm.own(name, calm.rows)
            expect({k: v[:2] for k, v in mine.items()} == {k: v[:2] for k, v in theirs.items()},
                   f"the ledger of {name} differs")
            for c in COUNTERS:
                expect(self.usage[name][c] == calm.usage[name][c], f"{name}: {c} is "
                       f"{self.usage[name][c]}, undisturbed {calm.usage[name][c]}")
        self.judge_money()

    def judge_money(self):
        begun, answered, refused = ({}, {}, {})
        for f in self.fakes.values():
            begun.update(f.begun)
            answered.update(f.answered)
            refused.update(f.refused)
            expect(not f.changed, f"asked again about something else: {f.changed}")
        for id_, row in self.rows.items():
            expect(id_ in answered, f"{id_} is in the ledger and was never answered")
            expect(row[2] == 0 or id_ in self.marked, f"{id_} is called repeated without a mark")
        for id_, n in begun.items():
            again = n - refused.get(id_, 0) - 1
            expect(again <= (id_ in self.marked), f"{id_} was asked {n} times; marks at the "
                   f"death: {sorted(self.marked)}")
            if again > 0 and id_ in self.rows:
                expect(self.rows[id_][2] == again, f"{id_} was repeated and is not counted")
        for name in COMPLETED:
            charged = sum(self.own(name, begun).values()) - sum(self.own(name, refused).values())
            cents = round(100 * float(self.usage[name]["cost"]))
            expect(cents >= charged, f"{name}: charged {charged} cents, the books say {cents}")
        answered = {i: v for i, v in answered.items() if self.kept(i)}
        lost = set(answered) - set(self.rows) - set(self.left) - set(self.marked)
        expect(not lost, f"answered and in no book: {sorted(lost)}")
        for name in COMPLETED:
            own = self.own(name, self.rows)
            expect(self.usage[name]["requests"] == len(own), f"{name}: requests and rows")
            expect(self.usage[name]["repeated"] == sum(r[2] for r in own.values()),
                   f"{name}: repeated")
            expect(len(own) == len(self.own(name, answered)), f"{name}: rows and answers")


def run(program, folder, point, calm=None, old=False):
    """None, or what was wrong; "unreached" where the point was not passed so often."""
    folder.mkdir()
    story = Story(program, folder, point, old)
    try:
        story.tell()
        story.read()
        if calm is None:
            return story
        if not story.deaths:
            return "unreached"
        story.judge(calm)
        return None
    except Failed as e:
        return f"{e}"
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()
    finally:
        story.close()


def main(program, names):
    seed = int(os.environ.get("BBT_SEED", random.randrange(1 << 30)))
    draw, all_points = random.Random(seed), points()
    later = {p: 1 if p.startswith("backup") else 2 if p.startswith("migrate") else
             round(2 * 30 ** draw.random()) for p in all_points}
    todo = [p for p in all_points if not names or p in names]
    print(f"# seed {seed}\n1..{len(todo)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bbt-crash-") as tmp:
        calm = run(program, Path(tmp) / "calm", None)
        if not isinstance(calm, Story):
            print(f"Bail out! undisturbed run: {calm}")
            return 1

        def both(point):
            first = run(program, Path(tmp) / point, f"{point}:1", calm)
            if first:
                return point, first
            n, second = later[point], "unreached"
            while n > 0 and second == "unreached":  # most points are not passed that often
                second = run(program, Path(tmp) / f"{point}-{n}", f"{point}:{n}", calm, True)
                n //= 3
            return point, None if second == "unreached" else second and f"later: {second}"

        bad = 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for i, (point, wrong) in enumerate(pool.map(both, todo), 1):
                bad += wrong is not None
                print(f"{'not ok' if wrong else 'ok'} {i} - {point}", flush=True)
                if wrong:
                    print("".join(f"# {line}\n" for line in str(wrong).splitlines()), end="",
                          flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    threading.stack_size(1 << 20)
    sys.exit(main(sys.argv[1], sys.argv[2:]))

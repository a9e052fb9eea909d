"""rig.py -- a daemon that is killed and started again, and the books kept about it.

Used by points.py and by bench/crash-loop.py. Standard library only.
"""
import hashlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
import fakelm  # noqa: E402

WORDS = ("good bad it was the a film plot actor scene very quite dull bright slow warm cold story "
         "end joy tears laugh sleep gem mess : , train dev test").split()
PARTS = (("train", 16), ("dev", 12), ("test", 24))
OPEN = ("queued", "running")
PHASES = ["train", "dev", "test", "manual", "calibrate", "probe", "predict"]


class Failed(Exception):
    """The daemon did not keep a promise."""


def expect(ok, what):
    if not ok:
        raise Failed(what)


def request_id(job, phase, gen, cand, batch):
    """What the engine writes into the question of this ledger key (src/engine/eval.c)."""
    return f"j{job}-{PHASES[phase]}-g{gen}-c{cand}-b{batch}"


def tokenizer(folder):
    folder.mkdir(parents=True, exist_ok=True)
    words = (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
             + [str(d) for d in range(10)] + [f"##{d}" for d in range(10)])
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(json.dumps(
        {"model_type": "bert", "vocab_size": len(words)}))
    return folder


def data():
    """{part: bytes} of a little task."""
    good, bad = ["warm", "bright", "joy", "gem", "laugh"], ["cold", "dull", "tears", "mess", "slow"]
    files = {}
    for part, count in PARTS:
        rows = ["text\tlabel"]
        for i in range(count):
            side = good if i % 2 else bad
            rows.append(f"the {WORDS[6 + (i * 7) % 4]} was {side[i % 5]} , {side[(i * 3) % 5]} "
                        f"{part} {i}\t{'up' if i % 2 else 'down'}")
        files[part] = ("\n".join(rows) + "\n").encode()
    return files


def job_spec(files, name, provider, evaluations, popsize=4, seed=7, **more):
    where = {p: {"file": f"{p}.tsv", "blob": hashlib.sha256(b).hexdigest()}
             for p, b in files.items()}
    where["train"]["shots"] = where["dev"]["shots"] = 4
    return {"apiVersion": "bbt/v1", "kind": "TuningJob", "name": name, "provider": provider,
            "model": "fake", "data": {**where, "columns": {"text": "text", "label": "label"}},
            "task": {"template": "it was {mask} : {text}", "labels": {"up": "good", "down": "bad"}},
            "prompt": {"tokens": 3, "intrinsic_dim": 10, "mode": "add",
                       "projection": {"distribution": "normal"}},
            "optimizer": {"popsize": popsize, "sigma": 1.0, "seed": seed},
            "dev_every": 2, "stop": {"evaluations": evaluations}, **more}


class Local(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Rig:
    """One state folder, its providers, and a daemon that comes and goes."""

    def __init__(self, program, folder, fakes, concurrency=4, price=None, **conf):
        self.program, self.folder, self.fakes = str(program), Path(folder), fakes
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket, self.state = self.folder / "d.sock", self.folder / "state"
        self.p = None
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("BBT", "LISTEN_"))}
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM"):
            self.env.pop(name, None)
        self.env["OPENBLAS_NUM_THREADS"] = "1"
        vocab = tokenizer(self.folder / "vocab")
        (self.folder / "bbtd.yaml").write_text(json.dumps({
            "apiVersion": "bbt/v1", "kind": "Config",
            "listen": {"unix": {"path": str(self.socket)}}, "queue": {"max_running": 8},
            "worker_threads": 1, "blas_threads": 1,
            "quotas": [{"name": "shared", "requests_per_minute": 1000000}],
            "providers": [{"name": n, "kind": "kserve2", "url": f.url, "quota": "shared",
                           "concurrency": concurrency,
                           "models": [{"name": "fake", "tokenizer": str(vocab), "batch": 8,
                                       **({"price": price} if price else {})}]}
                          for n, f in fakes.items()], **conf}))

    # ---- the process ----

    def spawn(self, point=None):
        env = {**self.env, "BBT_KILLPOINT": point} if point else self.env
        with open(self.folder / "bbtd.log", "ab") as log:
            self.p = subprocess.Popen(
                [self.program, "--config", str(self.folder / "bbtd.yaml"), "--state-dir",
                 str(self.state)], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, point=None):
        """Starts the daemon, armed or not; True once it answers, False where it died first."""
        self.spawn(point)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.p.poll() is not None:
                return False
            try:
                self.once("GET", "/healthz", timeout=20)
                return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
        raise Failed(f"the daemon does not answer: {self.log()}")

    def tool(self, point, *args):
        """The daemon's program for a task of its own: its exit status."""
        env = {**self.env, "BBT_KILLPOINT": point} if point else self.env
        with open(self.folder / "bbtd.log", "ab") as log:
            return subprocess.run(
                [self.program, "--config", str(self.folder / "bbtd.yaml"), "--state-dir",
                 str(self.state), *map(str, args)], env=env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, timeout=60, check=False).returncode

    def kill(self):
        self.p.send_signal(signal.SIGKILL)
        return self.p.wait(30)

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        return self.p.wait(60)

    def end(self):
        if self.p and self.p.poll() is None:
            self.kill()

    def log(self):
        path = self.folder / "bbtd.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    # ---- talking ----

    def once(self, method, path, body=None, timeout=60, **headers):
        """(status, answer); OSError or HTTPException where the daemon goes away meanwhile."""
        c = Local(self.socket, timeout)
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body)
            c.request(method, path, body, headers)
            r = c.getresponse()
            raw = r.read()
        finally:
            c.close()
        return r.status, json.loads(raw) if raw[:1] in (b"{", b"[") else raw

    def old_database(self):
        """An empty database as the first version of the schema made it."""
        self.state.mkdir(mode=0o700)
        db = sqlite3.connect(self.state / "bbtd.db")
        db.executescript((ROOT / "schema/001_first.sql").read_text()
                         + "PRAGMA application_id = 0x62627464; PRAGMA user_version = 1;")
        db.close()

    # ---- the books: the database as the dead daemon left it ----

    def query(self, sql, *args, path=None):
        path = path or self.state / "bbtd.db"
        if not path.exists():
            return []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return db.execute(sql, args).fetchall()
        except sqlite3.OperationalError as e:
            if "no such" in str(e):  # dead in the middle of the migrations
                return []
            raise
        finally:
            db.close()

    def marks(self):
        """{request id: how often it was about to be sent} of what has no answer yet."""
        return {request_id(*r[:5]): r[5] for r in self.query(
            "SELECT job, phase, gen, cand, batch, tries FROM mark")}

    def ledger(self):
        """{request id: (digest, logit, repeated)}."""
        return {request_id(*r[:5]): r[5:] for r in self.query(
            "SELECT job, phase, gen, cand, batch, digest, logit, repeated FROM answer")}

    def states(self):
        return dict(self.query("SELECT id, state FROM job"))

    def priorities(self):
        return dict(self.query("SELECT id, priority FROM job"))

    def integrity(self, path=None):
        return self.query("PRAGMA integrity_check", path=path) in ([("ok",)], [])

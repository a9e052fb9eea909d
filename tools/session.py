"""session.py -- bbt-lm and bbtd in a private folder, and bbtctl to talk to them.

Used by ./quickstart, the integration tests and the benches. Python standard library only.
Unix sockets throughout: no port to collide, nothing listens outside the folder. Everything that
was started is ended by close(), whatever happened.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Failed(Exception):
    """A program did not do what it was asked for."""


def wait_until(what, check, timeout_s=60.0, every_s=0.02):
    """What `check` returns as soon as it is true; Failed after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {timeout_s:g} s in vain for: {what}")
        time.sleep(every_s)


class Session:
    """A folder with sockets, state and logs; programs by name."""

    def __init__(self, build, folder=None):
        self.build = Path(build).resolve()
        self.own = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="bbt-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.running = {}
        self.config = self.folder / "bbtd.yaml"
        self.socket = self.folder / "bbtd.sock"
        self.state = self.folder / "state"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("BBT", "LISTEN_"))}
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM", "NO_COLOR"):
            self.env.pop(name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def program(self, name):
        where = {"bbtd": "daemon", "bbtctl": "ctl", "bbt-lm": "lmserver"}[name]
        return str(self.build / where / name)

    def log(self, name):
        """The last lines that a program said."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def start(self, name, args, env=None):
        if name in self.running:
            raise Failed(f"{name} is running already")
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log,
                                                  stderr=log, env=env or self.env)
        return self.running[name]

    def stop(self, name, sig=signal.SIGTERM, timeout_s=60.0):
        """Ends a program; its exit status (negative: the signal)."""
        p = self.running.pop(name, None)
        if p is None:
            return None
        if p.poll() is None:
            p.send_signal(sig)
        try:
            return p.wait(timeout_s)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Failed(f"{name} did not end after {sig!s}: {self.log(name)}") from None

    def close(self):
        for name in list(self.running):
            try:
                self.stop(name, signal.SIGKILL)
            except Failed as e:
                print(e, file=sys.stderr)
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the model server ----

    def start_lm(self, model, name="bbt-lm", threads=0):
        """Serves a model folder; the URL of it."""
        sock = self.folder / f"{name}.sock"
        args = [self.program("bbt-lm"), "--model", str(model), "--listen", f"unix:{sock}"]
        if threads:
            args += ["--threads", str(threads)]
        p = self.start(name, args)
        wait_until(f"{name} listens", lambda: self.alive(name, p) and sock.exists())
        return f"unix:{sock}"

    def alive(self, name, p):
        if p.poll() is not None:
            raise Failed(f"{name} ended with {p.returncode}: {self.log(name)}")
        return True

    # ---- the daemon ----

    def configure(self, providers, **more):
        """Writes bbtd.yaml (JSON is YAML)."""
        conf = {"apiVersion": "bbt/v1", "kind": "Config",
                "listen": {"unix": {"path": str(self.socket)}},
                "providers": providers, **more}
        self.config.write_text(json.dumps(conf, indent=2))

    def start_daemon(self, *more, wait=True):
        p = self.start("bbtd", [self.program("bbtd"), "--config", str(self.config),
                                "--state-dir", str(self.state), *more])
        if wait:
            wait_until("bbtd answers",
                       lambda: self.alive("bbtd", p) and self.ctl("version", check=False)[0] == 0)
        return p

    def kill_daemon(self):
        """As the kernel would: no chance to tidy up."""
        return self.stop("bbtd", signal.SIGKILL)

    # ---- the control tool ----

    def ctl(self, *args, check=True, timeout_s=600.0, stdin=None):
        """(exit status, stdout, stderr) of a bbtctl command."""
        p = subprocess.run([self.program("bbtctl"), "--socket", str(self.socket), *map(str, args)],
                           env=self.env, text=True, input=stdin, timeout=timeout_s,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                           **({} if stdin is not None else {}))
        if check and p.returncode != 0:
            raise Failed(f"bbtctl {' '.join(map(str, args))}: exit {p.returncode}\n{p.stdout}"
                         f"{p.stderr}\n{self.log('bbtd')}")
        return p.returncode, p.stdout, p.stderr

    def json(self, *args, **kw):
        """What a command prints with --json."""
        out = self.ctl(*args, "--json", **kw)[1]
        return json.loads(out)

    def submit(self, path, *more):
        return int(self.ctl("submit", path, "--id-only", *more)[1].split()[-1])

    def job(self, job):
        return self.json("show", job)

    def finish(self, job, timeout_s=600.0):
        """Waits for the end of a job; its record."""
        self.ctl("wait", job, check=False, timeout_s=timeout_s)
        return self.job(job)

#!/usr/bin/env python3
"""daemon.py BUILD -- bbtd from outside: exit statuses, the lock, readiness, socket activation,
broken files told with place and fix."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.torch = tiny.have_torch()
        self.model = tiny.model(self.folder / "tiny", "bert") if self.torch else None
        self.task = tiny.task(self.folder / "task")
        self.n = 0

    def session(self):
        self.n += 1
        s = session.Session(BUILD, self.folder / f"s{self.n}")
        s.configure([tiny.provider("http://127.0.0.1:9", self.model or self.folder, "tiny")])
        return s


def bbtd(s, *args, **env):
    p = subprocess.run([s.program("bbtd"), *map(str, args)], env={**s.env, **env}, text=True,
                       timeout=30, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, check=False)
    return p.returncode, p.stdout + p.stderr


@case
def usage(ctx):
    """bbtd without a configuration, or with an unknown option, exits 2"""
    with ctx.session() as s:
        equal(bbtd(s, "--no-such-option")[0], 2, "status")


@case
def bad_config(ctx):
    """a broken configuration exits 78 and names file, line and the fix"""
    with ctx.session() as s:
        s.config.write_text("apiVersion: bbt/v1\nkind: Config\nqueue: {max_runing: 3}\n")
        for args in (["--check-config"], ["--state-dir", s.state]):
            status, said = bbtd(s, "--config", s.config, *args)
            equal(status, 78, said)
            true("bbtd.yaml:3" in said, said)
            true("max_runing" in said and "max_running" in said, said)
        equal(bbtd(s, "--config", s.folder / "none.yaml", "--check-config")[0], 78, "no file")


@case
def good_config(ctx):
    """--check-config of the shipped examples exits 0"""
    with ctx.session() as s:
        for name in ("bbtd.yaml", "providers.yaml"):
            status, said = bbtd(s, "--config", tiny.ROOT / "examples" / name, "--check-config")
            equal(status, 0, said)


@case
def relative_paths(ctx):
    """relative paths of the configuration are meant from its own folder, from wherever it starts"""
    with ctx.session() as s:
        text = s.config.read_text().replace(str(s.socket), "bbtd.sock")
        s.config.write_text(text.replace('"listen"', '"state_dir": "kept", "listen"'))
        s.start("bbtd", [s.program("bbtd"), "--config", str(s.config)])
        session.wait_until("answers", lambda: s.alive("bbtd", s.running["bbtd"])
                           and s.ctl("version", check=False)[0] == 0)
        true((s.folder / "kept/bbtd.db").exists(), "the state lies beside the configuration")
        equal(s.stop("bbtd"), 0, "status")


@case
def second_daemon(ctx):
    """a second daemon on the same state directory exits 75 and harms nobody"""
    with ctx.session() as s:
        s.start_daemon()
        other = s.folder / "other.yaml"
        other.write_text(s.config.read_text().replace("bbtd.sock", "other.sock"))
        status, said = bbtd(s, "--config", other, "--state-dir", s.state)
        equal(status, 75, said)
        equal(s.ctl("version")[0], 0, "the first one answers")
        equal(s.stop("bbtd"), 0, "status of the first")


@case
def after_a_crash(ctx):
    """the socket file and the lock that a killed daemon leaves behind are in nobody's way"""
    with ctx.session() as s:
        s.start_daemon()
        s.kill_daemon()
        true(s.socket.exists(), "the socket file is still there")
        s.start_daemon()
        equal(s.ctl("version")[0], 0, "answers")
        equal(s.stop("bbtd", signal.SIGINT), 0, "status")


@case
def unreachable(ctx):
    """bbtctl without a daemon exits 3 and says which socket"""
    with ctx.session() as s:
        status, out, err = s.ctl("list", check=False)
        equal(status, 3, out + err)
        true(str(s.socket) in err, err)


@case
def notify(ctx):
    """readiness, reload, watchdog and stop are told to systemd, in this order"""
    with ctx.session() as s:
        path = s.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(10)
            s.env.update(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="200000")
            heard = []

            def hear(what):
                while what not in "\n".join(heard):
                    heard.append(manager.recv(4096).decode())
                return heard.pop()

            s.start_daemon(wait=False)
            true("STATUS=" in hear("READY=1"), "a status comes with readiness")
            equal(s.ctl("version")[0], 0, "ready means that it answers")
            hear("WATCHDOG=1")
            heard.clear()
            hear("WATCHDOG=1")
            heard.clear()
            s.running["bbtd"].send_signal(signal.SIGHUP)
            true("MONOTONIC_USEC=" in hear("RELOADING=1"), "the moment of reloading")
            hear("READY=1")
            equal(s.ctl("version")[0], 0, "answers after the reload")
            heard.clear()
            equal(s.stop("bbtd"), 0, "status")
            hear("STOPPING=1")


@case
def socket_activation(ctx):
    """a socket that systemd holds is served, and still there afterwards"""
    with ctx.session() as s, socket.socket(socket.AF_UNIX) as held:
        held.bind(str(s.socket))
        held.listen(16)
        # what systemd does: the socket as descriptor 3, LISTEN_PID the process itself
        code = ("import os, sys\nos.dup2(int(sys.argv[1]), 3)\nos.set_inheritable(3, True)\n"
                "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', "
                "LISTEN_FDNAMES='control')\nos.execv(sys.argv[2], sys.argv[2:])\n")
        os.set_inheritable(held.fileno(), True)
        with open(s.folder / "bbtd.log", "ab") as log:
            p = subprocess.Popen([sys.executable, "-c", code, str(held.fileno()),
                                  s.program("bbtd"), "--config", str(s.config), "--state-dir",
                                  str(s.state)], env=s.env, close_fds=False, stdout=log,
                                 stderr=log, stdin=subprocess.DEVNULL)
        s.running["bbtd"] = p
        session.wait_until("answers",
                           lambda: s.alive("bbtd", p) and s.ctl("version", check=False)[0] == 0)
        equal(s.stop("bbtd"), 0, "status")
        true(s.socket.exists(), "systemd's socket stays")


@case
def example_job(ctx):
    """the shipped job file and its data are valid"""
    if not Path("/usr/share/wordnet/data.noun").exists():
        raise tap.Skip("no wordnet-base")
    folder = ctx.folder / "copy"
    (folder / "examples").mkdir(parents=True)
    job = folder / "examples/wngloss.yaml"
    job.write_text((tiny.ROOT / "examples/wngloss.yaml").read_text())
    subprocess.run([sys.executable, str(tiny.ROOT / "tools/wngloss.py"),
                    str(folder / "build/demo")], check=True, stdout=subprocess.DEVNULL)
    with ctx.session() as s:
        status, out, err = s.ctl("validate", job, check=False)
        equal(status, 0, out + err)


BROKEN = [
    # what is replaced in the job file, by what; what must be said
    ('"evaluations": 60', '"evaluatons": 60', ["evaluatons", "evaluations"]),
    ('"popsize": 6', '"popsize": "many"', ["popsize", "many"]),
    ('"popsize": 6', '"popsize": 1', ["popsize"]),
    ('"kind": "TuningJob"', '"kind": "TunningJob"', ["kind", "TuningJob"]),
    ('"metric": "accuracy"', '"metric": "acuracy"', ["metric", "accuracy"]),
    ('it was {mask} : {text}', 'it was {text}', ["template", "{mask}"]),
    ('"file": "test.tsv"', '"file": "tset.tsv"', ["tset.tsv"]),
]


@case
def broken_job_files(ctx):
    """a broken job file is told with file, line, column, key and fix; exit 6; nothing is queued"""
    good = json.dumps(json.loads(ctx.task.read_text()), indent=1)
    broken = ctx.task.with_name("broken.yaml")
    with ctx.session() as s:
        s.start_daemon()
        for old, new, says in BROKEN:
            true(old in good, f"{old} is not in the job file")
            text = good.replace(old, new)
            line = text[:text.index(new)].count("\n") + 1
            broken.write_text(text)
            for command in (["validate", broken], ["submit", broken]):
                status, out, err = s.ctl(*command, check=False)
                equal(status, 6, f"{command} {new}: {out}{err}")
                for word in says:
                    true(word in err, f"{new}: '{word}' is not in: {err}")
                true(f"broken.yaml:{line}:" in err, f"{new}: no line {line} in: {err}")
        equal(s.json("list")["items"], [], "jobs")


@case
def foreign_label(ctx):
    """a label outside the verbalizer is told with the data file and its line"""
    folder = ctx.folder / "foreign"
    job = tiny.task(folder)
    lines = (folder / "train.tsv").read_text().split("\n")
    lines[5] = lines[5].split("\t")[0] + "\tsideways"
    (folder / "train.tsv").write_text("\n".join(lines))
    with ctx.session() as s:
        s.start_daemon()
        for command in ("validate", "submit"):
            status, out, err = s.ctl(command, job, check=False)
            equal(status, 6, f"{command}: {out}{err}")
            true("train.tsv" in err and "6" in err and "sideways" in err, err)


@case
def unknown_provider(ctx):
    """a job for a provider that the configuration does not have is refused by name"""
    job = tiny.task(ctx.folder / "unknown", provider="loacl")
    with ctx.session() as s:
        s.start_daemon()
        status, out, err = s.ctl("submit", job, check=False)
        equal(status, 6, out + err)
        true("loacl" in err and "local" in err, err)


@case
def dead_provider(ctx):
    """a provider that nobody serves leaves the job waiting, and cancel ends it"""
    with ctx.session() as s:
        s.start_daemon()
        job = s.submit(ctx.task)
        session.wait_until("trouble is told",
                           lambda: s.job(job).get("live", {}).get("trouble"))
        s.ctl("cancel", job)
        rec = s.finish(job, 30)
        equal(rec["state"], "cancelled", f"{rec}")
        equal(s.ctl("wait", job, check=False)[0], 21, "exit status of wait")
        equal(s.stop("bbtd"), 0, "status")


@case
def roberta(ctx):
    """a RoBERTa-family folder is served and tuned by changing the folder in the config"""
    if not ctx.torch:
        raise tap.Skip("no python3-torch to make a model")
    model = tiny.model(ctx.folder / "roberta", "roberta")
    job = tiny.task(ctx.folder / "rtask", model_name="roberta", evaluations=30)
    with ctx.session() as s:
        url = s.start_lm(model)
        s.configure([tiny.provider(url, model, "roberta")])
        s.start_daemon()
        rec = s.finish(s.submit(job), 120)
        equal(rec["state"], "completed", f"{rec}")
        true(rec["usage"]["evaluations"] >= 30, f"{rec['usage']}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-integ-") as tmp:
        sys.exit(tap.run(Context(tmp)))

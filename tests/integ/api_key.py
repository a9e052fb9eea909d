#!/usr/bin/env python3
"""api_key.py BUILD -- an API key goes to its provider and nowhere else.

A canary is planted as key (from a file, the environment, a credential), in the provider's URL and in
what the provider answers; then everything that bbtd writes, says or shows is searched for it."""
import base64
import os
import resource
import signal
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

import proxy
import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = sys.argv[1]
KEY = "sk-Canary/7Q+x==_0123456789abcdefXYZ"
FORMS = [KEY, KEY[:14], urllib.parse.quote(KEY, safe=""), KEY.replace("/", "\\/"),
         base64.b64encode(KEY.encode()).decode()]


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.model = tiny.model(self.folder / "tiny", "bert")
        self.job = tiny.task(self.folder / "task", evaluations=24)
        self.session = s = session.Session(BUILD, self.folder / "run")
        s.start_lm(self.model, threads=1)
        self.proxy = proxy.Proxy(str(s.folder / "bbt-lm.sock"))
        self.proxy.want = ("Authorization", f"Bearer {KEY}")
        self.key = self.folder / "key"
        self.key.write_text(KEY + "\n")
        self.key.chmod(0o600)
        self.said = []  # whatever a program printed

    def configure(self, **more):
        retry = {"base": "10ms", "cap": "100ms", "give_up_after": "1s"}
        self.session.configure([tiny.provider(more.pop("url", self.proxy.url), self.model, "tiny",
                                              retry=retry, **more)])

    def ctl(self, *args):
        code, out, err = self.session.ctl(*args, check=False)
        self.said.append(out + err)
        return code

    def try_start(self, env=None):
        """(exit status, output) of a daemon that is expected not to start."""
        s = self.session
        p = subprocess.run([s.program("bbtd"), "--config", str(s.config), "--state-dir",
                            str(s.state)], env={**s.env, **(env or {})}, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.said.append(p.stdout)
        return p.returncode, p.stdout

    def close(self):
        self.session.close()
        self.proxy.close()


def run_job(ctx, want="completed"):
    s = ctx.session
    job = s.submit(ctx.job)
    ctl = ctx.ctl
    ctl("wait", job, "--for", want, "--timeout", "60s")
    rec = s.job(job)
    equal(rec["state"], want, f"{rec}")
    return job, rec


def search(ctx, *more):
    """Every file below the run's folder, and what programs said, has none of the forms."""
    for path in [*ctx.session.folder.rglob("*"), *more]:
        if not path.is_file() or path == ctx.key:
            continue
        data = path.read_bytes()
        for form in FORMS:
            true(form.encode() not in data, f"{path.name} holds {form!r}")
    for text in ctx.said:
        for form in FORMS:
            true(form not in text, f"somebody said {form!r}: {text[:300]}")


def look_everywhere(ctx, job):
    """Asks for all there is."""
    s = ctx.session
    for args in (["show", job], ["show", job, "--json"], ["list", "--json"], ["logs", job],
                 ["why", job], ["result", job], ["status"], ["provider", "list"],
                 ["provider", "show", "local", "--json"], ["provider", "test", "local"],
                 ["server", "status"], ["show", job, "--spec"],
                 ["export", job, "-o", s.folder / "prompt.safetensors"],
                 ["server", "backup", s.folder / f"backup-{job}.db"]):
        ctx.ctl(*args)
    for path in ("/v1/events", "/v1/providers", f"/v1/jobs/{job}", f"/v1/jobs/{job}/events"):
        p = subprocess.run(["curl", "-s", "--max-time", "5", "--unix-socket", str(s.socket),
                            f"http://localhost{path}"], check=False, text=True,
                           stdout=subprocess.PIPE)
        ctx.said.append(p.stdout)
    pid = s.running["bbtd"].pid
    for name in ("cmdline", "environ", "status", "comm"):
        ctx.said.append(Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace"))


@case
def not_without(ctx):
    """without its key the provider refuses: the job pauses, reason auth"""
    ctx.configure()
    ctx.session.start_daemon()
    job, rec = run_job(ctx, "paused")
    equal(rec["reason"], "auth", f"{rec}")
    true(ctx.proxy.strangers > 0, "a request came without a key")
    ctx.ctl("cancel", job)
    ctx.session.stop("bbtd")


@case
def from_file(ctx):
    """a key from a file serves a job; nothing that bbtd keeps or says has it"""
    ctx.configure(key={"file": str(ctx.key)})
    ctx.proxy.strangers = 0
    ctx.session.start_daemon("--log-level", "debug")
    job, _ = run_job(ctx)
    equal(ctx.proxy.strangers, 0, "requests without the key")
    look_everywhere(ctx, job)
    search(ctx)


@case
def echoed(ctx):
    """a provider that repeats the key in its errors does not bring it into our records"""
    bodies = [
        (400, f'{{"error":{{"message":"bad key {KEY} given","type":"x","code":400}}}}'),
        (400, f'{{"detail":"Bearer {KEY}"}}'),
        (403, f"<html><title>{KEY} forbidden</title></html>"),
        (402, f"text: https://api/v1?key={urllib.parse.quote(KEY, safe='')}"),
        (400, '{"error":"%s"}' % KEY.replace("/", "\\/")),
        (400, "x" * 2030 + KEY),
        (500, f'{{"error":"{KEY[:20]}'),
    ]
    for status, body in bodies:
        ctx.proxy.echo = (status, body.encode(), "application/json")
        ctx.proxy.spoil("echo", after=8)
        job, rec = run_job(ctx, "paused")
        true(rec["detail"], f"a sentence ({rec})")
        look_everywhere(ctx, job)
        ctx.proxy.spoil(None)
        ctx.ctl("provider", "resume", "local")  # 402 and 403 have closed it
        ctx.ctl("cancel", job)
    search(ctx)
    equal(ctx.session.stop("bbtd"), 0, "exit status")
    search(ctx)


@case
def rotated(ctx):
    """a reload reads the file again; a bad file leaves the old key in place"""
    s = ctx.session
    s.start_daemon()
    ctx.key.write_text("sk-the-next-key-1\n")
    ctx.proxy.want = ("Authorization", "Bearer sk-the-next-key-1")
    s.running["bbtd"].send_signal(signal.SIGHUP)
    session.wait_until("the reload", lambda: "reloaded:" in s.log("bbtd"))
    run_job(ctx)
    ctx.key.chmod(0o644)
    ctx.key.write_text(KEY)
    s.running["bbtd"].send_signal(signal.SIGHUP)
    session.wait_until("the refusal", lambda: "reload-refused:" in s.log("bbtd"))
    true("chmod 600" in s.log("bbtd"), "the fix is said")
    run_job(ctx)
    s.stop("bbtd")
    ctx.key.chmod(0o600)
    ctx.proxy.want = ("Authorization", f"Bearer {KEY}")


@case
def from_environment(ctx):
    """a key from the environment is gone from /proc/PID/environ and survives a reload"""
    s = ctx.session
    ctx.configure(key={"env": "CANARY_KEY"})
    equal(ctx.try_start()[0], 78, "without the variable")
    s.env["CANARY_KEY"] = KEY
    s.start_daemon()
    del s.env["CANARY_KEY"]
    s.running["bbtd"].send_signal(signal.SIGHUP)
    session.wait_until("the reload", lambda: s.log("bbtd").count("reloaded:") >= 2)
    job, _ = run_job(ctx)
    look_everywhere(ctx, job)
    s.stop("bbtd")
    search(ctx)


@case
def from_credential(ctx):
    """a systemd credential, under the folder's name too, and another header"""
    s = ctx.session
    cred = ctx.folder / "credentials"
    cred.mkdir(exist_ok=True)
    (cred / "providers_lmaas").write_text(KEY)
    ctx.configure(key={"credential": "lmaas"}, key_header="Api-Key")
    equal(ctx.try_start()[0], 78, "without credentials")
    ctx.proxy.want = ("Api-Key", KEY)
    s.env["CREDENTIALS_DIRECTORY"] = str(cred)
    s.start_daemon()
    job, _ = run_job(ctx)
    look_everywhere(ctx, job)
    s.stop("bbtd")
    del s.env["CREDENTIALS_DIRECTORY"]
    ctx.proxy.want = ("Authorization", f"Bearer {KEY}")
    search(ctx)


@case
def refused(ctx):
    """a key in the URL, inline, in an open or strange file is refused and not repeated"""
    host = ctx.proxy.url.removeprefix("http://")
    for what, key, code in (
            ({"url": f"http://user:{KEY}@{host}"}, None, 78),
            ({"url": f"{ctx.proxy.url}/?key={KEY}"}, None, 78),
            ({}, KEY, 78),
            ({}, {"file": str(ctx.key), "env": "HOME"}, 78),
            ({"key_header": f"X: {KEY}"}, {"file": str(ctx.key)}, 78),
            ({}, {"file": str(ctx.folder / "none")}, 78)):
        if key is not None:
            what["key"] = key
        ctx.configure(**what)
        got, out = ctx.try_start()
        equal(got, code, f"exit status of {what.keys()}: {out}")
        true(out.strip(), "a sentence")
    bad = ctx.folder / "bad-key"
    for content, mode, code in ((KEY, 0o640, 77), ("short", 0o600, 78), (KEY + "\nX: y", 0o600, 78),
                                ("k" * 5000, 0o600, 78), ("", 0o600, 78)):
        bad.write_text(content)
        bad.chmod(mode)
        ctx.configure(key={"file": str(bad)})
        got, out = ctx.try_start()
        equal(got, code, f"exit status: {out}")
    bad.unlink()
    search(ctx)


def cores(folder):
    return [p for p in folder.iterdir() if p.name.startswith("core")]


@case
def no_core(ctx):
    """a daemon that dies of SIGABRT leaves no core file with the key"""
    s = ctx.session
    if Path("/proc/sys/kernel/core_pattern").read_text().strip() not in ("core", "core.%p"):
        raise tap.Skip("core files do not go to the working directory here")
    den = ctx.folder / "den"
    den.mkdir(exist_ok=True)
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    def allow():
        os.chdir(den)
        resource.setrlimit(resource.RLIMIT_CORE, unlimited)

    env = {**s.env, "CANARY": KEY}
    try:
        subprocess.run([sys.executable, "-c", "import os; os.abort()"], env=env, check=False,
                       preexec_fn=allow)
    except subprocess.SubprocessError:
        raise tap.Skip("core files may not be switched on here") from None
    if not cores(den):
        raise tap.Skip("this machine writes no core files")
    true(any(KEY.encode() in p.read_bytes() for p in cores(den)), "the trap works")
    for p in cores(den):
        p.unlink()
    ctx.configure(key={"file": str(ctx.key)})
    with open(s.folder / "bbtd.log", "ab") as log:
        s.running["bbtd"] = subprocess.Popen(
            [s.program("bbtd"), "--config", str(s.config), "--state-dir", str(s.state)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=s.env, preexec_fn=allow)
    session.wait_until("bbtd answers", lambda: s.ctl("version", check=False)[0] == 0)
    run_job(ctx)
    s.stop("bbtd", signal.SIGABRT)
    search(ctx, *cores(den))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-secrets-") as tmp:
        context = Context(tmp)
        try:
            sys.exit(tap.run(context))
        finally:
            context.close()

#!/usr/bin/env python3
"""ctl_fake.py BUILD -- bbtctl against a daemon of our own making, which loses replies, goes
away, speaks another version, and has names that would steer a terminal."""
import contextlib
import http.server
import json
import os
import pty
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import tap
import tiny
from tap import case, equal, true

import session  # noqa: E402

BUILD = Path(sys.argv[1]).resolve()
BBTCTL = str(BUILD / "ctl" / "bbtctl")
EVIL = "\x1b[2J\u202eevil\x7f\x9b31m\nname"


def job(number, state="completed", reason="budget", **more):
    return {"apiVersion": "v1", "kind": "Job", "id": number, "name": f"job-{number}",
            "state": state, "reason": reason, "detail": "", "priority": 0,
            "created": "2026-01-02T03:04:05Z", "started": None, "ended": None, "updated": None,
            "usage": {"generations": 3, "evaluations": 60, "requests": 1234, "repeated": 0,
                      "failures": 0, "tokens_in": 5, "tokens_out": 6, "seconds": 7.5},
            "plan": {"generations": 10, "evaluations": 200}, "best_dev": 0.5,
            "last_loss": None, **more}


def problem(status, detail="because", **more):
    return status, {"type": "urn:bbtd:problem:test", "title": "A problem", "status": status,
                    "detail": detail, **more}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        fake = self.server.fake
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        fake.seen.append((self.command, path, query, dict(self.headers), body))
        got = fake.reply(self.command, path, query, dict(self.headers), body)
        if got is None:  # the reply is lost
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, what = got
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass

    def address_string(self):
        return "unix"


class Fake:
    """A daemon whose answers are `self.answers`: {(method, path): answer or function}."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / "bbtd.sock"
        self.answers = {("GET", "/v1/version"): (200, {"version": "9", "apiVersion": "v1"})}
        self.jobs = []
        self.seen = []
        self.server = None

    def reply(self, method, path, query, headers, body):
        got = self.answers.get((method, path))
        if callable(got):
            got = got(query=query, headers=headers, body=body)
            return got
        if got is not None:
            return got
        if (method, path) == ("GET", "/v1/jobs"):
            return 200, {"apiVersion": "v1", "kind": "JobList", "items": self.jobs}
        for one in self.jobs:
            if (method, path) == ("GET", f"/v1/jobs/{one['id']}"):
                return 200, one
        return problem(404, f"nothing at {path}")

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
        self.server = Server(str(self.path), Handler)
        self.server.fake = self
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            self.path.unlink()

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith("BBT")}
        env.pop("NO_COLOR", None)
        return {**env, "BBTCTL_SOCKET": str(self.path), "LC_ALL": "C.UTF-8", **more}

    def ctl(self, *args, stdin=None, env=None, **more):
        p = subprocess.run([BBTCTL, *map(str, args)], env=env or self.env(), timeout=60,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                           input=stdin if stdin is not None else b"", **more)
        return p.returncode, p.stdout.decode(), p.stderr.decode()

    def begin(self, *args):
        return subprocess.Popen([BBTCTL, *map(str, args)], env=self.env(), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def on_terminal(self, *args, types=b"", env=None):
        """(exit status, everything that the terminal showed)"""
        master, slave = pty.openpty()
        p = subprocess.Popen([BBTCTL, *map(str, args)], stdin=slave, stdout=slave, stderr=slave,
                             env=env or self.env(TERM="xterm"))
        os.close(slave)
        os.write(master, types)
        said = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while True:
                said += os.read(master, 65536)
        os.close(master)
        return p.wait(30), said.decode()

    def count(self, method, path):
        return sum(s[0] == method and s[1] == path for s in self.seen)


class Context:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.n = 0

    @contextlib.contextmanager
    def fake(self):
        self.n += 1
        folder = self.folder / f"f{self.n}"
        folder.mkdir()
        f = Fake(folder).start()
        try:
            yield f
        finally:
            f.stop()


def one_line(err):
    equal(len(err.strip().split("\n")), 1, f"lines on standard error: {err}")
    true(err.startswith("bbtctl: "), err)


@case
def unreachable(ctx):
    """nobody there: exit 3, one sentence with the socket and what to do"""
    with ctx.fake() as f:
        f.stop()
        status, out, err = f.ctl("list")
        equal((status, out), (3, ""), err)
        one_line(err)
        true(str(f.path) in err and "no such socket" in err and "--config" in err, err)
        status, out, err = f.ctl("list", "--json")
        equal(status, 3, err)
        equal(json.loads(out)["exit"], 3, out)
        one_line(err)
        with socket.socket(socket.AF_UNIX) as s:  # a socket file without a listener
            s.bind(str(f.path))
        status, _, err = f.ctl("list")
        equal(status, 3, err)
        true("nobody listens" in err, err)
        f.path.unlink()


@case
def both_sockets(ctx):
    """without --socket the user's and the system's socket are tried and both are named"""
    with ctx.fake() as f:
        env = f.env(XDG_RUNTIME_DIR=str(f.folder))
        del env["BBTCTL_SOCKET"]
        if Path("/run/bbtd/bbtd.sock").exists():
            raise tap.Skip("a bbtd of this machine is there")
        status, _, err = f.ctl("list", env=env)
        equal(status, 3, err)
        true(f"{f.folder}/bbtd/bbtd.sock" in err and "/run/bbtd/bbtd.sock" in err, err)
        (f.folder / "bbtd").mkdir()
        f.stop()
        f.path = f.folder / "bbtd/bbtd.sock"
        f.start()
        equal(f.ctl("list", env=env)[0], 0, "the user's socket is found")


@case
def not_permitted(ctx):
    """a socket that one may not use: exit 3, permission and the group to join are named"""
    if os.getuid() != 0:
        raise tap.Skip("only root can become somebody else")
    with ctx.fake() as f:
        os.chmod(f.path, 0o660)
        os.chown(f.path, 0, 12)  # some group that nobody is in
        for p in (ctx.folder, f.folder):
            p.chmod(0o755)
        try:
            status, _, err = f.ctl("list", user=65534, group=65534, extra_groups=[])
        except PermissionError:
            raise tap.Skip("the build folder is closed to others") from None
        equal(status, 3, err)
        true("permission denied" in err and "adduser" in err and str(f.path) in err, err)


@case
def other_version(ctx):
    """a daemon of another API version: exit 10, both versions named"""
    with ctx.fake() as f:
        f.answers["GET", "/v1/jobs"] = 200, {"apiVersion": "v2", "items": []}
        status, out, err = f.ctl("list")
        equal((status, out), (10, ""), err)
        true("v2" in err and "v1" in err, err)


@case
def no_json(ctx):
    """somebody who answers but is no bbtd: exit 1, no crash"""
    with ctx.fake() as f:
        for what in (b"<html>hello</html>", b"", b"{\"items\": [", b"[[[["):
            f.answers["GET", "/v1/jobs"] = 200, what
            status, _, err = f.ctl("list")
            equal(status, 1, err)
            one_line(err)
        f.answers["GET", "/v1/jobs"] = 200, {"apiVersion": "v1", "items": "none"}
        equal(f.ctl("list")[0], 1, "items that are none")
        f.answers["GET", "/v1/jobs"] = 200, {"apiVersion": "v1", "items": [1, None, {}, []]}
        equal(f.ctl("list")[0], 0, "items that are strange")


@case
def statuses(ctx):
    """each HTTP status has its exit status; --json gives the problem on standard output"""
    with ctx.fake() as f:
        for http_status, exit_status in ((403, 7), (404, 4), (409, 5), (422, 6), (429, 8),
                                         (500, 1)):
            f.answers["GET", "/v1/jobs/5"] = problem(http_status, f"reason {http_status}")
            status, out, err = f.ctl("show", 5)
            equal((status, out), (exit_status, ""), err)
            equal(err, f"bbtctl: reason {http_status}\n", "said")
            status, out, err = f.ctl("show", 5, "--json")
            equal(status, exit_status, err)
            got = json.loads(out)
            equal((got["status"], got["detail"]), (http_status, f"reason {http_status}"), out)
            one_line(err)


@case
def usage(ctx):
    """wrong use exits 2, says what and where to read on, and asks nobody"""
    with ctx.fake() as f:
        for args, word in ((["lits"], "list"), (["list", "--colums", "a"], "--columns"),
                           (["show"], "JOB"), (["show", "1", "2"], "too many"),
                           (["list", "-o", "xml"], "xml"), (["wait", "1", "--timeout", "x"], "x"),
                           (["pause"], "SEL"), (["plot", "1", "--y", "usd"], "loss or dev"),
                           (["wait", "1", "--for", "ever"], "finished"),
                           (["list", "state:fialed"], "failed"),
                           (["export", "1"], "-o"), (["export", "1", "-o", "x.txt"], ".npy"),
                           (["predict", "1"], "--file"), (["provider", "tset"], "test"),
                           (["submit"], "FILE")):
            status, out, err = f.ctl(*args)
            equal((status, out), (2, ""), f"{args}: {err}")
            true(word in err, f"{args}: {err}")
        equal(f.seen, [], "requests")


@case
def help_pages(ctx):
    """help on standard output for every command that the list names; exit 0"""
    with ctx.fake() as f:
        status, out, _ = f.ctl("help")
        equal(status, 0, out)
        names = [" ".join(w for w in line[2:24].split() if w.islower())
                 for line in out.split("\n") if line.startswith("  ") and line[2:3].isalpha()]
        true(len(names) >= 20, names)
        for name in names:
            if name.startswith("help"):
                continue
            status, out, err = f.ctl("help", *name.split())
            equal((status, err), (0, ""), name)
            true(out.startswith(f"bbtctl {name}"), out)
            equal(f.ctl(*name.split(), "--help")[1], out, name)
        true("124" in f.ctl("help", "exit")[1], "exit statuses")
        equal(f.ctl("help", "nothing")[0], 2, "unknown")


@case
def hostile_names(ctx):
    """names and texts of the daemon never reach a terminal raw, in no form"""
    with ctx.fake() as f:
        f.jobs = [job(1, name=EVIL, state="paused", reason=EVIL, detail=EVIL)]
        f.answers["GET", "/v1/server"] = 200, {"apiVersion": "v1", "version": EVIL}
        f.answers["GET", "/v1/jobs/1/events"] = 200, {"apiVersion": "v1", "items": [
            {"id": 1, "job": 1, "time": EVIL, "kind": EVIL, "text": EVIL}]}
        f.answers["GET", "/v1/jobs/1/result"] = problem(409, EVIL)
        f.answers["GET", "/v1/jobs/1/generations"] = 200, {"apiVersion": "v1", "items": [
            {"generation": 0, "loss_best": 1, "loss_mean": 2}]}
        provider = {"apiVersion": "v1", "name": EVIL, "dialect": EVIL, "state": EVIL,
                    "trouble": EVIL, "models": [{"name": EVIL, "server": EVIL, "probed": True,
                                                 "problem": EVIL}]}
        f.answers["GET", "/v1/providers"] = 200, {"apiVersion": "v1", "items": [provider]}
        f.answers["GET", "/v1/providers/p"] = 200, provider
        f.answers["POST", "/v1/providers/p:test"] = 200, provider
        f.answers["POST", "/v1/jobs/1:pause"] = 200, f.jobs[0]
        f.answers["POST", "/v1/jobs/1:predict"] = 200, {"apiVersion": "v1", "items": [
            {"label": EVIL, "probabilities": {EVIL: 1}}]}
        for args in (["provider"], ["provider", "show", "p"], ["provider", "test", "p"],
                     ["server"], ["pause", 1], ["predict", 1, EVIL, "--label-probs"],
                     ["list"], ["list", "-o", "wide"], ["list", "-o", "csv"], ["list", "--json"],
                     ["list", "-o", "jsonl"], ["show", 1], ["show", 1, "--json"], ["logs", 1],
                     [], ["result", 1], ["result", 1, "--json"], ["wait", 1], ["plot", 1],
                     ["watch", 1], ["show", EVIL], [EVIL]):
            _, out, err = f.ctl(*args)
            for text in (out, err):
                bad = [c for c in text if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160
                                                         or 0x202a <= ord(c) <= 0x202e)]
                equal(bad, [], f"{args}: {text!r}")
        _, out, _ = f.ctl("list", "--json")
        equal(json.loads(out)["items"][0]["name"], EVIL, "JSON keeps the name")


@case
def forms(ctx):
    """table, plain, csv, columns and JSON of the same list"""
    with ctx.fake() as f:
        f.jobs = [job(1), job(22, "running", "working", name="日本", last_loss=0.25)]
        equal(f.ctl("list", "--columns", "id,name,state,loss")[1],
              "ID  NAME   STATE        LOSS\n 1  job-1  completed       -\n"
              "22  日本   running    0.2500\n", "table")
        equal(f.ctl("list", "-o", "plain", "--columns", "id,requests")[1],
              "1\t1234\n22\t1234\n", "plain")
        equal(f.ctl("list", "-o", "csv", "--columns", "ID,took")[1],
              "ID,TOOK\n1,7.500\n22,7.500\n", "csv")
        got = json.loads(f.ctl("list", "--json")[1])
        equal((got["apiVersion"], got["kind"], got["items"]), ("v1", "JobList", f.jobs), "json")
        lines = f.ctl("list", "-o", "jsonl")[1].splitlines()
        equal([json.loads(line) for line in lines], f.jobs, "jsonl")
        true("03:04:05Z" in f.ctl("list", "--utc")[1], "utc")
        f.jobs = []
        status, out, err = f.ctl("list")
        equal(status, 0, err)
        true("submit" in err and "submit" not in out, "the hint is no data")
        equal(f.ctl("list", "-q")[2], "", "quiet")
        equal(f.ctl("list", "state:failed")[0], 4, "nothing matched")


@case
def pages(ctx):
    """a list of several pages is read to its end"""
    with ctx.fake() as f:
        def page(query, **_):
            at = int(dict(q.split("=") for q in query.split("&"))["cursor"])
            got = [job(n) for n in range(at + 1, min(at + 3, 8))]
            more = {"next": str(got[-1]["id"])} if got and got[-1]["id"] < 7 else {}
            return 200, {"apiVersion": "v1", "items": got, **more}
        f.answers["GET", "/v1/jobs"] = page
        out = f.ctl("list", "-o", "plain", "--columns", "id")[1]
        equal(out.split(), [str(n) for n in range(1, 8)], "ids")
        equal(f.ctl("list", "@last", "-o", "plain", "--columns", "id")[1], "7\n", "@last")


@case
def tags(ctx):
    """tag: asks for the job files and finds their tags"""
    with ctx.fake() as f:
        f.jobs = [job(1), job(2)]
        for n, tag in ((1, "paper"), (2, "x")):
            f.answers["GET", f"/v1/jobs/{n}/spec"] = 200, {"apiVersion": "bbt/v1", "tags": [tag]}
        equal(f.ctl("list", "tag:paper", "-o", "plain", "--columns", "id")[1], "1\n", "ids")


@case
def cancel_asks(ctx):
    """cancel of several jobs wants --yes where nobody can be asked; partial success is 9"""
    with ctx.fake() as f:
        f.jobs = [job(n, "running", "working") for n in (1, 2, 3)]
        for n in (1, 3):
            f.answers["POST", f"/v1/jobs/{n}:cancel"] = 200, job(n, "cancelled", changed=True)
        f.answers["POST", "/v1/jobs/2:cancel"] = problem(409, "job 2 is completed")
        status, out, err = f.ctl("cancel", "1..3")
        equal((status, out), (2, ""), err)
        true("--yes" in err, err)
        true(not any(s[0] == "POST" for s in f.seen), "nothing was sent")
        status, out, err = f.ctl("cancel", "1..3", "--yes")
        equal(status, 9, out + err)
        true("job 1 job-1: cancelled" in out and "job 2 is completed" in err, out + err)
        equal(f.ctl("cancel", 1)[0], 0, "one needs no question")
        equal(f.ctl("cancel", 2)[0], 5, "conflict")
        status, out, _ = f.ctl("cancel", "1,3", "--yes", "--json")
        equal([j["id"] for j in json.loads(out)["items"]], [1, 3], out)


@case
def set_priority(ctx):
    """set SEL priority=N: a whole number within its range, sent to every job that is not over"""
    with ctx.fake() as f:
        f.jobs = [job(1, "running", "working"), job(2, "queued", "slots"), job(3, "completed")]
        for n in (1, 2):
            f.answers["PATCH", f"/v1/jobs/{n}"] = 200, job(n, "queued", changed=n == 1)
        f.answers["PATCH", "/v1/jobs/3"] = problem(409, "job 3 is completed")
        for words, said in ((["1"], "SEL priority=N"), (["1", "priority=5x"], "whole number"),
                            (["1", "priority="], "whole number"), (["1", "name=x"], "priority"),
                            (["1", "priority=101"], "-100"), (["1", "high"], "KEY=VALUE")):
            status, out, err = f.ctl("set", *words)
            equal((status, out), (2, ""), f"set {words}: {err}")
            true(said in err, err)
        true(not any(s[0] == "PATCH" for s in f.seen), "nothing was sent")
        status, out, err = f.ctl("set", "1..3", "priority=-5")
        equal(status, 0, out + err)
        true("job 1 job-1: at priority -5" in out and "already at priority -5" in out, out)
        equal([(s[1], json.loads(s[4])) for s in f.seen if s[0] == "PATCH"],
              [(f"/v1/jobs/{n}", {"priority": -5}) for n in (1, 2)], "what was sent")
        equal(f.ctl("set", 3, "priority=1")[0], 5, "conflict")


@case
def trash(ctx):
    """delete, undelete: deleted jobs are meant only where they are asked for; several ask"""
    with ctx.fake() as f:
        shown = [job(1, "completed"), job(2, "failed", "data"), job(4, "completed")]
        gone = job(3, "deleted", was="completed")

        def jobs(query, **_):
            got = sorted(shown + [gone], key=lambda j: j["id"]) if "all=1" in query else shown
            return 200, {"apiVersion": "v1", "kind": "JobList", "items": got}

        f.jobs = shown + [gone]
        f.answers["GET", "/v1/jobs"] = jobs
        for n in (1, 2, 3, 4):
            f.answers["DELETE", f"/v1/jobs/{n}"] = 200, job(n, "deleted", changed=n != 3)
            f.answers["POST", f"/v1/jobs/{n}:undelete"] = 200, job(n, "completed", changed=True)
        del f.answers["DELETE", "/v1/jobs/4"]
        f.answers["DELETE", "/v1/jobs/4"] = problem(409, "job 4 is running: pause or cancel")

        def sent():
            got = [(s[0], s[1], s[2]) for s in f.seen if s[0] != "GET"]
            f.seen.clear()
            return got

        status, out, err = f.ctl("delete", "1..3")
        equal((status, out), (2, ""), err)
        equal(sent(), [], "nothing without --yes")
        status, out, err = f.ctl("delete", "1..3", "--yes")
        equal(status, 0, out + err)
        true("job 1 job-1: deleted" in out and "undelete" in err, out + err)
        equal(sent(), [("DELETE", f"/v1/jobs/{n}", "") for n in (1, 2)], "the deleted one is not")
        status, out, err = f.ctl("delete", "4")
        equal(status, 5, err)
        true("pause or cancel" in err, err)
        sent()
        equal(f.ctl("delete", "--purge", "2,3", "--yes")[0], 0, "purge")
        equal(sent(), [("DELETE", f"/v1/jobs/{n}", "purge=1") for n in (2, 3)], "purged")
        status, out, err = f.ctl("undelete", "1..4")
        equal(status, 0, out + err)
        equal(sent(), [("POST", "/v1/jobs/3:undelete", "")], "only what is in the trash")
        true("out of the trash" in out, out)
        ids = lambda *words: [j["id"] for j in json.loads(f.ctl("list", "--json", *words)[1])["items"]]
        equal(ids(), [1, 2, 4], "list")
        equal(ids("state:deleted"), [3], "asked for")
        equal(ids("state:failed,deleted"), [2, 3], "among others")
        equal(ids("!state:deleted"), [1, 2, 4], "turned around")
        equal(f.ctl("wait", "3")[0], 21, "wait")


@case
def cancel_asks_people(ctx):
    """on a terminal cancel of several jobs shows them and asks; only y goes on"""
    with ctx.fake() as f:
        f.jobs = [job(n, "running", "working") for n in (1, 2)]
        for n in (1, 2):
            f.answers["POST", f"/v1/jobs/{n}:cancel"] = 200, job(n, "cancelled", changed=True)
        for types, code, posts in ((b"n\n", 2, 0), (b"\n", 2, 0), (b"y\n", 0, 2)):
            f.seen.clear()
            status, said = f.on_terminal("cancel", "1,2", types=types)
            equal(status, code, said)
            true("job-1" in said and "[y/N]" in said, said)
            equal(sum(s[0] == "POST" for s in f.seen), posts, f"sent after {types}")


@case
def colours(ctx):
    """colours only on a terminal, and not with NO_COLOR, --no-color or TERM=dumb"""
    with ctx.fake() as f:
        f.jobs = [job(1)]
        true("\x1b[1m" in f.on_terminal("list")[1], "on a terminal")
        for args, env in (([], {"NO_COLOR": "1"}), (["--no-color"], {}), ([], {"TERM": "dumb"})):
            said = f.on_terminal("list", *args, env=f.env(**{"TERM": "xterm", **env}))[1]
            true("\x1b" not in said and "job-1" in said, said)
        true("\x1b" not in f.ctl("list")[1], "in a pipe")


@case
def reason_is_sent(ctx):
    """pause --reason reaches the daemon; a job that is so already is told as such"""
    with ctx.fake() as f:
        f.jobs = [job(1, "running", "working")]
        f.answers["POST", "/v1/jobs/1:pause"] = 200, job(1, "paused", "user", changed=False)
        status, out, err = f.ctl("pause", 1, "--reason", "quota \"today\"")
        equal(status, 0, err)
        true("already" in out, out)
        equal(json.loads(f.seen[-1][4]), {"reason": "quota \"today\""}, "body")


def submit_answers(f, known=()):
    """Takes jobs and keeps blobs; the keys that came."""
    keys, blobs = [], set(known)

    def reply(method, path, query, headers, body):
        if path.startswith("/v1/blobs/"):
            name = path.rsplit("/", 1)[1]
            if method == "PUT":
                blobs.add(name)
                return 201, {}
            return (200, {}) if name in blobs else problem(404)
        if (method, path) == ("POST", "/v1/jobs"):
            keys.append(headers["Idempotency-Key"])
            got = f.on_post(len(keys), body)
            if got != "take":
                return got
            return 201, {"apiVersion": "v1", "kind": "Job", "id": len(set(keys)),
                         "name": json.loads(body)["name"], "existed": False}
        return problem(404)
    f.reply = reply
    f.on_post = lambda n, body: "take"
    return keys


@case
def submit_lost_reply(ctx):
    """a submit whose reply is lost is sent again under the same key; each call has its own"""
    path = tiny.task(ctx.folder / "lost")
    with ctx.fake() as f:
        keys = submit_answers(f)
        f.on_post = lambda n, body: None if n == 1 else "take"
        status, out, err = f.ctl("submit", path, "--id-only")
        equal((status, out), (0, "1\n"), err)
        equal(len(keys), 2, "tries")
        equal(keys[0], keys[1], "keys of the tries")
        f.on_post = lambda n, body: problem(503, "stopping") if n == 3 else "take"
        status, out, err = f.ctl("submit", path, "--id-only")
        equal((status, out), (0, "2\n"), err)
        equal(keys[2], keys[3], "keys after 503")
        true(keys[0] != keys[2], "a second call is another job")
        f.ctl("submit", path, "--key", "mine")
        equal(keys[-1], "mine", "a given key")


@case
def submit_uploads_once(ctx):
    """data files are sent only where the daemon does not have them, and named by content"""
    path = tiny.task(ctx.folder / "once")
    with ctx.fake() as f:
        submit_answers(f)
        equal(f.ctl("submit", path)[0], 0, "first")
        equal(sum(s[0] == "PUT" for s in f.seen), 3, "uploads")
        sent = {s[1].rsplit("/", 1)[1]: s[4] for s in f.seen if s[0] == "PUT"}
        wire = json.loads(f.seen[-1][4])
        for part in ("train", "dev", "test"):
            equal(sent[wire["data"][part]["blob"]],
                  (path.parent / f"{part}.tsv").read_bytes(), part)
        f.seen.clear()
        equal(f.ctl("submit", path, "--set", "optimizer.seed=3", "--name", "two", "--tag", "t",
                    "--priority", "5")[0], 0, "second")
        equal(sum(s[0] == "PUT" for s in f.seen), 0, "uploads again")
        wire = json.loads(f.seen[-1][4])
        equal((wire["optimizer"]["seed"], wire["name"], wire["tags"], wire["priority"]),
              (3, "two", ["t"], 5), "what the command line changed")


@case
def submit_refused(ctx):
    """what the daemon finds wrong is told with file, line and column; all of it; exit 6"""
    path = tiny.task(ctx.folder / "refused")
    line = [n for n, text in enumerate(path.read_text().split("\n"), 1) if '"popsize"' in text][0]
    with ctx.fake() as f:
        submit_answers(f)
        f.on_post = lambda n, body: problem(422, "two problems", errors=[
            {"pointer": "/optimizer/popsize", "of_key": False, "message": "popsize: no",
             "fix": "say yes"},
            {"pointer": "/name", "of_key": True, "message": "name: taken", "fix": ""}])
        status, out, err = f.ctl("submit", path)
        equal((status, out), (6, ""), err)
        true(f"tiny.yaml:{line}:" in err and "popsize: no (say yes)" in err, err)
        true("name: taken" in err, err)
        status, out, err = f.ctl("submit", path, "--json")
        got = json.loads(out)
        equal((status, got["exit"], len(got["errors"])), (6, 6, 2), out)
        equal(got["errors"][0]["line"], line, out)
        f.on_post = lambda n, body: problem(422, "task.labels: a word is two tokens")
        true("task.labels: a word" in f.ctl("submit", path)[2], "a sentence alone")


@case
def submit_several(ctx):
    """several files: one that is broken does not hold up the others; exit 9"""
    good, bad = tiny.task(ctx.folder / "s1"), tiny.task(ctx.folder / "s2")
    bad.write_text(bad.read_text().replace('"popsize": 6', '"popsize": 1'))
    with ctx.fake() as f:
        keys = submit_answers(f)
        status, out, err = f.ctl("submit", good, bad, good, "--json")
        equal(status, 9, out + err)
        equal(len(keys), 2, "jobs")
        true("popsize" in err, err)


@case
def wait_codes(ctx):
    """wait: 0, 20, 21, 22 by the worst of the jobs; --for; 124 when the time is up"""
    with ctx.fake() as f:
        f.jobs = [job(1), job(2, "failed", "data"), job(3, "cancelled", "user"),
                  job(4, "paused", "auth"), job(5, "running", "working")]
        for sel, code in (("1", 0), ("2", 20), ("3", 21), ("4", 22), ("1..3", 20), ("1,3", 21),
                          ("1..4", 20), ("1,4", 22)):
            equal(f.ctl("wait", sel)[0], code, f"wait {sel}")
        equal(f.ctl("wait", 4, "--for", "paused")[0], 0, "--for paused")
        status, _, err = f.ctl("wait", 5, "--timeout", "300ms")
        equal(status, 124, err)
        equal(f.ctl("wait", 4, "--for", "finished", "--timeout", "300ms")[0], 124, "a pause")
        equal(f.ctl("wait", 77)[0], 4, "no such job")


@case
def wait_survives(ctx):
    """wait lives through a daemon that dies and comes back, and through 503"""
    with ctx.fake() as f:
        f.jobs = [job(1, "running", "working")]
        p = f.begin("wait", 1, "--timeout", "60s")
        session.wait_until("it looks", lambda: f.count("GET", "/v1/jobs/1") >= 2)
        f.stop()
        true("Waiting" in p.stderr.readline(), "says that it waits")
        f.answers["GET", "/v1/jobs/1"] = problem(503, "starting")
        f.seen.clear()
        f.start()
        session.wait_until("it asks again", lambda: f.count("GET", "/v1/jobs/1") >= 2)
        equal(p.poll(), None, "goes on after 503")
        del f.answers["GET", "/v1/jobs/1"]
        f.jobs = [job(1)]
        out, err = p.communicate(timeout=30)
        equal(p.returncode, 0, out + err)
        true("answers again" in err, err)


@case
def wait_interrupted(ctx):
    """Ctrl-C ends wait with 130 and says that the jobs go on"""
    with ctx.fake() as f:
        f.jobs = [job(1, "running", "working")]
        p = f.begin("wait", 1)
        session.wait_until("it looks", lambda: f.count("GET", "/v1/jobs/1") >= 2)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=30)
        equal(p.returncode, 130, err)
        true("go on" in err, err)


@case
def watch_lines(ctx):
    """watch in a pipe: a line for every change, none twice; ends with the job; 22 when paused"""
    with ctx.fake() as f:
        story = [job(1, "running", "working"), job(1, "running", "concurrency"),
                 job(1, "running", "rate_limit"), job(1, "completed", "budget")]
        f.answers["GET", "/v1/jobs/1/spec"] = 200, {"apiVersion": "bbt/v1", "stop": {}}
        looks = iter([story[0], story[0], story[1], story[1], story[2], story[3]])
        f.answers["GET", "/v1/jobs/1"] = lambda **_: (200, next(looks, story[3]))
        status, out, err = f.ctl("watch", 1)
        equal(status, 0, out + err)
        lines = out.strip().split("\n")
        equal(len(lines), 3, out)
        true("gen 3/10" in lines[0] and "ETA 18 s (evaluations)" in lines[0], lines[0])
        true("rate_limit" in lines[1] and "completed" in lines[2], out)
        f.answers["GET", "/v1/jobs/1"] = 200, job(1, "paused", "auth", detail="no key")
        status, out, err = f.ctl("watch", 1)
        equal(status, 22, out + err)
        true("no key" in err and "bbtctl resume 1" in err, err)


@case
def logs_follow(ctx):
    """logs -f prints each event once and ends when the job is over"""
    with ctx.fake() as f:
        events = [{"id": n, "job": 1, "time": "2026-01-02T03:04:05Z", "kind": "best",
                   "text": f"event {n}"} for n in (1, 2, 3)]
        state = {"job": job(1, "running", "working")}

        def after(query, **_):
            at = int(dict(q.split("=") for q in query.split("&"))["after"])
            if at >= 2:
                state["job"] = job(1)
            some = events[:2] if state["job"]["state"] == "running" else events
            return 200, {"apiVersion": "v1", "items": [e for e in some if e["id"] > at]}
        f.answers["GET", "/v1/jobs/1/events"] = after
        f.answers["GET", "/v1/jobs/1"] = lambda **_: (200, state["job"])
        status, out, err = f.ctl("logs", 1, "-f", "--utc")
        equal(status, 0, err)
        equal([line.split()[-1] for line in out.strip().split("\n")], ["1", "2", "3"], out)


@case
def export_is_careful(ctx):
    """export writes whole files, overwrites nothing unasked, and leaves nothing behind"""
    with ctx.fake() as f:
        f.jobs = [job(1)]
        data = bytes(range(256)) * 50
        f.answers["GET", "/v1/jobs/1/prompt"] = 200, data
        target = f.folder / "p.npy"
        equal(f.ctl("export", 1, "-o", target)[0], 0, "first")
        equal(target.read_bytes(), data, "bytes")
        equal(f.seen[-1][2], "format=npy", "format")
        target.write_bytes(b"mine")
        status, _, err = f.ctl("export", 1, "-o", target)
        equal((status, target.read_bytes()), (5, b"mine"), err)
        equal(f.ctl("export", 1, "-o", target, "--force")[0], 0, "force")
        equal(target.read_bytes(), data, "bytes")
        f.answers["GET", "/v1/jobs/1/prompt"] = problem(409, "no result yet")
        other = f.folder / "q.safetensors"
        equal(f.ctl("export", 1, "-o", other)[0], 5, "no result")
        true(not other.exists(), "no file")
        f.answers["GET", "/v1/jobs/1/prompt"] = 200, data
        equal(f.ctl("export", 1, "-o", f.folder / "none/q.npy")[0] != 0, True, "no folder")
        p = subprocess.run([BBTCTL, "export", "1", "-o", "-"], env=f.env(), check=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        equal(p.stdout, data, "standard output")


@case
def predict_chunks(ctx):
    """predict sends any number of texts in order, a request's worth at a time"""
    with ctx.fake() as f:
        f.jobs = [job(1)]
        sizes = []

        def answer(body, **_):
            texts = json.loads(body)["texts"]
            sizes.append(len(texts))
            return 200, {"apiVersion": "v1", "items": [
                {"label": "up", "probabilities": {"up": 0.75, "down": 0.25}} for _ in texts]}
        f.answers["POST", "/v1/jobs/1:predict"] = answer
        texts = [f"text {n} é" for n in range(2500)]
        status, out, err = f.ctl("predict", 1, "-", "-o", "plain",
                                 stdin="\n".join(texts).encode() + b"\n\n")
        equal(status, 0, err)
        equal([line.split("\t")[2] for line in out.splitlines()], texts, "order")
        true(len(sizes) > 1 and sum(sizes) == 2500, sizes)
        status, out, err = f.ctl("predict", 1, "one", "--label-probs", "--columns", "probs")
        equal((status, out.split("\n")[1]), (0, "up=0.7500 down=0.2500"), err)
        equal(f.ctl("predict", 1, "-", stdin=b"ok\n\xff\xfe\n")[0], 6, "no UTF-8")
        equal(f.ctl("predict", 1, "-", stdin=b"")[0], 4, "no text")
        tsv = f.folder / "in.tsv"
        tsv.write_text("text\tother\nfirst\tx\nsecond\ty\n")
        got = json.loads(f.ctl("predict", 1, "--file", tsv, "--json")[1])
        equal([i["text"] for i in got["items"]], ["first", "second"], got)


@case
def broken_pipe(ctx):
    """a reader that goes away is no crash"""
    with ctx.fake() as f:
        f.jobs = [job(n) for n in range(1, 3000)]
        p = subprocess.Popen([BBTCTL, "list"], env=f.env(), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        p.stdout.readline()
        p.stdout.close()
        err = p.stderr.read()
        true(p.wait(30) in (0, 1), f"{p.returncode} {err}")
        p.stderr.close()


@case
def screen(ctx):
    """bbtctl alone: what needs the user stands out, with the next command"""
    with ctx.fake() as f:
        f.jobs = [job(1), job(2, "paused", "auth", detail="HTTP 401: who are you?"),
                  job(3, "failed", "data", detail="dev.tsv:88: no"), job(4, "running", "outage")]
        f.answers["GET", "/v1/server"] = 200, {"apiVersion": "v1", "version": "1.2",
                                               "uptime_seconds": 39720, "rss_mb": 20.5}
        status, out, _ = f.ctl()
        equal(status, 0, out)
        for words in ("bbtd 1.2 up 11 h 02 min", "1 running · 1 paused · 1 failed · 1 completed",
                      "NEEDS YOU", "2 job-2  paused  auth: HTTP 401", "→ bbtctl resume 2",
                      "dev.tsv:88", "→ bbtctl logs 3", "RUNNING", "job-4", "outage"):
            true(words in out, f"{words}: {out}")
        true("\x1b" not in out, "no colours in a pipe")
        got = json.loads(f.ctl("--json")[1])
        equal((got["jobs"]["failed"], [j["id"] for j in got["needs_you"]]), (1, [2, 3]), got)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bbt-ctl-") as tmp:
        sys.exit(tap.run(Context(tmp)))

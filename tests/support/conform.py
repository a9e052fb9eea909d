#!/usr/bin/env python3
"""conform.py -- a conformance server: the inference APIs that bbtd speaks, served by a tiny model
and strict about the protocols. Written from the servers' documentation, not from bbtd's encoder:
what a real server refuses is refused here, and counted with its reason.

  conform.py --listen unix:PATH | 127.0.0.1:PORT [--dialect NAME] [--mode KEY=JSON ...]
             [--plan FILE] [--write-model DIR] [--hidden N] [--dtype float32] [--price IN,OUT,EACH]

It prints one line, `ready ADDRESS`, when it listens (port 0: one that is free). With `--dialect
all`, the path's first part names the dialect: http://127.0.0.1:PORT/vllm/v1/completions.
Modes are the keys of DEFAULTS in conform_api.py. While it runs: GET /_stats (POST: and reset),
POST /_plan (see conform_plan.py), POST /_mode {key: value}.

From Python: `with conform.Server("vllm", old=True) as s:` runs it as a process; s.url, s.stats(),
s.plan(...), s.mode(...), s.ask(method, path, document).
"""
import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
DIALECTS = ("vllm", "dynamo", "sglang", "triton", "openvino", "mlserver", "trtllm", "openai",
            "azure", "llamacpp")


class Connection(http.client.HTTPConnection):
    """To a TCP port or a unix socket."""

    def __init__(self, address, timeout=30):
        self.path = address[5:] if address.startswith("unix:") else None
        super().__init__("localhost" if self.path else address, timeout=timeout)

    def connect(self):
        if self.path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """The server as a child process; needs no numpy on this side."""

    def __init__(self, dialect, listen="127.0.0.1:0", args=(), **modes):
        command = [PYTHON, str(HERE / "conform.py"), "--listen", listen, "--dialect", dialect,
                   *map(str, args)]
        for key, value in modes.items():
            command += ["--mode", f"{key}={json.dumps(value)}"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["ready"]:
            self.process.wait()
            raise RuntimeError("the conformance server did not start")
        self.address = line[1]
        unix = self.address.startswith("unix:")
        self.url = self.address if unix else "http://" + self.address

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def ask(self, method, path, doc=None, headers=None, raw=None):
        """(status, headers, document or bytes) of one request of its own connection."""
        connection = Connection(self.address)
        body = raw if raw is not None else None if doc is None else json.dumps(doc).encode()
        head = {} if body is None else {"Content-Type": "application/json"}
        head.update(headers or {})
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if data and answer.getheader("Content-Type", "").startswith("application/json"):
            data = json.loads(data)
        return answer.status, dict(answer.headers), data

    def stats(self, reset=False):
        return self.ask("POST" if reset else "GET", "/_stats", {} if reset else None)[2]

    def control(self, path, doc):
        status, _, answer = self.ask("POST", path, doc)
        if status != 200:
            raise ValueError(answer)

    def plan(self, *rules, limiter=None):
        self.control("/_plan", {"rules": list(rules), "limiter": limiter})

    def mode(self, **changes):
        self.control("/_mode", changes)


def kinds():
    """The classes by name; they need numpy, which the other side of Server does not."""
    # pylint: disable=import-outside-toplevel
    import conform_kserve as kserve
    import conform_sglang as sglang
    import conform_text as text
    import conform_vllm as vllm
    return dict(zip(DIALECTS, (vllm.Vllm, vllm.Dynamo, sglang.Sglang, kserve.Kserve,
                               kserve.Openvino, kserve.Mlserver, kserve.Trtllm, text.Openai,
                               text.Azure, text.Llamacpp)))


def options():
    p = argparse.ArgumentParser(description="A strict stand-in for inference servers.")
    p.add_argument("--listen", default="127.0.0.1:0")
    p.add_argument("--dialect", default="all", choices=DIALECTS + ("all",))
    p.add_argument("--mode", action="append", default=[], metavar="KEY=JSON")
    p.add_argument("--plan", help="a JSON file of faults")
    p.add_argument("--hidden", type=int, default=16)
    p.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    p.add_argument("--scale", type=float, default=1.0, help="the model multiplies embeddings")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--price", default="0,0,0", help="usd per million in, per million out, each")
    p.add_argument("--write-model", metavar="DIR", help="write the model's files first")
    p.add_argument("--weights", default="F32", choices=["F32", "F16", "BF16"])
    p.add_argument("--shards", type=int, default=1)
    p.add_argument("--only-write", action="store_true", help="write the model and end")
    return p.parse_args()


def mode_of(pairs):
    modes = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        try:
            modes[key] = json.loads(value)
        except ValueError:
            modes[key] = value
    return modes


async def serve(front, listen):
    """Listens until SIGTERM or SIGINT."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    if listen.startswith("unix:"):
        path = listen[5:]
        if os.path.exists(path):
            os.unlink(path)
        server = await asyncio.start_unix_server(front.client, path, backlog=512, limit=1 << 20)
        address = listen
    else:
        host, _, port = listen.rpartition(":")
        server = await asyncio.start_server(front.client, host, int(port), backlog=512,
                                            limit=1 << 20)
        address = "%s:%d" % server.sockets[0].getsockname()[:2]
    print("ready", address, flush=True)
    await done.wait()
    server.close()


def main():
    # pylint: disable=import-outside-toplevel
    import conform_http
    import conform_lm
    import conform_plan
    o = options()
    model = conform_lm.Model(conform_lm.Vocabulary(), o.hidden, o.dtype, o.scale, o.seed)
    if o.write_model:
        conform_lm.write(model, o.write_model, o.weights, o.shards)
        if o.only_write:
            return
    stats = conform_plan.Stats(o.price.split(","))
    names = DIALECTS if o.dialect == "all" else [o.dialect]
    dialects = {name if o.dialect == "all" else "": kinds()[name](model, stats, mode_of(o.mode))
                for name in names}
    rules, limiter = conform_plan.read(o.plan) if o.plan else ((), None)
    asyncio.run(serve(conform_http.Front(dialects, stats, rules, limiter), o.listen))


if __name__ == "__main__":
    main()

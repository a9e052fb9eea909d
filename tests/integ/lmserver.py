#!/usr/bin/env python3
"""lmserver.py BUILD -- bbt-lm from outside: the golden logits over HTTP in both forms, hostile
clients, overload, and the end."""
import array
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import tap
from tap import case, equal, true

BUILD = Path(sys.argv[1])
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "lmserver"
TOLERANCE = 1e-3


class Server:
    def __init__(self, model, listen="127.0.0.1:0", *args):
        self.p = subprocess.Popen(
            [BUILD / "lmserver" / "bbt-lm", "--model", model, "--listen", listen, *args],
            stderr=subprocess.PIPE, text=True)
        self.said = ""
        for line in self.p.stderr:
            self.said += line
            if line.startswith("listening on "):
                self.address = line.split()[2]
                break
        else:
            self.p.wait()
            raise AssertionError(f"bbt-lm ended: {self.said}")
        self.drain = threading.Thread(target=self.p.stderr.read, daemon=True)
        self.drain.start()

    def connect(self):
        if self.address.startswith("unix:"):
            c = http.client.HTTPConnection("localhost", timeout=150)
            c.sock = socket.socket(socket.AF_UNIX)
            c.sock.connect(self.address[5:])
            return c
        host, port = self.address.rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port), timeout=150)

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body)"""
        c = self.connect()
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def infer(self, model, request, **headers):
        status, _, body = self.ask("POST", f"/v2/models/{model}/infer", json.dumps(request),
                                   **headers)
        return status, json.loads(body)

    def raw(self, data):
        """Sends bytes and returns what comes until the server closes."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as s:
            got = b""
            try:
                s.sendall(data)
                while part := s.recv(65536):
                    got += part
            except ConnectionError:
                pass
            return got

    def hang_up(self, data):
        """Sends bytes and is gone."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as s:
            s.sendall(data)

    def stop(self, want=0):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        equal(self.p.wait(timeout=60), want, "exit status of bbt-lm")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()


def tensors(c, labels=None):
    """name, shape, datatype, flat data"""
    b, t = c["rows"], c["cols"]
    out = [("input_ids", [b, t], "INT64", c["input_ids"]),
           ("attention_mask", [b, t], "INT64", c["attention_mask"]),
           ("mask_pos", [b, 1], "INT64", c["mask_pos"])]
    if c["prompt_rows"]:
        n = c["prompt_rows"]
        shape = [n, 32] if c["prompt_sets"] == 1 else [b, n, 32]
        out.append(("prompt_embedding", shape, "FP32", c["prompt"]))
    if labels:
        out.append(("label_ids", [len(labels)], "INT64", labels))
    return out


def params(c):
    return {"compose": c["compose"], "prompt_at": c["prompt_at"]}


def json_request(c, labels=None):
    return {"parameters": params(c), "inputs": [
        {"name": n, "shape": s, "datatype": d, "data": v} for n, s, d, v in tensors(c, labels)]}


def binary_request(c, labels=None):
    """(head, tail)"""
    inputs, tail = [], b""
    for n, s, d, v in tensors(c, labels):
        raw = array.array("f" if d == "FP32" else "q", v).tobytes()
        inputs.append({"name": n, "shape": s, "datatype": d,
                       "parameters": {"binary_data_size": len(raw)}})
        tail += raw
    head = json.dumps({"id": "x", "parameters": {**params(c), "binary_data_output": True},
                       "inputs": inputs}).encode()
    return head, tail


def binary_ask(server, model, head, tail):
    status, headers, body = server.ask("POST", f"/v2/models/{model}/versions/1/infer", head + tail,
                                       Inference_Header_Content_Length=str(len(head)))
    equal(status, 200, body[:300])
    n = int(headers["Inference-Header-Content-Length"])
    out = json.loads(body[:n])["outputs"][0]
    equal(out["parameters"]["binary_data_size"], len(body) - n, "size")
    return list(array.array("f", body[n:])), out["shape"]


def near(got, want, what):
    equal(len(got), len(want), what)
    worst = max(abs(a - b) for a, b in zip(got, want))
    true(worst <= TOLERANCE, f"{what}: logits differ by {worst}")


def cases(model):
    return [c for c in json.loads((GOLDEN / "cases.json").read_text()) if c["model"] == model]


def big(rows=1024, cols=30):
    """A request that takes a while, in binary."""
    rnd = random.Random(5)
    c = {"rows": rows, "cols": cols, "input_ids": [rnd.randrange(5, 120) for _ in range(rows * cols)],
         "attention_mask": [1] * (rows * cols), "mask_pos": [3] * rows, "prompt_rows": 0,
         "compose": "add", "prompt_at": "hidden"}
    return binary_request(c, [7])


@case
def golden():
    """logits over HTTP equal torch's, JSON and binary, both families"""
    for model in ("bert-f32", "roberta-bf16"):
        with Server(GOLDEN / model) as s:
            for c in cases(model):
                status, got = s.infer(model, json_request(c))
                equal(status, 200, got)
                equal(got["outputs"][0]["shape"], [3, 120], "shape")
                near(got["outputs"][0]["data"], c["logits"], model)
                flat, shape = binary_ask(s, model, *binary_request(c))
                equal(shape, [3, 120], "shape")
                near(flat, c["logits"], model)
                status, got = s.infer(model, json_request(c, [5, 119]))
                near(got["outputs"][0]["data"],
                     [c["logits"][r * 120 + k] for r in range(3) for k in (5, 119)], "labels")
            s.stop()


@case
def metadata():
    """health, metadata, the embedding model, and 404, 405 for the rest"""
    with Server(GOLDEN / "bert-f32", "127.0.0.1:0", "--name", "m.1", "--threads", "1") as s:
        equal(json.loads(s.ask("GET", "/v2")[2])["extensions"], ["binary_tensor_data"], "v2")
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/m.1/ready",
                     "/v2/models/m.1/versions/1/ready", "/v2/models/m.1-embedding/ready"):
            equal(s.ask("GET", path)[0], 200, path)
        meta = json.loads(s.ask("GET", "/v2/models/m.1")[2])
        equal(meta["inputs"][2], {"name": "prompt_embedding", "datatype": "FP32",
                                  "shape": [-1, 32]}, "prompt")
        equal(meta["outputs"], [{"name": "logits", "datatype": "FP32", "shape": [-1, -1]}], "out")
        for path in ("/v2/models/m", "/v2/models/m.1/versions/2", "/v3", "/v2/models/m.1/x"):
            status, _, body = s.ask("GET", path)
            equal(status, 404, path)
            true(json.loads(body)["error"], path)
        equal(s.ask("GET", "/v2/models/m.1/infer")[0], 405, "GET infer")
        status, got = s.infer("m.1-embedding", {"inputs": [
            {"name": "input_ids", "shape": [2], "datatype": "INT64", "data": [7, 119]}]})
        equal(status, 200, got)
        equal([o["name"] for o in got["outputs"]], ["embedding", "mean", "std"], "outputs")
        equal(got["outputs"][0]["shape"], [2, 32], "rows")
        raw = (GOLDEN / "bert-f32" / "model.safetensors").read_bytes()
        n = int.from_bytes(raw[:8], "little")
        at = json.loads(raw[8:8 + n])["bert.embeddings.word_embeddings.weight"]["data_offsets"]
        words = array.array("f", raw[8 + n + at[0]:8 + n + at[1]])
        near(got["outputs"][0]["data"], list(words[7 * 32:8 * 32]) + list(words[119 * 32:]), "rows")
        mean = sum(words) / len(words)
        std = (sum((v - mean) ** 2 for v in words) / len(words)) ** .5
        near([got["outputs"][1]["data"][0], got["outputs"][2]["data"][0]], [mean, std], "moments")
        s.stop()


@case
def unix_socket():
    """a unix socket serves, is private, and is gone afterwards"""
    with tempfile.TemporaryDirectory() as tmp:
        path = f"{tmp}/lm.sock"
        with Server(GOLDEN / "bert-f32", f"unix:{path}") as s:
            equal(s.ask("GET", "/v2/health/ready")[0], 200, "ready")
            equal(os.stat(path).st_mode & 0o777, 0o600, "mode")
            s.stop()
        true(not os.path.exists(path), "the socket file is still there")


@case
def many_clients():
    """eight clients at once get the answers that one alone gets"""
    with Server(GOLDEN / "roberta-f32") as s:
        todo, wrong = cases("roberta-f32"), []

        def client(k):
            c = s.connect()
            for n in range(25):
                want = todo[(k + n) % len(todo)]
                c.request("POST", "/v2/models/roberta-f32/infer", json.dumps(json_request(want)))
                got = json.loads(c.getresponse().read())
                try:
                    near(got["outputs"][0]["data"], want["logits"], "many")
                except Exception as why:  # pylint: disable=broad-except
                    wrong.append(repr(why))
            c.close()

        threads = [threading.Thread(target=client, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(wrong, [], "answers")
        s.stop()


def post(body, length=None, more=""):
    return (f"POST /v2/models/bert-f32/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


@case
def hostile():
    """broken, cut short, lying and random requests leave the server serving"""
    rnd = random.Random(11)
    c = cases("bert-f32")[2]
    good = json.dumps(json_request(c)).encode()
    head, tail = binary_request(c)
    with Server(GOLDEN / "bert-f32") as s:
        true(s.raw(post(b"{")).startswith(b"HTTP/1.1 400 "), "half a JSON")
        true(s.raw(post(b"")).startswith(b"HTTP/1.1 400 "), "no body")
        for lie in (len(good) + 1, 10 ** 6):
            s.hang_up(post(good, lie))
        for huge in (64 * 2 ** 20 + 1, 10 ** 10, 2 ** 64, "9" * 40, "-1", "x"):
            got = s.raw(post(b"{}", huge))[:20]
            true(b" 200 " not in got, f"length {huge}: {got}")
        true(b" 413 " in s.raw(post(b"{}", 10 ** 9))[:20], "413 before the body came")
        for size in ("-1", "x", "", str(len(head) - 1), str(10 ** 14), "1" * 30):
            got = s.raw(post(head + tail, None, f"Inference-Header-Content-Length: {size}\r\n"))
            true(got.startswith(b"HTTP/1.1 400 ") and b'{"error"' in got, f"{size}: {got[:80]}")
        got = s.raw(post(good, None, "Content-Encoding: gzip\r\n"))
        true(got.startswith(b"HTTP/1.1 400 "), "compressed")
        status, _, body = s.ask("POST", "/v2/models/bert-f32/infer", b"".join(big(1100, 4)),
                                Inference_Header_Content_Length=str(len(big(1100, 4)[0])))
        equal(status, 413, body)
        for n in range(300):
            flipped = bytearray(head + tail)
            for _ in range(rnd.randint(1, 12)):
                flipped[rnd.randrange(len(flipped))] = rnd.randrange(256)
            flipped = bytes(flipped[:rnd.randint(0, len(flipped))] if n % 3 == 0 else flipped)
            got = s.raw(post(flipped, None, f"Inference-Header-Content-Length: {len(head)}\r\n"))
            true(got[:12] in (b"HTTP/1.1 200", b"HTTP/1.1 400"), got[:100])
            if got[9:12] == b"400":
                true(b'{"error":"' in got, got)
            noise = bytes(rnd.randrange(256) for _ in range(rnd.randint(1, 200)))
            s.hang_up(noise)
        near(binary_ask(s, "bert-f32", head, tail)[0], c["logits"], "afterwards")
        s.stop()


@case
def vanished_clients():
    """clients that go away in the middle of their request or answer hurt nobody else"""
    head, tail = big(256)
    request = post(head + tail, None, f"Inference-Header-Content-Length: {len(head)}\r\n")
    with Server(GOLDEN / "bert-f32", "127.0.0.1:0", "--threads", "1") as s:
        for n in range(40):
            s.hang_up(request[:len(request) // 2] if n % 2 else request)
        c = cases("bert-f32")[0]
        near(binary_ask(s, "bert-f32", *binary_request(c))[0], c["logits"], "afterwards")
        s.stop()


@case
def overload():
    """above the queue's cap there is 503 with Retry-After; everything else is answered"""
    head, tail = big(512)
    seen, lock = [], threading.Lock()
    with Server(GOLDEN / "bert-f32", "127.0.0.1:0", "--threads", "1") as s:

        def client():
            status, headers, _ = s.ask("POST", "/v2/models/bert-f32/infer", head + tail,
                                       Inference_Header_Content_Length=str(len(head)))
            with lock:
                seen.append((status, headers["Retry-After"]))

        threads = [threading.Thread(target=client) for _ in range(140)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal({x for x in seen}, {(200, None), (503, "1")}, "answers")
        true(sum(x[0] == 200 for x in seen) >= 66, "a full queue was answered")
        s.stop()


@case
def term():
    """SIGTERM: what is under way is answered, then exit 0"""
    head, tail = big()
    seen, lock = [], threading.Lock()
    with Server(GOLDEN / "bert-f32", "127.0.0.1:0", "--threads", "1") as s:
        conns = [s.connect() for _ in range(4)]
        for c in conns:
            c.request("POST", "/v2/models/bert-f32/infer", head + tail,
                      {"Inference-Header-Content-Length": str(len(head))})
        first = conns[0].getresponse().read()  # by now the others were read, too, or soon will be
        s.p.send_signal(signal.SIGTERM)

        def rest(c):
            try:
                status = c.getresponse().status
            except (ConnectionError, http.client.HTTPException):
                status = None
            with lock:
                seen.append(status)

        threads = [threading.Thread(target=rest, args=(c,)) for c in conns[1:]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        true(first, "no answer")
        # a request not yet read completely may be refused; none may be dropped half-way
        true(all(x in (200, 503, None) for x in seen) and 200 in seen, seen)
        equal(s.p.wait(timeout=60), 0, "exit status")


@case
def idle_term():
    """SIGTERM and SIGINT end an idle server, also with a connection kept alive"""
    for sig in (signal.SIGTERM, signal.SIGINT):
        with Server(GOLDEN / "bert-f32") as s:
            c = s.connect()
            c.request("GET", "/v2")
            equal(c.getresponse().status, 200, "status")
            s.p.send_signal(sig)
            equal(s.p.wait(timeout=30), 0, "exit status")
            c.close()


def refused(*args):
    p = subprocess.run([BUILD / "lmserver" / "bbt-lm", *map(str, args)], stderr=subprocess.PIPE,
                       stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    return p.returncode, p.stderr


@case
def start():
    """what cannot start says why and exits 1; bad usage exits 2"""
    model = GOLDEN / "bert-f32"
    for args, status, part in [
            ((), 2, "usage"), (("--model", model), 2, "usage"), (("--nope",), 2, "usage"),
            (("--model", model, "--listen", "127.0.0.1:0", "--threads", "0"), 2, "--threads"),
            (("--model", "/nonexistent", "--listen", "127.0.0.1:0"), 1, "/nonexistent/config.json"),
            (("--model", model, "--listen", "nowhere"), 1, "HOST:PORT"),
            (("--model", model, "--listen", "127.0.0.1:65536"), 1, "HOST:PORT"),
            (("--model", model, "--listen", "127.0.0.1:0", "--name", "a/b"), 1, "a/b")]:
        got, said = refused(*args)
        equal(got, status, said)
        true(part in said, said)
    with Server(model) as s:
        got, said = refused("--model", model, "--listen", s.address)
        equal(got, 1, said)
        true("in use" in said or s.address.rsplit(":", 1)[1] in said, said)
        s.stop()
    equal(subprocess.run([BUILD / "lmserver" / "bbt-lm", "--help"], check=False,
                         stdout=subprocess.DEVNULL).returncode, 0, "--help")


sys.exit(tap.run())

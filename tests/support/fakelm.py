"""fakelm.py -- a provider of the kserve2 dialect that counts what it was asked.

The answer about an example is a function of its tokens, the prompt and the labels alone: two runs
that ask the same get the same, however the examples are cut into requests. Standard library only;
an own thread with an own loop, one unix socket per provider.

What is counted, per request id (jJOB-PHASE-gG-cC-bB): `begun` when the whole question has come
in, `answered` when the whole answer has been taken by the socket. Start-up questions (metadata,
canaries, the embedding look-up) belong to no job's ledger: they are counted in `other`.
"""
import asyncio
import collections
import hashlib
import json
import struct
import threading

ID = "j"  # what a job's request id begins with; canaries are called canary-a, canary-b
HIDDEN = 8


def tensors(body, head_len):
    """(JSON part, {name: (shape, bytes)}) of a request with binary tensors."""
    doc, at, found = json.loads(body[:head_len]), head_len, {}
    for t in doc.get("inputs", []):
        size = t["parameters"]["binary_data_size"]
        found[t["name"]] = (t["shape"], body[at:at + size])
        at += size
    return doc, found


def reals(seed, n, scale=4.0):
    """n numbers in [-scale, scale) that depend on nothing but the seed's bytes."""
    raw = hashlib.shake_128(seed).digest(2 * n)
    return [scale * (v / 32768.0 - 1.0) for v in struct.unpack(f"<{n}H", raw)]


def tokens(found):
    """Each example's tokens and place of the mask, as bytes."""
    rows, cols = found["input_ids"][0]
    ids, mask, at = (found[n][1] for n in ("input_ids", "attention_mask", "mask_pos"))
    for i in range(rows):
        n = sum(struct.unpack_from(f"<{cols}q", mask, 8 * cols * i))
        yield ids[8 * cols * i:8 * (cols * i + n)] + at[8 * i:8 * (i + 1)]


def message(outputs):
    """Head and raw tensors: [(name, shape, numbers)]."""
    head = {"model_name": "fake", "model_version": "1", "outputs": [
        {"name": n, "datatype": "FP32", "shape": shape,
         "parameters": {"binary_data_size": 4 * len(v)}} for n, shape, v in outputs]}
    text = json.dumps(head, separators=(",", ":")).encode()
    return len(text), text + b"".join(struct.pack(f"<{len(v)}f", *v) for _, _, v in outputs)


class Fake:
    """One provider. `delay_s(id)` may say how long an answer takes, `refuse(id)` a status. More
    than `rows_max` examples in one request (None: no limit) get 413."""

    def __init__(self, path, delay_s=None, refuse=None, rows_max=None):
        self.path = str(path)
        self.delay_s = delay_s or (lambda _: 0.0)
        self.refuse = refuse or (lambda _: None)
        self.rows_max = rows_max
        self.lock = threading.Lock()
        self.begun = collections.Counter()
        self.answered = collections.Counter()
        self.refused = collections.Counter()
        self.other = collections.Counter()
        self.logit = {}  # id -> bytes of the answer: equal for every repetition
        self.changed = set()  # ids that were asked again about something else
        self.tasks = set()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait(10)

    @property
    def url(self):
        return f"unix:{self.path}"

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_unix_server(self.client, self.path, backlog=512, limit=1 << 22))
        self.loop.call_soon(ready.set)
        self.loop.run_forever()
        self.loop.close()

    def close(self):
        def end():
            self.server.close()
            for t in self.tasks:
                t.cancel()
            self.loop.call_later(0.02, self.loop.stop)
        self.loop.call_soon_threadsafe(end)
        self.thread.join(10)

    def counts(self):
        """Copies of (begun, answered)."""
        with self.lock:
            return self.begun.copy(), self.answered.copy()

    def idle(self):
        """True once every question that came in has been answered, refused or given up."""
        return not self.tasks

    # ---- HTTP ----

    async def client(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            writer.close()

    async def exchange(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        fields = {k.lower(): v.strip() for k, _, v in
                  (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if method == "POST":
            return await self.infer(path, fields, body, writer)
        with self.lock:
            self.other[path] += 1
        status, doc = self.metadata(path)
        text = json.dumps(doc).encode()
        return await self.reply(writer, status, "application/json", text)

    @staticmethod
    async def reply(writer, status, kind, body, more=""):
        writer.write(f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\n{more}"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True

    @staticmethod
    def metadata(path):
        if path == "/v2":
            return 200, {"name": "fake", "version": "1", "extensions": ["binary_tensor_data"]}
        if path.endswith("/ready"):
            return 200, {}
        if path.endswith("-embedding"):
            return 200, {"name": "fake-embedding", "platform": "fake",
                         "inputs": [{"name": "input_ids", "datatype": "INT64", "shape": [-1]}],
                         "outputs": [
                             {"name": "embedding", "datatype": "FP32", "shape": [-1, HIDDEN]},
                             {"name": "mean", "datatype": "FP32", "shape": [1]},
                             {"name": "std", "datatype": "FP32", "shape": [1]}]}
        ins = [("input_ids", "INT64", [-1, -1]), ("attention_mask", "INT64", [-1, -1]),
               ("prompt_embedding", "FP32", [1, -1, HIDDEN]), ("mask_pos", "INT64", [-1, 1]),
               ("label_ids", "INT64", [-1])]
        return 200, {"name": "fake", "versions": ["1"], "platform": "bbt-lm",
                     "inputs": [{"name": n, "datatype": d, "shape": s} for n, d, s in ins],
                     "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, -1]}]}

    # ---- answers ----

    @staticmethod
    def answer(path, found):
        shape = found["input_ids"][0]
        if "-embedding" in path:
            n = shape[-1]
            return message([("embedding", [n, HIDDEN], reals(found["input_ids"][1], n * HIDDEN)),
                            ("mean", [1], [0.01]), ("std", [1], [0.5])])
        rows, labels = shape[0], found["label_ids"][0][-1]
        same = found["label_ids"][1] + found.get("prompt_embedding", (0, b""))[1]
        logits = [v for row in tokens(found) for v in reals(row + same, labels)]
        return message([("logits", [rows, labels], logits)])

    async def infer(self, path, fields, body, writer):
        head_len = int(fields["inference-header-content-length"])
        doc, found = tensors(body, head_len)
        ident = doc.get("id", "")
        paid = ident.startswith(ID)
        with self.lock:
            (self.begun if paid else self.other)[ident or path] += 1
        wait = self.delay_s(ident) if paid else 0.0
        if wait > 0:
            await asyncio.sleep(wait)
        status = self.refuse(ident) if paid else None
        if paid and self.rows_max and found["input_ids"][0][0] > self.rows_max:
            status = 413
        if status:
            with self.lock:
                self.refused[ident] += 1
            return await self.reply(writer, status, "application/json", b'{"error":"no"}')
        size, raw = self.answer(path, found)
        await self.reply(writer, 200, "application/octet-stream", raw,
                         f"Inference-Header-Content-Length: {size}\r\n")
        if paid and not writer.is_closing():
            with self.lock:
                self.answered[ident] += 1
                if self.logit.setdefault(ident, raw[size:]) != raw[size:]:
                    self.changed.add(ident)
        return True

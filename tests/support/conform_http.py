"""conform_http.py -- the HTTP/1.1 front of the conformance server: strict about framing, runs
the plan's faults, counts. What a request means is the dialect's business (conform_api.py)."""
import asyncio
import email.utils
import json
import socket
import struct
import sys
import time
import traceback
import urllib.parse

import conform_bend
import conform_plan
from conform_api import Refuse, Reply

HEAD_MAX = 64 << 10
BODY_MAX = 256 << 20
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           408: "Request Timeout", 409: "Conflict", 411: "Length Required",
           413: "Content Too Large", 415: "Unsupported Media Type", 417: "Expectation Failed",
           422: "Unprocessable Content", 424: "Failed Dependency", 425: "Too Early",
           429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
           529: "Overloaded"}


class Request:
    def __init__(self, method, target, headers):
        self.method, self.target, self.headers, self.body = method, target, headers, b""
        path, _, query = target.partition("?")
        self.raw_path = path
        self.path = urllib.parse.unquote(path)
        self.query = dict(urllib.parse.parse_qsl(query))


def parse_head(head):
    """The request of a head without its last empty line."""
    if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b""):
        raise Refuse(400, "a line of the head does not end in CR LF")
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1" or not parts[1].startswith("/"):
        raise Refuse(400, "request line is not METHOD /TARGET HTTP/1.1")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refuse(400, "a header line without a name")
        name = name.lower()
        if name in headers:
            raise Refuse(400, f"header {name} twice")
        headers[name] = value.strip()
    if "host" not in headers:
        raise Refuse(400, "no Host header")
    return Request(parts[0], parts[1], headers)


def body_length(request):
    """Bytes of the body; chunked bodies and Expect are refused (P12)."""
    h = request.headers
    if "transfer-encoding" in h:
        raise Refuse(411, "Transfer-Encoding: send Content-Length")
    if "expect" in h:
        raise Refuse(417, "Expect: send the body at once")
    if "content-length" not in h:
        if request.method in ("POST", "PUT"):
            raise Refuse(411, "no Content-Length")
        return 0
    if not h["content-length"].isascii() or not h["content-length"].isdigit():
        raise Refuse(400, "Content-Length is no number")
    length = int(h["content-length"])
    if length > BODY_MAX:
        raise Refuse(413, "body is too large")
    return length


class Front:
    """One listening socket and the dialects behind it: {prefix: dialect}."""

    def __init__(self, dialects, stats, rules=(), limiter=None):
        self.dialects, self.stats = dialects, stats
        self.rules, self.limiter = list(rules), limiter
        self.hangs = set()

    async def client(self, reader, writer):
        self.stats.connections += 1
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stderr)
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        """One request; should the connection go on?"""
        head = await reader.readuntil(b"\r\n\r\n")
        try:
            request = parse_head(head[:-4])
            length = body_length(request)
        except Refuse as why:
            self.stats.requests += 1
            self.stats.refusal("(framing)", why.status, str(why))
            await self.send(writer, Reply({"error": str(why)}, why.status), close=True)
            return False
        request.body = await reader.readexactly(length)
        if request.path.startswith("/_"):
            await self.send(writer, self.control(request))
            return True
        stats = self.stats
        stats.requests += 1
        stats.body_bytes += length
        stats.in_flight += 1
        stats.most_in_flight = max(stats.most_in_flight, stats.in_flight)
        try:
            return await self.serve(request, reader, writer)
        finally:
            stats.in_flight -= 1

    async def serve(self, request, reader, writer):
        rule = next((r for r in self.rules if r.take(request.target)), None)
        if rule is None:
            await self.send(writer, await self.answer(request))
            return True
        action, status, headers, kind, body = rule.now(time.time())
        if rule.doc.get("delay_s"):
            await asyncio.sleep(rule.doc["delay_s"])
        if action in ("pass", "chunked", "drip"):
            reply = await self.answer(request)
            reply.headers += headers
            await self.write(writer, reply, action)
            return True
        self.stats.faults += 1
        if action == "bend":
            reply = await self.answer(request)
            if reply.status == 200:
                conform_bend.bend(reply, rule.doc.get("bend"))
            await self.send(writer, reply)
            return True
        if action == "answer":
            await self.send(writer, Reply(body, status, headers, kind=kind))
            return True
        if action == "hang":
            await reader.read(1)  # until the other side gives up
            return False
        if action == "garbage":
            writer.write(b"\x16\x03\x01 this is no HTTP\n\n")
        elif action in ("head", "half"):
            data = self.wire(await self.answer(request))
            cut = data.index(b"\r\n\r\n") + 4
            writer.write(data[:cut if action == "head" else (cut + len(data)) // 2])
            await writer.drain()
            if action == "head":
                await reader.read(1)
        if action in ("reset", "half"):
            sock = writer.get_extra_info("socket")
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            await writer.drain()
        return False

    async def answer(self, request):
        """What the dialect says; refusals are counted with their reason."""
        stats, now, limits = self.stats, time.time(), []
        name, dialect = self.route(request)
        route = f"{request.method} {name}{request.path}"
        if dialect is None:
            stats.refusal(route, 404, "no such route")
            return Reply({"detail": "Not Found"}, 404)
        counted = self.limiter and dialect.limited(request)
        if counted and self.limiter.full(now):
            stats.limited += 1
            stats.statuses[429] += 1
            return self.too_fast(now)
        try:
            reply = await dialect.handle(request)
            stats.routes[route] += 1
            stats.answered += 1
            stats.charge(*reply.usage)
            if counted:
                self.limiter.took(now, sum(reply.usage))
                limits = conform_plan.limit_headers(self.limiter.vendor, self.limiter.left(now),
                                                    now)
        except Refuse as why:
            if request.method == "GET" and why.status == 404:
                stats.absent[route] += 1  # asking whether something is there is no mistake
            elif not why.expected:
                stats.refusal(route, why.status, str(why))
            reply = dialect.refusal(why)
        stats.statuses[reply.status] += 1
        reply.headers += limits
        return reply

    def too_fast(self, now):
        left = self.limiter.left(now)
        wait = max(v["reset_s"] for v in left.values() if v["remaining"] <= 0)
        vendor = self.limiter.vendor
        kind, body = conform_plan.refusal_body(vendor, 429, wait, False)
        return Reply(body, 429, conform_plan.limit_headers(vendor, left, now)
                     + conform_plan.hint_headers(vendor, wait, now), kind=kind)

    def route(self, request):
        """The dialect; with several, the path's first part names it and is taken off."""
        if "" in self.dialects:
            return "", self.dialects[""]
        first, slash, rest = request.path[1:].partition("/")
        dialect = self.dialects.get(first)
        if dialect is None or not slash:
            return "", None
        request.path = "/" + rest
        request.raw_path = "/" + request.raw_path[1:].partition("/")[2]
        return "/" + first, dialect

    def control(self, request):
        """/_stats, /_plan and /_mode: for the test, not for the program under test."""
        try:
            if request.path == "/_stats":
                shown = self.stats.shown()
                if request.method == "POST":
                    self.stats.reset()
                return Reply(shown)
            doc = json.loads(request.body or b"{}")
            if request.path == "/_plan":
                self.rules, self.limiter = conform_plan.load(doc)
                return Reply({})
            if request.path == "/_mode":
                for dialect in self.dialects.values():
                    dialect.set_mode(doc)
                return Reply({})
        except (ValueError, TypeError) as e:
            return Reply({"error": str(e)}, 400)
        return Reply({"error": "no such control"}, 404)

    @staticmethod
    def wire(reply, close=False):
        body = reply.body
        if not isinstance(body, (bytes, bytearray)):
            body = body.encode() if isinstance(body, str) else json.dumps(
                body, separators=(",", ":"), allow_nan=False).encode()
        given = {n.lower() for n, _ in reply.headers}
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
        if "date" not in given:
            lines.append("Date: " + email.utils.formatdate(usegmt=True))
        if body or reply.status == 200:
            lines.append(f"Content-Type: {reply.kind}")
        lines += [f"{n}: {v}" for n, v in reply.headers]
        lines.append(f"Content-Length: {len(body)}")
        if close:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + bytes(body)

    async def write(self, writer, reply, how):
        """A good answer, whole or in small pieces."""
        data = self.wire(reply)
        if how == "chunked":
            head, _, body = data.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Len")]
            data = b"\r\n".join(lines) + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
            for at in range(0, len(body), 37):
                piece = body[at:at + 37]
                data += b"%x\r\n%s\r\n" % (len(piece), piece)
            data += b"0\r\n\r\n"
        for at in range(0, len(data), 101 if how == "drip" else len(data)):
            writer.write(data[at:at + 101 if how == "drip" else None])
            await writer.drain()
            await asyncio.sleep(0)

    async def send(self, writer, reply, close=False):
        writer.write(self.wire(reply, close))
        await writer.drain()

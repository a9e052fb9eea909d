"""proxy.py -- stands between bbtd and bbt-lm and spoils the answers on demand.

`mode` names what happens to each request for an inference; everything else is passed on. The
modes are what a provider, a broken gateway or a hostile one really sends.
"""
import http.client
import http.server
import json
import socket
import socketserver
import struct
import threading


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.relay(b"")

    def do_POST(self):
        self.relay(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def relay(self, body):
        proxy = self.server.proxy
        infer = self.command == "POST" and self.path.endswith("/infer")
        if proxy.want and self.headers.get(proxy.want[0]) != proxy.want[1]:
            proxy.strangers += 1
            self.send(401, b'{"error":"who are you"}')
            return
        with proxy.lock:
            proxy.seen += infer
            mode = proxy.mode if infer else None
            if infer and proxy.good_left > 0:
                proxy.good_left -= 1
                mode = None
        if mode:
            with proxy.lock:
                proxy.spoiled += 1
        status, head, answer = proxy.ask(self.command, self.path, body, self.headers)
        getattr(self, "send_" + (mode or "good").replace("-", "_"))(status, head, answer)

    def send(self, status, body, kind="application/json", more=()):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_good(self, status, head, answer):
        keep = [(k, v) for k, v in head.items()
                if k.lower() in ("inference-header-content-length",)]
        self.send(status, answer, head.get("Content-Type", "application/json"), keep)

    def send_html(self, *_):
        self.send(200, b"<html><body>Welcome to the captive portal</body></html>", "text/html")

    def send_empty(self, *_):
        self.send(200, b"")

    def send_json_of_another_kind(self, *_):
        self.send(200, b'{"choices":[{"text":"hello"}]}')

    def send_half(self, status, head, answer):
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        for k, v in head.items():
            if k.lower() in ("content-type", "inference-header-content-length"):
                self.send_header(k, v)
        self.end_headers()
        self.wfile.write(answer[:len(answer) // 2])
        self.close_connection = True

    def send_huge_length(self, *_):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(10 * 1000 ** 3))
        self.end_headers()
        self.drown(b" " * 65536)

    def send_endless_chunks(self, *_):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.drown(b"8000\r\n" + b" " * 0x8000 + b"\r\n")

    def send_endless_header(self, *_):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self.drown(b"X-Noise: " + b"n" * 4000 + b"\r\n")

    def drown(self, part):
        """Writes until the other side hangs up; 256 MB at most, should nobody stop us."""
        self.close_connection = True
        try:
            for _ in range(4096 * 65536 // len(part)):
                self.wfile.write(part)
                self.server.proxy.drowned += len(part)
        except OSError:
            pass

    def rewrite(self, head, answer, change):
        """The answer with its JSON head or its tensor bytes changed."""
        n = int(head.get("Inference-Header-Content-Length") or len(answer))
        doc, tail = json.loads(answer[:n]), answer[n:]
        doc, tail = change(doc, tail)
        text = json.dumps(doc).encode()
        more = [("Inference-Header-Content-Length", str(len(text)))] if tail else []
        self.send(200, text + tail, head.get("Content-Type", "application/json"), more)

    def send_wrong_shape(self, _status, head, answer):
        def change(doc, tail):
            for out in doc["outputs"]:
                out["shape"][0] += 1
            return doc, tail
        self.rewrite(head, answer, change)

    def send_nan(self, _status, head, answer):
        def change(doc, tail):
            for out in doc["outputs"]:
                if "data" in out:
                    out["data"] = [float("nan")] * len(out["data"])
            return doc, struct.pack("<f", float("nan")) * (len(tail) // 4)
        self.rewrite(head, answer, change)

    def send_400(self, *_):
        self.send(400, b'{"error":"input prompt_embedding is not supported today"}')

    def send_401(self, *_):
        self.send(401, b'{"error":"who are you"}')

    def send_echo(self, *_):
        """Repeats the caller's key in an error, as careless gateways do."""
        self.send(*self.server.proxy.echo)

    def send_404(self, *_):
        self.send(404, b'{"error":"unknown model"}')

    def send_500(self, *_):
        self.send(500, b'{"error":"out of GPU memory"}')

    def send_429(self, *_):
        self.send(429, b'{"error":"slow down"}', more=[("Retry-After", "1")])

    def send_hang_up(self, *_):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass  # the client hung up: that is the point


class Proxy:
    """Runs in threads of this process until close()."""

    def __init__(self, unix_path):
        self.unix_path = unix_path
        self.lock = threading.Lock()
        self.mode, self.good_left = None, 0
        self.want = None  # (header, value) that every request must have
        self.echo = None  # (status, body, type) of mode "echo"
        self.strangers = 0
        self.seen = self.spoiled = self.drowned = 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spoil(self, mode, after=0):
        """From the next inference on, or after `after` good ones."""
        with self.lock:
            self.mode, self.good_left = mode, after
            self.spoiled = self.drowned = 0

    def ask(self, method, path, body, headers):
        keep = {k: v for k, v in headers.items()
                if k.lower() in ("content-type", "inference-header-content-length", "accept")}
        link = UnixConnection(self.unix_path)
        try:
            link.request(method, path, body or None, keep)
            got = link.getresponse()
            return got.status, dict(got.getheaders()), got.read()
        finally:
            link.close()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

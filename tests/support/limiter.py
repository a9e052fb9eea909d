"""limiter.py -- a provider with strict limits, and nginx with some of its own.

The limits are sliding windows over the arrival times of every question, refused ones included where
the vendor counts them (`count_refused`). What it counts as a question's tokens it reads off the
question: the attention mask and, where rows are put in front, the soft prompt's rows. None of this
is bbtd's code, and it shares no arithmetic with it.
"""
import collections
import math
import shutil
import subprocess
import time
from pathlib import Path

import fakelm


class Window:
    """At most `limit` in any `span_s` seconds."""

    def __init__(self, limit, span_s=60.0):
        self.limit, self.span_s = limit, span_s
        self.past, self.sum = collections.deque(), 0

    def settle(self, now):
        while self.past and self.past[0][0] <= now - self.span_s:
            self.sum -= self.past.popleft()[1]

    def fits(self, now, cost):
        self.settle(now)
        return self.sum + cost <= self.limit

    def wait_s(self, now, cost):
        """Until `cost` fits."""
        over = self.sum + cost - self.limit
        for at, c in self.past:
            over -= c
            if over <= 0:
                return at + self.span_s - now
        return self.span_s

    def take(self, now, cost):
        self.past.append((now, cost))
        self.sum += cost


class Limited(fakelm.Fake):
    """Requests and tokens per minute. `served` holds (time, tokens) of what was answered."""

    def __init__(self, path, requests=None, tokens=None, clock=time.monotonic, **more):
        self.windows = {"requests": Window(requests) if requests else None,
                        "tokens": Window(tokens) if tokens else None}
        self.clock = clock
        self.served, self.refusals = [], []
        super().__init__(path, **more)

    def limit(self, **limits):
        """New limits from now on, what was taken stays taken."""
        with self.lock:
            for name, value in limits.items():
                self.windows[name].limit = value

    @staticmethod
    def tokens_of(found):
        mask = found["attention_mask"][1]
        return sum(1 for i in range(0, len(mask), 8) if mask[i])

    async def infer(self, path, fields, body, writer):
        _, found = fakelm.tensors(body, int(fields["inference-header-content-length"]))
        cost = {"requests": 1,
                "tokens": self.tokens_of(found) if "attention_mask" in found else 0}
        now = self.clock()
        with self.lock:
            wait = max((w.wait_s(now, cost[n]) for n, w in self.windows.items()
                        if w and not w.fits(now, cost[n])), default=0.0)
            if wait <= 0:
                for n, w in self.windows.items():
                    if w:
                        w.take(now, cost[n])
                self.served.append((now, cost["tokens"]))
            else:
                self.refusals.append((now, wait))
        if wait > 0:
            return await self.reply(writer, 429, "application/json", b'{"error":"slow down"}',
                                    f"Retry-After: {math.ceil(wait)}\r\n")
        return await super().infer(path, fields, body, writer)

    def delivered(self, since, until):
        """(requests, tokens) answered in [since, until)."""
        with self.lock:
            some = [c for at, c in self.served if since <= at < until]
        return len(some), sum(some)


class Nginx:
    """Debian's nginx with limit_req in front of a unix socket; `with` ends it."""

    def __init__(self, folder, upstream, rate_per_s, burst):
        self.program = shutil.which("nginx") or "/usr/sbin/nginx"
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "front.sock"
        self.log = self.folder / "access.log"
        self.conf = self.folder / "nginx.conf"
        self.conf.write_text(f"""
daemon off;
master_process off;
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format short '$msec $status $request_method $uri';
    access_log {self.log} short;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/f;
    uwsgi_temp_path {self.folder}/u;
    scgi_temp_path {self.folder}/s;
    client_max_body_size 64m;
    limit_req_zone $server_name zone=all:1m rate={rate_per_s}r/s;
    limit_req_status 429;
    server {{
        listen unix:{self.socket};
        server_name all;
        location / {{
            limit_req zone=all burst={burst} nodelay;
            proxy_pass http://unix:{upstream}:;
            proxy_http_version 1.1;
        }}
    }}
}}
""")
        self.p = None

    @staticmethod
    def there():
        return bool(shutil.which("nginx")) or Path("/usr/sbin/nginx").exists()

    def __enter__(self):
        self.p = subprocess.Popen([self.program, "-p", str(self.folder), "-c", str(self.conf)],
                                  stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self.socket.exists():
            if self.p.poll() is not None or time.monotonic() > end:
                raise RuntimeError("nginx does not start: "
                                   + (self.folder / "error.log").read_text())
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait(20)

    def statuses(self):
        """{status: how often} of the inference calls."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return collections.Counter(int(x.split()[1]) for x in lines if x.endswith("/infer"))

#!/usr/bin/env python3
"""layers.py ROOT [BUILD] -- who may include whom, and who may link whom.

The floors of ARCHITECTURE.md as a table. Includes are read from the sources; with BUILD also
the symbols of the built archives (nm), which no macro and no hand-written prototype can hide.
"""
import re
import subprocess
import sys
from pathlib import Path

from csrc import Finding, Tree, report

# folder -> own folders (or single headers) that it may include, besides itself
MAY = {
    "base": set(),
    "num": {"base"}, "text": {"base"}, "prov": {"base"}, "sched": {"base"}, "spec": {"base"},
    "store": {"base"}, "loop": {"base"}, "net": {"base", "loop"}, "web": {"base", "loop"},
    "engine": {"base", "num", "text", "prov", "sched", "spec"},
    "daemon": {"base", "num", "text", "prov", "sched", "spec", "store", "loop", "net", "web",
               "engine"},
    "ctl": {"base", "spec", "text", "net/call.h"},
    "lmserver": {"base", "num", "text", "loop", "web"},
}
TOP = {"daemon", "ctl", "lmserver"}

# foreign library -> (its headers, its symbols, the folders that are its door)
DOORS = {
    "jansson": (r"jansson\.h", None, {"base"}),
    "libyaml": (r"yaml\.h", r"yaml_(?:parser|document|event|token)_", {"base"}),
    "openssl": (r"openssl/", r"EVP_|SHA256|RAND_|ERR_get_error", {"base"}),
    "blas": (r"cblas.*\.h|lapacke.*\.h|openblas.*\.h", r"cblas_|LAPACKE_|openblas_|d[a-z]+_$",
             {"num", "lmserver"}),
    "sqlite": (r"sqlite3(?:ext)?\.h", r"sqlite3_", {"store"}),
    "libuv": (r"uv\.h|uv/", r"uv_", {"loop", "net", "web", "daemon", "lmserver"}),
    "curl": (r"curl/", r"curl_", {"net"}),
    "microhttpd": (r"microhttpd\.h", r"MHD_", {"web"}),
    "systemd": (r"systemd/", r"sd_", {"daemon"}),
}

SYSTEM = re.compile(
    r"(?:assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|"
    r"signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|"
    r"strings|tgmath|threads|time|uchar|wchar|wctype|dirent|fcntl|fnmatch|getopt|glob|grp|"
    r"immintrin|malloc|netdb|poll|pthread|pwd|regex|sched|semaphore|spawn|syslog|termios|"
    r"unistd|x86intrin|xlocale|langinfo|libgen|ftw|endian|byteswap|arm_neon|cpuid|"
    r"execinfo)\.h$|(?:sys|netinet|arpa|net|linux|asm|sanitizer)/")


def folder_of(path):
    """'src/num/cma.c' -> 'num', 'daemon/main.c' -> 'daemon', others None."""
    parts = path.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in TOP else None


def include_floor(tree):
    for s in tree.product():
        here = folder_of(s.path)
        if here not in MAY:
            yield Finding("include-floor", s.path, 1, f"folder {here} is not in the table")
            continue
        for line, name, quoted in s.includes():
            if not quoted:
                continue
            there = name.split("/")[0] if "/" in name else here
            if there != here and there not in MAY[here] and name not in MAY[here]:
                yield Finding("include-floor", s.path, line,
                              f"{here} must not see {name}")


def include_foreign(tree):
    for s in tree.product():
        here = folder_of(s.path)
        for line, name, quoted in s.includes():
            if quoted:
                continue
            door = next((d for d, (headers, _, _) in DOORS.items()
                         if re.match(headers, name)), None)
            if door and here not in DOORS[door][2]:
                yield Finding("include-foreign", s.path, line,
                              f"<{name}> only in {' '.join(sorted(DOORS[door][2]))}")
            elif not door and not SYSTEM.match(name):
                yield Finding("include-foreign", s.path, line,
                              f"<{name}> belongs to no door: add it to the table with a reason")


def include_circle(tree):
    """No header reaches itself."""
    graph = {}
    for s in tree.product():
        key = s.path[4:] if s.path.startswith("src/") else s.path
        folder = s.path.rsplit("/", 1)[0]
        graph[key] = (s.path, [n if "/" in n else folder + "/" + n
                               for _, n, q in s.includes() if q])
    done, stack = set(), []

    def visit(name):
        if name in stack:
            ring = stack[stack.index(name):] + [name]
            yield Finding("include-circle", graph[name][0], 1, " -> ".join(ring))
        elif name in graph and name not in done:
            stack.append(name)
            for n in graph[name][1]:
                yield from visit(n)
            stack.pop()
            done.add(name)

    for name in list(graph):
        yield from visit(name)


def read_symbols(files):
    """(undefined {symbol: object}, defined {symbol: object}) of archives or objects."""
    undefined, defined = {}, {}
    out = subprocess.run(["nm", "-A", "-P", *map(str, files)], capture_output=True, text=True,
                         check=False).stdout
    for line in out.splitlines():
        m = re.match(r"(.*?):? (\S+) ([A-Za-z])(?: |$)", line)
        if not m:
            continue
        where, symbol, kind = m.group(1).rstrip(":"), m.group(2), m.group(3)
        where = re.sub(r".*[/\[]([^/\]]+?)(?:\.o)?\]?$", r"\1", where)
        if kind in "Uwv":
            undefined.setdefault(symbol, where)
        elif kind.isupper():
            defined.setdefault(symbol, where)
    return undefined, defined


def read_build(build):
    """folder -> (undefined, defined), from the static libraries and the programs' objects."""
    parts = {}
    for archive in sorted(Path(build).glob("src/*/lib*.a")):
        parts[archive.parent.name] = read_symbols([archive])
    for top in sorted(TOP):
        objects = sorted((Path(build) / top).glob("**/*.o"))
        if objects:
            parts[top] = read_symbols(objects)
    return parts


def link_layers(parts):
    """Each undefined symbol is at home in an allowed folder or behind an allowed door."""
    home = {sym: folder for folder, (_, defined) in parts.items() if folder not in TOP
            for sym in defined}
    upper = {sym: folder for folder, (_, defined) in parts.items() if folder in TOP
             for sym in defined if sym != "main"}
    for folder, (undefined, defined) in parts.items():
        seen = {m.split("/")[0] for m in MAY.get(folder, ())} | {folder}
        for sym, where in undefined.items():
            if sym in defined:
                continue
            if sym in home:
                if home[sym] not in seen and folder not in TOP:
                    yield Finding("link-floor", where, 1,
                                  f"{folder} links {sym} of {home[sym]}")
            elif folder not in TOP and sym in upper and not (
                    folder == "engine" and sym.startswith("port_")):
                yield Finding("link-up", where, 1, f"{folder} links {sym} of {upper[sym]}")
            else:
                for lib, (_, symbols, doors) in DOORS.items():
                    if symbols and re.match(symbols, sym) and folder not in doors:
                        yield Finding("link-foreign", where, 1,
                                      f"{folder} links {sym} of {lib}")


BANNED_SYMBOLS = {
    "malloc": "alloc", "calloc": "alloc", "realloc": "alloc", "strdup": "alloc",
    "__strdup": "alloc", "strndup": "alloc", "asprintf": "alloc", "vasprintf": "alloc",
    "time": "clock", "gettimeofday": "clock", "clock_gettime": "clock", "rand": None,
    "srand": None, "random": None, "strcpy": None, "strcat": None, "sprintf": None,
    "strtok": None, "atoi": None,
}


def link_banned(parts):
    """The banned list once more, on what the compiler really left in the objects."""
    for folder, (undefined, _) in parts.items():
        for sym, where in undefined.items():
            if sym in BANNED_SYMBOLS:
                homes = BANNED_SYMBOLS[sym]
                if not homes or not re.search(rf"(^|_){homes}\.c", where):
                    yield Finding("link-banned", where, 1, f"{folder} calls {sym}")


RULES = [include_floor, include_foreign, include_circle]
LINK_RULES = [link_layers, link_banned]


def check(root, build=None):
    tree = Tree(root)
    found = [f for rule in RULES for f in rule(tree)]
    if build:
        parts = read_build(build)
        if "base" not in parts:
            found.append(Finding("link-floor", str(build), 1, "no built libraries found"))
        found += [f for rule in LINK_RULES for f in rule(parts)]
    return found


if __name__ == "__main__":
    sys.exit(report(check(*(sys.argv[1:] or ["."])), "layers"))

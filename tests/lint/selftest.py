#!/usr/bin/env python3
"""selftest.py TOOLS -- proves the lint: every rule must refuse its bad snippet and accept a
good tree. A rule that has no snippet here fails the test."""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1] if len(sys.argv) > 1 else "tools")
import csrc  # noqa: E402
import layers  # noqa: E402
import lint  # noqa: E402
import tally  # noqa: E402

HEADER = """/* good.h -- a header as it should be. */
#ifndef NUM_GOOD_H
#define NUM_GOOD_H

/* Twice x. */
int good_twice(int x);

#endif
"""
GOOD = {
    "src/num/good.h": HEADER,
    "src/num/good.c": '#include "num/good.h"\n\n#include <stdio.h>\n\n'
                      'int good_twice(int x)\n{\n    return 2 * x;\n}\n',
    "tests/unit/num/t_good.c": '#include "num/good.h"\n\nint main(void)\n{\n'
                               '    return good_twice(1) != 2;\n}\n',
}


def body(n):
    return "".join(f"    x += {i};\n" for i in range(n))


def fn(text):
    return 'int good_twice(int x)\n{\n' + text + '    return x;\n}\n'


def c(text):
    return {"src/num/good.c": '#include "num/good.h"\n\n' + text}


MARK = "TO" + "DO"
# rule id -> trees that must be refused for it
BAD = {
    "file-size": [c(fn("") + "\n" * 701), {"src/num/good.h": HEADER + "\n" * 250}],
    "function-size": [c(fn(body(71))),
                      c("int good_step(int x)\n{\n    switch (x) {\n    }\n" + body(121) + "}\n")],
    "complexity": [c(fn("    if (x)\n        x++;\n" * 31))],
    "parameters": [c("int good_f(int a, int b, int c, int d, int e, int f, int g, int h)\n"
                     "{\n    return a;\n}\n")],
    "banned": [c(fn(f"    {name}(x);\n")) for name in lint.BANNED],
    "home": [c(fn("    x = malloc(3) != 0;\n")), c(fn("    free(0);\n")),
             c(fn("    time (0);\n")), c(fn("    clock_gettime(0, 0);\n")),
             {"src/store/x.c": fn("    x = rand();\n")}, c(fn('    printf("x");\n')),
             c(fn("    exit(1);\n")), {"daemon/x.c": fn("    usleep(5);\n")},
             {"lmserver/x.c": fn("    calloc(1, 2);\n")},
             {"daemon/x.c": fn("    secret_reveal(0);\n")}],
    "test-sleep": [{"tests/unit/num/t_good.c": '#include "num/good.h"\n' + fn("    sleep(1);\n")}],
    "assert": [c(fn("    assert(x++);\n")), c(fn("    assert(x = 1);\n")),
               c(fn("    assert(good_push(x) == 0);\n"))],
    "goto": [c(fn("again:\n    x++;\n    if (x < 3)\n        goto again;\n"))],
    "mark": [c(fn(f"    /* {MARK} later */\n")), c(fn("    /* only a st" + "ub */\n")),
             {"doc/x.md": f"{MARK}: write\n"}],
    "documented": [{"src/num/good.h": HEADER.replace("/* Twice x. */\n", "")},
                   {"src/num/good.h": HEADER.replace(
                       "\n#endif", "\nint good_other(int x);\n\n#endif")}],
    "header": [{"src/num/good.h": HEADER.replace("good.h --", "a header")},
               {"src/num/good.h": HEADER.replace("#ifndef NUM_GOOD_H", "#ifndef NUM_GOD_H")}],
    "own-header": [{"src/num/good.c": '#include <stdio.h>\n#include "num/good.h"\n' + fn("")}],
    "has-test": [{"src/num/other.h": HEADER.replace("good", "other").replace("GOOD", "OTHER"),
                  "src/num/other.c": '#include "num/other.h"\n' + fn("")},
                 {"src/num/alone.c": "int x;\n"}],
    "killpoint": [c(fn('    BBT_KILLPOINT("after-tell");\n'))],
    "layout": [c(fn("\tx++;\n")), c(fn("    x++; \n")), c(fn("    x++; " + " " * 99 + "x--;\n")),
               c(fn("")[:-1])],
    "include-floor": [c('#include "engine/run.h"\n'), c('#include "text/tmpl.h"\n'),
                      {"ctl/x.c": '#include "net/http.h"\n'},
                      {"src/engine/x.c": '#include "store/store.h"\n'},
                      {"src/util/x.c": "int x;\n"},
                      {"lmserver/x.c": '#include "store/store.h"\n'}],
    "include-foreign": [c("#include <sqlite3.h>\n"), c("#include <uv.h>\n"),
                        {"src/engine/x.c": "#include <curl/curl.h>\n"},
                        {"src/store/x.c": "#include <cblas.h>\n"},
                        c("#include <glib.h>\n")],
    "include-circle": [{"src/num/a.h": '#include "num/b.h"\n',
                        "src/num/b.h": '#include "num/a.h"\n'}],
}

# rule id -> source of a library that must be refused, by folder; base and text are there
BASE = "int base_f(int x) { return x; }\n"
TEXT = "int text_f(int x) { return x; }\n"
BAD_LINK = {
    "link-floor": {"num": "int text_f(int); int num_f(int x) { return text_f(x); }\n"},
    "link-up": {"num": "int main_f(int); int num_f(int x) { return main_f(x); }\n"},
    "link-foreign": {"num": "int sqlite3_open(int); int num_f(int x)"
                            "{ return sqlite3_open(x); }\n"},
    "link-banned": {"num": "#include <stdlib.h>\nvoid *num_f(void) { return malloc(3); }\n"},
}
GOOD_LINK = {"num": "int base_f(int); int cblas_x(int);"
                    "int num_f(int x) { return cblas_x(base_f(x)); }\n"}

failures = []
cases = 0


def expect(ok, what):
    global cases
    cases += 1
    print(f"{'ok' if ok else 'not ok'} {cases} - {what.replace(chr(35), chr(39))}")
    if not ok:
        failures.append(what)


def plant(root, files):
    for name, text in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(files, build=None):
    with tempfile.TemporaryDirectory() as root:
        plant(root, GOOD)
        plant(root, files)
        return [f for f in lint.check(root) + layers.check(root, build) if not f.warn]


def linked(extra):
    """Findings on libraries compiled from `extra` (folder -> C) beside a sound base."""
    with tempfile.TemporaryDirectory() as root:
        for folder, text in {"base": BASE, "text": TEXT, **extra}.items():
            at = Path(root) / "src" / folder
            at.mkdir(parents=True)
            (at / f"{folder}.c").write_text(text)
            subprocess.run(["cc", "-c", f"{folder}.c", "-o", f"{folder}.o"], cwd=at, check=True)
            subprocess.run(["ar", "rcsT", f"lib{folder}.a", f"{folder}.o"], cwd=at, check=True,
                           stderr=subprocess.DEVNULL)
        top = Path(root) / "daemon"
        top.mkdir()
        (top / "main.c").write_text("int main_f(int x) { return x; }\n")
        subprocess.run(["cc", "-c", "main.c", "-o", "main.o"], cwd=top, check=True)
        parts = layers.read_build(root)
        return [f for rule in layers.LINK_RULES for f in rule(parts)]


good = found({})
expect(not good, "a good tree passes" + "".join(f"\n# {f}" for f in good))
expect(not found({"src/num/good.c": '#include "num/good.h"\n/* malloc( sprintf( */\n' + fn(
    '    const char *s = "free(x)"; x += s[0];\n')}), "comments and strings are not code")
expect(not found({"src/num/good.c": "/* generated by tools/x.py */\n"
                  '#include "num/good.h"\n' + fn(body(800))}), "generated files may be long")
expect(not found(c(fn("    x = s->time(1) + s.free(2);\n"))), "members are not the functions")
for rule, trees in BAD.items():
    for i, files in enumerate(trees):
        hits = [f.rule for f in found(files)]
        expect(rule in hits, f"{rule} {i} is refused (found: {sorted(set(hits))})")
expect(not linked(GOOD_LINK), "a sound link passes")
for rule, extra in BAD_LINK.items():
    hits = [f.rule for f in linked(extra)]
    expect(rule in hits, f"{rule} is refused (found: {sorted(set(hits))})")
with tempfile.TemporaryDirectory() as empty:
    expect(any("no built" in f.text for f in layers.check(empty, empty)),
           "an empty build folder is not a pass")

# what ./check counts: cases, and nothing that did not run
for record, want in [
        ({"result": "OK", "stdout": "1..2\nok 1 - a\nok 2 - b\n"}, (2, 0, 0)),
        ({"result": "OK", "stdout": "1..2\nok 1 - a\nok 2 - b # SKIP no torch\n"}, (1, 0, 1)),
        ({"result": "FAIL", "stdout": "1..2\nok 1 - a\nnot ok 2 - b\n"}, (1, 1, 0)),
        ({"result": "ERROR", "stdout": "1..9\nok 1 - a\n"}, (1, 1, 0)),
        ({"result": "TIMEOUT", "stdout": ""}, (0, 1, 0)),
        ({"result": "OK", "stdout": "5 files\n"}, (1, 0, 0)),
        ({"result": "OK"}, (1, 0, 0)),
        ({"result": "SKIP", "stdout": ""}, (0, 1, 0)),
        ({"result": "SKIP", "stdout": "1..0 # SKIP no systemd-analyze\n"}, (0, 0, 1)),
        ({"result": "SKIP", "returncode": 77, "stdout": "no wordnet\n"}, (0, 0, 1)),
        ({"result": "OK", "stdout": "...\nRan 3 tests in 0.1s\n\nOK\n"}, (3, 0, 0)),
        ({"result": "FAIL", "stdout": "ok then\n"}, (0, 1, 0))]:
    p, b, s = tally.count({"name": "t", **record})
    expect((p, len(b), len(s)) == want, f"tally {record} is {want}, got {(p, len(b), len(s))}")

# every rule id that the tools can print has a snippet
ids = set()
for tool in (lint, layers):
    ids |= set(__import__("re").findall(r'Finding\(\s*"([a-z-]+)"', Path(tool.__file__).read_text()))
for rule in sorted(ids):
    expect(rule in BAD or rule in BAD_LINK, f"rule {rule} has a snippet")
expect(len(csrc.CODE_DIRS) == 4, "all code folders are read")
print(f"1..{cases}")
sys.exit(1 if failures else 0)

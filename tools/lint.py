#!/usr/bin/env python3
"""lint.py ROOT -- the rules of STYLE.md that a tool can check, one function per rule.

Each rule yields findings; tests/lint/selftest.py proves every one on a bad snippet.
"""
import re
import sys

from csrc import CODE_DIRS, Finding, Tree, report

C_MAX, C_WARN = 700, 450
H_MAX, H_WARN = 250, 160
FN_MAX, FN_WARN, STEP_MAX = 70, 50, 120
COMPLEXITY_MAX, COMPLEXITY_WARN = 30, 20
PARAMS_MAX = 7
COLUMNS_MAX = 100

BANNED = {
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strcpy": "memcpy with a length",
    "strcat": "buf_puts", "strncat": "buf_put", "strtok": "strcspn", "atoi": "strtol",
    "atol": "strtol", "atoll": "strtoll", "atof": "strtod", "gets": "fgets",
    "alloca": "the heap", "system": "nothing", "popen": "nothing", "mktemp": "mkstemp",
    "tmpnam": "mkstemp", "longjmp": "an error code", "setjmp": "an error code",
}

# What may be called in one place only. Names -> (home, what to use instead).
HOMES = [
    ({"malloc", "calloc", "realloc", "strdup", "strndup", "free", "asprintf", "vasprintf",
      "aligned_alloc", "posix_memalign", "reallocarray"},
     ("src/base/alloc.c",), "base/alloc.h"),
    ({"time", "gettimeofday", "clock_gettime", "clock", "ftime"},
     ("src/base/clock.c",), "base/clock.h"),
    ({"uv_hrtime", "uv_now", "uv_update_time"}, ("src/loop/",), "time as an argument"),
    ({"rand", "srand", "random", "srandom", "drand48", "rand_r", "arc4random"}, ("src/num/",),
     "num's counter-based generator"),
    ({"getrandom", "getentropy"}, ("daemon/ports.c",),
     "port_jitter: the one number that need not repeat"),
    ({"printf", "puts", "putchar", "vprintf"}, ("daemon/", "ctl/", "lmserver/"),
     "a returned error; the edge prints"),
    ({"exit", "_exit", "quick_exit"}, ("daemon/", "ctl/", "lmserver/"),
     "a returned error; the edge exits"),
    ({"abort"}, ("src/base/alloc.c",), "assert, or a returned error"),
    ({"sleep", "usleep", "nanosleep"}, (), "a timer"),
    ({"secret_reveal"}, ("src/base/secret.", "daemon/keys.c"), "nothing: it is not for showing"),
]

MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) +
                   r")\b")
MARKS_ANY_CASE = re.compile(r"\b(" + "|".join(["stub" + "(?:bed|s)?", "place" + "holders?"]) +
                            r")\b", re.I)


def file_size(tree):
    for s in tree.sources.values():
        if s.generated:
            continue
        limit, warn = (C_MAX, C_WARN) if s.path.endswith(".c") else (H_MAX, H_WARN)
        if s.lines > warn:
            yield Finding("file-size", s.path, 1, f"{s.lines} lines, limit {limit}: split by "
                          "noun", warn=s.lines <= limit)


def function_size(tree):
    for s in tree.sources.values():
        if s.generated:
            continue
        for f in s.functions():
            limit = STEP_MAX if f.name.endswith("_step") and "switch" in f.code else FN_MAX
            if f.body > min(FN_WARN, limit):
                yield Finding("function-size", s.path, f.line,
                              f"{f.name} has {f.body} lines, limit {limit}",
                              warn=f.body <= limit)


def complexity(tree):
    """Decisions + 1, a switch counted once. Tests are tables and loops: not counted."""
    decision = re.compile(r"\b(?:if|for|while|switch)\b|&&|\|\||\?")
    for s in tree.product():
        if s.generated:
            continue
        for f in s.functions():
            n = 1 + len(decision.findall(f.code))
            step = f.name.endswith("_step") and "switch" in f.code
            limit = 2 * COMPLEXITY_MAX if step else COMPLEXITY_MAX
            if n > COMPLEXITY_WARN:
                yield Finding("complexity", s.path, f.line,
                              f"{f.name} takes {n} decisions, limit {limit}", warn=n <= limit)


def parameters(tree):
    """What a foreign library calls (on_*) has the arguments that it has."""
    for s in tree.product():
        for f in s.functions():
            inside = f.head[f.head.index("(") + 1:f.head.rindex(")")]
            flat = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", inside))
            n = flat.count(",") + 1
            if n > PARAMS_MAX and not re.search(r"(^|_)on_", f.name):
                yield Finding("parameters", s.path, f.line,
                              f"{f.name} takes {n} arguments, limit {PARAMS_MAX}: make an "
                              "options struct", warn=re.match(r"\s*static\b", f.head) and n <= 9)


def banned(tree):
    for s in tree.sources.values():
        for line, name in s.calls(BANNED):
            yield Finding("banned", s.path, line, f"{name} is banned: use {BANNED[name]}")


def homes(tree):
    for s in tree.product():
        for names, places, instead in HOMES:
            if any(s.path.startswith(p) for p in places):
                continue
            for line, name in s.calls(names):
                yield Finding("home", s.path, line,
                              f"{name} outside {' '.join(places) or 'nowhere'}: use {instead}")


def no_sleep_in_tests(tree):
    for s in tree.tests():
        for line, name in s.calls({"sleep", "usleep", "nanosleep"}):
            yield Finding("test-sleep", s.path, line, f"{name}: wait for a condition")


def assert_is_pure(tree):
    """An assertion must not do the work: no call inside but to known pure functions."""
    pure = {"strlen", "strcmp", "memcmp", "isfinite", "isnan", "fabs", "sizeof", "offsetof",
            "defined", "alignof", "_Alignof", "isinf", "strncmp"}
    for s in tree.product():
        for m in re.finditer(r"(?<!\w)assert\s*\(", s.bare):
            depth, i = 1, m.end()
            while i < len(s.bare) and depth:
                depth += {"(": 1, ")": -1}.get(s.bare[i], 0)
                i += 1
            inside = s.bare[m.end():i - 1]
            if re.search(r"\+\+|--|(?<![=!<>])=(?!=)", inside):
                yield Finding("assert", s.path, s.line_of(m.start()), "assert changes state")
            for name in re.findall(r"\b([a-z]\w*)\s*\(", inside):
                if name not in pure and not re.search(r"_(is|has|eq|ok|len)(_|$)|^is|valid",
                                                      name):
                    yield Finding("assert", s.path, s.line_of(m.start()),
                                  f"assert calls {name}: take the result first")


def goto_forward(tree):
    for s in tree.product():
        for f in s.functions():
            for m in re.finditer(r"\bgoto\s+(\w+)", f.code):
                label = re.search(rf"(?<!\w){m.group(1)}\s*:(?!:)", f.code)
                if label and label.start() < m.start():
                    at = f.line + f.head.strip().count("\n") + f.code[:m.start()].count("\n")
                    yield Finding("goto", s.path, at,
                                  f"goto {m.group(1)} jumps backwards: write a loop")


def marks(tree):
    texts = [(s.path, s.text) for s in tree.sources.values()]
    texts += list(tree.texts({".py", ".sh", ".md", ".sql", ".yaml", ".build", ".service",
                              "check", "quickstart"}))
    for path, text in texts:
        if path.startswith("models/"):
            continue
        code = path.split("/")[0] in CODE_DIRS and path.endswith((".c", ".h"))
        for n, line in enumerate(text.split("\n"), 1):
            m = MARKS.search(line) or (code and MARKS_ANY_CASE.search(line))
            if m:
                yield Finding("mark", path, n, f"'{m.group(1)}': finish it or open an issue")


def told_above(lines, at, ends):
    """Does a comment speak for the declaration whose first line is `at` (from 1)? Right above
    it; or above the type or the declaration that it follows without a blank line; or as the
    heading '/* ---- part ---- */' of its part of the file."""
    while at > 1:
        above = lines[at - 2].strip()
        if above.startswith("#define"):
            at -= 1
        elif above.endswith("*/") or above.startswith("//"):
            return True
        elif at - 1 in ends:
            at = ends[at - 1]
        elif above == "};":
            at -= 1
            while at > 1 and not re.match(r"(struct|enum|union|typedef)\b", lines[at - 1]):
                at -= 1
        elif not above and at > 2 and lines[at - 3].strip().endswith("*/"):
            up = at - 3
            while up > 0 and "/*" not in lines[up]:
                up -= 1
            return "---" in lines[up]
        else:
            return False
    return False


def documented(tree):
    for s in tree.product():
        if not s.path.endswith(".h") or s.generated:
            continue
        lines, ends = s.text.split("\n"), {}
        for first, last, name in s.prototypes():
            ends[last] = first
            if (not told_above(lines, first, ends)
                    and not re.search(r"/\*.*\*/\s*$|//", lines[last - 1])):
                yield Finding("documented", s.path, first,
                              f"{name} is exported without a comment above it")


def header_shape(tree):
    for s in tree.product():
        if not s.path.endswith(".h"):
            continue
        name = s.path.rsplit("/", 1)[-1]
        if not s.generated and not re.match(r"/\* " + re.escape(name) + r"( --|:)", s.text):
            yield Finding("header", s.path, 1,
                          f"a header starts with what it is: '/* {name} -- ...'")
        guard = re.search(r"^#ifndef (\w+)\n#define (\w+)", s.text, re.M)
        if "#pragma once" not in s.text and (not guard or guard.group(1) != guard.group(2)):
            yield Finding("header", s.path, 1, "no include guard")


def own_header_first(tree):
    for s in tree.product():
        own = s.path[:-2] + ".h"
        if not s.path.endswith(".c") or own not in tree.sources:
            continue
        name = own[4:] if own.startswith("src/") else own.rsplit("/", 1)[-1]
        first = next(s.includes(), None)
        if not first or first[1] not in (name, own):
            yield Finding("own-header", s.path, first[0] if first else 1,
                          f"\"{name}\" must be the first include")


def has_test(tree):
    """Each src/AREA/NOUN.c is reached by a test that includes NOUN.h, or, where the file has
    no header of its own, a header of its folder that it implements."""
    seen = {name for t in tree.tests() for _, name, quoted in t.includes() if quoted}
    for s in tree.product():
        if not s.path.startswith("src/") or not s.path.endswith(".c"):
            continue
        area = s.path.split("/")[1]
        own = s.path[4:-2] + ".h"
        if "src/" + own in tree.sources:
            wanted = [own]
        else:
            wanted = [n for _, n, q in s.includes() if q and n.startswith(area + "/")]
        if not any(w in seen for w in wanted):
            yield Finding("has-test", s.path, 1,
                          f"no test includes {' or '.join(wanted) or own}")


def killpoints_listed(tree):
    """Every named kill point of the product is named in a test, or a test reads their names
    from the sources: none is forgotten."""
    tests = "\n".join(text for name, text in tree.texts({".py", ".c", ".txt", ".sh"})
                      if name.startswith("tests/") and not name.startswith("tests/lint/"))
    if re.search(r"BBT_KILLPOINT\b.*\\\(", tests):  # a pattern that finds them all
        return
    for s in tree.product():
        for m in re.finditer(r"\bBBT_KILLPOINT\(\s*\"([^\"]+)\"", s.text):
            if f'"{m.group(1)}"' not in tests:
                yield Finding("killpoint", s.path, s.line_of(m.start()),
                              f"kill point {m.group(1)} is in no test")


def layout(tree):
    for s in tree.sources.values():
        if s.generated:
            continue
        for n, line in enumerate(s.text.split("\n"), 1):
            if "\t" in line:
                yield Finding("layout", s.path, n, "tab")
            elif line != line.rstrip():
                yield Finding("layout", s.path, n, "space at the end of the line")
            elif len(line) > COLUMNS_MAX:
                yield Finding("layout", s.path, n, f"{len(line)} columns, at most "
                              f"{COLUMNS_MAX}")
        if s.text and not s.text.endswith("\n"):
            yield Finding("layout", s.path, s.lines, "no newline at the end")


RULES = [file_size, function_size, complexity, parameters, banned, homes, no_sleep_in_tests,
         assert_is_pure, goto_forward, marks, documented, header_shape, own_header_first,
         has_test, killpoints_listed, layout]


def check(root):
    tree = Tree(root)
    return [f for rule in RULES for f in rule(tree)]


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1] if len(sys.argv) > 1 else "."), "lint"))

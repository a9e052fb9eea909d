#!/usr/bin/env python3
"""The routes of the daemon and schema/openapi.json list the same methods and paths.

usage: openapi.py SOURCE_ROOT"""
import json
import re
import sys
from pathlib import Path

ROUTE = re.compile(r'\{"([A-Z]+)", "(/[^"]*)", api_\w+,')


def differences(source, document):
    """Sentences about what one side has and the other lacks."""
    routes = {(m.lower(), p) for m, p in ROUTE.findall(source)}
    told = {(m, p) for p, ops in document["paths"].items() for m in ops
            if m in ("get", "put", "post", "delete", "patch", "head")}
    bad = [f"{m.upper()} {p}: not in the document" for m, p in sorted(routes - told)]
    bad += [f"{m.upper()} {p}: no such route" for m, p in sorted(told - routes)]
    for path, ops in document["paths"].items():
        names = set(re.findall(r"\{(\w+)\}", path))
        for method, op in ops.items():
            if not isinstance(op, dict) or method == "parameters":
                continue
            given = {p.get("name") for p in op.get("parameters", []) + ops.get("parameters", [])
                     if p.get("in") == "path"}
            if given and given != names:
                bad.append(f"{method.upper()} {path}: path parameters {sorted(given)}")
            if not op.get("responses"):
                bad.append(f"{method.upper()} {path}: no responses")
    return bad if routes else ["no routes found in daemon/api.c"]


def main():
    root = Path(sys.argv[1])
    source = "".join(f.read_text() for f in sorted((root / "daemon").glob("api*.c")))
    document = json.loads((root / "schema/openapi.json").read_text())
    one = {"paths": {"/a": {"get": {"responses": {"200": {}}}}}}
    proof = [differences('{"GET", "/a", api_a, 0},', one) == [],
             differences('{"GET", "/b", api_b, 0},', one) != [],
             differences("", one) != []]
    bad = differences(source, document)
    print("1..2")
    print("ok 1 - differences are seen" if all(proof) else f"not ok 1 - {proof}")
    for line in bad:
        print(f"# {line}")
    print(("not ok" if bad else "ok") + " 2 - routes and schema/openapi.json are the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())

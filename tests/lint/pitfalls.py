#!/usr/bin/env python3
"""pitfalls.py ROOT -- every pitfall of tests/pitfalls.md names tests, and they exist."""
import re
import sys
from pathlib import Path

TESTS = Path(sys.argv[1]) / "tests"
COUNT = 17


def missing(name):
    """Why the named test does not exist, or None."""
    file, _, case = name.partition("::")
    path = TESTS / file
    if not path.exists():
        return f"{name}: no such file"
    text = path.read_text()
    called = rf"cmocka_unit_test\w*\({case}\b" if file.endswith(".c") else rf"@case\ndef {case}\("
    return None if re.search(called, text) else f"{name}: no such case"


def main():
    rows = re.findall(r"^\| (P\d+) \|.*\| ([^|]*) \|$", (TESTS / "pitfalls.md").read_text(), re.M)
    bad = [] if [r[0] for r in rows] == [f"P{n}" for n in range(1, COUNT + 1)] else ["the list"]
    for pitfall, names in rows:
        found = re.findall(r"`([^`]+)`", names)
        bad += [] if found else [f"{pitfall}: no test"]
        bad += [why for why in map(missing, found) if why]
    print("1..1")
    print("".join(f"# {why}\n" for why in bad), end="")
    print(("not ok" if bad else "ok") + " 1 - every pitfall has tests that exist")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""tally.py LABEL=testlog.json|LABEL=ok|LABEL=failed ... -- counts what ran.

A test program that speaks TAP, or Python's unittest, counts by its cases, any other as one.
Prints a line per label, the failed cases, and last 'N passed, N failed'; exit status 1 where
anything failed or nothing passed.
"""
import json
import re
import sys
from pathlib import Path

CASE = re.compile(r"^(not )?ok[ \t]+\d+\b[ \t]*(?:-[ \t]*)?([^#\n]*)(#[ \t]*[Ss][Kk][Ii][Pp]\b[^\n]*)?",
                  re.M)
GOOD = {"OK", "EXPECTEDFAIL"}


def count(test):
    """(passed, [failed names], [skipped names]) of one meson test record."""
    name, result = test["name"], test["result"]
    cases = CASE.findall(test.get("stdout") or "")
    skipped = [f"{name}: {what.strip()} {why}" for bad, what, why in cases if why]
    bad = [f"{name}: {what.strip()}" for no, what, why in cases if no and not why]
    good = sum(1 for no, _, why in cases if not no and not why)
    said = (test.get("stdout") or "") + (test.get("stderr") or "")
    if result == "SKIP" and test.get("returncode") == 77:
        return 0, [], [f"{name}: {(said.strip().splitlines() or ['no reason given'])[-1]}"]
    if result == "SKIP" and not cases:
        why = re.search(r"#[ \t]*SKIP\b[^\n]*", test.get("stdout") or "")
        if not why:  # a program without a single case is a mistake, not a choice
            return 0, [f"{name}: no case ran"], []
        skipped.append(f"{name} {why.group(0)}")
    if result == "SKIP":
        return good, bad, skipped
    unit = re.search(r"^Ran (\d+) tests? in ", said, re.M)  # Python's unittest
    if result in GOOD and unit and not cases:
        return int(unit.group(1)), [], []
    if result in GOOD:
        return (good, bad, skipped) if cases else (1, [], [])
    return good, bad or [f"{name}: {result.lower()}"], skipped


def main(args):
    total, failed = 0, []
    for arg in args:
        label, _, what = arg.partition("=")
        passed, bad, skipped, seconds = 0, [], [], 0.0
        if what == "ok":
            passed = 1
        elif what == "failed" or not Path(what).is_file():
            bad = [label]
        else:
            for line in Path(what).read_text().splitlines():
                test = json.loads(line)
                p, b, s = count(test)
                passed, seconds = passed + p, seconds + (test.get("duration") or 0)
                bad += b
                skipped += s
            if not passed and not bad and not skipped:
                bad = [f"{label}: no test ran"]
        print(f"{label:28} {passed:6} passed {len(bad):4} failed {len(skipped):4} skipped"
              + (f"  {seconds:7.1f} s" if seconds else ""))
        for b in bad:
            print(f"    FAILED {b}")
        for s in skipped:
            print(f"    skipped {s}")
        total += passed
        failed += bad
    print(f"{total} passed, {len(failed)} failed")
    return 1 if failed or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

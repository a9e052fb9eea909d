"""tap.py -- cases of an integration test as TAP, so that every one is counted."""
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))

CASES = []


def case(fn):
    """A test; its docstring's first line is its name."""
    CASES.append(fn)
    return fn


class Skip(Exception):
    """The case cannot run here; the reason is printed."""


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def sanitized(build):
    """Is this a build under a sanitizer? Its memory is not the program's, and nothing can be
    loaded before its runtime."""
    options = json.loads((Path(build) / "meson-info/intro-buildoptions.json").read_text())
    return any(o["name"] == "b_sanitize" and o["value"] != "none" for o in options)


def true(got, what):
    if not got:
        raise AssertionError(what)


def own_namespace():
    """Starts this program again where mounts are private and end with it."""
    if os.environ.get("BBT_MOUNTS"):
        return
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    able = subprocess.run(["unshare", *flags, "true"], check=False, stderr=subprocess.DEVNULL)
    os.environ["BBT_MOUNTS"] = "yes" if able.returncode == 0 else "no"
    if able.returncode == 0:
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


def run(context=None):
    """Runs the cases with the context (or those named on the command line after it)."""
    bad = 0
    print(f"1..{len(CASES)}", flush=True)
    for n, fn in enumerate(CASES, 1):
        name = (fn.__doc__ or fn.__name__).strip().split("\n")[0]
        try:
            fn(context) if context is not None else fn()
            print(f"ok {n} - {name}", flush=True)
        except Skip as why:
            print(f"ok {n} - {name} # SKIP {why}", flush=True)
        except Exception:  # pylint: disable=broad-except
            bad += 1
            print(f"not ok {n} - {name}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="",
                  flush=True)
    return 1 if bad else 0

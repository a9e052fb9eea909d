#!/usr/bin/env python3
"""units.py UNITS -- systemd reads our units without a word and finds them closed enough.

The units are copied to an empty folder with an existing program as ExecStart, so that the test
needs neither an installed bbtd nor a running systemd. Without systemd-analyze it is skipped.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXPOSURE_MAX = 1.5
failures, cases = [], 0


def expect(ok, what, detail=""):
    global cases
    cases += 1
    print(f"{'ok' if ok else 'not ok'} {cases} - {what}")
    if not ok:
        failures.append(what)
        print("".join(f"# {line}\n" for line in str(detail).splitlines()), end="")


def analyze(folder, *args):
    env = dict(os.environ, SYSTEMD_UNIT_PATH=f"{folder}:", XDG_RUNTIME_DIR=str(folder),
               HOME=str(folder), SYSTEMD_LOG_LEVEL="notice", LC_ALL="C")
    return subprocess.run(["systemd-analyze", *args], env=env, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def copy(units, folder):
    for name in ("bbtd.service", "bbtd.socket"):
        text = (units / name).read_text()
        (folder / name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text,
                                          flags=re.M))


def exposure(folder, service):
    out = analyze(folder, "security", "--offline=true", "--no-pager", str(service)).stdout
    m = re.search(r"Overall exposure level for \S+: ([\d.]+)", out)
    return (float(m.group(1)) if m else 99.0), out


def main(units):
    if not shutil.which("systemd-analyze"):
        print("1..0 # SKIP no systemd-analyze on this machine")
        return 0
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        copy(units, folder)
        for name in ("bbtd.service", "bbtd.socket"):
            got = analyze(folder, "verify", "--man=no", str(folder / name))
            noise = [line for line in got.stdout.splitlines() if "bbtd" in line]
            expect(got.returncode == 0 and not noise, f"{name} is clean", got.stdout)
        level, out = exposure(folder, folder / "bbtd.service")
        expect(level <= EXPOSURE_MAX, f"exposure {level} is at most {EXPOSURE_MAX}", out)

        # the two checks see what they should
        text = (folder / "bbtd.service").read_text()
        (folder / "bbtd.service").write_text(text.replace("Type=notify", "Tpye=notify"))
        got = analyze(folder, "verify", "--man=no", str(folder / "bbtd.service"))
        expect("Tpye" in got.stdout, "a misspelt key is seen", got.stdout)
        (folder / "bbtd.service").write_text(
            "\n".join(line for line in text.splitlines()
                      if not re.match(r"(Protect|Private|System|Restrict|User|Dynamic)", line)))
        level, out = exposure(folder, folder / "bbtd.service")
        expect(level > EXPOSURE_MAX, f"an open service scores worse ({level})", out)

    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        text = (units / "user/bbtd.service").read_text()
        (folder / "bbtd.service").write_text(
            re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
        got = analyze(folder, "--user", "verify", "--man=no", str(folder / "bbtd.service"))
        noise = [line for line in got.stdout.splitlines() if "bbtd" in line]
        expect(got.returncode == 0 and not noise, "the user unit is clean", got.stdout)

    service = (units / "bbtd.service").read_text()
    keys = dict(re.findall(r"^(\w+)=(.*)$", service, re.M))
    expect("RuntimeDirectory" not in keys, "the socket unit alone owns the run folder")
    expect("78" in keys.get("RestartPreventExitStatus", ""), "a bad configuration does not loop")
    expect(keys.get("Type") == "notify", "Type=notify, which systemd 252 knows")
    expect(float(keys["TimeoutStopSec"].rstrip("s")) > 60,
           "systemd waits longer than the daemon's stop_grace")
    for tool, name in (("systemd-sysusers", "sysusers.d/bbtd.conf"),
                       ("systemd-tmpfiles", "tmpfiles.d/bbtd.conf")):
        if not shutil.which(tool):
            print(f"ok {cases + 1} - {name} # SKIP no {tool}")
            continue
        with tempfile.TemporaryDirectory() as root:
            (Path(root) / "etc").mkdir()
            (Path(root) / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
            (Path(root) / "etc/group").write_text("root:x:0:\n")
            args = ["--create"] if tool.endswith("tmpfiles") else []
            got = subprocess.run([tool, f"--root={root}", *args, "-"], text=True, timeout=60,
                                 input=(units / name).read_text(), stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, check=False)
            if tool.endswith("sysusers"):
                group = (Path(root) / "etc/group").read_text()
                expect("bbt:" in group and "bbtd:" in group, "user and group are made",
                       got.stdout)
            else:
                expect((Path(root) / "etc/bbtd/credentials").is_dir(),
                       "the folder of credentials is made", got.stdout)
    print(f"1..{cases}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "systemd")))

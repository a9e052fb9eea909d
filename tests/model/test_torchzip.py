#!/usr/bin/env python3
"""Our tensor files, read by the real thing: torch.load(weights_only=True) gives the bits that
torch itself makes of the same numbers.

Usage: test_torchzip.py T_TORCHZIP. Exits with 77 (skipped) where python3-torch is absent.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: the Debian package python3-torch is absent")
    sys.exit(77)


def numbers(count):
    """As write_sample() in tests/unit/prov/t_torchzip.c."""
    x, out = 1, []
    for _ in range(count):
        x = (x * 1664525 + 1013904223) % 2**32
        out.append(((x >> 8 & 0xffff) - 32768) * 2.0 ** ((x >> 24) % 40 - 39))
    return torch.tensor(out, dtype=torch.float64).float()


def check(path):
    kind, rows, cols = path.stem.split("-")
    got = torch.load(path, weights_only=True)
    want = numbers(int(rows) * int(cols)).to(getattr(torch, kind)).view(int(rows), int(cols))
    bits = torch.int32 if kind == "float32" else torch.int16
    assert got.dtype == want.dtype and got.shape == want.shape, path.name
    assert got.is_contiguous() and not got.requires_grad, path.name
    assert torch.equal(got.view(bits), want.view(bits)), path.name
    assert torch.isfinite(got).all(), path.name


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        files = sorted(pathlib.Path(folder).glob("*.pt"))
        assert len(files) == 15, files
        for path in files:
            check(path)
    print(f"torch {torch.__version__}: {len(files)} files, all bits equal")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The demo task's files: sizes, classes, disjoint, the same on every run.

Exits with 77 (skipped) where the Debian package wordnet-base is absent.
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "wngloss.py"
WORDNET = pathlib.Path("/usr/share/wordnet/data.noun")
LABELS = {"animal", "plant", "food", "person", "place", "object"}


def make(folder):
    subprocess.run([sys.executable, "-S", SCRIPT, folder], check=True, stdout=subprocess.PIPE)
    return {path.stem: path.read_text() for path in pathlib.Path(folder).glob("*.tsv")}


class Task(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            cls.files, cls.again = make(first), make(second)
        cls.rows = {}
        for name, text in cls.files.items():
            header, *lines = text.splitlines()
            assert header == "text\tlabel"
            cls.rows[name] = [line.split("\t") for line in lines]

    def test_every_run_gives_the_same_files(self):
        self.assertEqual(self.files, self.again)

    def test_sizes_and_balance(self):
        want = {"test": 200, "dev": 50, "train": 250}
        for name, count in want.items():
            labels = collections.Counter(label for _, label in self.rows[name])
            self.assertEqual(labels, {label: count for label in LABELS}, name)

    def test_splits_share_no_text(self):
        texts = [" ".join(re.findall("[a-z0-9]+", text.lower()))
                 for rows in self.rows.values() for text, _ in rows]
        self.assertEqual(len(texts), len(set(texts)))

    def test_labels_are_wordnets(self):
        """Against a second, independent reading of the data file."""
        files = {"05": "animal", "20": "plant", "13": "food", "18": "person",
                 "15": "place", "06": "object"}
        by_text = collections.defaultdict(set)
        for line in WORDNET.read_text().splitlines():
            if line[:8].isdigit():
                text = re.match('[^"]*', line.partition(" | ")[2])[0].strip().strip(";").strip()
                by_text[text].add(files.get(line[9:11]))
        for rows in self.rows.values():
            for text, label in rows:
                self.assertIn(label, by_text[text], text)

    def test_missing_package_is_named(self):
        with tempfile.TemporaryDirectory() as out:
            got = subprocess.run([sys.executable, SCRIPT, out, "--wordnet", out],
                                 stderr=subprocess.PIPE, check=False)
        self.assertEqual(got.returncode, 1)
        self.assertIn(b"apt-get install wordnet-base", got.stderr)


if __name__ == "__main__":
    if not WORDNET.exists():
        print("skipped: needs the Debian package wordnet-base")
        sys.exit(77)
    unittest.main()

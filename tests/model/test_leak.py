#!/usr/bin/env python3
"""No gloss of the demo task is in the pre-training text of the bundled model.

Makes the text again with the script that made it, checks by its SHA-256 that it is
the text the shipped weights were trained on, and looks for every gloss in it, also
inside other documents, with a search that shares nothing with the script's filter.
Exits with 77 (skipped) and a reason where the Debian packages are absent.
"""
import array
import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tools" / "pretrain")]
import corpus  # noqa: E402
import wngloss  # noqa: E402

RECORD = ROOT / "models" / "bbt-mini" / "training.json"
BREAK = "\n"  # stands between documents and is no word


def missing_packages():
    try:
        corpus.package_versions()
    except (OSError, subprocess.CalledProcessError):
        return f"needs the Debian packages {' '.join(corpus.PACKAGES)}"
    return None


def words_of(text):
    return re.findall("[a-z0-9]+", text.lower())


class Stream:
    """All words of the corpus in a row, as numbers, and where the rarer ones stand."""

    def __init__(self, documents, wanted):
        self.words, self.number, digest = array.array("I"), {BREAK: 0}, hashlib.sha256()
        for _, text in documents:
            digest.update(text.encode() + b"\n")
            self.words.extend(self.numbers(words_of(text)))
            self.words.append(0)
        self.sha256 = digest.hexdigest()
        self.counts = collections.Counter(self.words)
        anchors = {self.anchor(self.numbers(gloss)) for gloss in wanted}
        self.places = collections.defaultdict(list)
        for place, word in enumerate(self.words):
            if word in anchors:
                self.places[word].append(place)

    def numbers(self, words):
        return array.array("I", [self.number.setdefault(w, len(self.number)) for w in words])

    def anchor(self, numbers):
        return min(numbers, key=lambda word: self.counts[word])

    def holds(self, gloss):
        gloss = self.numbers(gloss)
        word = self.anchor(gloss)
        shift = gloss.index(word)
        return any(self.words[at - shift:at - shift + len(gloss)] == gloss
                   for at in self.places[word] if at >= shift)


class Leak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.task = wngloss.select()
        cls.glosses = [words_of(gloss.text) for split in cls.task.values() for gloss in split]
        # Words that must be found: else the search itself is broken.
        cls.control = words_of("In the beginning God created the heaven and the earth.")
        cls.stream = Stream(corpus.documents(), [*cls.glosses, cls.control])

    def test_search_finds_what_is_there(self):
        self.assertTrue(self.stream.holds(self.control))

    def test_no_gloss_is_in_the_text(self):
        found = [" ".join(gloss) for gloss in self.glosses if self.stream.holds(gloss)]
        self.assertEqual(found, [])

    def test_filter_is_needed_and_works(self):
        gloss = self.task["test"][0]
        leak_filter = corpus.LeakFilter([gloss])
        self.assertTrue(leak_filter.leaks(f"Said he: {gloss.text.upper()}, no less."))
        self.assertFalse(leak_filter.leaks(gloss.text.rsplit(" ", 1)[0]))

    def test_weights_were_trained_on_this_text(self):
        record = json.loads(RECORD.read_text())["corpus"]
        if record["packages"] != corpus.package_versions():
            self.skipTest("other package versions than those of the shipped weights")
        self.assertEqual(self.stream.sha256, record["sha256"])


if __name__ == "__main__":
    REASON = missing_packages()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(77)
    unittest.main()

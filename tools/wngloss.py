#!/usr/bin/env python3
"""Make the demo task from WordNet: name the kind of thing a noun gloss describes.

    tools/wngloss.py OUTDIR [--wordnet /usr/share/wordnet]

Reads the noun file of Debian's wordnet-base and writes train.tsv, dev.tsv and
test.tsv (header "text<TAB>label") into OUTDIR. Six classes, taken from WordNet's
own lexicographer categories. The choice of glosses depends on nothing but the
glosses: they are ordered by a hash of their text. The pre-training corpus
(tools/pretrain/corpus.py) calls select() too and leaves every chosen gloss out.
"""
import argparse
import hashlib
import pathlib
import re
import sys
from collections import namedtuple

WORDNET = "/usr/share/wordnet"
# Lexicographer file number (lexnames(5WN)) -> label.
CLASSES = {5: "animal", 20: "plant", 13: "food", 18: "person", 15: "place", 6: "object"}
# Examples of each class in each split, in the order in which they are drawn.
SPLITS = (("test", 200), ("dev", 50), ("train", 250))
MIN_WORDS, MAX_WORDS = 5, 30

Gloss = namedtuple("Gloss", "text label offset")


def definition(gloss):
    """The definition in a gloss: everything before the first quoted example."""
    return re.split(r';?\s*"', gloss, maxsplit=1)[0].strip().rstrip(";").strip()


def canonical(text):
    """Words only, in lower case: equal for texts that differ in punctuation."""
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def noun_definitions(folder):
    """Yields (offset, lexicographer file, definition) of every noun synset."""
    with open(pathlib.Path(folder) / "data.noun", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("  "):  # the licence
                continue
            head, gloss = line.split(" | ", 1)
            offset, lexfile = head.split(" ", 2)[:2]
            yield offset, int(lexfile), definition(gloss)


def candidates(folder):
    """Per label, the usable definitions; one that two classes share is dropped."""
    seen = {}
    for offset, lexfile, text in noun_definitions(folder):
        label = CLASSES.get(lexfile)
        words = len(text.split())
        usable = MIN_WORDS <= words <= MAX_WORDS and "(" not in text and "\t" not in text
        key = canonical(text)
        if key in seen:
            if seen[key].label != label:
                seen[key] = seen[key]._replace(label=None)
        elif usable or label is None:
            seen[key] = Gloss(text, label, offset)
    by_label = {label: [] for label in CLASSES.values()}
    for gloss in seen.values():
        if gloss.label is not None:
            by_label[gloss.label].append(gloss)
    return by_label


def rank(gloss):
    return hashlib.sha256(b"wngloss 1\0" + canonical(gloss.text).encode()).digest()


def select(folder=WORDNET):
    """The task: {"train": [Gloss, ...], "dev": [...], "test": [...]}."""
    task = {name: [] for name, _ in SPLITS}
    for label, glosses in candidates(folder).items():
        ordered = sorted(glosses, key=rank)
        need = sum(count for _, count in SPLITS)
        if len(ordered) < need:
            raise ValueError(f"{folder}: {len(ordered)} glosses of {label}, need {need}")
        start = 0
        for name, count in SPLITS:
            task[name] += ordered[start:start + count]
            start += count
    return {name: sorted(glosses, key=rank) for name, glosses in task.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--wordnet", default=WORDNET, help="folder of data.noun")
    args = parser.parse_args()
    try:
        task = select(args.wordnet)
    except FileNotFoundError as err:
        sys.exit(f"wngloss: {err.filename} is missing: apt-get install wordnet-base")
    args.outdir.mkdir(parents=True, exist_ok=True)
    for name, glosses in task.items():
        rows = "".join(f"{gloss.text}\t{gloss.label}\n" for gloss in glosses)
        (args.outdir / f"{name}.tsv").write_text("text\tlabel\n" + rows, encoding="utf-8")
        print(f"{args.outdir / name}.tsv: {len(glosses)} examples")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The pre-training text, one document per line, from Debian packages.

    tools/pretrain/corpus.py WORKDIR

writes corpus.txt and corpus.json (its SHA-256, package versions, counts).

Sources: wordnet-base (glosses, examples, relations), bible-kjv (King James
Version), dict-devil (The Devil's Dictionary), dict-elements, and from dict-gcide
only the paragraphs marked as the 1913 Webster, whose text is in the public domain.
Everything that the demo task (tools/wngloss.py) uses is left out: the synsets
themselves, and any document that has one of their definitions inside.
"""
import collections
import gzip
import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import wngloss  # noqa: E402

PACKAGES = ("wordnet-base", "bible-kjv", "bible-kjv-text", "dict-devil", "dict-elements",
            "dict-gcide")
DICTD = pathlib.Path("/usr/share/dictd")
PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
WORDNET_VARIANTS = 6  # each synset is told this often, in different words
NGRAM = 5  # words; no longer than the shortest gloss of the task

Synset = collections.namedtuple("Synset", "part lemmas pointers gloss")


def read_wordnet(folder=wngloss.WORDNET):
    """{(part letter, offset): Synset} of all four parts of speech."""
    synsets = {}
    for name, letter in PARTS.items():
        with open(pathlib.Path(folder) / f"data.{name}", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("  "):
                    continue
                head, gloss = line.rstrip().split(" | ", 1)
                field = head.split()
                count = int(field[3], 16)
                lemmas = [re.sub(r"\(.*?\)", "", field[4 + 2 * i]).replace("_", " ")
                          for i in range(count)]
                at = 4 + 2 * count
                pointers = [(field[p], field[p + 2].replace("s", "a"), field[p + 1])
                            for p in range(at + 1, at + 1 + 4 * int(field[at]), 4)]
                synsets[letter, field[0]] = Synset(letter, lemmas, pointers, gloss)
    return synsets


def article(word):
    if word[0].isupper():
        return word
    return ("an " if word[0] in "aeiou" else "a ") + word


def related(synsets, synset, *symbols):
    """The synsets that the pointers of these kinds lead to and that are still there."""
    keys = [(part, offset) for symbol, part, offset in synset.pointers if symbol in symbols]
    return [synsets[key] for key in keys if key in synsets]


def relation_sentences(rng, synsets, synset):
    """What WordNet says about a synset's place, as sentences."""
    lemma = rng.choice(synset.lemmas)
    for parent in related(synsets, synset, "@"):
        above = rng.choice(parent.lemmas)
        if synset.part == "n":
            yield rng.choice((f"{article(lemma)} is a kind of {above} .",
                              f"{article(lemma)} is {article(above)} ."))
        else:
            yield f"to {lemma} is to {above} in some way ."
    for kind in related(synsets, synset, "@i"):
        yield f"{lemma} is {article(rng.choice(kind.lemmas))} ."
    for whole in related(synsets, synset, "#p"):
        yield f"{article(lemma)} is part of {article(rng.choice(whole.lemmas))} ."
    for whole in related(synsets, synset, "#m"):
        yield f"{article(lemma)} belongs to {rng.choice(whole.lemmas)} ."
    for opposite in related(synsets, synset, "!"):
        yield f"{lemma} is the opposite of {rng.choice(opposite.lemmas)} ."


def synset_documents(rng, synsets, synset):
    lemma = rng.choice(synset.lemmas)
    entry = f"{lemma} : {wngloss.definition(synset.gloss)} ."
    sentences = list(relation_sentences(rng, synsets, synset))
    if sentences and rng.random() < 0.5:
        entry += " " + sentences.pop(0)
    yield entry
    yield from sentences
    below = related(synsets, synset, "~", "~i")
    if len(below) > 2:
        names = [rng.choice(kind.lemmas) for kind in rng.sample(below, min(8, len(below)))]
        yield f"kinds of {rng.choice(synset.lemmas)} : {', '.join(names)} ."
    if len(synset.lemmas) > 1:
        others = [word for word in synset.lemmas if word != lemma]
        yield f"{lemma} is another word for {', '.join(others)} ."


def wordnet(rng, held):
    synsets = {key: synset for key, synset in read_wordnet().items() if key not in held}
    for variant in range(WORDNET_VARIANTS):
        for synset in synsets.values():
            yield from synset_documents(rng, synsets, synset)
            if variant == 0:
                for example in re.findall(r'"([^"]+)"', synset.gloss):
                    yield example if example[-1] in ".?!" else example + " ."


def bible():
    """Passages of four verses."""
    out = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    verses = [line.split(" ", 1)[1].strip() for line in out.splitlines() if " " in line]
    for start in range(0, len(verses), 4):
        yield " ".join(verses[start:start + 4])


def read_dictd(name):
    with gzip.open(DICTD / f"{name}.dict.dz", "rt", encoding="utf-8", errors="replace") as text:
        return text.read()


def plain(text):
    """Text without the mark-up of the dict format."""
    while re.search(r"\[[^\[\]]*\]", text):  # etymologies and source tags nest
        text = re.sub(r"\[[^\[\]]*\]", " ", text)
    text = re.sub(r"--\s?[A-Z][^\n]*$", "", text, flags=re.M)  # who is quoted
    text = re.sub(r"\([A-Z][A-Za-z. &]{1,20}\)", " ", text)  # field of knowledge
    text = re.sub(r"[{}\\`*]", "", text)
    return re.sub(r"\s+", " ", text).strip()


def devil():
    for block in read_dictd("devil").split("\n\n"):
        yield plain(block)


def elements():
    for block in read_dictd("elements").split("\n\n"):
        yield plain(block)


def webster(rng):
    """GCIDE paragraphs whose one source tag is [1913 Webster]."""
    for block in read_dictd("gcide").split("\n\n"):
        tags = re.findall(r"\[[^\[\]]*(?:Webster|PJC|WordNet|Century|Suppl)[^\[\]]*\]", block)
        if tags != ["[1913 Webster]"]:
            continue
        head = re.match(r"(\S[^\\\n]{0,40}?) ?\\[^\\]*\\", block)
        body = block[head.end():] if head else block
        if head:  # pronunciation, part of speech: up to the first line's end
            while re.search(r"\[[^\[\]]*\]", body):
                body = re.sub(r"\[[^\[\]]*\]", " ", body)
            body = body.partition("\n")[2]
        body = re.sub(r"^\s*(\d+\.|\([a-z]\)|Note:|Syn:)\s", "", body)
        body = plain(body)
        if head and rng.random() < 0.8:
            body = f"{head.group(1)} : {body}"
        yield body


def sources(rng, held):
    yield "wordnet", wordnet(rng, held)
    yield "bible", bible()
    yield "devil", devil()
    yield "elements", elements()
    yield "webster1913", webster(rng)


class LeakFilter:
    """Finds the definitions of the demo task inside other text."""

    def __init__(self, glosses):
        self.by_start = collections.defaultdict(list)
        for gloss in glosses:
            words = wngloss.canonical(gloss.text).split()
            self.by_start[tuple(words[:NGRAM])].append(words)

    def leaks(self, document):
        words = wngloss.canonical(document).split()
        for at in range(len(words) - NGRAM + 1):
            for gloss in self.by_start.get(tuple(words[at:at + NGRAM]), ()):
                if words[at:at + len(gloss)] == gloss:
                    return True
        return False


def documents(seed=1):
    """Yields (source, text). The same seed and packages give the same stream."""
    rng = random.Random(seed)
    glosses = [gloss for split in wngloss.select().values() for gloss in split]
    held = {("n", gloss.offset) for gloss in glosses}
    leak_filter = LeakFilter(glosses)
    for source, texts in sources(rng, held):
        for text in texts:
            if len(text.split()) >= 4 and text.isascii() and not leak_filter.leaks(text):
                yield source, text


def package_versions():
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    return dict(line.split() for line in out.splitlines())


def main():
    workdir = pathlib.Path(sys.argv[1])
    workdir.mkdir(parents=True, exist_ok=True)
    counts = collections.defaultdict(lambda: {"documents": 0, "words": 0})
    digest = hashlib.sha256()
    with open(workdir / "corpus.txt", "wb") as out:
        for source, text in documents():
            line = text.encode() + b"\n"
            out.write(line)
            digest.update(line)
            counts[source]["documents"] += 1
            counts[source]["words"] += len(text.split())
    about = {"sha256": digest.hexdigest(), "packages": package_versions(), "sources": counts}
    (workdir / "corpus.json").write_text(json.dumps(about, indent=2) + "\n")
    print(json.dumps(about, indent=2))


if __name__ == "__main__":
    main()

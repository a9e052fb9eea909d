#!/usr/bin/env python3
"""Learn a WordPiece vocabulary by byte-pair merges of the most frequent pairs.

    tools/pretrain/vocab.py CORPUS.txt OUT/vocab.txt [SIZE]
"""
import collections
import heapq
import sys

from tokenizer import SPECIALS, basic_words

SIZE = 8192
UNUSED = 11  # spare rows, as in BERT's own vocabularies
MIN_WORD = 3  # a rarer word does not vote


def count_words(path):
    counts = collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            counts.update(basic_words(line))
    return counts


class Merger:
    """Words as lists of pieces, and how often each neighbouring pair occurs."""

    def __init__(self, counts):
        self.words = [[word[0]] + ["##" + char for char in word[1:]] for word in counts]
        self.weight = list(counts.values())
        self.pairs = collections.Counter()
        self.where = collections.defaultdict(set)
        for index, word in enumerate(self.words):
            self.count(index, word, self.weight[index])
        self.heap = [(-count, pair) for pair, count in self.pairs.items()]
        heapq.heapify(self.heap)

    def count(self, index, word, weight):
        """Adds a word's pairs; returns them."""
        found = list(zip(word, word[1:]))
        for pair in found:
            self.pairs[pair] += weight
            if weight > 0:
                self.where[pair].add(index)
        return found

    def best(self):
        """The most frequent pair; equal counts go by the pieces' own order."""
        while True:
            count, pair = heapq.heappop(self.heap)
            if self.pairs[pair] == -count:
                return pair

    def merge(self, pair):
        left, right = pair
        whole = left + right[2:]
        changed = set()
        for index in sorted(self.where.pop(pair)):
            word, weight = self.words[index], self.weight[index]
            changed.update(self.count(index, word, -weight))
            merged, at = [], 0
            while at < len(word):
                both = word[at:at + 2] == [left, right]
                merged.append(whole if both else word[at])
                at += 2 if both else 1
            self.words[index] = merged
            changed.update(self.count(index, merged, weight))
        for other in changed:
            if self.pairs[other] > 0:
                heapq.heappush(self.heap, (-self.pairs[other], other))
        return whole


def learn(counts, size=SIZE):
    frequent = {w: c for w, c in sorted(counts.items()) if c >= MIN_WORD and len(w) < 40}
    letters = sorted({char for word in frequent for char in word})
    vocab = list(SPECIALS) + [f"[unused{i}]" for i in range(UNUSED)] + letters
    vocab += ["##" + char for char in letters if char.isalnum()]
    known = set(vocab)
    merger = Merger(frequent)
    while len(vocab) < size:
        whole = merger.merge(merger.best())
        if whole not in known:
            known.add(whole)
            vocab.append(whole)
    return vocab


def main():
    size = int(sys.argv[3]) if len(sys.argv) > 3 else SIZE
    vocab = learn(count_words(sys.argv[1]), size)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write("\n".join(vocab) + "\n")
    print(f"{len(vocab)} pieces, the last one {vocab[-1]}")


if __name__ == "__main__":
    main()

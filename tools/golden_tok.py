#!/usr/bin/env python3
"""Small vocabularies and golden tokenisations for src/text.

    tools/golden_tok.py tests/golden/text

An implementation of its own, straight from the published algorithms (BERT's
tokenization.py, GPT-2's encoder.py) on Python's strings and unicodedata; it shares nothing
with the C code. Lines of the *.txt files: SPACE<TAB>hex of the text's bytes<TAB>ids.
"""
import collections
import hashlib
import json
import pathlib
import random
import re
import sys
import unicodedata as ud

SAMPLE = """the quick brown fox jumps over the lazy dog. it was a great movie , and the actors
were n't bad at all . a terrible , boring film with no story ; unaffable people said they'll
never watch it again in 1999 or 2024 . the best thing about this is that it is over . don't
worry , we've seen worse . running runner runs wanted wanting unwanted positive negative
Good Great Terrible Company Athlete naive cafe resume uber strasse hello world"""
GREEK = "αβγδοςσυ"
CASES = [
    "", " ", "hello world", "Hello, World!", "UNWANTED, running", "unaffable", "  two  spaces  ",
    "tab\tnew\nline\r\nend", "don't we've they'll I'm he'd it's 'tis '", "DON'T WE'VE",
    "caf\u00e9 cafe\u0301 na\u00efve r\u00e9sum\u00e9 \u00dcber Stra\u00dfe \u1e9e",
    "\u0130stanbul I\u0131",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3 \u03b1\u03a3 "
    "\u03b1\u03a3\u03b2 \u03b1\u03a3. \u03b1\u03a3'\u03b2 \u03b1\u0301\u03a3\u0301",
    "ah\u535a\u63a8zz \u4e2d\u6587\u5b57 \u65e5\u672c\u8a9e\u30c6\u30b9\u30c8 "
    "\ud55c\uad6d\uc5b4 \uf900 \U00020000\U0002f800",
    "\U0001f600 smile\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 "
    "\u2764\ufe0f", "a\u0000b\u0001c\u007fd\u0080e\u200bf\u200eg\u2060h\ufeffi\u00adj",
    "x\ufffdy",
    "\u00a0nbsp\u2003em\u3000ideo\u2028line\u2029par\u0085nel\u1680ogham\u202fnn\u205fmm",
    "p.u,n;c:t!u?a-t_i(o)n[a]l {x} <y> |z| `q` ~^$+=",
    "\u201cquoted\u201d \u2014 dash\u2026 \u00bfqu\u00e9? \u00a1s\u00ed! \u3002\uff0c",
    "\u20ac100 \u00a35 5\u00b0C x\u00b2 \u00bd \u2167 \u0661\u0662\u0663 3.14159 1,000,000",
    "a" * 100, "a" * 101, "the" * 40, "[MASK] [CLS] <mask> </s> <s>", "##ing ##",
    "e\u0323\u0301 \u1e69 s\u0323\u0307 \u0344 \u0958 \u09cb \U0001d15e",
    "\u302e\u302f a\u302f\u302e \U0001d158\U0001d165\U0001d16d\U0001d16e "
    "b\u0301\u302f\u0316\u302e", "\ue000 \U000f0000 \u0378", "\n\n  x\n \n", "   ", "a   b",
    "a \n b", "!!! ...?",
    "\u0e01\u0e33\u0e19\u0e49\u0e33 \u0928\u092e\u0938\u094d\u0924\u0947 "
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd "
    "\u0645\u064e\u0631\u062d\u064e\u0628\u064b\u0627",
    "\ufb01ne \u01c4 \u01c5 \u1f88 \u2126 \u212b", "great terrible positive", " great", "great ",
]
RAW = [b"\xff", b"ab\xc3", b"\xc3(", b"\xe2\x82", b"\xe2\x28\xa1", b"\xf0\x9f\x98", b"\xf0\x9f\x98x",
       b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xe0\x80\xaf", b"\x80\xbf",
       b"the\xfe\xfffox", b"\xf8\x88\x80\x80\x80", b"caf\xe9 bad\x00nul", b"\xe2\x82\xac\xe2\x82"]


def pool(rng):
    """One piece of a random text."""
    kind = rng.randrange(9)
    if kind < 3:
        return rng.choice(re.findall(r"\S+", SAMPLE))
    if kind == 3:
        return rng.choice([" ", "  ", "\n", "\t", "\u00a0", "\u3000", "'s", "'ll", ".", "-"])
    if kind == 4:
        return chr(rng.randrange(32, 127))
    if kind == 5:
        return chr(rng.randrange(0xA0, 0x600))
    if kind == 6:
        return chr(rng.choice([0x300, 0x301, 0x323, 0x5B0, 0x3A3, 0x3C3, 0x130, 0x345, 0xE33]))
    code = rng.randrange(0x600, 0x3200) if kind == 7 else rng.randrange(0x3200, 0x20000)
    return "" if 0xD800 <= code < 0xE000 else chr(code)


def cases():
    rng = random.Random(20260712)
    for text in CASES:
        yield text.encode()
    yield from RAW
    for _ in range(140):
        raw = "".join(pool(rng) for _ in range(rng.randrange(1, 14))).encode()
        if rng.random() < 0.3:
            raw = bytearray(raw)
            raw[rng.randrange(len(raw) + 1):0] = bytes([rng.randrange(128, 256)])
        yield bytes(raw)


class Bert:
    def __init__(self, vocab, lower):
        self.ids = {piece: index for index, piece in enumerate(vocab)}
        self.lower = lower

    @staticmethod
    def clean(text):
        out = []
        for char in text:
            if char in "\t\n\r":
                out.append(" ")
            elif char not in "\0\ufffd" and ud.category(char)[0] != "C":
                out.append(" " if ud.category(char) == "Zs" else char)
        return "".join(out)

    @staticmethod
    def space_cjk(text):
        blocks = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
                  (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
        return "".join(f" {char} " if any(a <= ord(char) <= b for a, b in blocks) else char
                       for char in text)

    @staticmethod
    def split_signs(word):
        parts, fresh = [], True
        for char in word:
            code = ord(char)
            if (33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
                    or ud.category(char)[0] == "P"):
                parts.append([char])
                fresh = True
            else:
                if fresh:
                    parts.append([])
                fresh = False
                parts[-1].append(char)
        return ["".join(part) for part in parts]

    def word_ids(self, word):
        if len(word) > 100:
            return [self.ids["[UNK]"]]
        out, start = [], 0
        while start < len(word):
            end = len(word)
            while end > start and ("##" if start else "") + word[start:end] not in self.ids:
                end -= 1
            if end == start:
                return [self.ids["[UNK]"]]
            out.append(self.ids[("##" if start else "") + word[start:end]])
            start = end
        return out

    def encode(self, raw):
        text = self.space_cjk(self.clean(raw.decode("utf-8", errors="replace")))
        out = []
        for word in text.split():
            if self.lower:
                word = ud.normalize("NFD", word.lower())
                word = "".join(char for char in word if ud.category(char) != "Mn")
            for part in self.split_signs(word):
                out += self.word_ids(part)
        return out


def byte_chars():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in keep]
    return {**{b: chr(b) for b in keep}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


class Bpe:
    # GPT-2's own pattern, on a picture of the text in which every letter but those of the
    # contractions is L, every number N, white space other than a blank W, the rest O.
    PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[Lstrevmld]+| ?N+| ?[O']+|"
                         r"[W ]+(?![^W ])|[W ]+")
    WHITE = {*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029,
             0x202F, 0x205F, 0x3000}

    def __init__(self, vocab, merges):
        self.vocab, self.rank = vocab, {pair: i for i, pair in enumerate(merges)}
        self.chars = byte_chars()

    @classmethod
    def picture(cls, char):
        if char in "strevmld '":
            return char
        if ord(char) in cls.WHITE:
            return "W"
        return {"L": "L", "N": "N"}.get(ud.category(char)[0], "O")

    @classmethod
    def parts(cls, text):
        drawn = "".join(map(cls.picture, text))
        return [text[m.start():m.end()] for m in cls.PATTERN.finditer(drawn)]

    def merge(self, symbols):
        while len(symbols) > 1:
            pairs = list(zip(symbols, symbols[1:]))
            best = min(pairs, key=lambda pair: self.rank.get(pair, float("inf")))
            if best not in self.rank:
                break
            out, at = [], 0
            while at < len(symbols):
                both = tuple(symbols[at:at + 2]) == best
                out.append("".join(best) if both else symbols[at])
                at += 2 if both else 1
            symbols = out
        return symbols

    def encode(self, raw, space=False):
        text = raw.decode("utf-8", errors="replace")
        out = []
        for part in self.parts((" " if space and text else "") + text):
            symbols = [self.chars[byte] for byte in part.encode()]
            out += [self.vocab.get(piece, self.vocab["<unk>"]) for piece in self.merge(symbols)]
        return out


def bert_vocab():
    vocab = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789" + GREEK
    vocab += [chr(code) for code in range(33, 127) if not chr(code).isalnum()]
    vocab += list(letters) + list("GTHWDO\u00e9")
    vocab += ["##" + char for char in letters + "\u00e9\u00df"]
    vocab += list("\u4e2d\u6587\u65e5\u535a\u8c48\u20ac\u201c\u2014\u3002\u1112")
    vocab += list("\U0001f600\u0131\u05e9\u0e01")
    vocab += ["##\u1161", "##\u11ab", "##\U0001f44d", "##\u05dc", "##\u0e32"]
    counts = collections.Counter(re.findall("[a-z]+", SAMPLE))
    vocab += sorted(word for word in counts if len(word) > 2)
    vocab += ["##ing", "##ed", "##able", "##aff", "un", "un##", "##n", "runn", "caf", "##world",
              "Good", "Great", "hell", "##o", "\u03bf\u03b4", "##\u03c3\u03b5"]
    return list(dict.fromkeys(vocab))


def bpe_vocab():
    """Learns merges from the sample; the order of ids is RoBERTa's (specials first)."""
    words = collections.Counter()
    chars = byte_chars()
    for part in Bpe.parts(SAMPLE + " caf\u00e9 \u00e9t\u00e9 \u4e2d\u6587 \U0001f600\U0001f600"):
        words[tuple(chars[byte] for byte in part.encode())] += 1
    merges = []
    while len(merges) < 200:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = max(sorted(pairs), key=lambda pair: pairs[pair])
        merges.append(best)
        one = Bpe({}, [best])
        words = collections.Counter({tuple(one.merge(list(w))): c for w, c in words.items()})
    pieces = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces += [char for byte, char in sorted(chars.items()) if byte != 0x07]
    pieces += ["".join(pair) for pair in merges] + ["<mask>"]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}, merges


def unicode_line(code):
    """What src/text/uni.h says about one code point."""
    char = chr(code)
    category = ud.category(char)
    group = "OCZLNPMS".index({"Mn": "M" if ud.combining(char) else "S"}.get(
        category, category[0] if category[0] in "CZLNP" else "O"))
    bare = "" if category == "Mn" else " ".join(
        f"{ord(c):X}" for c in ud.normalize("NFD", char)
        if ud.category(c) != "Mn" or not ud.combining(c))
    lower = " ".join(f"{ord(c):X}" for c in char.lower())
    order = 0 if category == "Mn" else ud.combining(char)
    return f"{code:X} {group} {int(code in Bpe.WHITE)} {lower} / {bare} {order}\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def main():
    root = pathlib.Path(sys.argv[1])
    lines = "".join(map(unicode_line, range(0x110000)))
    write(root / "uni.txt", hashlib.sha256(lines.encode()).hexdigest() + "\n")
    vocab = bert_vocab()
    ids, merges = bpe_vocab()
    for name, lower in (("bert", True), ("bert-cased", False)):
        write(root / name / "vocab.txt", "\n".join(vocab) + "\n")
        write(root / name / "config.json", json.dumps(
            {"model_type": "bert", "vocab_size": len(vocab)}) + "\n")
        tok = Bert(vocab, lower)
        write(root / f"{name}.txt", "".join(
            f"0\t{raw.hex()}\t{' '.join(map(str, tok.encode(raw)))}\n" for raw in cases()))
    write(root / "bert-cased/tokenizer_config.json", '{"do_lower_case": false}\n')
    write(root / "roberta/vocab.json", json.dumps(ids, ensure_ascii=False) + "\n")
    write(root / "roberta/merges.txt", "#version: 0.2\n" +
          "".join(f"{a} {b}\n" for a, b in merges))
    write(root / "roberta/config.json", json.dumps(
        {"model_type": "roberta", "vocab_size": len(ids)}) + "\n")
    write(root / "roberta/tokenizer_config.json", json.dumps(
        {"mask_token": {"content": "<mask>", "lstrip": True}, "cls_token": "<s>"}) + "\n")
    tok = Bpe(ids, merges)
    write(root / "roberta.txt", "".join(
        f"{space}\t{raw.hex()}\t{' '.join(map(str, tok.encode(raw, space)))}\n"
        for raw in cases() for space in (0, 1)))


if __name__ == "__main__":
    main()

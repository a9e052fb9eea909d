"""BERT's tokenisation: BasicTokenizer (uncased) and greedy WordPiece.

Written from the published rules so that the pre-training text, the reference
scripts and bbt-lm's clients all split text the same way.
"""
import pathlib
import unicodedata

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_WORD = 100  # characters; a longer word is [UNK]

CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
       (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def is_control(char):
    return char not in "\t\n\r" and unicodedata.category(char).startswith("C")


def is_punctuation(char):
    code = ord(char)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(char).startswith("P")


def is_cjk(char):
    return any(low <= ord(char) <= high for low, high in CJK)


def basic_words(text):
    """The words of a text: clean, space CJK, lower case, no accents, split signs."""
    kept = []
    for char in text:
        if char in "\0\ufffd" or is_control(char):
            continue
        if char in "\t\n\r" or unicodedata.category(char) == "Zs":
            kept.append(" ")
        else:
            kept.append(f" {char} " if is_cjk(char) else char)
    for word in "".join(kept).split():
        word = unicodedata.normalize("NFD", word.lower())
        part = ""
        for char in word:
            if unicodedata.category(char) == "Mn":
                continue
            if not is_punctuation(char):
                part += char
                continue
            if part:
                yield part
            yield char
            part = ""
        if part:
            yield part


class Tokenizer:
    def __init__(self, path):
        self.pieces = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        if self.pieces[-1] == "":
            self.pieces.pop()
        self.ids = {piece: index for index, piece in enumerate(self.pieces)}
        self.pad, self.unk, self.cls, self.sep, self.mask = (self.ids[s] for s in SPECIALS)
        self.known = {}

    def word_ids(self, word):
        """Greedy longest match from the left; [UNK] when a rest has no piece."""
        if word in self.known:
            return self.known[word]
        found, start = [], 0
        while start < len(word) <= MAX_WORD:
            for end in range(len(word), start, -1):
                piece = self.ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    break
            else:
                break
            found.append(piece)
            start = end
        self.known[word] = found if start == len(word) else [self.unk]
        return self.known[word]

    def encode(self, text):
        """Ids without [CLS] and [SEP]; the marker [MASK] in the text is the mask."""
        ids = []
        for index, part in enumerate(text.split("[MASK]")):
            if index:
                ids.append(self.mask)
            for word in basic_words(part):
                ids += self.word_ids(word)
        return ids
